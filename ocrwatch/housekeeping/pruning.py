"""Deletes records older than the settings allow, now and once a day.

The record of an original that stays in the inbox (``on_success = "keep"``, duplicates) is deleted only when the
original has been removed: without the record it would be read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ocrwatch.cache.key import PageCache
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.documents.delivery import DocumentDelivery
from ocrwatch.errors import EnvironmentFault
from ocrwatch.events import LedgerPruned, publish
from ocrwatch.intake.kept_originals import KeptOriginals
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.storage.files import folder
from ocrwatch.storage.mounts import MountGuard
from ocrwatch.storage.threads import Threads, run_in

_DAY: Final = 86_400.0

_AT_ONCE: Final = 500
"""Originals checked in one call, so that a stop need not wait for all."""


class Pruning:
    """Keeps ledger, cache and the list of kept originals from growing without limit.

    Lives on the event loop.
    """

    def __init__(
        self,
        threads: Threads,
        ledger: Ledger,
        cache: PageCache,
        kept: KeptOriginals,
        inbox: Path,
        documents: DocumentDelivery,
        max_age: Callable[[], float],
    ) -> None:
        """``max_age`` returns for how many seconds scans are remembered, which a reload may change."""
        self._threads = threads
        self._ledger = ledger
        self._cache = cache
        self._kept = kept
        self._inbox = inbox
        self._documents = documents
        self._max_age = max_age
        self._guard = MountGuard(inbox, "inbox")

    async def run(self) -> None:
        """Prune until cancelled."""
        while True:
            # A disk that refuses this also refuses important reads and writes, which report it.
            with contextlib.suppress(EnvironmentFault):
                await self._prune(time.time() - self._max_age())
            await asyncio.sleep(_DAY)

    async def _prune(self, before: float) -> None:
        io = self._threads.io
        await run_in(io, self._cache.prune)
        # First: afterwards the ledger no longer knows which pages a stack had.
        await run_in(self._threads.documents, self._documents.prune, before)
        rows = await run_in(io, self._ledger.prune, before)
        try:
            kept = await run_in(io, self._ledger.kept_before, before)
            for begin in range(0, len(kept), _AT_ONCE):
                gone = await run_in(io, self._forget_removed, kept[begin : begin + _AT_ONCE])
                self._kept.forget(entry.path for entry in gone)
                rows += len(gone)
        except OSError:
            # The inbox refuses: a rescan reports it.
            return
        finally:
            if rows:
                publish(LedgerPruned(rows=rows))

    def _forget_removed(self, rows: Sequence[int]) -> list[Entry]:
        """Delete those rows whose originals are gone; return them."""
        entries = [self._ledger.get(row) for row in rows]
        with self._opened_inbox() as inbox:
            gone = [entry for entry in entries if _was_in(inbox, entry) and _is_gone(inbox, entry.path)]
        self._ledger.forget_kept([entry.id for entry in gone])
        return gone

    @contextlib.contextmanager
    def _opened_inbox(self) -> Iterator[int]:
        """Open the inbox.

        Raises :class:`EnvironmentFault` or ``OSError`` if it is not the folder on the file system of the start. What is
        unmounted meanwhile stays reachable through the descriptor.
        """
        with folder(self._inbox) as descriptor:
            self._guard.check()
            opened, named = os.fstat(descriptor), self._inbox.stat()
            if (opened.st_dev, opened.st_ino) != (named.st_dev, named.st_ino):
                raise EnvironmentFault(f"the inbox {self._inbox} was replaced")
            yield descriptor


def _was_in(inbox: int, entry: Entry) -> bool:
    """Return whether an original was in this inbox, and on its file system: another one may only be unmounted.

    Device numbers change with a remount; those of one time are compared.
    """
    try:
        plan = Plan.from_json(entry.plan or "")
    except (ValueError, TypeError, LookupError):
        # Of another version.
        return False
    return plan.inbox == (plan.facts.device, os.fstat(inbox).st_ino)


def _is_gone(inbox: int, path: str) -> bool:
    """Return whether there is nothing at a path in the inbox, and no other file system is mounted above it."""
    if not _is_missing(inbox, path):
        return False
    above = next(parent for parent in PurePosixPath(path).parents if not _is_missing(inbox, parent))
    return os.stat(above, dir_fd=inbox, follow_symlinks=False).st_dev == os.fstat(inbox).st_dev


def _is_missing(inbox: int, path: str | PurePosixPath) -> bool:
    try:
        os.stat(path, dir_fd=inbox, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        # Such as a folder that this user may not enter.
        return False
    return False
