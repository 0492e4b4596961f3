"""A ledger that is damaged or gone costs nothing but a second look at the folders."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.system.dropping import delivered, emptied, files, phrase, put, scan, temporary_files, text_of

CONFIG = '[settle]\nstable_for = "300ms"\n'
KEEP = 'on_success = "keep"\n' + CONFIG
KEEP_JSON = KEEP + '[output]\nformats = ["txt", "json"]\n'


def damage(folder: Path) -> None:
    """Spoil the ledger as a dying disk does."""
    with (folder / "state" / "ledger.db").open("r+b") as file:
        file.write(b"\xff" * 3000)


def test_it_starts_with_a_new_ledger_and_keeps_the_damaged_one(tmp_path: Path) -> None:
    """The damaged ledger is set aside, an original that was on its way to the archive is read, nothing stays hidden."""
    with DaemonProcess(tmp_path, config=CONFIG) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        token = _token(tmp_path)
        assert daemon.stop() == 0
    damage(tmp_path)
    put(tmp_path / "inbox", f"sub/.ocrwatch-{token}-99.read.tmp", scan(2))
    put(tmp_path / "outbox", f"sub/.ocrwatch-{token}-2.txt.tmp", b"half")
    with DaemonProcess(tmp_path) as daemon:
        event = daemon.wait_for("ledger.damaged")
        assert Path(event["set_aside"]).exists()
        daemon.wait_ready()
        delivered(daemon, "sub/recovered-99.jpg", 2)
        put(daemon.inbox, "a.jpg", scan(3))
        delivered(daemon, "a.jpg", 3, sidecar="a-2.txt")
        emptied(daemon.inbox)
        assert temporary_files(daemon) == set()
        assert daemon.stop() == 0
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        assert not daemon.events("ledger.damaged")
        assert not daemon.events("ledger.rebuilt")


@pytest.mark.parametrize("loss", ["damaged", "gone"])
@pytest.mark.parametrize("config", [KEEP, KEEP_JSON], ids=["txt", "json"])
def test_scans_that_stay_in_the_inbox_are_not_read_again(tmp_path: Path, config: str, loss: str) -> None:
    """Their sidecars tell that they are done; a scan that has come meanwhile is read."""
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        for number, path in enumerate(("a.jpg", "sub/b.jpg")):
            put(daemon.inbox, path, scan(number))
            daemon.wait_for("scan.delivered", path=path)
        assert daemon.stop() == 0
    if loss == "changed":
        shutil.rmtree(tmp_path / "state")
    else:
        damage(tmp_path)
    before = files(tmp_path / "outbox")
    put(tmp_path / "inbox", "c.jpg", scan(5))
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("scan.delivered", path="c.jpg")
        assert text_of(daemon, "c.txt") == phrase(5)
        (event,) = daemon.events("ledger.rebuilt")
        assert event["known"] == 2
        assert [event["path"] for event in daemon.events("scan.delivered")] == ["c.jpg"]
        assert files(daemon.outbox) - before <= {"c.txt", "c.json"}
        assert files(daemon.inbox) == {"a.jpg", "sub/b.jpg", "c.jpg"}


def test_what_is_long_past_is_forgotten_at_the_start(tmp_path: Path) -> None:
    """Once a day, beginning with the start, rows older than history.max_age go; the shortest time is a day."""
    with DaemonProcess(tmp_path, config=CONFIG) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        assert daemon.stop() == 0
    db = sqlite3.connect(tmp_path / "state" / "ledger.db")
    db.execute("UPDATE scans SET updated_at = updated_at - 2 * 86400")
    db.commit()
    db.close()
    with DaemonProcess(tmp_path, config=CONFIG + '[history]\nmax_age = "1d"\n') as daemon:
        daemon.wait_for("ledger.pruned", rows=1)


def _token(folder: Path) -> str:
    db = sqlite3.connect(folder / "state" / "ledger.db")
    try:
        return str(db.execute("SELECT value FROM meta WHERE key = 'token'").fetchone()[0])
    finally:
        db.close()
