"""Counters for the status and the metrics. Lives on the event loop."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from ocrwatch.observe.status import Distribution, ProfileCounts
from ocrwatch.scan import ScanState

DAY_MINUTES: Final = 24 * 60

QUEUE_BOUNDS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""Seconds: from the waiting time of an idle daemon to that of a backlog of a night."""

READING_BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds: from the time for a receipt to the default of ``workers.timeout``."""

_COUNTED: Final = frozenset({ScanState.DELIVERED, ScanState.QUARANTINED})


class Durations:
    """Histogram of durations."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, seconds: float) -> None:
        """Add a duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._total += seconds

    def snapshot(self) -> Distribution:
        """Return an immutable copy."""
        return Distribution(list(self._bounds), list(self._counts), round(self._total, 3))


class Tally:
    """Counters since the start; rates include earlier runs.

    Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._last_minute: deque[float] = deque()
        self._minutes: deque[tuple[int, int]] = deque(maxlen=DAY_MINUTES)
        self._profiles: Counter[tuple[str, ScanState]] = Counter()
        self.queue_seconds = Durations(QUEUE_BOUNDS)
        self.reading_seconds = Durations(READING_BOUNDS)
        self.worker_deaths = 0
        self.retries = 0

    def remember(self, ends: Iterable[tuple[float, int]], now: float) -> None:
        """Add counts of ended scans of earlier runs, by their age, oldest first."""
        for ago, count in ends:
            self._count(int((now - ago) // 60), count)

    def ended(self, end: ScanState, profile: str | None, now: float) -> None:
        """Count the end of a scan."""
        if end not in _COUNTED:
            return
        self._profiles[profile or "", end] += 1
        self._last_minute.append(now)
        self._forget_old(now)
        self._count(int(now // 60), 1)

    def delivered(self, queue_seconds: float, reading_seconds: float) -> None:
        """Record how long a delivered scan waited and was read."""
        self.queue_seconds.add(max(0.0, queue_seconds))
        self.reading_seconds.add(reading_seconds)

    def last_minute(self, now: float) -> int:
        """Return how many scans ended in the last 60 seconds of this run."""
        self._forget_old(now)
        return len(self._last_minute)

    def last_minutes(self, now: float, minutes: int) -> int:
        """Return how many scans ended in so many minutes, including the current one."""
        first = int(now // 60) - minutes
        return sum(count for minute, count in self._minutes if minute > first)

    def profiles(self) -> list[ProfileCounts]:
        """Return the counts by profile, in the order of the profiles' names."""
        names = sorted({name for name, _ in self._profiles})
        return [
            ProfileCounts(name, self._profiles[name, ScanState.DELIVERED], self._profiles[name, ScanState.QUARANTINED])
            for name in names
        ]

    def _count(self, minute: int, count: int) -> None:
        if self._minutes and self._minutes[-1][0] == minute:
            count += self._minutes.pop()[1]
        self._minutes.append((minute, count))

    def _forget_old(self, now: float) -> None:
        while self._last_minute and now - self._last_minute[0] > 60:  # noqa: PLR2004 - a minute
            self._last_minute.popleft()
