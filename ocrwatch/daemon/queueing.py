"""The order in which scans are taken: fresh ones before a backlog, and what failed once in turns with that."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterator

from ocrwatch.daemon.tickets import Ticket

TAIL_PER_WORKER = 4
"""Of the last so many scans for each worker, long ones go first. With 8 workers, and times spread log-normally (sigma
0.7), the last scan then ends 3 % later than if all cores were busy to the end, 7 % with 2, and 12 % in natural order
(400 simulated queues; ``tests/unit/daemon/test_queueing.py`` has some of them)."""

MOST_BEFORE_PLAIN = 100
"""Scans that go before one on which an engine took too long. It comes last, also if the inbox is never empty."""

MUCH_LONGER = 1.5
"""How many times as many bytes such a scan has than the one whose turn it is. Pages of one kind, which differ by less,
stay in their order."""


class Queue:
    """Scans that wait for their turn."""

    def __init__(self) -> None:
        self._fresh: deque[Ticket] = deque()
        self._backlog: deque[Ticket] = deque()
        self._retries: deque[Ticket] = deque()
        self._retried_last = False
        self._plain: deque[Ticket] = deque()
        self._before_plain = 0

    def __len__(self) -> int:
        return len(self._fresh) + len(self._backlog) + len(self._retries) + len(self._plain)

    def __iter__(self) -> Iterator[Ticket]:
        yield from self._fresh
        # As _next_kind takes turns with them.
        first, second = (self._backlog, self._retries) if self._retried_last else (self._retries, self._backlog)
        for pair in itertools.zip_longest(first, second):
            yield from (ticket for ticket in pair if ticket is not None)
        yield from self._plain

    @property
    def has_backlog(self) -> bool:
        """Whether scans wait that were there before the daemon was."""
        return bool(self._backlog)

    def add(self, ticket: Ticket) -> None:
        """Have a scan wait behind those of its kind."""
        self._kind_of(ticket).append(ticket)

    def put_back(self, ticket: Ticket) -> None:
        """Have a scan wait before all others of its kind: its turn had come."""
        self._kind_of(ticket).appendleft(ticket)

    def take(self, *, ending: bool = False, plain: bool = True) -> Ticket | None:
        """Return the next scan, None if there is none; without ``plain`` none whose first reading took too long.

        Where the queue is ``ending``, one that will take much longer than the next goes first, lest a single worker
        reads it when all others have nothing left to do.
        """
        waiting = self._next_kind(plain=plain)
        if not waiting:
            return None
        if ending:
            longest = max(range(len(waiting)), key=lambda place: waiting[place].scan.facts.size)
            if waiting[longest].scan.facts.size > MUCH_LONGER * waiting[0].scan.facts.size:
                ticket = waiting[longest]
                del waiting[longest]
                return ticket
        return waiting.popleft()

    def drain(self) -> list[Ticket]:
        """Return all scans, and keep none."""
        drained = list(self)
        for kind in (self._fresh, self._backlog, self._retries, self._plain):
            kind.clear()
        return drained

    def _kind_of(self, ticket: Ticket) -> deque[Ticket]:
        if ticket.plain:
            return self._plain
        if ticket.rested:
            return self._retries
        return self._fresh if ticket.scan.fresh else self._backlog

    def _next_kind(self, *, plain: bool) -> deque[Ticket]:
        if plain and self._plain:
            self._before_plain += 1
            if self._before_plain > MOST_BEFORE_PLAIN or not (self._fresh or self._backlog or self._retries):
                self._before_plain = 0
                return self._plain
        if self._fresh:
            return self._fresh
        # What failed once goes behind what is fresh, and takes turns with a backlog that may be endless.
        self._retried_last = bool(self._retries) and not (self._retried_last and self._backlog)
        return self._retries if self._retried_last else self._backlog


class Resting:
    """Scans that wait for the time of their next attempt, in monotonic seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Ticket]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, ticket: Ticket, until: float) -> None:
        """Have a scan rest."""
        heapq.heappush(self._heap, (until, next(self._order), ticket))

    def in_order(self) -> list[tuple[float, Ticket]]:
        """Return those that rest with the ends of their rests, soonest first."""
        return [(until, ticket) for until, _, ticket in sorted(self._heap, key=lambda rest: rest[:2])]

    def next_end(self) -> float:
        """Return when the next one has rested enough, infinity if there is none."""
        return self._heap[0][0] if self._heap else float("inf")

    def rested(self, now: float) -> Iterator[Ticket]:
        """Yield those that have rested enough."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]

    def drain(self) -> list[Ticket]:
        """Return all scans, and keep none."""
        drained = [ticket for _, _, ticket in self._heap]
        self._heap.clear()
        return drained
