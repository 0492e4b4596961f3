"""The queue of the scheduler: fresh scans before a backlog, retries alternate with it, reduced readings come last."""

from __future__ import annotations

import enum
import heapq
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ocrwatch.scan import Scan

MOST_BEFORE_REDUCED: Final = 100
"""Scans that go before one that took an engine too long. It comes last, but not never if the inbox never empties."""


_MOST_REMOVED: Final = 64
"""Scans that may stay in a heap although they were removed, besides as many as wait."""


class _Kind(enum.IntEnum):
    FRESH = 0
    RETRY = 1
    BACKLOG = 2
    REDUCED = 3


def _kind_of(scan: Scan) -> _Kind:
    if scan.reduced:
        return _Kind.REDUCED
    if scan.has_waited or scan.engine in scan.refusing_engines:
        # In a pause one scan at a time tries whether the service is back: the same one must not do so each time.
        return _Kind.RETRY
    return _Kind.FRESH if scan.file.fresh else _Kind.BACKLOG


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """A scan that waits, in the order of its kind."""

    order: int
    kind: _Kind = field(compare=False)
    scan: Scan = field(compare=False)


class Queue:
    """Scans that wait for their turn, by kind; within a kind, the lowest ``order`` goes first."""

    def __init__(self) -> None:
        self._heaps: dict[_Kind, list[_Entry]] = {kind: [] for kind in _Kind}
        self._entries: dict[Scan, _Entry] = {}
        """Of the scans that wait. Those of scans that were removed stay in their heaps for a while: thousands may leave
        together, and to look for each would hold up the event loop for seconds."""
        self._counts: Counter[_Kind] = Counter()
        self._retried_last = False
        self._before_reduced = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Scan]:
        kinds: dict[_Kind, list[Scan]] = {kind: [] for kind in _Kind}
        for entry in sorted(self._entries.values()):
            kinds[entry.kind].append(entry.scan)
        yield from kinds[_Kind.FRESH]
        # In the order in which _next_kind alternates.
        pair = (kinds[_Kind.RETRY], kinds[_Kind.BACKLOG])
        for both in itertools.zip_longest(*(reversed(pair) if self._retried_last else pair)):
            yield from (scan for scan in both if scan is not None)
        yield from kinds[_Kind.REDUCED]

    @property
    def backlog(self) -> int:
        """How many scans wait that were there before the daemon started."""
        return self._counts[_Kind.BACKLOG]

    def add(self, scan: Scan) -> None:
        """Add a scan."""
        entry = self._entries[scan] = _Entry(scan.order, _kind_of(scan), scan)
        self._counts[entry.kind] += 1
        heapq.heappush(self._heaps[entry.kind], entry)

    def remove(self, scan: Scan) -> None:
        """Drop a scan that no longer waits."""
        entry = self._entries.pop(scan, None)
        if entry is None:
            return
        self._counts[entry.kind] -= 1
        heap = self._heaps[entry.kind]
        if len(heap) > 2 * self._counts[entry.kind] + _MOST_REMOVED:
            heap[:] = filter(self._waits, heap)
            heapq.heapify(heap)

    def take(self, *, reduced: bool = True) -> Scan | None:
        """Return the next scan, None if there is none; ``reduced`` False leaves out reduced readings."""
        heap = self._heaps[self._next_kind(reduced=reduced)]
        while heap:
            entry = heapq.heappop(heap)
            if self._waits(entry):
                del self._entries[entry.scan]
                self._counts[entry.kind] -= 1
                return entry.scan
        return None

    def _waits(self, entry: _Entry) -> bool:
        return self._entries.get(entry.scan) is entry

    def _next_kind(self, *, reduced: bool) -> _Kind:
        others = any(self._counts[kind] for kind in (_Kind.FRESH, _Kind.RETRY, _Kind.BACKLOG))
        if reduced and self._counts[_Kind.REDUCED]:
            self._before_reduced += 1
            if self._before_reduced > MOST_BEFORE_REDUCED or not others:
                self._before_reduced = 0
                return _Kind.REDUCED
        if self._counts[_Kind.FRESH]:
            return _Kind.FRESH
        # A failed scan goes behind fresh ones, and alternates with a backlog that may be endless.
        has_retries, has_backlog = bool(self._counts[_Kind.RETRY]), bool(self.backlog)
        self._retried_last = has_retries and not (self._retried_last and has_backlog)
        return _Kind.RETRY if self._retried_last else _Kind.BACKLOG
