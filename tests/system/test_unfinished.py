"""Files that look whole while their writer pauses: none is believed to be damaged before the patience is over."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.housekeeping.archive_check import REMEDY, REWRITTEN
from tests.daemon_process import DaemonProcess, Event, run_ocrwatch
from tests.system.dropping import delivered, emptied, files, only_once, phrase, put, scan
from tests.waiting import until

LINES = 8
QUARANTINED = 1
PATIENCE = 2.0
CONFIG = """
[watch]
rescan = "1s"
poll_interval = "200ms"
[settle]
stable_for = "300ms"
give_up_after = "{patience}"
"""


def _page(number: int) -> bytes:
    return scan(number, LINES)


def _with_hole(data: bytes) -> bytes:
    """Return a page whose middle third is zeros, which a preallocated file has before they are written."""
    third = len(data) // 3
    return data[:third] + bytes(third) + data[2 * third :]


@pytest.fixture(scope="module", params=["inotify", "poll"])
def _patient(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[DaemonProcess]:
    config = CONFIG.format(patience="2m").replace("[watch]", f'[watch]\nmode = "{request.param}"')
    environment = {"OCRWATCH_STATUS__SHARE_FILE": "true"}
    with DaemonProcess(tmp_path_factory.mktemp("patient"), config=config, environment=environment) as daemon:
        yield daemon.wait_ready()


@pytest.fixture
def patient(_patient: DaemonProcess) -> Iterator[DaemonProcess]:
    """Return a daemon that waits longer for a writer than any test lasts."""
    yield _patient
    _patient.print_log()


@pytest.fixture(scope="module")
def _hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with DaemonProcess(
        tmp_path_factory.mktemp("hasty"),
        config=CONFIG.format(patience=f"{PATIENCE:g}s"),
        environment={"OCRWATCH_STATUS__SHARE_FILE": "true"},
    ) as daemon:
        yield daemon.wait_ready()


@pytest.fixture
def hasty(_hasty: DaemonProcess) -> Iterator[DaemonProcess]:
    """Return a daemon whose patience is short; each test uses names of its own."""
    yield _hasty
    _hasty.print_log()


def _said(daemon: DaemonProcess, name: str, event: str = "scan.waiting") -> list[Event]:
    return [each for each in daemon.events(event, path=name) if "image data" in str(each["reason"])]


def _is_judged(daemon: DaemonProcess, name: str) -> bool:
    """Tell whether the daemon has found the file damaged, whatever it does about it."""
    return bool(_said(daemon, name) or daemon.events("scan.quarantined", path=name))


def _preallocated(daemon: DaemonProcess, path: Path, data: bytes) -> None:
    """Write the beginning and the end first, and zeros between them, the middle after a pause."""
    third = len(data) // 3
    with path.open("wb", buffering=0) as file:
        file.write(_with_hole(data))
        until(lambda: _is_judged(daemon, path.name), what="it was read and found damaged")
        os.pwrite(file.fileno(), data[third : 2 * third], third)


def _overwritten(daemon: DaemonProcess, path: Path, data: bytes) -> None:
    """Write over another sound scan of the same length, with a pause in the middle."""
    old = _page(9)
    data, old = data.ljust(len(old), b"\0"), old.ljust(len(data), b"\0")
    half = len(data) // 2 // 4096 * 4096
    put(path.parent, f".{path.name}.part", old)
    with path.with_name(f".{path.name}.part").open("r+b", buffering=0) as file:
        file.write(data[:half])
        path.with_name(f".{path.name}.part").rename(path)
        until(lambda: _is_judged(daemon, path.name), what="it was read and found damaged")
        file.write(data[half:])


def _explorer(daemon: DaemonProcess, path: Path, data: bytes) -> None:
    """Create, reopen and reserve the space, write, set the source's times, and reopen for the rest after a pause."""
    path.touch()
    with path.open("r+b", buffering=0) as file:
        file.write(bytes(len(data)))
    with path.open("r+b", buffering=0) as file:
        file.write(_with_hole(data))
    os.utime(path, (1_600_000_000, 1_600_000_000))
    until(lambda: _is_judged(daemon, path.name), what="it was read and found damaged")
    with path.open("r+b", buffering=0) as file:
        file.write(data)
    os.utime(path, (1_600_000_000, 1_600_000_000))


WRITERS: dict[str, Callable[[DaemonProcess, Path, bytes], None]] = {
    "preallocated": _preallocated,
    "overwritten": _overwritten,
    "explorer": _explorer,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_scan_whose_writer_pauses_is_read_when_it_is_whole(patient: DaemonProcess, writer: str) -> None:
    """It was found damaged in the pause; it is read soon after its last byte came, once, and never quarantined."""
    number = list(WRITERS).index(writer) + 1
    path = patient.inbox / f"{writer}.jpg"
    WRITERS[writer](patient, path, _page(number))
    event = patient.wait_for("scan.delivered", path=path.name, timeout=20)
    text = " ".join((patient.outbox / f"{writer}.txt").read_text().split())
    assert text == " ".join([phrase(number)] * LINES)
    assert (patient.archive / event["archived"]).read_bytes().startswith(_page(number))
    only_once(patient, path.name)
    until(lambda: not path.exists())
    assert not files(patient.quarantine)


def test_that_a_damaged_file_waits_is_said_everywhere(patient: DaemonProcess) -> None:
    """Log, status, why and the note on the share say what is wrong with it, and when it is quarantined."""
    path = patient.inbox / "told.jpg"
    path.write_bytes(_with_hole(_page(4)))
    event = until(lambda: _said(patient, "told.jpg"))[0]
    assert "if it does not" in event["next_step"]

    def status() -> list[dict[str, Any]]:
        told = json.loads((patient.state / "status.json").read_text())["incomplete"]
        return [each for each in told if each["path"] == "told.jpg" and each["reason"] == "damaged"]

    told = until(status)[0]
    assert "image data" in told["detail"]
    assert told["until"] > told["since"]
    why = run_ocrwatch(patient.folder, "why", "told.jpg").stdout
    assert "image data" in why
    assert "quarantined at" in why
    assert "quarantined at" in run_ocrwatch(patient.folder, "status").stdout
    note = until(lambda: [line for line in _note(patient) if "told.jpg" in line])[0]
    assert "image data" in note
    assert "quarantined at" in note
    path.unlink()


def _note(daemon: DaemonProcess) -> list[str]:
    return (daemon.outbox / "STATUS.txt").read_text().splitlines()


def test_an_old_damaged_scan_that_is_moved_in_is_quarantined_at_once(patient: DaemonProcess) -> None:
    """What was last written long before it was renamed into the inbox has no writer any more."""
    if patient.wait_for("daemon.ready")["mode"] == "poll":
        pytest.skip("a look at the folder cannot tell what was moved in")
    path = put(patient.folder, "old.jpg", _with_hole(_page(5)))
    os.utime(path, (1_600_000_000, 1_600_000_000))
    path.rename(patient.inbox / "old.jpg")
    patient.wait_for("scan.quarantined", path="old.jpg", code="damaged", timeout=10)
    assert not _said(patient, "old.jpg")


def test_a_damaged_scan_is_quarantined_after_the_patience(hasty: DaemonProcess) -> None:
    """It stays as it is: nobody finishes it, and it is quarantined as damaged, after its one attempt."""
    path = hasty.inbox / "damaged.jpg"
    path.write_bytes(_with_hole(_page(6)))
    written = time.monotonic()
    hasty.wait_for("scan.quarantined", path="damaged.jpg", code="damaged")
    assert time.monotonic() - written >= PATIENCE
    assert _said(hasty, "damaged.jpg")
    emptied(hasty.inbox)
    reason = json.loads((hasty.quarantine / "damaged.jpg.reason.json").read_text())
    assert (reason["attempts"], reason["earlier"]) == (1, [])


def test_once_leaves_a_damaged_scan_that_has_just_changed(tmp_path: Path) -> None:
    """It says so, and as often as it is called: no attempt is counted. Later, an old one is quarantined at once."""
    path = put(tmp_path / "inbox", "damaged.jpg", _with_hole(_page(7)))
    put(tmp_path / "inbox", "good.jpg", scan(1))
    for _ in range(2):
        answer = run_ocrwatch(tmp_path, "once", config="[retry]\nattempts = 1\n")
        assert answer.returncode == QUARANTINED
        assert "Left in the inbox: damaged.jpg (" in answer.stdout
        assert "may still be written" in answer.stdout
        assert files(tmp_path / "inbox") == {"damaged.jpg"}
    assert "image data" in run_ocrwatch(tmp_path, "why", "damaged.jpg").stdout
    until(lambda: time.time() - path.stat().st_ctime > 1.1)
    answer = run_ocrwatch(tmp_path, "once", "--set", "settle.give_up_after=1s")
    assert answer.returncode == QUARANTINED
    assert files(tmp_path / "quarantine") == {"damaged.jpg", "damaged.jpg.reason.json"}
    reason = json.loads((tmp_path / "quarantine/damaged.jpg.reason.json").read_text())
    assert (reason["code"], reason["attempts"]) == ("damaged", 1)


def test_a_quarantined_scan_that_its_writer_finishes_is_read(hasty: DaemonProcess) -> None:
    """The writer had it open all the time: what it wrote in the quarantine is read once, and the reason goes."""
    data = _page(8)
    third = len(data) // 3
    with (hasty.inbox / "late.jpg").open("wb", buffering=0) as file:
        file.write(_with_hole(data))
        hasty.wait_for("scan.quarantined", path="late.jpg")
        os.pwrite(file.fileno(), data[third : 2 * third], third)
        hasty.wait_for("scan.returned", path="late.jpg")
        hasty.wait_for("scan.delivered", path="late.jpg")
    emptied(hasty.inbox)
    assert (hasty.archive / "late.jpg").read_bytes() == data
    assert {name for name in files(hasty.outbox) if name.startswith("late")} == {"late.txt"}
    assert not {name for name in files(hasty.quarantine) if name.startswith("late")}
    assert len(hasty.events("scan.delivered", path="late.jpg")) == 1


def test_a_quarantined_scan_that_its_writer_finishes_while_no_daemon_runs(tmp_path: Path) -> None:
    """The next start notices it."""
    data = _page(9)
    third = len(data) // 3
    with (tmp_path / "unfinished").open("wb", buffering=0) as file:
        file.write(_with_hole(data))
        with DaemonProcess(tmp_path, config=CONFIG.format(patience="1s")) as daemon:
            daemon.wait_ready()
            (tmp_path / "unfinished").rename(daemon.inbox / "late.jpg")
            daemon.wait_for("scan.quarantined", path="late.jpg")
            daemon.kill()
        os.pwrite(file.fileno(), data[third : 2 * third], third)
        with DaemonProcess(tmp_path) as daemon:
            daemon.wait_for("scan.delivered", path="late.jpg")
    assert files(daemon.outbox) == {"late.txt"}
    assert not files(daemon.quarantine)


def test_a_quarantined_scan_that_is_only_touched_stays(hasty: DaemonProcess) -> None:
    """New times are no new content; another damaged content is no sound scan, and comes back with its reason."""
    put(hasty.inbox, "touched.jpg", _with_hole(_page(2)))
    hasty.wait_for("scan.quarantined", path="touched.jpg")
    until((hasty.quarantine / "touched.jpg").exists)
    os.utime(hasty.quarantine / "touched.jpg")
    put(hasty.inbox, "after.jpg", scan(1))
    delivered(hasty, "after.jpg", 1)
    with (hasty.inbox / "second.jpg").open("wb", buffering=0) as file:
        file.write(_with_hole(_page(3)))
        hasty.wait_for("scan.quarantined", path="second.jpg")
        os.pwrite(file.fileno(), b"\1" * 100, len(_page(3)) // 2)
        hasty.wait_for("scan.returned", path="second.jpg")
    hasty.wait_for("scan.quarantined", path="second.jpg", count=2)
    assert not hasty.events("scan.returned", path="touched.jpg")
    assert (hasty.quarantine / "touched.jpg.reason.json").exists()


def test_an_archived_scan_that_its_writer_changes_is_told_of(hasty: DaemonProcess) -> None:
    """Its text is of what was read: it is marked for review, and log and why say what to do.

    New times alone are no change, and neither are other files.
    """
    for number, name in enumerate(("times.jpg", "replaced.jpg", "left.jpg")):
        put(hasty.inbox, name, _page(number))
        hasty.wait_for("scan.delivered", path=name)
    os.utime(hasty.archive / "times.jpg")
    put(hasty.archive, "replaced.jpg", _page(9))
    with (hasty.inbox / "open.jpg").open("wb", buffering=0) as file:
        file.write(_page(4))
        hasty.wait_for("scan.delivered", path="open.jpg")
        until((hasty.archive / "open.jpg").exists)
        os.pwrite(file.fileno(), _page(5), 0)
    event = hasty.wait_for("scan.rewritten")
    assert (event["path"], event["archived"], event["sidecars"]) == ("open.jpg", "open.jpg", ["open.txt"])
    assert len(hasty.events("scan.rewritten")) == 1
    until(lambda: f"open.jpg: {REWRITTEN}" in (hasty.outbox / "STATUS.txt").read_text(), what="STATUS.txt tells of it")
    for command, said in {
        ("status",): f"open.jpg: {REWRITTEN}",
        ("review",): f"open.jpg: {REWRITTEN}; read at",
        ("why", "open.jpg"): f"{REMEDY}, then mark it as reviewed: ocrwatch review --done ",
    }.items():
        assert said in " ".join(run_ocrwatch(hasty.folder, *command).stdout.split())
    assert run_ocrwatch(hasty.folder, "review", "--done", "open.jpg").returncode == 0
    assert {name for name in files(hasty.outbox) if name.startswith("open")} == {"open.txt"}
