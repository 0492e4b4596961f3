"""Scheduler: fresh scans before a backlog, retries alternate with it, and reduced readings come last.

A scan has two turns. The first lets it be loaded, which shows whether its text is cached; the second is a worker's
place, which a cached scan never waits for.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

from ocrwatch.backoff import Backoff, Cause, wait_until
from ocrwatch.errors import Stopping
from ocrwatch.scan import Scan, Scans, ScanState

AHEAD_PER_WORKER: Final = 2
"""Scans loaded or in work for each worker: one being read, one ready so that no worker waits for a disk."""

AHEAD_BYTES: Final = 32_000_000
"""Bytes of scans loaded besides, to find those with a cached text: they need no worker."""

MOST_UNDELIVERED: Final = 128
"""Scans loaded, in work or to be delivered at once: their texts are in memory."""

MOST_BEFORE_REDUCED: Final = 100
"""Scans that go before one that took an engine too long. It comes last, but not never if the inbox never empties."""

_OF_OTHERS: Final = (Cause.INBOX, Cause.DELIVERY, Cause.MOUNT)
"""Pauses that others find to have ended; a scan read meanwhile would only wait with its text in memory."""

_OF_READING: Final = (Cause.READING, Cause.WORKERS, Cause.MEMORY)
"""Pauses that a scan finds to have ended: only one is tried at a time."""


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
    def has_backlog(self) -> bool:
        """Whether scans wait that were there before the daemon started."""
        return bool(self._heaps[_Kind.BACKLOG])

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
        has_retries, has_backlog = bool(self._heaps[_Kind.RETRY]), self.has_backlog
        self._retried_last = has_retries and not (self._retried_last and has_backlog)
        return _Kind.RETRY if self._retried_last else _Kind.BACKLOG


def _order(entry: tuple[int, Scan]) -> int:
    return entry[0]


class Scheduler:
    """Grants turns as far as memory, workers and the environment allow.

    Lives on the event loop. ``looks_ahead`` says whether texts may be cached, so that more scans are loaded than there
    are workers for.
    """

    def __init__(self, scans: Scans, backoff: Backoff, workers: int, *, looks_ahead: bool) -> None:
        self._scans = scans
        self._backoff = backoff
        self._looks_ahead = looks_ahead
        self.workers = workers
        self._turns = Queue()
        self._places = Queue()
        self._isolated: list[Scan] = []
        self._waiting: dict[Scan, asyncio.Future[None]] = {}
        self._loaded: set[Scan] = set()
        """Scans that have had their first turn and no place yet."""
        self._placed: set[Scan] = set()
        self._wake = asyncio.Event()
        backoff.subscribe(self._wake)
        self._stopped = False
        self._subscribers: list[asyncio.Event] = []

    @property
    def blocked(self) -> int:
        """How many scans are blocked: they must not take the places of others in intake."""
        return self._scans.count(ScanState.BLOCKED)

    def subscribe(self, event: asyncio.Event) -> None:
        """Set ``event`` when :attr:`wants_backlog` or :attr:`blocked` has changed."""
        self._subscribers.append(event)

    @property
    def wants_backlog(self) -> bool:
        """Whether another batch of the backlog may come; not before, so that fresh ones can overtake it."""
        return not self._turns.has_backlog

    def queue(self) -> Iterator[Scan]:
        """Yield the waiting scans in the order of reading."""
        return itertools.chain(self._isolated, self._places, self._turns)

    @property
    def queued(self) -> int:
        """How many :meth:`queue` has."""
        return len(self._isolated) + len(self._places) + len(self._turns)

    @asynccontextmanager
    async def turn(self, scan: Scan) -> AsyncIterator[None]:
        """Wait until a scan may be loaded.

        Raises :class:`Stopping` once :meth:`stop` was called.
        """
        await self._wait(scan, self._turns)
        self._loaded.add(scan)
        try:
            yield
        finally:
            self._loaded.discard(scan)
            self.changed()

    @asynccontextmanager
    async def place(self, scan: Scan) -> AsyncIterator[None]:
        """Wait within a turn until a worker may get the scan; raises :class:`Stopping`."""
        await self._wait(scan, self._places)
        self._loaded.discard(scan)
        self._placed.add(scan)
        try:
            yield
        finally:
            self._placed.discard(scan)
            self.changed()

    def changed(self) -> None:
        """Check again whether turns can be granted."""
        self._wake.set()

    def stop(self) -> None:
        """Grant no more turns."""
        self._stopped = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Stopping())

    async def run(self) -> None:
        """Grant turns whenever something has changed, until cancelled."""
        told = (self.wants_backlog, self.blocked)
        while True:
            now = time.monotonic()
            self._grant_places(now)
            self._grant_turns(now)
            if (demand := (self.wants_backlog, self.blocked)) != told:
                told = demand
                for event in self._subscribers:
                    event.set()
            self._wake.clear()
            until = max(map(self._backoff.next_try, _OF_READING))
            await wait_until(self._wake, until if until > now else float("inf"))

    async def _wait(self, scan: Scan, queue: Queue) -> None:
        if self._stopped:
            raise Stopping
        future = self._waiting[scan] = asyncio.get_running_loop().create_future()
        if scan.isolated and queue is self._places:
            self._isolated.append(scan)
        else:
            queue.add(scan)
        self.changed()
        try:
            await future
        except BaseException:
            # It may have been granted just before it was cancelled.
            self._loaded.discard(scan)
            self._placed.discard(scan)
            queue.remove(scan)
            if scan in self._isolated:
                self._isolated.remove(scan)
            # The next one gets its turn.
            self.changed()
            raise
        finally:
            del self._waiting[scan]

    def _grant(self, scan: Scan) -> None:
        future = self._waiting[scan]
        if not future.done():
            future.set_result(None)

    def _grant_places(self, now: float) -> None:
        if self._is_held:
            return
        # A scan granted a moment ago has not run yet: the sets are updated here.
        if self._isolated:
            if not (self._placed or self._scans.count(ScanState.DELIVERING)) and self._may_try(now, 0):
                self._place(self._isolated.pop(0))
            return
        if any(scan.isolated for scan in self._placed):
            return
        while len(self._placed) < AHEAD_PER_WORKER * self.workers and self._may_try(now, len(self._placed)):
            scan = self._places.take()
            if scan is None:
                return
            self._place(scan)

    def _place(self, scan: Scan) -> None:
        self._loaded.discard(scan)
        self._placed.add(scan)
        self._grant(scan)

    def _grant_turns(self, now: float) -> None:
        if self._is_held:
            return
        ahead = sum(scan.file.facts.size for scan in self._loaded)
        while True:
            in_hand = len(self._loaded) + len(self._placed)
            has_room = in_hand < AHEAD_PER_WORKER * self.workers or (self._looks_ahead and ahead < AHEAD_BYTES)
            if not has_room or in_hand + self._scans.count(ScanState.DELIVERING) >= MOST_UNDELIVERED:
                return
            if not self._may_try(now, in_hand):
                return
            # One at a time, so that slow pages never occupy all workers.
            reduced = not any(scan.reduced for scan in (*self._loaded, *self._placed))
            scan = self._turns.take(reduced=reduced)
            if scan is None:
                return
            self._loaded.add(scan)
            ahead += scan.file.facts.size
            self._grant(scan)

    @property
    def _is_held(self) -> bool:
        return self._stopped or any(cause in self._backoff for cause in _OF_OTHERS)

    def _may_try(self, now: float, in_hand: int) -> bool:
        """Return whether another scan may go on: in a pause a single one does at each retry."""
        causes = [cause for cause in _OF_READING if cause in self._backoff]
        return not causes or (not in_hand and now >= max(map(self._backoff.next_try, causes)))
