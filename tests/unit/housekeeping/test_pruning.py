"""What is deleted from the history, on real folders and a real ledger."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.cache.key import PageCache
from ocrwatch.delivery.chosen_names import Places, Plan
from ocrwatch.documents.delivery import DocumentDelivery
from ocrwatch.documents.joiner import Joiner
from ocrwatch.events import LedgerPruned, subscribe
from ocrwatch.housekeeping import pruning as module
from ocrwatch.housekeeping.pruning import Pruning
from ocrwatch.intake.kept_originals import KeptOriginals
from ocrwatch.ledger import Ledger
from ocrwatch.scan import ScanState
from ocrwatch.storage.files import facts_of
from ocrwatch.storage.threads import Threads
from tests.system.disks import only_disk_for

LONG = 10.0
DAY = 86_400.0


class Keeping:
    """An inbox with originals that stay, their rows, and what prunes them."""

    def __init__(self, folder: Path) -> None:
        self.inbox = folder / "inbox"
        for each in (self.inbox, folder / "state"):
            each.mkdir()
        self.ledger = Ledger(folder / "state")
        self.threads = Threads()

    def keep(self, *paths: str, age: float = 2 * DAY, **changes: Any) -> None:
        """Deliver scans that stay in the inbox, so long ago; ``changes`` are fields of their plans."""
        for path in paths:
            (self.inbox / path).parent.mkdir(parents=True, exist_ok=True)
            (self.inbox / path).write_bytes(path.encode())
            facts = facts_of((self.inbox / path).stat())
            entry = self.ledger.begin(path, facts, "0" * 64)
            inbox = self.inbox.stat()
            plan = Plan(path, facts, "0" * 64, "", "a", "keep", "a.jpg", inbox=(inbox.st_dev, inbox.st_ino))
            self.ledger.planned(entry.id, replace(plan, **changes).to_json(), code=None, reason=None)
            self.ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None)
            self.ledger.db.execute("UPDATE scans SET updated_at = updated_at - ? WHERE id = ?", (age, entry.id))

    def start(self) -> Pruning:
        """Start to prune, as the daemon does."""
        self.kept = KeptOriginals(self.inbox, dict(self.ledger.kept()))
        cache = PageCache(None, {})
        root = self.inbox.parent
        places = Places(self.inbox, root / "outbox", root / "archive", root / "quarantine", parts=root / "documents")
        documents = DocumentDelivery(places, self.ledger, ("txt",), Joiner())
        return Pruning(self.threads, self.ledger, cache, self.kept, self.inbox, documents, lambda: DAY)

    def prune(self, pruning: Pruning) -> int:
        """Prune once; return how many rows the log says were deleted."""
        deleted: list[LedgerPruned] = []
        unsubscribe = subscribe(deleted.append, LedgerPruned)

        async def main() -> None:
            slept = asyncio.Event()

            async def sleep(seconds: float) -> None:
                assert seconds == DAY
                slept.set()
                await asyncio.Event().wait()

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(asyncio, "sleep", sleep)
                task = asyncio.ensure_future(pruning.run())
                await asyncio.wait_for(slept.wait(), LONG)
                task.cancel()

        asyncio.run(main())
        unsubscribe()
        return sum(each.rows for each in deleted)

    def known(self) -> set[str]:
        """Return the paths in the ledger, which are the same as those in memory."""
        known = {path for path, _ in self.ledger.kept()}
        assert known == set(self.kept._known)
        return known


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    """Make an empty inbox and ledger."""
    keeping = Keeping(tmp_path)
    yield keeping
    keeping.threads.close()
    keeping.ledger.close()


def test_an_original_that_was_removed_is_forgotten(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    """In ledger and memory, after ``history.max_age``; with its folder or alone. What is still there is remembered."""
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    keeping.keep("here.jpg", "sub/here.jpg", "gone1.jpg", "sub/gone2.jpg", "folder/deep/gone3.jpg")
    keeping.keep("young.jpg", age=0.0)
    pruning = keeping.start()
    for path in ("gone1.jpg", "sub/gone2.jpg", "folder/deep/gone3.jpg", "young.jpg"):
        (keeping.inbox / path).unlink()
    (keeping.inbox / "folder" / "deep").rmdir()
    (keeping.inbox / "folder").rmdir()
    assert keeping.prune(pruning) == 3
    assert keeping.known() == {"here.jpg", "sub/here.jpg", "young.jpg"}
    assert keeping.prune(pruning) == 0


def _rename(keeping: Keeping) -> None:
    keeping.inbox.rename(keeping.inbox.with_name("away"))


def _replace(keeping: Keeping) -> None:
    _rename(keeping)
    keeping.inbox.mkdir()


@pytest.mark.parametrize("take_away", [_rename, _replace])
def test_nothing_is_forgotten_while_the_inbox_is_away(keeping: Keeping, take_away: Callable[[Keeping], None]) -> None:
    """If the inbox is missing, or another folder is in its place, a missing original is not gone."""
    keeping.keep("a.jpg")
    pruning = keeping.start()
    take_away(keeping)
    assert keeping.prune(pruning) == 0
    assert keeping.known() == {"a.jpg"}


def test_nothing_is_forgotten_while_the_inbox_is_unmounted(keeping: Keeping) -> None:
    """The folder below the mount point is empty, and is not the inbox."""
    with only_disk_for(keeping.inbox) as disk:
        keeping.keep("a.jpg")
        pruning = keeping.start()
        disk.unmount()
        assert keeping.prune(pruning) == 0
    assert keeping.known() == {"a.jpg"}


@pytest.mark.parametrize("is_mounted", [False, True])
def test_an_original_on_a_disk_within_the_inbox_is_remembered(keeping: Keeping, *, is_mounted: bool) -> None:
    """It may only be unmounted, and a disk that is mounted now may hide the original."""
    (keeping.inbox / "disk").mkdir()
    if is_mounted:
        keeping.keep("disk/a.jpg")
        with only_disk_for(keeping.inbox / "disk"):
            assert keeping.prune(keeping.start()) == 0
    else:
        with only_disk_for(keeping.inbox / "disk"):
            keeping.keep("disk/a.jpg")
        assert not os.listdir(keeping.inbox / "disk")  # noqa: PTH208 - only whether there is anything
        assert keeping.prune(keeping.start()) == 0
    assert keeping.known() == {"disk/a.jpg"}


@pytest.mark.parametrize("inbox", [None, (0, 0), (1, 1)])
def test_without_a_record_of_its_inbox_an_original_is_remembered(
    keeping: Keeping, inbox: tuple[int, int] | None
) -> None:
    """It was in another inbox, or it is not known in which."""
    keeping.keep("a.jpg", inbox=inbox)
    (keeping.inbox / "a.jpg").unlink()
    assert keeping.prune(keeping.start()) == 0
    assert keeping.known() == {"a.jpg"}
