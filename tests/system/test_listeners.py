"""Listeners that another package brings along get each event, and can neither delay nor fail anything."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.events.listeners import TIME_TO_END
from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.other_listeners import OUTPUT, PACKAGE, install
from tests.system.dropping import delivered, files, put, scan

FINE, USAGE, ENVIRONMENT = 0, 2, 3


def wanting(*names: str) -> str:
    """Return settings with these listeners."""
    return f"[events]\nlisteners = {json.dumps(names)}\n"


def found(folder: Path) -> dict[str, str]:
    """Install them; return the environment with which a process finds them."""
    return {"PYTHONPATH": install(folder / "packages"), OUTPUT: str(folder / "heard")}


def heard(folder: Path) -> list[dict[str, Any]]:
    """Return what the listener that writes has written."""
    return [json.loads(line) for line in (folder / "heard").read_text().splitlines()]


def test_a_listener_gets_what_is_logged(tmp_path: Path) -> None:
    """The same fields, and it is closed at the end."""
    with DaemonProcess(tmp_path, config=wanting("writes"), environment=found(tmp_path)) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        event = delivered(daemon, "a.jpg", 1)
        assert daemon.stop() == FINE
        first, last = heard(tmp_path)
        assert first == {name: value for name, value in event.items() if name not in {"time", "level"}}
        assert last == {"event": "closed"}


def test_listeners_that_fail_or_hang_change_nothing(tmp_path: Path) -> None:
    """Scans are delivered, the others hear of it, and the end waits for them no longer than it says."""
    names = ("hangs", "raises", "cannot-be-made", "missing", "writes")
    with DaemonProcess(tmp_path, config=wanting(*names), environment=found(tmp_path)) as daemon:
        daemon.wait_ready()
        for number in range(1, 4):
            put(daemon.inbox, f"{number}.jpg", scan(number))
            delivered(daemon, f"{number}.jpg", number)
        begun = time.monotonic()
        assert daemon.stop() == FINE
        assert time.monotonic() - begun < TIME_TO_END + 5
        assert [line.get("path") for line in heard(tmp_path)] == ["1.jpg", "2.jpg", "3.jpg", None]
        failures = [
            (event["listener"], event["exception"][0]["exc_type"]) for event in daemon.events("listener.failed")
        ]
        assert sorted(failures) == [
            ("cannot-be-made", "ConnectionRefusedError"),
            ("missing", "ModuleNotFoundError"),
            ("raises", "KeyError"),
            ("raises", "ValueError"),
        ]
        assert f"of the package {PACKAGE}" in daemon.events("listener.failed")[0]["reason"]
        (dropped,) = daemon.events("listener.dropped")
        assert (dropped["listener"], dropped["reason"]) == ("hangs", "ocrwatch stopped")


@pytest.mark.parametrize("command", [("once",), ("config", "check")])
def test_a_listener_that_is_not_installed_is_named_at_the_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The sentence lists what is installed; nothing is read."""
    put(tmp_path / "inbox", "a.jpg", scan(1))
    answer = run_ocrwatch(tmp_path, *command, config=wanting("index"), environment=found(tmp_path))
    assert answer.returncode == USAGE
    assert (
        "there is no listener named 'index'; set events.listeners to some of: cannot-be-made, hangs," in answer.stderr
    )
    assert files(tmp_path / "inbox") == {"a.jpg"}


def test_doctor_names_a_listener_that_is_not_installed(tmp_path: Path) -> None:
    """It would stop ocrwatch."""
    answer = run_ocrwatch(tmp_path, "doctor", "--json", config=wanting("index"))
    (finding,) = (each for each in json.loads(answer.stdout) if each["subject"] == "listeners")
    assert (answer.returncode, finding["severity"]) == (ENVIRONMENT, "problem")
    assert finding["message"] == "there is no listener named 'index'"
