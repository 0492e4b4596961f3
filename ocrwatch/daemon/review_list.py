"""The pages that wait for review, for the status. The ledger has them; other processes tick them off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ocrwatch.daemon.loop import Loop
from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.observe.status import Reviews, ToReview, display_path, isoformat

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
    """What the ledger had at the last look. Lives on the loop's thread, which waits for no look but the first and last.

    Raises :class:`EnvironmentFault` if the ledger refuses the first one.
    """

    def __init__(self, loop: Loop, ledger: Ledger) -> None:
        self._loop = loop
        self._ledger = ledger
        self._is_looking = False
        self.found = self._look()

    def look(self) -> None:
        """Have the ledger looked into; what it has is in :attr:`found` soon."""
        if not self._is_looking:
            self._is_looking = True
            self._loop.background(self._look, self._looked, self._failed)

    def look_now(self) -> None:
        """Look into the ledger, and wait for it; raises :class:`EnvironmentFault`."""
        self.found = self._look()

    def _look(self) -> Reviews:
        return reviews_of(*self._ledger.to_review(NEWEST_SHOWN))

    def _looked(self, found: Reviews) -> None:
        self._is_looking = False
        self.found = found

    def _failed(self, error: BaseException) -> None:
        self._is_looking = False
        # A disk that refuses this refuses what matters as well, and is reported for that.
        if not isinstance(error, EnvironmentFault):
            raise error
