"""From bytes to results: what is known is answered at once, the rest handed to the pool, and failures judged."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ocrwatch.backoff import SILENCE, Backoff
from ocrwatch.cache.key import PageCache
from ocrwatch.daemon.loader import Loaded, Loader
from ocrwatch.daemon.loading import BUG_REMEDY, Loading, Room, Ways
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.queueing import TAIL_PER_WORKER, Queue
from ocrwatch.daemon.tickets import End, Ticket
from ocrwatch.document import Page
from ocrwatch.errors import (
    Blocked,
    EnvironmentFault,
    InternalFault,
    OcrwatchError,
    ScanFault,
    TimedOut,
    UsageError,
    WorkerDied,
)
from ocrwatch.executors.events import Begun, Outcome
from ocrwatch.executors.process_pool import Pool
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.log import get_logger
from ocrwatch.settings import Retry

AHEAD_PER_WORKER = 2
"""Scans loaded or in work for each worker: one being read, one ready so that no worker ever waits for a disk."""

MOST_DEATHS = 3
"""How often ocrwatch may be killed with one scan as the only one in work until that is put down to the scan."""

AHEAD_BYTES = 32_000_000
"""Scans loaded besides, to find those that are known already: they need not wait for a worker."""

MOST_UNDELIVERED = 128
"""Results that may wait for the disks until no more scans are loaded."""

_NOT_OURS = ("inbox", "delivery", SILENCE)
"""Backoff that others end; a scan read meanwhile would only wait with its text in memory."""

_OURS = ("reading", "workers", "memory")

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Where a scan goes from here, and what is asked about those before and behind it."""

    deliver: Callable[[Ticket, Page], None]
    quarantine: Callable[[Ticket, ScanFault], None]
    resume: Callable[[Ticket, Entry], None]
    end: Callable[[Ticket, End], None]
    renew: Callable[[Ticket], None]
    """Gives a ticket the options that are in force."""
    retrying: Callable[[], None]
    undelivered: Callable[[], int]
    """How many results wait to be delivered."""
    more_to_come: Callable[[], bool]
    """Whether scans are on their way that have not been added yet."""


class Reading:
    """Keeps the pool busy, with bounded memory."""

    def __init__(
        self,
        loop: Loop,
        pauses: Backoff,
        ledger: Ledger,
        pool: Pool,
        loader: Loader,
        known: PageCache,
        *,
        retry: Retry,
        callbacks: Callbacks,
    ) -> None:
        self._loop = loop
        self._pauses = pauses
        self._ledger = ledger
        self._pool = pool
        self._loader = loader
        self._known = known
        self._retry = retry
        self._callbacks = callbacks
        ways = Ways(callbacks.renew, self._judge_loaded, callbacks.quarantine, callbacks.end)
        self._loading = Loading(loop, pauses, loader, ways)
        self._loaded = Queue()
        self._alone: deque[Ticket] = deque()
        """Loaded as well, and read one at a time before the others go on."""
        self._loaded_bytes = 0
        self._reading: dict[int, Ticket] = {}

    @property
    def waiting(self) -> int:
        """How many scans wait for a worker or for their next attempt."""
        return len(self._loading) + len(self._loaded) + len(self._alone)

    @property
    def blocked(self) -> dict[str, str]:
        """Paths of those that wait because they cannot be had at present, with the reason."""
        return self._loading.blocked

    @property
    def count_blocked(self) -> int:
        """How many :attr:`blocked` has."""
        return self._loading.count_blocked

    @property
    def in_work(self) -> list[str]:
        """Paths of the scans that are with the pool."""
        return [ticket.path for ticket in self._reading.values()]

    @property
    def resting(self) -> list[tuple[float, Ticket]]:
        """Scans that failed, with the times of their next attempts (monotonic seconds), soonest first."""
        return self._loading.resting

    @property
    def being_read(self) -> list[Ticket]:
        """Scans that workers have in hand, the one that was begun first first."""
        return sorted((ticket for ticket in self._reading.values() if ticket.worker), key=lambda t: t.begun_at)

    def queue(self) -> Iterator[str]:
        """Yield the paths that wait for a worker, in the order in which they will be read."""
        handed_over = (ticket for ticket in self._reading.values() if not ticket.worker)
        return (
            ticket.path for ticket in itertools.chain(handed_over, self._alone, self._loaded, self._loading.queue())
        )

    @property
    def queued(self) -> int:
        """How many paths :meth:`queue` has."""
        handed_over = sum(1 for ticket in self._reading.values() if not ticket.worker)
        return handed_over + len(self._alone) + len(self._loaded) + self._loading.queued

    @property
    def wants_backlog(self) -> bool:
        """Whether another batch of the backlog may come; not before, so that fresh ones can overtake it."""
        return self._loading.wants_backlog

    def change(self, retry: Retry, max_bytes: int) -> None:
        """Use other options from here on."""
        self._retry = retry
        self._loader.max_bytes = max_bytes

    def add(self, ticket: Ticket) -> None:
        """Take a scan of a new batch."""
        self._loading.add(ticket)

    def give_up(self, ticket: Ticket, fault: ScanFault) -> None:
        """Have a scan quarantined that no worker is to see."""
        self._loading.give_up(ticket, fault)

    def tick(self, now: float) -> None:
        """Hand on and load what there is room for."""
        self._loading.wake(now)
        if self._pauses and not (self.waiting or self._reading):
            # Nothing is left to feel the way with.
            for cause in _OURS:
                self._pauses.resolve(cause)
        if self._must_wait:
            return
        if self._alone:
            self._hand_over_alone(now)
        while (
            self._loaded
            and not self._keeps_others_waiting
            and len(self._reading) < self._most
            and self._may_try(now, len(self._reading))
        ):
            self._hand_over(self._loaded.take(ending=self._loading.is_through and self._is_ending(self._loaded)))
        self._loading.load(self._room(now), self._is_ending)

    def next_wake(self) -> float:
        """Return when :meth:`tick` has something to do (monotonic seconds)."""
        times = [self._loading.next_wake()]
        loaded = self._loaded or self._alone
        waits = not self._reading and (self._loading.waits or (loaded and self._loading.is_idle))
        if waits and self._pauses and not self._must_wait:
            times.append(self._next_try())
        return min(times)

    def stop(self) -> None:
        """Begin no more scans, and let go of those that no worker has begun."""
        for scan in self._pool.withdraw():
            self._end(self._reading.pop(scan), "stopped")
        for ticket in (*self._alone, *self._loaded.drain()):
            self._end(ticket, "stopped")
        self._alone.clear()
        self._loading.stop()

    def give_back(self) -> None:
        """Take back the attempts of scans whose workers were stopped with the daemon: no fault of theirs."""
        for scan, ticket in self._reading.items():
            self._ledger.refund_attempt(scan)
            self._end(ticket, "stopped")
        self._reading.clear()

    @property
    def _keeps_others_waiting(self) -> bool:
        """Whether a scan is being read, or waits to be, that no other may be in work beside."""
        return bool(self._alone) or any(ticket.alone for ticket in self._reading.values())

    def _hand_over_alone(self, now: float) -> None:
        """Give the pool a scan that is read alone, if nothing else is in work, be it to be read or to be delivered."""
        if not (self._reading or self._callbacks.undelivered()) and self._may_try(now, 0):
            self._hand_over(self._alone.popleft())

    @property
    def _must_wait(self) -> bool:
        return any(cause in self._pauses for cause in _NOT_OURS)

    @property
    def _most(self) -> int:
        return AHEAD_PER_WORKER * len(self._pool)

    def _may_try(self, now: float, in_hand: int) -> bool:
        """Tell whether another scan may be begun: in a pause a single one feels the way at each next try."""
        return not self._pauses or (not in_hand and now >= self._next_try())

    def _next_try(self) -> float:
        return max(map(self._pauses.next_try, _OURS))

    def _room(self, now: float) -> Room:
        in_hand = len(self._loaded) + len(self._alone) + len(self._reading)
        most = MOST_UNDELIVERED - self._callbacks.undelivered()
        if self._pauses:
            return Room(1, 0, 1 if self._may_try(now, in_hand) else 0, plain=True)
        ahead = AHEAD_BYTES - self._loaded_bytes if self._known else 0
        # One at a time, so that pages on which an engine takes too long never have all workers.
        plain = not any(ticket.plain for ticket in (*self._loaded, *self._reading.values()))
        return Room(self._most - in_hand, ahead, most, plain=plain)

    def _is_ending(self, queue: Queue) -> bool:
        """Tell whether a queue has only the last scans that there are."""
        return len(queue) <= TAIL_PER_WORKER * len(self._pool) and not self._callbacks.more_to_come()

    def _judge_loaded(self, loaded: Loaded) -> None:
        ticket, entry = loaded.ticket, loaded.entry
        if entry is None:
            self._end(ticket, "known")
            return
        ticket.id, ticket.attempt = entry.id, entry.attempts
        goes_last = ticket.plain
        # A text that is known was read as any other.
        ticket.plain = loaded.page is None and (ticket.plain or entry.code == TimedOut.code)
        if entry.state in {"planned", "published"}:
            # Its inbox was away when its original was to be put away.
            self._callbacks.resume(ticket, entry)
        elif loaded.page is not None:
            self._answer(ticket, loaded.page)
        elif entry.deaths >= MOST_DEATHS:
            fault = WorkerDied(
                f"ocrwatch itself was killed {entry.deaths} times while this was the only scan in work",
                "look at the scan, and whether memory was short; drop it in again",
            )
            self._callbacks.quarantine(ticket, fault)
        elif entry.attempts >= self._retry.attempts:
            # The attempts that are allowed were lowered meanwhile.
            fault = WorkerDied(
                f"{entry.attempts} attempts to read it failed ({entry.reason})", "look at the scan; drop it in again"
            )
            self._callbacks.quarantine(ticket, fault)
        elif not ticket.rested and (rest := min(entry.not_before - time.time(), self._retry.max_delay)) > 0:
            ticket.code, ticket.reason = entry.code or "", entry.reason or ""
            self._loading.rest(ticket, time.monotonic() + rest)
        elif ticket.plain and not goes_last:
            # An earlier run found out that it takes too long.
            self._loading.add(ticket)
        else:
            ticket.jpeg = loaded.jpeg
            ticket.alone = bool(entry.alone)
            self._loaded_bytes += len(ticket.jpeg)
            if ticket.alone:
                self._alone.append(ticket)
            else:
                self._loaded.add(ticket)

    def _hand_over(self, ticket: Ticket | None) -> None:
        """Give the pool a scan, unless another with the same bytes was read since it was loaded."""
        assert ticket is not None  # noqa: S101 - for the type checker
        self._callbacks.renew(ticket)
        jpeg, ticket.jpeg = ticket.jpeg, b""
        self._loaded_bytes -= len(jpeg)
        page = self._known.recent(ticket.sha256 or "", ticket.recipe)
        if page is not None:
            self._answer(ticket, page)
        else:
            self._reading[ticket.id] = ticket
            self._pool.submit(ticket.id, jpeg, ticket.recipe)

    def _answer(self, ticket: Ticket, page: Page) -> None:
        """Have a page delivered that was known."""
        ticket.cached = True
        ticket.queued_ms = (time.monotonic() - ticket.scan.ready_at) * 1000
        self._callbacks.deliver(ticket, page)

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
            self._pauses.resolve("workers")
            self._pauses.resolve("memory")
            self._remember(ticket, outcome.page)
            self._callbacks.deliver(ticket, outcome.page)
        elif isinstance(outcome.error, ScanFault):
            self._judge(ticket, outcome.error)
        elif outcome.error is not None:
            self._blame_environment(ticket, outcome.error)

    def _judge(self, ticket: Ticket, fault: ScanFault) -> None:
        if isinstance(fault, InternalFault):
            _log.error("scan.failed", path=ticket.path, reason=fault.message, trace=fault.trace)
        if isinstance(fault, TimedOut) and ticket.plain:
            fault = TimedOut(f"{fault.message}, and again without enhancement, after all others", fault.remedy)
            self._callbacks.quarantine(ticket, fault)
            return
        if not fault.retryable or ticket.attempt >= self._retry.attempts:
            self._callbacks.quarantine(ticket, fault)
            return
        ticket.plain = ticket.plain or isinstance(fault, TimedOut)
        delay = min(self._retry.first_delay * 2 ** (ticket.attempt - 1), self._retry.max_delay)
        try:
            self._ledger.wait(ticket.id, time.time() + delay, fault.code, fault.message)
        except EnvironmentFault as error:
            self._pauses.record("reading", error, time.monotonic())
        self._try_later(ticket, fault.code, fault.message, delay)

    def _try_later(self, ticket: Ticket, code: str, reason: str, delay: float) -> None:
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
        self._loading.rest(ticket, time.monotonic() + delay)

    def _blame_environment(self, ticket: Ticket, error: OcrwatchError) -> None:
        if ticket.attempt:
            try:
                self._ledger.refund_attempt(ticket.id)
            except EnvironmentFault as again:
                error = again
        if isinstance(error, UsageError):
            # It is this recipe's setting that is wrong: scans of other profiles go on.
            self._try_later(ticket, "wrong-setting", str(error), self._retry.max_delay)
        elif isinstance(error, Blocked):
            # One at a time until a page is read; this one last, so that a large one cannot keep all others waiting.
            self._pauses.record("memory", error, time.monotonic())
            self._loading.hold_up(ticket, error)
        else:
            self._put_back(ticket, "workers" if ticket.attempt else "reading", error)

    def _remember(self, ticket: Ticket, page: Page) -> None:
        """Keep what was read; on the disk by the delivery thread, so that it is there before the scan's end is."""

        def failed(error: BaseException) -> None:
            _log.warning("cache.failed", reason=repr(error), remedy=BUG_REMEDY)

        save = self._known.remember(ticket.sha256 or "", ticket.recipe, page)
        self._loop.deliver(save, lambda _: None, failed)

    def _put_back(self, ticket: Ticket, cause: str, error: OcrwatchError) -> None:
        self._pauses.record(cause, error, time.monotonic())
        self._loading.put_back(ticket)

    def _end(self, ticket: Ticket, end: End) -> None:
        self._callbacks.end(ticket, end)
