"""What is true of every fault of the environment: it is said, waited out, and then all is where it belongs."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import datetime
from typing import Any

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.dropping import delivered, emptied, files, put, scan, temporary_files
from tests.waiting import until

BRISK = """
[watch]
rescan = "500ms"
"""

OUTPUTS = ("outbox", "archive", "quarantine")


def bad_scan() -> bytes:
    """Return a scan that cannot be read: a lossless JPEG."""
    return scan(1).replace(b"\xff\xc0", b"\xff\xc3", 1)


def drop_for(daemon: DaemonProcess, folder: str) -> None:
    """Put scans into the inbox of which one needs the folder."""
    if folder == "quarantine":
        put(daemon.inbox, "bad.jpg", bad_scan())
    for number in range(2, 5):
        put(daemon.inbox, f"scan{number}.jpg", scan(number))


def says_paused(daemon: DaemonProcess, folder: str, reason: str) -> None:
    """Check that the log and the status tell what it waits for, since when, and what to do."""
    paused = daemon.wait_for("daemon.paused")
    assert reason in paused["reason"]
    assert str(daemon.folder / folder) in paused["reason"]
    assert paused["remedy"]
    until(lambda: _status(daemon)["state"] == "paused", what="the status says so")
    status = _status(daemon)
    (told,) = status["paused"]
    assert (told["reason"], told["remedy"]) == (paused["reason"], paused["remedy"])
    assert told["since"] <= status["written"]
    answer = run_ocrwatch(daemon.folder, "status")
    assert answer.returncode == 3
    assert f"{datetime.fromisoformat(told['since']).astimezone():%H:%M:%S %Z}" in answer.stdout
    assert paused["remedy"] in answer.stdout


def _status(daemon: DaemonProcess) -> dict[str, Any]:
    """Return what ``ocrwatch status`` shows."""
    status: dict[str, Any] = json.loads((daemon.state / "status.json").read_text())
    return status


def kill_before_archiving(daemon: DaemonProcess, name: str) -> None:
    """Drop a scan, and kill the daemon when its text is published and its original is not yet archived."""
    put(daemon.inbox, name, scan(1))
    away = daemon.folder / "away"
    daemon.archive.rename(away)
    daemon.wait_for("daemon.paused")
    with contextlib.closing(sqlite3.connect(f"file:{daemon.state / 'ledger.db'}?mode=ro", uri=True)) as db:
        until(
            lambda: db.execute("SELECT state, review FROM scans").fetchall() == [("published", None)],
            what="its text is published, and its original cannot be put away",
        )
    daemon.kill()
    away.rename(daemon.archive)


def all_is_well(daemon: DaemonProcess, folder: str) -> None:
    """Check that it went on by itself and that every scan is in its place, once."""
    daemon.wait_for("daemon.resumed")
    emptied(daemon.inbox)
    for number in range(2, 5):
        delivered(daemon, f"scan{number}.jpg", number)
    assert len(daemon.events("scan.delivered")) == 3
    assert files(daemon.outbox) == {f"scan{number}.txt" for number in range(2, 5)}
    assert files(daemon.archive) == {f"scan{number}.jpg" for number in range(2, 5)}
    if folder == "quarantine":
        daemon.wait_for("scan.quarantined", path="bad.jpg")
    assert files(daemon.quarantine) == ({"bad.jpg", "bad.jpg.reason.json"} if folder == "quarantine" else set())
    assert not temporary_files(daemon)
    until(lambda: _status(daemon)["state"] == "watching", what="the status says so")
    assert not _status(daemon)["paused"]
    assert not daemon.events("scan.failed")
