"""Measures how long the parts of a reading take."""

from __future__ import annotations

import time


class Stopwatch:
    """Sums the time between laps by name."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Add the time since the last lap, or since the start, to ``name``."""
        now = time.perf_counter()
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._last
        self._last = now

    def milliseconds(self) -> tuple[tuple[str, float], ...]:
        """Return names in order of their first lap, with milliseconds to two decimals."""
        return tuple((name, round(seconds * 1000, 2)) for name, seconds in self._seconds.items())
