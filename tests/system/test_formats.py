"""Sidecar formats that another package brings along, as a user would install it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.other_formats import PACKAGE, install
from tests.system.dropping import delivered, files, phrase, put, scan

FINE, QUARANTINED, USAGE, ENVIRONMENT = 0, 1, 2, 3


def wanting(*names: str) -> str:
    """Return settings with these formats."""
    return f"[output]\nformats = {json.dumps(names)}\n"


def test_its_sidecar_lies_beside_the_text(tmp_path: Path) -> None:
    """A class and an entry point are enough."""
    found = {"PYTHONPATH": install(tmp_path / "packages", "marks")}
    put(tmp_path / "inbox", "sub/a.jpg", scan(1))
    answer = run_ocrwatch(tmp_path, "once", config=wanting("txt", "marks"), environment=found)
    assert (answer.returncode, files(tmp_path / "inbox")) == (FINE, set())
    assert files(tmp_path / "outbox") == {"sub/a.txt", "sub/a.marks.csv"}
    assert (tmp_path / "outbox/sub/a.txt").read_text().split() == phrase(1).split()
    words = len(phrase(1).split())
    assert (tmp_path / "outbox/sub/a.marks.csv").read_text() == f"sub/a.jpg: {words} words\n"


def test_the_daemon_publishes_it_before_the_text(tmp_path: Path) -> None:
    """The text is last, as the commit mark."""
    found = {"PYTHONPATH": install(tmp_path / "packages", "marks")}
    with DaemonProcess(tmp_path, config=wanting("txt", "marks", "json"), environment=found) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        assert delivered(daemon, "a.jpg", 1)["sidecars"] == ["a.json", "a.marks.csv", "a.txt"]
        assert daemon.stop() == FINE


@pytest.mark.parametrize("name", ["raises", "exits", "returns-text"])
def test_a_format_that_fails_costs_only_the_scan_that_it_fails_on(tmp_path: Path, name: str) -> None:
    """That scan is quarantined with the package's name, the others are delivered; without the format it is read."""
    found = {"PYTHONPATH": install(tmp_path / "packages", name)}
    for path in ("a.jpg", "bad.jpg", "c.jpg"):
        put(tmp_path / "inbox", path, scan(1))
    answer = run_ocrwatch(tmp_path, "once", config=wanting("txt", name), environment=found)
    assert answer.returncode == QUARANTINED
    assert {path for path in files(tmp_path / "outbox") if path.endswith(".txt")} == {"a.txt", "c.txt"}
    assert len(files(tmp_path / "outbox")) == 4
    assert files(tmp_path / "quarantine") == {"bad.jpg", "bad.jpg.reason.json"}
    reason = json.loads((tmp_path / "quarantine/bad.jpg.reason.json").read_text())
    assert reason["code"] == "internal-error"
    assert f"the format {name} of the package {PACKAGE}" in reason["reason"]
    assert f"take {name} out of output.formats" in reason["remedy"]
    assert run_ocrwatch(tmp_path, "retry", environment=found).returncode == FINE
    assert run_ocrwatch(tmp_path, "once", config=wanting("txt"), environment=found).returncode == FINE
    assert "bad.txt" in files(tmp_path / "outbox")


@pytest.mark.parametrize("command", [("once",), ("config", "check")])
def test_a_package_that_cannot_be_loaded_is_told_at_the_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Nothing is read that could not be delivered; the sentence names format, package and remedy."""
    found = {"PYTHONPATH": install(tmp_path / "packages", broken="there_is_no_such_module:Format")}
    put(tmp_path / "inbox", "a.jpg", scan(1))
    answer = run_ocrwatch(tmp_path, *command, config=wanting("txt", "broken"), environment=found)
    assert answer.returncode == ENVIRONMENT
    assert f"the format broken of the package {PACKAGE} cannot be used" in answer.stderr
    assert "take broken out of output.formats" in answer.stderr
    assert files(tmp_path / "inbox") == {"a.jpg"}
    # Installed and not wanted, it is in nobody's way.
    assert run_ocrwatch(tmp_path, "once", config=wanting("txt"), environment=found).returncode == FINE
    assert files(tmp_path / "outbox") == {"a.txt"}


def test_doctor_names_a_format_that_cannot_be_used(tmp_path: Path) -> None:
    """What would stop ocrwatch is a problem, also in a profile."""
    found = {"PYTHONPATH": install(tmp_path / "packages", "marks", "twin")}
    config = f'[[profiles]]\nmatch = "a/*"\n[profiles.output]\nformats = {json.dumps(["marks", "twin"])}\n'
    answer = run_ocrwatch(tmp_path, "doctor", "--json", config=config, environment=found)
    (finding,) = (each for each in json.loads(answer.stdout) if each["subject"] == "formats")
    assert (answer.returncode, finding["severity"]) == (ENVIRONMENT, "problem")
    assert finding["message"].startswith("the formats marks and twin both write files that end in .")


def test_a_format_that_is_not_installed_any_more_is_named_at_the_start(tmp_path: Path) -> None:
    """The sentence lists what is installed."""
    found = {"PYTHONPATH": install(tmp_path / "packages", "marks")}
    put(tmp_path / "inbox", "a.jpg", scan(1))
    assert run_ocrwatch(tmp_path, "once", config=wanting("txt", "marks"), environment=found).returncode == FINE
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == USAGE
    assert re.search(
        r"output\.formats\[1\] = \"marks\" is not valid; write 'txt'.* or '\w+', or install", answer.stderr
    )


def test_a_known_scan_gets_its_sidecar_too(tmp_path: Path) -> None:
    """Rendered for its own path, from the page in the cache; also by a later run."""
    found = {"PYTHONPATH": install(tmp_path / "packages", "marks")}
    words = len(phrase(1).split())
    with DaemonProcess(tmp_path, config=wanting("txt", "marks"), environment=found) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        assert "cached" not in delivered(daemon, "a.jpg", 1)
        put(daemon.inbox, "sub/b.jpg", scan(1))
        assert delivered(daemon, "sub/b.jpg", 1)["cached"] is True
        assert daemon.stop() == FINE
    put(tmp_path / "inbox", "c.jpg", scan(1))
    assert run_ocrwatch(tmp_path, "once", environment=found).returncode == FINE
    for name in ("a", "sub/b", "c"):
        assert (tmp_path / "outbox" / f"{name}.marks.csv").read_text() == f"{name}.jpg: {words} words\n"


def test_a_format_that_kills_its_process_costs_only_the_known_scan_that_it_fails_on(tmp_path: Path) -> None:
    """It is read then, and fails; other known scans are delivered from the cache."""
    found = {"PYTHONPATH": install(tmp_path / "packages", "crashes")}
    config = f"{wanting('txt', 'crashes')}[workers]\ncount = 1\n[retry]\nattempts = 1\n"
    with DaemonProcess(tmp_path, config=config, environment=found) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        put(daemon.inbox, "bad.jpg", scan(1))
        assert daemon.wait_for("scan.quarantined", path="bad.jpg")["code"] == "worker-died"
        assert [event["phase"] for event in daemon.events("worker.died")] == ["rendering", "reading"]
        (failed,) = daemon.events("cache.failed")
        assert failed["reason"].startswith("bad.jpg: its worker was exited with code 9")
        put(daemon.inbox, "c.jpg", scan(1))
        assert delivered(daemon, "c.jpg", 1)["cached"] is True
        assert daemon.stop() == FINE
