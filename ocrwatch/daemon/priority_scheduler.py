"""Scheduler: fresh scans before a backlog, retries alternate with it, and reduced readings come last.

A scan has two turns. The first lets it be loaded, which shows whether its text is cached; the second is a place with
what reads it, which a cached scan never waits for. There is a lane for this machine's workers, and one for each remote
service: scans of one lane never wait for those of another.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from ocrwatch.backoff import Backoff, Cause, wait_until
from ocrwatch.daemon.scan_queue import Queue
from ocrwatch.errors import Stopping
from ocrwatch.scan import LOCAL_LANE, Scan, Scans, ScanState

AHEAD_PER_WORKER: Final = 2
"""Scans loaded or in work for each worker: one being read, one ready so that no worker waits for a disk."""

AHEAD_BYTES: Final = 32_000_000
"""Bytes of scans loaded besides in each lane, to find those with a cached text: they need no worker."""

MOST_UNDELIVERED: Final = 128
"""Scans loaded, in work or to be delivered at once, unless a service takes more: their texts are in memory."""

MOST_BACKLOG: Final = 5000
"""Scans of a backlog that wait at once, if some of them are for a service that is not available."""

_OF_OTHERS: Final = (Cause.INBOX, Cause.DELIVERY, Cause.MOUNT)
"""Pauses that others find to have ended; a scan read meanwhile would only wait with its text in memory."""

_OF_READING: Final = (Cause.READING, Cause.WORKERS, Cause.MEMORY)
"""Pauses that a scan finds to have ended: only one is tried at a time."""


class LaneClosed(Exception):
    """The lane of a scan is paused, and another of its engines can read it; or its engines have changed."""


@dataclass(slots=True)
class _Lane:
    """Scans that are read by the same means."""

    most: int
    """Scans loaded or in work at once, besides those that are loaded to look for cached texts."""
    causes: tuple[str, ...]
    """Pauses that hold it up."""
    has_turns: bool = False
    """Whether a scan has ever waited for a turn in it."""
    turns: Queue = field(default_factory=Queue)
    places: Queue = field(default_factory=Queue)
    loaded: set[Scan] = field(default_factory=set)
    """Scans that have had their first turn and no place yet."""
    placed: set[Scan] = field(default_factory=set)

    @property
    def in_hand(self) -> int:
        """How many scans are loaded or in work."""
        return len(self.loaded) + len(self.placed)

    @property
    def is_empty(self) -> bool:
        """Whether no scan waits or is in hand."""
        return not (self.in_hand or len(self.turns) or len(self.places))


class Scheduler:
    """Grants turns as far as memory, workers, services and the environment allow.

    Lives on the event loop. ``services`` has how many scans each service reads at once, by the cause of its pauses,
    which is also the name of its lane. ``looks_ahead`` says whether texts may be cached, so that more scans are loaded
    than can be read at once.
    """

    def __init__(
        self,
        scans: Scans,
        backoff: Backoff,
        workers: int,
        *,
        services: Mapping[str, int] | None = None,
        looks_ahead: bool,
    ) -> None:
        self._scans = scans
        self._backoff = backoff
        self._looks_ahead = looks_ahead
        self._lanes = {LOCAL_LANE: _Lane(0, _OF_READING, has_turns=True)} | {
            cause: _Lane(concurrency + AHEAD_PER_WORKER, (*_OF_READING, cause))
            for cause, concurrency in (services or {}).items()
        }
        self.workers = workers
        self._isolated: list[tuple[Scan, _Lane]] = []
        self._page_last = False
        """Whether the last scan that was let in is an isolated page of a file."""
        self._waiting: dict[Scan, asyncio.Future[None]] = {}
        self._wake = asyncio.Event()
        backoff.subscribe(self._wake)
        self._stopped = False
        self._subscribers: list[asyncio.Event] = []

    @property
    def workers(self) -> int:
        """How many scans the workers of this machine read at once."""
        return self._lanes[LOCAL_LANE].most // AHEAD_PER_WORKER

    @workers.setter
    def workers(self, count: int) -> None:
        self._lanes[LOCAL_LANE].most = AHEAD_PER_WORKER * count

    @property
    def blocked(self) -> int:
        """How many scans are blocked: they must not take the places of others in intake."""
        return self._scans.count(ScanState.BLOCKED)

    def subscribe(self, event: asyncio.Event) -> None:
        """Set ``event`` when :attr:`wants_backlog` or :attr:`blocked` has changed."""
        self._subscribers.append(event)

    @property
    def wants_backlog(self) -> bool:
        """Whether another batch of the backlog may come; not before, so that fresh ones can overtake it.

        It may come while some lane has none: its scans must not wait for those of a service that is not available.
        """
        # A service that is only a second reader has no turns.
        waiting = [lane.turns.backlog for lane in self._lanes.values() if lane.has_turns]
        return not all(waiting) and sum(waiting) < MOST_BACKLOG

    def is_open(self, lane: str) -> bool:
        """Return whether a scan in a lane need not wait for the end of a pause of its service.

        At the time of the next try it is open for one scan.
        """
        if lane == LOCAL_LANE or lane not in self._backoff:
            return True
        return time.monotonic() >= self._backoff.next_try(lane) and self._lanes[lane].is_empty

    def waiting_in(self, lane: str) -> int:
        """Return how many scans wait in a lane."""
        return len(self._lanes[lane].places) + len(self._lanes[lane].turns)

    def queue(self) -> Iterator[Scan]:
        """Yield the waiting scans, those of each lane in the order of reading."""
        queues = ((lane.places, lane.turns) for lane in self._lanes.values())
        return itertools.chain((scan for scan, _ in self._isolated), *itertools.chain(*queues))

    @property
    def queued(self) -> int:
        """How many :meth:`queue` has."""
        return len(self._isolated) + sum(len(lane.places) + len(lane.turns) for lane in self._lanes.values())

    @asynccontextmanager
    async def turn(self, scan: Scan) -> AsyncIterator[None]:
        """Wait until a scan may be loaded, in the lane that it has.

        Raises :class:`Stopping` once :meth:`stop` was called, and :class:`LaneClosed`.
        """
        lane = self._lanes[scan.lane]
        lane.has_turns = True
        await self._wait(scan, lane, lane.turns)
        lane.loaded.add(scan)
        try:
            yield
        finally:
            lane.loaded.discard(scan)
            self.changed()

    @asynccontextmanager
    async def place(self, scan: Scan) -> AsyncIterator[None]:
        """Wait within a turn until a scan may be read, in the lane that it has now; raises like :meth:`turn`."""
        lane = self._lanes[scan.lane]
        await self._wait(scan, lane, lane.places)
        lane.loaded.discard(scan)
        lane.placed.add(scan)
        try:
            yield
        finally:
            lane.placed.discard(scan)
            self.changed()

    def changed(self) -> None:
        """Check again whether turns can be granted."""
        self._wake.set()

    def send_back(self, scan: Scan) -> None:
        """Have a scan that waits choose its lane again."""
        future = self._waiting.get(scan)
        if future is not None and not future.done():
            future.set_exception(LaneClosed())

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
            self._leave_closed_lanes()
            self._grant_places(now)
            for lane in self._lanes.values():
                self._grant_turns(lane, now)
            if (demand := (self.wants_backlog, self.blocked)) != told:
                told = demand
                for event in self._subscribers:
                    event.set()
            self._wake.clear()
            until = (self._next_try(lane) for lane in self._lanes.values())
            await wait_until(self._wake, min((each for each in until if each > now), default=float("inf")))

    async def _wait(self, scan: Scan, lane: _Lane, queue: Queue) -> None:
        if self._stopped:
            raise Stopping
        future = self._waiting[scan] = asyncio.get_running_loop().create_future()
        if scan.isolated and queue is lane.places:
            self._isolated.append((scan, lane))
        else:
            queue.add(scan)
        self.changed()
        try:
            await future
        except BaseException:
            # It may have been granted just before it was cancelled.
            lane.loaded.discard(scan)
            lane.placed.discard(scan)
            queue.remove(scan)
            self._isolated = [each for each in self._isolated if each[0] is not scan]
            # The next one gets its turn.
            self.changed()
            raise
        finally:
            del self._waiting[scan]

    def _leave_closed_lanes(self) -> None:
        """Let scans that wait for a service in a pause go to another of their engines."""
        for scan in [scan for scan in self._waiting if scan.other_lanes]:
            future = self._waiting[scan]
            closed = self._backoff.next_try(scan.lane) > time.monotonic()
            if closed and not future.done() and any(map(self.is_open, scan.other_lanes)):
                future.set_exception(LaneClosed())

    def _grant(self, scan: Scan) -> None:
        future = self._waiting[scan]
        if not future.done():
            future.set_result(None)

    def _grant_places(self, now: float) -> None:
        if self._is_held:
            return
        # A scan granted a moment ago has not run yet: the sets are updated here.
        placed = [scan for lane in self._lanes.values() for scan in lane.placed]
        # One whose service is not available does not hold up the others.
        if any(self._may_try(lane, now, 0) for _, lane in self._isolated):
            self._grant_isolated(placed, now)
        elif not any(scan.isolated for scan in placed):
            self._grant_others(now)

    def _grant_isolated(self, placed: list[Scan], now: float) -> None:
        """Let in an isolated scan if nothing else is in work; pages of one file may be in work together."""
        others_wait = any(len(lane.places) for lane in self._lanes.values())
        # A file may have thousands of pages: others are read between them.
        if self._page_last and others_wait and (placed or self._grant_others(now)):
            return
        for scan, lane in list(self._isolated):
            if not self._may_try(lane, now, len(lane.placed)):
                continue
            is_alone = all(_are_of_one_file(scan, other) for other in placed)
            if not is_alone or len(lane.placed) >= lane.most or self._scans.count(ScanState.DELIVERING):
                return
            self._isolated.remove((scan, lane))
            self._place(scan, lane)
            self._page_last = scan.file_page is not None
            placed.append(scan)
            if others_wait:
                return

    def _grant_others(self, now: float) -> bool:
        """Let in scans that need not be alone; return whether there were some."""
        granted = False
        for lane in self._lanes.values():
            while len(lane.placed) < lane.most and self._may_try(lane, now, len(lane.placed)):
                scan = lane.places.take()
                if scan is None:
                    break
                self._place(scan, lane)
                self._page_last, granted = False, True
        return granted

    def _place(self, scan: Scan, lane: _Lane) -> None:
        lane.loaded.discard(scan)
        lane.placed.add(scan)
        self._grant(scan)

    def _grant_turns(self, lane: _Lane, now: float) -> None:
        if self._is_held:
            return
        ahead = sum(scan.file.facts.size for scan in lane.loaded)
        while True:
            has_room = lane.in_hand < lane.most or (self._looks_ahead and ahead < AHEAD_BYTES)
            undelivered = lane.in_hand + self._scans.count(ScanState.DELIVERING)
            if not has_room or undelivered >= max(MOST_UNDELIVERED, lane.most):
                return
            if not self._may_try(lane, now, lane.in_hand):
                return
            # One at a time, so that slow pages never occupy all workers.
            reduced = not any(scan.reduced for scan in (*lane.loaded, *lane.placed))
            scan = lane.turns.take(reduced=reduced)
            if scan is None:
                return
            lane.loaded.add(scan)
            ahead += scan.file.facts.size
            self._grant(scan)

    @property
    def _is_held(self) -> bool:
        return self._stopped or any(cause in self._backoff for cause in _OF_OTHERS)

    def _next_try(self, lane: _Lane) -> float:
        return max(map(self._backoff.next_try, lane.causes))

    def _may_try(self, lane: _Lane, now: float, in_hand: int) -> bool:
        """Return whether another scan may go on: in a pause a single one does at each retry."""
        if not any(cause in self._backoff for cause in lane.causes):
            return True
        return not in_hand and now >= self._next_try(lane)


def _are_of_one_file(one: Scan, other: Scan) -> bool:
    """Return whether two scans are pages of the same file: if they end ocrwatch, that is suspected."""
    return one.file_page is not None and other.file_page is not None and one.file_page.whole is other.file_page.whole
