"""The pages that wait for review, for the status. The ledger has them; other processes tick them off."""

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
    """Return rows of the ledger that wait for review, the newest last, as the status has them."""
    return Reviews(
        count,
        [
            ToReview(display_path(row.path), row.review.confidence, isoformat(row.updated_at), list(row.review.reasons))
            for row in newest
            if row.review is not None
        ],
    )


class ReviewList:
    """What the ledger had at the last look. Lives on the event loop, and looks on a thread but for the first time.

    Raises :class:`EnvironmentFault` if the ledger refuses the first look.
    """

    def __init__(self, threads: Threads, ledger: Ledger) -> None:
        self._threads = threads
        self._ledger = ledger
        self._is_looking = False
        self.found = self._look()

    async def look(self) -> None:
        """Look into the ledger, unless that is under way; what it has is in :attr:`found` then."""
        if self._is_looking:
            return
        self._is_looking = True
        try:
            # A disk that refuses this refuses what matters as well, and is reported for that.
            with contextlib.suppress(EnvironmentFault):
                self.found = await run_in(self._threads.state, self._look)
        finally:
            self._is_looking = False

    def look_now(self) -> None:
        """Look into the ledger, and wait for it; raises :class:`EnvironmentFault`."""
        self.found = self._look()

    def _look(self) -> Reviews:
        return reviews_of(*self._ledger.to_review(NEWEST_SHOWN))
