"""From the inbox to batches: probes arrivals until they are complete, and then batches them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ocrwatch.backoff import Backoff, wait_until
from ocrwatch.errors import Blocked, OcrwatchError, ScanFault
from ocrwatch.events import ScanFailed, ScanReady, ScanSeen, ScanWaiting, publish
from ocrwatch.intake.arrivals import Arrivals
from ocrwatch.intake.batcher import Batcher
from ocrwatch.intake.completeness import Completeness
from ocrwatch.intake.ignore_rules import NameCheck
from ocrwatch.intake.ignored_files import IgnoredFiles
from ocrwatch.intake.kept_originals import KeptOriginals
from ocrwatch.intake.opener import Probe, ProbeFailed, probe
from ocrwatch.intake.readiness import GivenUp, Gone, ReadinessTracker, Ready, Unsettled, Waiting
from ocrwatch.intake.rescan import Rescan
from ocrwatch.magic import OTHER
from ocrwatch.scan import Arrival, SettledFile
from ocrwatch.settings import Batch as BatchOptions
from ocrwatch.settings import Settle as SettleOptions
from ocrwatch.settings import Watch
from ocrwatch.storage.threads import Tasks, Threads, run_in

MOST_KNOWN = 2000
"""How many scans are tracked at once. The rest waits in the inbox, where a later rescan finds it."""

MOST_INCOMPLETE = 20_000
"""How many incomplete ones are tracked besides, so that they do not take the others' places."""

_PROBES_AT_ONCE = 64
_IMPATIENT_QUIETS = 3


@dataclass(slots=True)
class _Known:
    since: float
    again: bool = False
    """Whether it arrived again while it was in work."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that no worker may see."""

    path: str
    given_up: GivenUp


class Demand(Protocol):
    """What intake needs to know of the scans that it has submitted."""

    @property
    def wants_backlog(self) -> bool:
        """Whether another batch of the backlog may come."""

    @property
    def blocked(self) -> int:
        """How many of them wait without delaying others."""

    def subscribe(self, event: asyncio.Event) -> None:
        """Set ``event`` when either may have changed."""


class Watcher:
    """Knows every path between its arrival and :meth:`release`, and submits each once.

    Lives on the event loop.
    """

    def __init__(
        self,
        threads: Threads,
        backoff: Backoff,
        inbox: Path,
        options: Watch,
        tracker: ReadinessTracker,
        batcher: Batcher,
        *,
        kept: KeptOriginals,
        demand: Demand,
    ) -> None:
        self._threads = threads
        self._inbox = inbox
        self._settle = tracker
        self._batcher = batcher
        self._kept = kept
        self._demand = demand
        self._wake = asyncio.Event()
        demand.subscribe(self._wake)
        backoff.subscribe(self._wake)
        self._tasks = Tasks(self._wake)
        self._arrivals = Arrivals(threads, backoff, inbox, options, self._wake)
        check = NameCheck(inbox, tuple(options.include), tuple(options.exclude), recursive=options.recursive)
        self.ignored = IgnoredFiles(threads, self._tasks, check, self._arrivals)
        self._known: dict[str, _Known] = {}
        self._refused: deque[Refused] = deque()
        self._probing = 0
        self._more = False
        self._gives_up = True
        self._stopped = False
        self._subscribers: list[asyncio.Event] = []

    async def batches(self, *, events: bool) -> AsyncIterator[list[SettledFile] | Refused]:
        """Yield each batch as it closes, and each file that it gives up; ends after :meth:`stop`.

        With ``events`` the inbox is watched by inotify if its file system has it. Without (``once``), it is not watched
        either while an incomplete file waits to be given up.
        """
        self._gives_up = events
        if events:
            await self._arrivals.arm()
        else:
            # The summary names what is there now.
            self.ignored.at_rest = 0.0
        try:
            while not self._stopped:
                self._wake.clear()
                self._tasks.check()
                now = time.monotonic()
                for arrival in self._arrivals.take():
                    self._arrive(arrival)
                if now >= self._arrivals.next_look():
                    self._arrivals.begin_look()
                    self._tasks.start(self._rescan())
                self._begin_probes(now)
                while self._refused:
                    yield self._refused.popleft()
                while files := self._batcher.take(time.monotonic(), backlog=self._demand.wants_backlog):
                    yield files
                await wait_until(self._wake, self._next_wake())
        finally:
            await self._tasks.cancel()

    def subscribe(self, event: asyncio.Event) -> None:
        """Set ``event`` when a path or unread files have arrived."""
        self._subscribers.append(event)

    def stop(self) -> None:
        """Accept no more arrivals."""
        self._stopped = True
        self._arrivals.disarm()
        self._wake.set()

    def change(self, options: Watch, settle: SettleOptions, batch: BatchOptions) -> None:
        """Wait and rescan at other intervals from here on; what is watched, and how, stays."""
        self._settle.stable_for, self._settle.stable_for_closed = settle.stable_for, settle.stable_for_closed
        self._settle.give_up_after = settle.give_up_after
        self._batcher.max_scans, self._batcher.quiet = batch.max_scans, batch.quiet
        self._batcher.max_wait = batch.max_wait
        self._arrivals.change(options)

    @property
    def mode(self) -> Literal["inotify", "poll"]:
        """How the inbox is watched."""
        return self._arrivals.mode

    @property
    def waiting(self) -> int:
        """How many scans are not stable yet or wait for their batch."""
        return len(self._settle) + len(self._batcher)

    @property
    def more(self) -> bool:
        """Whether the inbox holds more scans than are tracked."""
        return self._more

    @property
    def known_until(self) -> float:
        """The time until which all scans that have come to the inbox are tracked (monotonic seconds)."""
        return float("-inf") if self._more else self._arrivals.known_until

    def paths(self) -> Iterator[str]:
        """Yield all tracked paths: those that are not complete, and those that were submitted and not released."""
        return iter(self._known)

    @property
    def oldest(self) -> float | None:
        """Arrival of the scan that has been open longest (monotonic seconds)."""
        # Paths are in the order of their arrival.
        return next((known.since for known in self._known.values()), None)

    @property
    def oldest_path(self) -> str | None:
        """The path of that scan."""
        return next(iter(self._known), None)

    def queue(self) -> Iterator[str]:
        """Yield the paths that wait for their batch, in the order of reading."""
        return self._batcher.paths()

    @property
    def queued(self) -> int:
        """How many paths :meth:`queue` has."""
        return len(self._batcher)

    def incomplete(self) -> Iterator[Unsettled]:
        """Yield unstable files with a problem; times are monotonic seconds."""
        return self._settle.waiting()

    def is_empty(self, now: float) -> bool:
        """Return whether only incomplete files are left."""
        is_steady = self._arrivals.looked and not self._arrivals.is_looking and self.ignored.is_steady
        if not is_steady or self._more or self._probing or len(self._batcher) or self._refused:
            return False
        return self._settle.is_stuck(now, _IMPATIENT_QUIETS * max(self._settle.stable_for, 0.5))

    def left(self) -> dict[str, str]:
        """Return the paths that are not stable, with what they wait for."""
        return {path: self._settle.reason_of(path) for path in self._known if path in self._settle}

    def claim(self, path: str) -> None:
        """Claim a path until it is released: another part is working on it."""
        self._known[path] = _Known(time.monotonic())

    def release(self, path: str, *, again: bool = False) -> None:
        """Release the path of a closed scan; if it arrived ``again`` meanwhile, it starts again."""
        known = self._known.pop(path, None)
        if again or (known is not None and known.again):
            self._arrive(Arrival(path, "closed"))
            self._wake.set()
        self._make_room()

    def is_doubtful(self, scan: SettledFile, fault: ScanFault) -> bool:
        """Return whether a scan may look damaged only because its writer is not done."""
        return self._settle.is_doubtful(scan, fault, time.monotonic())

    def await_writer(self, scan: SettledFile, fault: ScanFault) -> None:
        """Take back a damaged scan, until it changes or ``give_up_after`` is over."""
        now = time.monotonic()
        self._known.setdefault(scan.path, _Known(now)).again = False
        self._settle.await_writer(scan, fault, now)
        left = max(0.0, scan.changed_at + self._settle.give_up_after - now)
        end = "read as it is" if scan.has_pages else "quarantined"
        then = f"read again when it changes, {end} in {left:.0f} s if it does not"
        if not self._gives_up:
            then = "left in the inbox unless it changes while others are read"
        publish(ScanWaiting(path=scan.path, reason=fault.message, next_step=then))
        self._wake.set()
        self._make_room()

    def _arrive(self, arrival: Arrival) -> None:
        path = arrival.path
        if path in self._known:
            if path in self._settle:
                self._settle.track(arrival, time.monotonic())
            elif arrival.how != "found":
                self._known[path].again = True
            return
        if not self._room():
            self._more = True
            return
        self._known[path] = _Known(time.monotonic())
        self._tell()
        publish(ScanSeen(path=path, how=arrival.how))
        self._settle.track(arrival, time.monotonic())

    def _tell(self) -> None:
        for event in self._subscribers:
            event.set()

    def _make_room(self) -> None:
        """Rescan for more if there is room for many."""
        if self._more and self._room() >= MOST_KNOWN // 2:
            self._arrivals.look_within(0.0)

    def _room(self) -> int:
        """How many more scans can be tracked."""
        incomplete = min(self._settle.incomplete + self._demand.blocked, MOST_INCOMPLETE)
        return max(0, MOST_KNOWN + incomplete - len(self._known))

    def _next_wake(self) -> float:
        closes_at = self._batcher.closes_at(backlog=self._demand.wants_backlog)
        times = (self._arrivals.next_look(), self._settle.next_look(), closes_at)
        return min(each for each in times if each is not None)

    async def _rescan(self) -> None:
        # Scans that waited before the first rescan ended, or exceed the memory, are a backlog.
        fresh = self._arrivals.looked and not self._more
        known = frozenset(self._known)
        found = await self._arrivals.look(self._room(), lambda path: path in known or path in self._kept)
        if found is not None:
            self._take_in(found, fresh=fresh)
            await self._arrivals.end_look(found, has_opened=self.ignored.update(found))
            self._tell()

    def _take_in(self, found: Rescan, *, fresh: bool) -> None:
        self._more = found.more
        for path in found.paths:
            self._arrive(Arrival(path, "found", fresh=fresh))

    def _begin_probes(self, now: float) -> None:
        while paths := self._settle.due(now, _PROBES_AT_ONCE):
            self._probing += 1
            self._tasks.start(self._look_at(paths))

    async def _look_at(self, paths: list[str]) -> None:
        try:
            probes = await run_in(self._threads.io, self._probe_all, paths)
        except OcrwatchError as error:
            # The inbox is missing: the rescan that finds it again finds these too.
            for path in paths:
                self._settle.forget(path)
                self._known.pop(path, None)
            self._arrivals.failed(error)
            return
        finally:
            self._probing -= 1
        now = time.monotonic()
        for path, found in zip(paths, probes, strict=True):
            # A path dropped meanwhile may be tracked again for another reason.
            if path in self._settle:
                self._judge(path, found, now)

    def _probe_all(self, paths: list[str]) -> list[Probe | Blocked | None]:
        return [self._probe(path) for path in paths]

    def _probe(self, path: str) -> Probe | Blocked | None:
        try:
            return probe(self._inbox, path)
        except Blocked as error:
            return error

    def _judge(self, path: str, found: Probe | Blocked | None, now: float) -> None:
        if isinstance(found, Blocked):
            if self._settle.refused(path, found.message, now).first:
                publish(ScanWaiting(path=path, reason=found.message, next_step=found.remedy, blocked=True))
                if isinstance(found, ProbeFailed):
                    publish(ScanFailed(path=path, exception=found.bug))
            return
        verdict = self._settle.update(path, found, now)
        match verdict:
            case Ready(scan):
                publish(ScanReady(path=path, bytes=scan.facts.size))
                self._batcher.add(scan, now)
            case Waiting(reason, first=True):
                publish(ScanWaiting(path=path, reason=reason, next_step=self._then(reason, found)))
                self._make_room()
            case GivenUp():
                self._refused.append(Refused(path, verdict))
                self._wake.set()
            case Gone():
                self.release(path)

    def _then(self, reason: str, found: Probe | None) -> str:
        if reason == "unreadable":
            return "read as soon as the user that ocrwatch runs as may read it"
        if reason == "growing":
            return "read when it is complete"
        if not self._gives_up:
            return "left in the inbox unless it gets complete while others are read"
        kind = OTHER if found is None else found.kind
        patience = f"{self._settle.patience_for(reason, kind):g} s without any change"
        if reason == Completeness.PARTIAL.value:
            return f"read when it is complete, or as it is after {patience}"
        return f"read when it is complete, quarantined after {patience}"
