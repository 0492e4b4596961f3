"""Reads the pages and documents that wait for review from the ledger, for the status.

Other processes mark them as reviewed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Final

from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import DocumentEntry, Entry, Ledger
from ocrwatch.observe.status import Reviews, ToReview, isoformat
from ocrwatch.storage.files import display_path
from ocrwatch.storage.threads import Threads, run_in

NEWEST_SHOWN: Final = 10
"""Pages and documents that the status names."""


def reviews_of(pages: tuple[int, Sequence[Entry]], documents: tuple[int, Sequence[DocumentEntry]]) -> Reviews:
    """Return what waits for review in the form of the status: how many, and the newest, newest last."""
    rows: list[Entry | DocumentEntry] = [*pages[1], *documents[1]]
    rows.sort(key=lambda row: row.updated_at)
    return Reviews(pages[0] + documents[0], list(map(_of_row, rows[-NEWEST_SHOWN:])))


def _of_row(row: Entry | DocumentEntry) -> ToReview:
    if isinstance(row, DocumentEntry):
        return _of_document(row)
    reasons, confidence = ((), None) if row.review is None else (row.review.reasons, row.review.confidence)
    return ToReview(display_path(row.path), confidence, isoformat(row.updated_at), list(reasons))


def _of_document(row: DocumentEntry) -> ToReview:
    plan = json.loads(row.plan)
    place = f"{plan['folder']}/{plan['stem']}".strip("/")
    return ToReview(display_path(place), None, isoformat(row.updated_at), list(row.review))


class ReviewList:
    """The reviews in the ledger at the last check.

    Lives on the event loop; all checks but the first run on a thread.

    Raises :class:`EnvironmentFault` if the ledger refuses the first check.
    """

    def __init__(self, threads: Threads, ledger: Ledger) -> None:
        self._threads = threads
        self._ledger = ledger
        self._is_looking = False
        self.found = self._look()

    async def look(self) -> None:
        """Start a check of the ledger, unless one is running; sets :attr:`found`."""
        if self._is_looking:
            return
        self._is_looking = True
        try:
            # A disk that refuses this also refuses important writes, which report it.
            with contextlib.suppress(EnvironmentFault):
                self.found = await run_in(self._threads.state, self._look)
        finally:
            self._is_looking = False

    def look_now(self) -> None:
        """Check the ledger, and wait for it; raises :class:`EnvironmentFault`."""
        self.found = self._look()

    def _look(self) -> Reviews:
        return reviews_of(self._ledger.to_review(NEWEST_SHOWN), self._ledger.stacks.to_review(NEWEST_SHOWN))
