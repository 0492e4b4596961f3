"""Pages are ticked off beside a daemon that has the ledger open, and beside none."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.document import Review
from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import Ledger, LedgerReader, mark_reviewed, migrations
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts
from tests.privileges import NOBODY, reachable_folder, unprivileged

NO_TEXT = Review(("no text",), None)


def note(ledger: Ledger, path: str, review: Review | None = NO_TEXT) -> int:
    """Make the row of a scan that was read."""
    row = ledger.begin(path, FileFacts(1, 2, 3, 4), None)
    ledger.close_scan(row.id, ScanState.DELIVERED, code=None, reason=None, review=review)
    return row.id


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Make a ledger that is in use."""
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


def test_a_daemon_sees_what_was_ticked_off(tmp_path: Path, ledger: Ledger) -> None:
    """At its next look; the time of the scan's end stays, and a second tick changes nothing."""
    first, second, unmarked = note(ledger, "a.jpg"), note(ledger, "b.jpg"), note(ledger, "c.jpg", None)
    before = ledger.get(first)
    mark_reviewed(tmp_path, dict.fromkeys([first, unmarked, 999], NO_TEXT.reasons))
    after = ledger.get(first)
    assert [row.id for row in ledger.to_review(10)[1]] == [second]
    assert after.reviewed_at is not None
    assert (after.updated_at, after.review) == (before.updated_at, before.review)
    assert ledger.get(unmarked).reviewed_at is None
    mark_reviewed(tmp_path, dict.fromkeys([first], NO_TEXT.reasons))
    assert ledger.get(first).reviewed_at == after.reviewed_at


def test_it_stays_ticked_off_without_a_daemon(tmp_path: Path, ledger: Ledger) -> None:
    """The note is in the database itself, and no file is left beside it."""
    row = note(ledger, "a.jpg")
    ledger.close()
    mode = (tmp_path / "ledger.db").stat().st_mode
    mark_reviewed(tmp_path, dict.fromkeys([row], NO_TEXT.reasons))
    assert {path.name for path in tmp_path.iterdir()} == {"ledger.db"}
    assert (tmp_path / "ledger.db").stat().st_mode == mode
    with LedgerReader(tmp_path, alone=True) as reader:
        assert reader.to_review() == (0, [])


def test_a_busy_daemon_is_not_held_up(tmp_path: Path, ledger: Ledger) -> None:
    """Both write all the time: every note of both is there, and no commit of the daemon's waits long."""
    rows = [note(ledger, f"{number}.jpg") for number in range(500)]
    slowest = 0.0
    done = threading.Event()

    def tick() -> None:
        for start in range(0, len(rows), 50):
            mark_reviewed(tmp_path, dict.fromkeys(rows[start : start + 50], NO_TEXT.reasons))
        done.set()

    ticking = threading.Thread(target=tick)
    ticking.start()
    noted = 0
    while not done.is_set():
        began = time.monotonic()
        note(ledger, f"new{noted}.jpg", None)
        slowest = max(slowest, time.monotonic() - began)
        noted += 1
    ticking.join(10)
    assert ledger.to_review(1)[0] == 0
    assert ledger.totals() == {"delivered": 500 + noted}
    assert slowest < 5.0, "far below the ten seconds after which the daemon would pause"


def test_many_are_ticked_off_in_short_transactions(tmp_path: Path, ledger: Ledger) -> None:
    """However many are named."""
    ledger.rebuilt((f"{number}.jpg", FileFacts(1, 2, 3, 4), None, "{}") for number in range(450))
    ledger.db.execute("UPDATE scans SET review = '[\"no text\"]'")
    mark_reviewed(tmp_path, dict.fromkeys(range(1, 450), NO_TEXT.reasons))
    assert [row.id for row in ledger.to_review(10)[1]] == [450]


def test_a_ledger_that_is_busy_for_long_is_an_error(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one who ticks off waits, and is told; the daemon goes on."""
    row = note(ledger, "a.jpg")
    monkeypatch.setattr("ocrwatch.ledger.reviews._PATIENCE", 0.1)
    with ledger.transaction(), pytest.raises(EnvironmentFault, match=r"locked.*try again in a moment"):
        mark_reviewed(tmp_path, dict.fromkeys([row], NO_TEXT.reasons))
    assert ledger.to_review(10)[0] == 1


def test_an_older_ledger_is_left_to_the_daemon(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not brought up to date under a daemon that knows no newer one; a newer one is refused."""
    row = note(ledger, "a.jpg")
    ledger.db.execute("PRAGMA user_version = 1")
    mark_reviewed(tmp_path, dict.fromkeys([row], NO_TEXT.reasons))
    assert ledger.to_review(10)[0] == 1
    ledger.db.execute(f"PRAGMA user_version = {len(migrations.MIGRATIONS) + 1}")
    with pytest.raises(EnvironmentFault, match="newer ocrwatch"):
        mark_reviewed(tmp_path, dict.fromkeys([row], NO_TEXT.reasons))


@pytest.mark.parametrize("place", ["missing", "link"])
def test_only_a_ledger_is_written_to(tmp_path: Path, place: str) -> None:
    """None is made where there is none, and no link is followed."""
    if place == "link":
        (tmp_path / "other.db").touch()
        (tmp_path / "ledger.db").symlink_to("other.db")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(EnvironmentFault, match="cannot write to the ledger"):
        mark_reviewed(tmp_path, dict.fromkeys([1], NO_TEXT.reasons))
    assert {path.name for path in tmp_path.iterdir()} == before


def test_another_user_is_refused() -> None:
    """Though the folder would let one make files in it: the daemon might not be able to open them."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    with reachable_folder() as folder:
        ledger = Ledger(folder)
        row = note(ledger, "a.jpg")
        ledger.close()
        (folder / "ledger.db").chmod(0o666)
        with (
            unprivileged(),
            pytest.raises(EnvironmentFault, match="run the command as root or as the user that ocrwatch runs as"),
        ):
            mark_reviewed(folder, dict.fromkeys([row], NO_TEXT.reasons))
        assert {path.name for path in folder.iterdir()} == {"ledger.db"}


def test_root_leaves_nothing_that_the_daemon_may_not_open(tmp_path: Path) -> None:
    """It becomes the ledger's owner: what is made beside the ledger, and left by a kill, is the owner's."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with reachable_folder() as folder:
        ledger = Ledger(folder)
        row = note(ledger, "a.jpg")
        ledger.close()
        os.chown(folder / "ledger.db", NOBODY, NOBODY)
        os.chown(folder, NOBODY, NOBODY)
        killed = (
            "import os, sys; from pathlib import Path; from ocrwatch.ledger import reviews\n"
            "real = reviews.time.time\n"
            # In the moment between opening the ledger and its commit.
            "def die(): os.kill(os.getpid(), 9)\n"
            "if sys.argv[3] == 'die': reviews.time.time = die\n"
            "reviews.mark_reviewed(Path(sys.argv[1]), {int(sys.argv[2]): ['no text']})\n"
        )
        for how, code in (("die", -9), ("live", 0)):
            done = subprocess.run([sys.executable, "-c", killed, str(folder), str(row), how], check=False)
            assert done.returncode == code
            assert {path.stat().st_uid for path in folder.iterdir()} == {NOBODY}
            assert {path.stat().st_gid for path in folder.iterdir()} == {NOBODY}
            assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o640}
        db = sqlite3.connect(folder / "ledger.db")
        assert db.execute("SELECT count(*) FROM scans WHERE reviewed_at IS NOT NULL").fetchone()[0] == 1
        db.close()
