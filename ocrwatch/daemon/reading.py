"""From batches to results: bytes are loaded, attempts counted, scans handed to the pool, failures judged."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.pauses import Pauses
from ocrwatch.daemon.tickets import End, Ticket
from ocrwatch.dispatch.pool import Pool
from ocrwatch.dispatch.slot import Begun, Outcome
from ocrwatch.errors import (
    EnvironmentFault,
    HeldUp,
    InternalFault,
    OcrwatchError,
    ScanFault,
    TooLarge,
    UsageError,
    Vanished,
    WorkerDied,
)
from ocrwatch.intake.source import read
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.log import get_logger
from ocrwatch.settings import Retry
from ocrwatch.values import Page, Source

AHEAD_PER_WORKER = 2
"""Scans loaded or in work for each worker: one being read, one ready so that no worker ever waits for a disk."""

_NOT_OURS = ("inbox", "delivery")
"""Pauses that others end; a scan read meanwhile would only wait with its text in memory."""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Where a scan goes from here."""

    deliver: Callable[[Ticket, Page], None]
    quarantine: Callable[[Ticket, ScanFault], None]
    resume: Callable[[Ticket, Entry], None]
    end: Callable[[Ticket, End], None]
    renew: Callable[[Ticket], None]
    """Gives a ticket the options that are in force."""
    retrying: Callable[[], None]


class Reading:
    """Keeps the pool busy, with bounded memory, fresh scans before a backlog."""

    def __init__(
        self,
        loop: Loop,
        pauses: Pauses,
        ledger: Ledger,
        pool: Pool,
        inbox: Path,
        *,
        max_bytes: int,
        retry: Retry,
        keeps_originals: bool,
        callbacks: Callbacks,
    ) -> None:
        self._loop = loop
        self._pauses = pauses
        self._ledger = ledger
        self._pool = pool
        self._inbox = inbox
        self._max_bytes = max_bytes
        self._retry = retry
        self._keeps_originals = keeps_originals
        self._callbacks = callbacks
        self._fresh: deque[Ticket] = deque()
        self._backlog: deque[Ticket] = deque()
        self._retries: deque[Ticket] = deque()
        self._retried_last = False
        self._resting: list[tuple[float, int, Ticket]] = []
        self._held_up: dict[str, str] = {}
        self._order = itertools.count()
        self._loading = 0
        self._on_load: deque[Ticket] = deque()
        self._reading: dict[int, Ticket] = {}
        self._stopping = False

    @property
    def waiting(self) -> int:
        """How many scans wait for a worker or for their next attempt."""
        queued = len(self._fresh) + len(self._backlog) + len(self._retries)
        return queued + len(self._resting) + self._loading

    @property
    def held_up(self) -> dict[str, str]:
        """Paths of those that wait because they cannot be had at present, with the reason."""
        return dict(self._held_up)

    @property
    def in_work(self) -> list[str]:
        """Paths of the scans that are with the pool."""
        return [ticket.path for ticket in self._reading.values()]

    @property
    def resting(self) -> list[tuple[float, Ticket]]:
        """Scans that failed, with the times of their next attempts (monotonic seconds), soonest first."""
        return [(until, ticket) for until, _, ticket in sorted(self._resting, key=lambda rest: rest[:2])]

    @property
    def being_read(self) -> list[Ticket]:
        """Scans that workers have in hand, the one that was begun first first."""
        return sorted((ticket for ticket in self._reading.values() if ticket.worker), key=lambda t: t.begun_at)

    def queue(self) -> Iterator[str]:
        """Yield the paths that wait for a worker, in the order in which they will be read."""
        yield from (ticket.path for ticket in self._reading.values() if not ticket.worker)
        yield from (ticket.path for ticket in (*self._on_load, *self._fresh))
        # As _next takes turns with them.
        first, second = (self._backlog, self._retries) if self._retried_last else (self._retries, self._backlog)
        for pair in itertools.zip_longest(first, second):
            yield from (ticket.path for ticket in pair if ticket is not None)

    @property
    def queued(self) -> int:
        """How many paths :meth:`queue` has."""
        begun = sum(1 for ticket in self._reading.values() if ticket.worker)
        lines = (self._reading, self._on_load, self._fresh, self._backlog, self._retries)
        return sum(map(len, lines)) - begun

    @property
    def wants_backlog(self) -> bool:
        """Whether another batch of the backlog may come; not before, so that fresh ones can overtake it."""
        return not self._backlog

    def change(self, retry: Retry, max_bytes: int) -> None:
        """Use other options from here on."""
        self._retry = retry
        self._max_bytes = max_bytes

    def add(self, ticket: Ticket) -> None:
        """Take a scan of a new batch."""
        (self._fresh if ticket.scan.fresh else self._backlog).append(ticket)

    def tick(self, now: float) -> None:
        """Load what there is room for."""
        while self._resting and self._resting[0][0] <= now:
            _, _, ticket = heapq.heappop(self._resting)
            self._held_up.pop(ticket.path, None)
            self._retries.append(ticket)
        while (following := self._next(now)) is not None:
            self._load(following)

    def next_wake(self) -> float:
        """Return when :meth:`tick` has something to do (monotonic seconds)."""
        times = [self._resting[0][0]] if self._resting else []
        if (self._fresh or self._backlog or self._retries) and self._pauses and not (self._loading or self._reading):
            times.append(self._next_try())
        return min(times, default=float("inf"))

    def stop(self) -> None:
        """Begin no more scans, and let go of those that no worker has begun."""
        self._stopping = True
        for scan in self._pool.withdraw():
            self._end(self._reading.pop(scan), "stopped")
        for ticket in (*self._fresh, *self._backlog, *self._retries, *(ticket for _, _, ticket in self._resting)):
            self._end(ticket, "stopped")
        self._fresh.clear()
        self._backlog.clear()
        self._retries.clear()
        self._resting.clear()
        self._held_up.clear()

    def give_back(self) -> None:
        """Take back the attempts of scans whose workers were stopped with the daemon: no fault of theirs."""
        for scan, ticket in self._reading.items():
            self._ledger.refund_attempt(scan)
            self._end(ticket, "stopped")
        self._reading.clear()

    def _next(self, now: float) -> Ticket | None:
        in_hand = self._loading + len(self._reading)
        if self._stopping or in_hand >= AHEAD_PER_WORKER * len(self._pool):
            return None
        if any(cause in self._pauses for cause in _NOT_OURS):
            return None
        # In a pause a single scan feels the way at each next try.
        if self._pauses and (in_hand or now < self._next_try()):
            return None
        if self._fresh:
            return self._fresh.popleft()
        # What failed once goes behind what is fresh, and takes turns with a backlog that may be endless.
        self._retried_last = bool(self._retries) and not (self._retried_last and self._backlog)
        waiting = self._retries if self._retried_last else self._backlog
        return waiting.popleft() if waiting else None

    def _next_try(self) -> float:
        return max(map(self._pauses.next_try, ("reading", "workers", "memory")))

    def _load(self, ticket: Ticket) -> None:
        self._loading += 1
        self._callbacks.renew(ticket)
        self._on_load.append(ticket)
        self._loop.load(
            lambda: self._fetch(ticket),
            lambda loaded: self._loaded(self._on_load.popleft(), *loaded),
            lambda error: self._not_loaded(self._on_load.popleft(), error),
        )

    def _fetch(self, ticket: Ticket) -> tuple[Source, Entry | None]:
        """Read the bytes and open the scan's row; None instead of a row for bytes that are delivered already."""
        scan = ticket.scan
        source = read(self._inbox, scan.path, scan.facts, self._max_bytes)
        entry = self._ledger.begin(scan.path, scan.facts, source.sha256)
        if self._keeps_originals and self._ledger.was_done(scan.path, source.sha256):
            self._ledger.close_scan(entry.id, "gone", code=None, reason="it was delivered before")
            return source, None
        return source, entry

    def _loaded(self, ticket: Ticket, source: Source, entry: Entry | None) -> None:
        self._loading -= 1
        self._pauses.clear("reading")
        ticket.sha256 = source.sha256
        if entry is None:
            self._end(ticket, "known")
            return
        ticket.id, ticket.attempt = entry.id, entry.attempts
        if self._stopping:
            self._end(ticket, "stopped")
        elif entry.state in {"planned", "published"}:
            # Its inbox was away when its original was to be put away.
            self._callbacks.resume(ticket, entry)
        elif entry.attempts >= self._retry.attempts:
            # Whatever ended those attempts ended the daemon with them.
            fault = WorkerDied(
                f"{entry.attempts} attempts to read it ended without a result", "look at the scan; drop it in again"
            )
            self._callbacks.quarantine(ticket, fault)
        elif not ticket.rested and (rest := min(entry.not_before - time.time(), self._retry.max_delay)) > 0:
            ticket.rested = True
            ticket.code, ticket.reason = entry.code or "", entry.reason or ""
            self._rest(ticket, time.monotonic() + rest)
        else:
            self._reading[entry.id] = ticket
            self._pool.submit(entry.id, source.jpeg, ticket.recipe)

    def _not_loaded(self, ticket: Ticket, error: BaseException) -> None:
        self._loading -= 1
        match error:
            case Vanished():
                self._end(ticket, "changed")
                if not (self.waiting or self._reading):
                    # Nothing is left to feel the way with.
                    self._pauses.clear("reading")
                    self._pauses.clear("memory")
            case ScanFault():
                self.give_up(ticket, error)
            case HeldUp():
                self._hold_up(ticket, error)
            case OcrwatchError():
                self._put_back(ticket, "reading", error)
            case _:
                self.give_up(ticket, InternalFault(f"a bug in ocrwatch: {error!r}", _BUG_REMEDY))
                _log.error("scan.failed", path=ticket.path, exc_info=error)

    def give_up(self, ticket: Ticket, fault: ScanFault) -> None:
        """Have a scan quarantined that no worker has seen."""
        self._loading += 1
        self._loop.background(
            lambda: self._open_row(ticket),
            lambda row: self._given_up(ticket, row, fault),
            lambda error: self._not_loaded(ticket, error),
        )

    def _open_row(self, ticket: Ticket) -> tuple[int, str | None]:
        """Open the scan's row, with the hash of its bytes if they can be had, for its history."""
        scan = ticket.scan
        try:
            sha256 = ticket.sha256 or read(self._inbox, scan.path, scan.facts, self._max_bytes).sha256
        except TooLarge:
            sha256 = None
        return self._ledger.begin(scan.path, scan.facts, sha256).id, sha256

    def _given_up(self, ticket: Ticket, row: tuple[int, str | None], fault: ScanFault) -> None:
        self._loading -= 1
        ticket.id, ticket.sha256 = row
        if self._stopping:
            self._end(ticket, "stopped")
        else:
            self._callbacks.quarantine(ticket, fault)

    def begun(self, begun: Begun) -> None:
        """Take note that a worker was given a scan."""
        if (ticket := self._reading.get(begun.scan)) is not None:
            ticket.worker, ticket.attempt, ticket.begun_at = begun.pid, begun.attempt, time.monotonic()

    def finished(self, outcome: Outcome) -> None:
        """Take the end of a job from the pool."""
        ticket = self._reading.pop(outcome.scan, None)
        if ticket is None:
            return
        ticket.attempt = outcome.attempt
        ticket.worker = 0
        ticket.read_ms = outcome.read_ms
        ticket.queued_ms = (time.monotonic() - ticket.scan.ready_at) * 1000 - outcome.read_ms
        if outcome.page is not None:
            self._pauses.clear("workers")
            self._pauses.clear("memory")
            self._callbacks.deliver(ticket, outcome.page)
        elif isinstance(outcome.error, ScanFault):
            self._judge(ticket, outcome.error)
        elif outcome.error is not None:
            self._blame_environment(ticket, outcome.error)

    def _hold_up(self, ticket: Ticket, error: HeldUp) -> None:
        _log.warning("scan.waiting", path=ticket.path, reason=error.message, then=error.remedy)
        self._held_up[ticket.path] = error.message
        self._rest(ticket, self._pauses.held_up_until(time.monotonic()))

    def _judge(self, ticket: Ticket, fault: ScanFault) -> None:
        if isinstance(fault, InternalFault):
            _log.error("scan.failed", path=ticket.path, reason=fault.message, trace=fault.trace)
        if not fault.retryable or ticket.attempt >= self._retry.attempts:
            self._callbacks.quarantine(ticket, fault)
            return
        delay = min(self._retry.first_delay * 2 ** (ticket.attempt - 1), self._retry.max_delay)
        try:
            self._ledger.wait(ticket.id, time.time() + delay, fault.code, fault.message)
        except EnvironmentFault as error:
            self._pauses.hit("reading", error, time.monotonic())
        self._try_later(ticket, fault.code, fault.message, delay)

    def _try_later(self, ticket: Ticket, code: str, reason: str, delay: float) -> None:
        ticket.rested = True
        ticket.code, ticket.reason = code, reason
        self._callbacks.retrying()
        _log.warning(
            "scan.retrying",
            id=ticket.id,
            path=ticket.path,
            attempt=ticket.attempt,
            code=code,
            reason=reason,
            retry_in_s=round(delay, 1),
        )
        self._rest(ticket, time.monotonic() + delay)

    def _blame_environment(self, ticket: Ticket, error: OcrwatchError) -> None:
        if ticket.attempt:
            try:
                self._ledger.refund_attempt(ticket.id)
            except EnvironmentFault as again:
                error = again
        if isinstance(error, UsageError):
            # It is this recipe's setting that is wrong: scans of other profiles go on.
            self._try_later(ticket, "wrong-setting", str(error), self._retry.max_delay)
        elif isinstance(error, HeldUp):
            # One at a time until a page is read; this one last, so that a large one cannot keep all others waiting.
            self._pauses.hit("memory", error, time.monotonic())
            self._hold_up(ticket, error)
        else:
            self._put_back(ticket, "workers" if ticket.attempt else "reading", error)

    def _put_back(self, ticket: Ticket, cause: str, error: OcrwatchError) -> None:
        self._pauses.hit(cause, error, time.monotonic())
        if self._stopping:
            self._end(ticket, "stopped")
        else:
            self._fresh.appendleft(ticket)

    def _rest(self, ticket: Ticket, until: float) -> None:
        if self._stopping:
            self._end(ticket, "stopped")
        else:
            heapq.heappush(self._resting, (until, next(self._order), ticket))

    def _end(self, ticket: Ticket, end: End) -> None:
        self._callbacks.end(ticket, end)


_BUG_REMEDY = "please report it with the log's traceback"
