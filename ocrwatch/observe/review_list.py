"""Reads the pages that wait for review from the ledger, for the status.

Other processes mark them as reviewed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.observe.status import Reviews, ToReview, isoformat
from ocrwatch.storage.files import display_path
from ocrwatch.storage.threads import Threads, run_in

NEWEST_SHOWN: Final = 10
"""Pages that the status names."""


def reviews_of(count: int, newest: Sequence[Entry]) -> Reviews:
    """Return the rows that wait for review, newest last, in the form of the status."""
    return Reviews(
        count,
        [
            ToReview(display_path(row.path), row.review.confidence, isoformat(row.updated_at), list(row.review.reasons))
            for row in newest
            if row.review is not None
        ],
    )


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
        return reviews_of(*self._ledger.to_review(NEWEST_SHOWN))
