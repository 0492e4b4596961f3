"""The queue of the scheduler: fresh scans before a backlog, retries alternate with it, reduced readings come last."""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Iterator
from typing import Final

from ocrwatch.scan import Scan

MOST_BEFORE_REDUCED: Final = 100
"""Scans that go before one that took an engine too long. It comes last, but not never if the inbox never empties."""


class _Kind(enum.IntEnum):
    FRESH = 0
    RETRY = 1
    BACKLOG = 2
    REDUCED = 3


def _kind_of(scan: Scan) -> _Kind:
    if scan.reduced:
        return _Kind.REDUCED
    if scan.has_waited:
        return _Kind.RETRY
    return _Kind.FRESH if scan.file.fresh else _Kind.BACKLOG


class Queue:
    """Scans that wait for their turn, by kind; within a kind, the lowest ``order`` goes first."""

    def __init__(self) -> None:
        self._heaps: dict[_Kind, list[tuple[int, Scan]]] = {kind: [] for kind in _Kind}
        self._retried_last = False
        self._before_reduced = 0

    def __len__(self) -> int:
        return sum(map(len, self._heaps.values()))

    def __iter__(self) -> Iterator[Scan]:
        kinds = {kind: [scan for _, scan in sorted(heap, key=_order)] for kind, heap in self._heaps.items()}
        yield from kinds[_Kind.FRESH]
        # In the order in which _next_kind alternates.
        pair = (kinds[_Kind.RETRY], kinds[_Kind.BACKLOG])
        for both in itertools.zip_longest(*(reversed(pair) if self._retried_last else pair)):
            yield from (scan for scan in both if scan is not None)
        yield from kinds[_Kind.REDUCED]

    @property
    def backlog(self) -> int:
        """How many scans wait that were there before the daemon started."""
        return len(self._heaps[_Kind.BACKLOG])

    def add(self, scan: Scan) -> None:
        """Add a scan."""
        heapq.heappush(self._heaps[_kind_of(scan)], (scan.order, scan))

    def remove(self, scan: Scan) -> None:
        """Drop a scan that no longer waits."""
        for heap in self._heaps.values():
            for place, (_, waiting) in enumerate(heap):
                if waiting is scan:
                    del heap[place]
                    heapq.heapify(heap)
                    return

    def take(self, *, reduced: bool = True) -> Scan | None:
        """Return the next scan, None if there is none; ``reduced`` False leaves out reduced readings."""
        heap = self._heaps[self._next_kind(reduced=reduced)]
        return heapq.heappop(heap)[1] if heap else None

    def _next_kind(self, *, reduced: bool) -> _Kind:
        others = any(self._heaps[kind] for kind in (_Kind.FRESH, _Kind.RETRY, _Kind.BACKLOG))
        if reduced and self._heaps[_Kind.REDUCED]:
            self._before_reduced += 1
            if self._before_reduced > MOST_BEFORE_REDUCED or not others:
                self._before_reduced = 0
                return _Kind.REDUCED
        if self._heaps[_Kind.FRESH]:
            return _Kind.FRESH
        # A failed scan goes behind fresh ones, and alternates with a backlog that may be endless.
        has_retries, has_backlog = bool(self._heaps[_Kind.RETRY]), bool(self.backlog)
        self._retried_last = has_retries and not (self._retried_last and has_backlog)
        return _Kind.RETRY if self._retried_last else _Kind.BACKLOG


def _order(entry: tuple[int, Scan]) -> int:
    return entry[0]
