"""Memory, the service manager, and who else is there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ocrwatch.checks import machine
from ocrwatch.checks.machine import (
    Service,
    address,
    exposed,
    holders,
    memory,
    network,
    service_of,
    service_state,
)


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a systemctl on the PATH that says what is in a file, and keeps what it was asked."""
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat {tmp_path}/answer\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(machine, "SETTINGS_FOLDER", tmp_path)
    return tmp_path


def test_a_service_is_known_by_its_settings(systemctl: Path) -> None:
    """The main file is that of the main unit, any other that of an instance; the answer is taken apart."""
    (systemctl / "answer").write_text(
        "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nUser=ocrwatch\n"
        "StateDirectory=ocrwatch other\nNRestarts=2\n"
    )
    expected = Service("ocrwatch.service", "active", "enabled", "ocrwatch", Path("/var/lib/ocrwatch"), 2)
    assert service_of(systemctl / "ocrwatch.toml") == expected
    assert (systemctl / "asked").read_text().startswith("show ocrwatch.service ")
    found = service_of(systemctl / "hr.toml")
    assert found is not None
    assert found.unit == "ocrwatch@hr.service"


def test_without_a_service_nothing_is_said(systemctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings elsewhere, a unit that does not exist, a machine without systemd: none of these is a fault."""
    (systemctl / "answer").write_text("LoadState=not-found\nActiveState=inactive\n")
    assert service_of(systemctl / "ocrwatch.toml") is None
    (systemctl / "answer").unlink()
    assert service_of(systemctl / "ocrwatch.toml") is None
    assert service_of(systemctl / "elsewhere/ocrwatch.toml") is None
    assert service_of(None) is None
    monkeypatch.setenv("PATH", "/nowhere")
    assert service_of(systemctl / "ocrwatch.toml") is None


@pytest.mark.parametrize(
    ("active", "restarts", "severity", "remedy"),
    [
        ("active", 0, "fine", ""),
        ("active", 3, "fine", ""),
        ("activating", 0, "fine", ""),
        ("activating", 3, "problem", "journalctl -u ocrwatch.service"),
        ("failed", 0, "problem", "journalctl -u ocrwatch.service"),
        ("inactive", 0, "problem", "systemctl start ocrwatch.service"),
    ],
)
def test_a_service_that_does_not_run_is_a_problem(active: str, restarts: int, severity: str, remedy: str) -> None:
    """Each state has its own remedy."""
    (found,) = service_state(Service("ocrwatch.service", active, "enabled", "", None, restarts))
    assert (found.severity, remedy in found.remedy) == (severity, True)


def test_a_service_that_does_not_come_back_is_a_warning() -> None:
    """It runs, but would not after the next start of the machine."""
    _, found = service_state(Service("ocrwatch.service", "active", "disabled", "", None, 0))
    assert (found.severity, found.remedy) == ("warning", "run: systemctl enable ocrwatch.service")


def test_a_service_without_a_network_is_a_problem_if_it_needs_one(systemctl: Path) -> None:
    """The commands may use it all the same, so that nothing else would show it."""
    answer = "LoadState=loaded\nActiveState=active\nPrivateNetwork="
    for said, count in (("yes", 1), ("no", 0)):
        (systemctl / "answer").write_text(f"{answer}{said}\n")
        service = service_of(systemctl / "ocrwatch.toml")
        assert service is not None
        assert list(network(service, [])) == []
        found = list(network(service, ["hooks.webhook", "[[remote]]"]))
        assert len(found) == count
    closed = Service("ocrwatch.service", "active", "enabled", "", None, 0, has_network=False)
    (finding,) = network(closed, ["hooks.webhook", "[[remote]]"])
    assert finding.message == "ocrwatch.service may not use the network, which hooks.webhook and [[remote]] need"
    assert finding.remedy == "run: sudo sh deploy/install.sh --with-remote"
    (finding,) = network(closed, ["status.listen"])
    assert finding.remedy == "run: sudo sh deploy/install.sh --with-network"


def test_too_little_memory_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy names a number of workers that fits."""
    meminfo = tmp_path / "meminfo"
    monkeypatch.setattr(machine, "_MEMINFO", meminfo)
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:  400000 kB\n")
    (found,) = memory(3)
    assert found.severity == "fine"
    (found,) = memory(4)
    assert (found.severity, "set workers.count to 3" in found.remedy) == ("warning", True)
    meminfo.write_text("nothing of the kind")
    assert list(memory(4)) == []


def test_workers_that_read_with_ppocr_take_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with memory for four workers has too little for two that have networks, too; the remedy names one."""
    meminfo = tmp_path / "meminfo"
    monkeypatch.setattr(machine, "_MEMINFO", meminfo)
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:  600000 kB\n")
    (found,) = memory(4)
    assert found.severity == "fine"
    (found,) = memory(1, ppocr=True)
    assert (found.severity, found.message) == ("fine", "0.6 GB of memory are available for 1 workers")
    (found,) = memory(2, ppocr=True)
    assert found.severity == "warning"
    assert found.message == "0.6 GB of memory are available, and 2 workers take about 0.8 GB"
    assert found.remedy.startswith("set workers.count to 1,")
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:  1000 kB\n")
    (found,) = memory(2, ppocr=True)
    assert found.remedy.startswith("set workers.count to 1,")


def test_whoever_has_the_folders_is_named() -> None:
    """The same process in both is the daemon itself; one in one of them is another."""
    assert holders(None, None).severity == "fine"
    assert holders(5, 5).severity == "fine"
    for inbox, state in ((5, None), (None, 5), (5, 6)):
        found = holders(inbox, state)
        assert (found.severity, "process 5" in found.message, bool(found.remedy)) == ("problem", True, True)


@pytest.mark.parametrize(
    ("inbox", "state", "said"),
    [(0, 5, "ocrwatch runs as process 5"), (5, 0, "ocrwatch runs as process 5"), (0, 0, "ocrwatch runs")],
)
def test_a_process_that_the_system_does_not_name_is_no_other(inbox: int, state: int, said: str) -> None:
    """On Btrfs the inbox's holder is not known; the daemon of these settings runs if the state folder is held too."""
    found = holders(inbox, state)
    assert (found.severity, found.message) == ("fine", said)


@pytest.mark.parametrize(("inbox", "state", "what"), [(0, None, "inbox"), (None, 0, "state folder")])
def test_one_folder_that_is_held_by_an_unknown_process(inbox: int | None, state: int | None, what: str) -> None:
    """A start would fail, so it is a problem; no number of a process is made up."""
    found = holders(inbox, state)
    assert found.severity == "problem"
    assert (
        found.message == f"the {what} is locked, and not by an ocrwatch with these settings; its process is not known"
    )
    assert "lslocks" in found.remedy


def test_an_address_that_is_taken_is_a_problem() -> None:
    """One that is free is fine, one that the running daemon has is its own, and none is no question."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        (found,) = address("status.listen", taken, runs=False)
        assert (found.severity, "another program" in found.message) == ("problem", True)
        assert list(address("status.listen", taken, runs=True)) == []
    (found,) = address("status.listen", taken, runs=False)
    assert found.severity == "fine"
    assert list(address("status.listen", "", runs=False)) == []
    (found,) = address("status.listen", "203.0.113.1:9", runs=False)
    assert (found.severity, found.remedy) == ("problem", "name an address of this machine in status.listen")


def test_a_secret_that_everybody_may_read_is_a_warning(tmp_path: Path) -> None:
    """One for the owner and the group is fine."""
    secret = tmp_path / "secret"
    secret.write_text("A: b")
    secret.chmod(0o640)
    assert list(exposed("hooks.webhook_secret", secret)) == []
    secret.chmod(0o644)
    (found,) = exposed("hooks.webhook_secret", secret)
    assert (found.severity, "chmod o-rwx" in found.remedy) == ("warning", True)
