"""Loads the bytes of scans: those loaded together wait for the ledger once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ocrwatch.cache.key import PageCache
from ocrwatch.errors import Blocked, Changed, ScanFault, TooLarge
from ocrwatch.intake.opener import copy, read
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.permissions import check_movable
from ocrwatch.recipe import Recipe
from ocrwatch.scan import Scan, ScanState, Source
from ocrwatch.storage.group_commit import GroupCommit
from ocrwatch.storage.threads import run_in

_LONGEST = 0.02
"""Seconds after which loaded scans go on and the rest waits for the next round: on a slow share workers must not wait
for many scans.
"""


class AlreadyDelivered(Exception):
    """These bytes were delivered before under this path, and stay in the inbox."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One scan, loaded."""

    content: bytes
    entry: Entry
    """Its row in the ledger."""
    page: bytes | None
    """The cached page of these bytes, packed."""


class Loading(GroupCommit[Scan, Loaded]):
    """Loads scans in order; ``commit`` fills in their hashes.

    Raises :class:`AlreadyDelivered`, :class:`Changed`, :class:`Blocked` or :class:`ScanFault` for one scan, and
    :class:`EnvironmentFault` for all if inbox or ledger refuse.
    """

    def __init__(
        self,
        thread: ThreadPoolExecutor,
        inbox: Path,
        ledger: Ledger,
        cache: PageCache,
        *,
        max_bytes: int,
        keeps_originals: bool,
    ) -> None:
        super().__init__(thread)
        self._reader = thread
        self._inbox = inbox
        self._ledger = ledger
        self._cache = cache
        self.max_bytes = max_bytes
        self._keeps_originals = keeps_originals

    def work(self, items: Sequence[Scan]) -> list[Loaded | Exception]:
        """Load the first of ``items``, and as many of the next as come without delay."""
        begun = time.monotonic()
        found: list[tuple[Scan, bytes | Exception]] = []
        for scan in items:
            if found and time.monotonic() - begun > _LONGEST:
                break
            try:
                found.append((scan, self._load(scan)))
            except (ScanFault, Changed, Blocked) as error:
                found.append((scan, error))
        # Before the transaction: other writers to the ledger must not wait for a server.
        pages = iter(self._cache.pages([_identity(scan) for scan, got in found if isinstance(got, bytes)]))
        with self._ledger.transaction():
            return [
                self._with_row(scan, got, next(pages)) if isinstance(got, bytes) else self._closed(scan, got)
                for scan, got in found
            ]

    async def again(self, scan: Scan) -> bytes:
        """Return the bytes of a scan that was loaded before; raises :class:`Changed` if they are others now."""
        source = await run_in(self._reader, read, self._inbox, scan.path, scan.file.facts, self.max_bytes)
        if source.sha256 != scan.sha256:
            raise Changed
        return source.content

    def copy(self, scan: Scan, target: Path) -> Loaded:
        """Copy a file that has several pages to ``target``, and open its row; its bytes are not loaded.

        Blocks. Raises like ``commit``, and :class:`EnvironmentFault` if the target cannot be written.
        """
        try:
            self._check_movable(scan)
            source = copy(self._inbox, scan.path, scan.file.facts, self.max_bytes, target)
        except Changed as error:
            self._closed(scan, error)
            raise
        self._found(scan, source)
        with self._ledger.transaction():
            loaded = self._with_row(scan, b"", None)
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    def open_row(self, scan: Scan) -> tuple[int, str | None]:
        """Open the row of a scan that no worker may see; return it with its SHA-256, for its history.

        Blocks. Raises like ``commit``; without a hash if there are too many bytes to read.
        """
        file = scan.file
        try:
            sha256 = scan.sha256 or read(self._inbox, file.path, file.facts, self.max_bytes).sha256
        except TooLarge:
            sha256 = None
        if self._keeps_originals and sha256 is not None and self._ledger.was_done(file.path, sha256):
            # A copy is in the quarantine already, and the original stays in the inbox.
            raise AlreadyDelivered
        return self._ledger.begin(file.path, file.facts, sha256).id, sha256

    def _load(self, scan: Scan) -> bytes:
        self._check_movable(scan)
        source = read(self._inbox, scan.path, scan.file.facts, self.max_bytes)
        self._found(scan, source)
        return source.content

    def _check_movable(self, scan: Scan) -> None:
        """Raise :class:`Blocked` if the original could not be claimed once its text is there."""
        if not self._keeps_originals:
            # Reading finds a scan that is gone, or an inbox that refuses.
            with contextlib.suppress(OSError):
                check_movable(self._inbox, scan.path)

    @staticmethod
    def _found(scan: Scan, source: Source) -> None:
        scan.sha256 = source.sha256
        scan.file = replace(scan.file, facts=source.facts)

    def _with_row(self, scan: Scan, content: bytes, page: bytes | None) -> Loaded | Exception:
        sha256 = scan.sha256 or ""
        entry = self._ledger.begin(scan.path, scan.file.facts, sha256)
        if self._keeps_originals and self._ledger.was_done(scan.path, sha256):
            self._ledger.close_scan(entry.id, ScanState.CHANGED, code=None, reason="it was delivered before")
            return AlreadyDelivered()
        return Loaded(content, entry, page)

    def _closed(self, scan: Scan, error: Exception) -> Exception:
        if isinstance(error, Changed) and scan.id:
            # It was read, or about to be read, before it was gone.
            self._ledger.close_scan(
                scan.id, ScanState.CHANGED, code=None, reason="it changed or went before it was read"
            )
        return error


def _identity(scan: Scan) -> tuple[str, Recipe]:
    """Return what the cache knows a loaded scan by."""
    return scan.sha256 or "", scan.recipe
