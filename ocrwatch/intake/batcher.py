"""Gathers complete scans into micro-batches. Pure: the clock is passed in."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ocrwatch.intake.names import natural_key
from ocrwatch.scan import SettledFile


@dataclass(slots=True)
class _Gathering:
    scans: deque[tuple[float, SettledFile]] = field(default_factory=deque)
    """With their arrival times, in that order."""


@dataclass(slots=True)
class Batcher:
    """Closes a batch when it is full, when no scan came for ``quiet``, or when its oldest is ``max_wait`` old.

    Within a batch scans are in natural order. Fresh scans are batched apart from a backlog and go before it. All times
    are monotonic seconds.
    """

    max_scans: int
    quiet: float
    max_wait: float
    _fresh: _Gathering = field(default_factory=_Gathering)
    _backlog: _Gathering = field(default_factory=_Gathering)

    def __len__(self) -> int:
        return len(self._fresh.scans) + len(self._backlog.scans)

    def add(self, scan: SettledFile, now: float) -> None:
        """Take a complete scan."""
        (self._fresh if scan.fresh else self._backlog).scans.append((now, scan))

    def closes_at(self, *, backlog: bool = True) -> float | None:
        """Return when :meth:`take` has a batch if nothing more arrives.

        None if nothing waits.
        """
        return min((self._closing(g) for g in self._wanted(backlog=backlog) if g.scans), default=None)

    def take(self, now: float, *, backlog: bool = True) -> list[SettledFile]:
        """Return the next closed batch, fresh ones first, or an empty list.

        ``backlog`` False leaves the backlog.
        """
        for gathering in self._wanted(backlog=backlog):
            if gathering.scans and self._closing(gathering) <= now:
                return self._close(gathering)
        return []

    def paths(self) -> Iterator[str]:
        """Yield the paths in the order of the next batches."""
        for gathering in (self._fresh, self._backlog):
            scans = iter(gathering.scans)
            while batch := list(itertools.islice(scans, self.max_scans)):
                yield from sorted((scan.path for _, scan in batch), key=natural_key)

    def _wanted(self, *, backlog: bool) -> tuple[_Gathering, ...]:
        return (self._fresh, self._backlog) if backlog else (self._fresh,)

    def _closing(self, gathering: _Gathering) -> float:
        oldest, newest = gathering.scans[0][0], gathering.scans[-1][0]
        if len(gathering.scans) >= self.max_scans:
            return oldest
        return min(newest + self.quiet, oldest + self.max_wait)

    def _close(self, gathering: _Gathering) -> list[SettledFile]:
        """Take the first arrivals, so that a name that sorts last is not starved; then sort them."""
        batch = [gathering.scans.popleft()[1] for _ in range(min(self.max_scans, len(gathering.scans)))]
        return sorted(batch, key=lambda scan: natural_key(scan.path))
