"""From paths to bytes, off the loop. Scans that wait together are loaded together: the ledger is waited for once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ocrwatch.cache.key import PageCache
from ocrwatch.daemon.tickets import Ticket
from ocrwatch.document import Page
from ocrwatch.errors import Blocked, Changed, ScanFault, TooLarge
from ocrwatch.intake.opener import read
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.permissions import check_movable

_LONGEST = 0.02
"""Seconds after which what is loaded goes on and the rest waits for the next round: a slow share must not have the
workers wait for many scans."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One scan, loaded; or what kept it from being."""

    ticket: Ticket
    jpeg: bytes = b""
    entry: Entry | None = None
    """The scan's row, None where the bytes were delivered before and stay in the inbox."""
    page: Page | None = None
    """What these bytes gave before."""
    error: ScanFault | Changed | Blocked | None = None

    @property
    def is_read(self) -> bool:
        """Whether the inbox gave its bytes."""
        return self.error is None or isinstance(self.error, ScanFault)


class Loader:
    """Loads scans; its methods block, and are called on one thread at a time."""

    def __init__(self, inbox: Path, ledger: Ledger, known: PageCache, *, max_bytes: int, keeps_originals: bool) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._known = known
        self.max_bytes = max_bytes
        self._keeps_originals = keeps_originals

    def load(self, tickets: Sequence[Ticket]) -> list[Loaded]:
        """Load the first of ``tickets`` and as many behind it as come without delay; fill in their hashes.

        Raises :class:`EnvironmentFault` where none can be loaded.
        """
        begun = time.monotonic()
        results: list[Loaded] = []
        read_ones: list[Loaded] = []
        for ticket in tickets:
            if (read_ones or results) and time.monotonic() - begun > _LONGEST:
                break
            try:
                self._check_movable(ticket.path)
                source = read(self._inbox, ticket.path, ticket.scan.facts, self.max_bytes)
            except (ScanFault, Changed, Blocked) as error:
                results.append(Loaded(ticket, error=error))
                continue
            ticket.sha256 = source.sha256
            ticket.scan = replace(ticket.scan, facts=source.facts)
            page = self._known.page(source.sha256, ticket.recipe)
            read_ones.append(Loaded(ticket, source.jpeg, page=page))
        with self._ledger.transaction():
            for gone in (loaded.ticket for loaded in results if isinstance(loaded.error, Changed)):
                if gone.id:
                    # It was read, or about to be, before it went.
                    self._ledger.close_scan(gone.id, "gone", code=None, reason="it changed or went before it was read")
            results += map(self._with_row, read_ones)
        return results

    def _check_movable(self, path: str) -> None:
        """Raise :class:`Blocked` if the original could not be taken once its text is there."""
        if not self._keeps_originals:
            # A scan that is gone, or an inbox that refuses, is found out by the reading.
            with contextlib.suppress(OSError):
                check_movable(self._inbox, path)

    def _with_row(self, loaded: Loaded) -> Loaded:
        ticket = loaded.ticket
        sha256 = ticket.sha256 or ""
        entry = self._ledger.begin(ticket.path, ticket.scan.facts, sha256)
        if self._keeps_originals and self._ledger.was_done(ticket.path, sha256):
            self._ledger.close_scan(entry.id, "gone", code=None, reason="it was delivered before")
            return Loaded(ticket)
        return replace(loaded, entry=entry)

    def open_row(self, ticket: Ticket) -> tuple[int, str | None] | None:
        """Open the row of a scan that is given up, with the hash of its bytes if they can be had, for its history."""
        scan = ticket.scan
        try:
            sha256 = ticket.sha256 or read(self._inbox, scan.path, scan.facts, self.max_bytes).sha256
        except TooLarge:
            sha256 = None
        if self._keeps_originals and sha256 is not None and self._ledger.was_done(scan.path, sha256):
            return None
        return self._ledger.begin(scan.path, scan.facts, sha256).id, sha256
