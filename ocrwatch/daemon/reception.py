"""From the inbox to batches: events and looks become arrivals, arrivals settle, settled scans are batched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ocrwatch.backoff import Backoff
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.not_read import NotRead
from ocrwatch.daemon.watching import InboxWatch, Wanted
from ocrwatch.errors import Blocked, OcrwatchError, ScanFault
from ocrwatch.intake.batcher import Batcher
from ocrwatch.intake.jpeg import Completeness
from ocrwatch.intake.opener import Probe, probe
from ocrwatch.intake.readiness import GivenUp, Gone, ReadinessTracker, Ready, Unsettled, Waiting
from ocrwatch.intake.rescan import Rescan
from ocrwatch.log import get_logger
from ocrwatch.scan import Arrival, FileFacts, SettledFile
from ocrwatch.settings import Batch as BatchOptions
from ocrwatch.settings import Settle as SettleOptions
from ocrwatch.settings import Watch

MOST_KNOWN = 2000
"""How many scans are kept in mind at once. The rest waits in the inbox, where a later look finds it."""

MOST_INCOMPLETE = 20_000
"""How many are kept in mind besides that do not get whole, lest they take the others' places."""

_PROBES_AT_ONCE = 64
_IMPATIENT_QUIETS = 3

_log = get_logger()


@dataclass(slots=True)
class _Known:
    since: float
    again: bool = False
    """Whether it arrived once more while it was in hand."""


class Reception:
    """Knows every path between its arrival and :meth:`release`, and hands each out once."""

    def __init__(
        self,
        loop: Loop,
        pauses: Backoff,
        inbox: Path,
        options: Watch,
        settle: ReadinessTracker,
        batcher: Batcher,
        *,
        kept: Callable[[str], bool],
        given_up: Callable[[str, FileFacts, ScanFault], None],
        blocked: Callable[[], int] = lambda: 0,
    ) -> None:
        """``blocked`` tells how many scans that were handed out wait for something that keeps no others waiting."""
        self._loop = loop
        self._inbox = inbox
        self._settle = settle
        self._batcher = batcher
        self._kept = kept
        self._given_up = given_up
        self._blocked = blocked
        self._watch = InboxWatch(
            loop, pauses, inbox, options, arrived=self._arrive, wanted=self._wanted, found=self._take_in
        )
        self._known: dict[str, _Known] = {}
        self._probing = 0
        self._more = False
        self._gives_up = True

    def start(self, *, events: bool) -> None:
        """Begin to watch, with ``events`` where the inbox's file system has them; :meth:`tick` has the first look.

        Who wants no events does not stay until a file's patience is over either.
        """
        self._gives_up = events
        if events:
            self._watch.arm()
        else:
            # The summary names what is there now.
            self.not_read.at_rest = 0.0

    def stop(self) -> None:
        """Take no more arrivals."""
        self._watch.disarm()

    def change(self, options: Watch, settle: SettleOptions, batch: BatchOptions) -> None:
        """Wait and look at other intervals from here on; what is watched, and how, stays."""
        self._settle.stable_for, self._settle.stable_for_closed = settle.stable_for, settle.stable_for_closed
        self._settle.give_up_after = settle.give_up_after
        self._batcher.max_scans, self._batcher.quiet = batch.max_scans, batch.quiet
        self._batcher.max_wait = batch.max_wait
        self._watch.change(options)

    @property
    def not_read(self) -> NotRead:
        """What lies in the inbox and is not read."""
        return self._watch.not_read

    @property
    def mode(self) -> Literal["inotify", "poll"]:
        """How the inbox is watched."""
        return self._watch.mode

    @property
    def waiting(self) -> int:
        """How many scans settle or wait for their batch."""
        return len(self._settle) + len(self._batcher)

    @property
    def more(self) -> bool:
        """Whether the inbox holds scans besides those kept in mind."""
        return self._more

    @property
    def oldest(self) -> float | None:
        """When the scan arrived that has been on its way longest (monotonic seconds)."""
        # Paths are in the order of their arrival.
        return next((known.since for known in self._known.values()), None)

    @property
    def oldest_path(self) -> str | None:
        """The path of that scan."""
        return next(iter(self._known), None)

    def queue(self) -> Iterator[str]:
        """Yield the paths that wait for their batch, in the order in which they will be read."""
        return self._batcher.paths()

    @property
    def queued(self) -> int:
        """How many paths :meth:`queue` has."""
        return len(self._batcher)

    def incomplete(self) -> Iterator[Unsettled]:
        """Yield what settles and is not well; times are monotonic seconds."""
        return self._settle.waiting()

    def is_empty(self, now: float) -> bool:
        """Tell whether nothing is left but files that do not get whole."""
        if not self._watch.is_steady or self._more or self._probing or len(self._batcher):
            return False
        return self._settle.is_stuck(now, _IMPATIENT_QUIETS * max(self._settle.stable_for, 0.5))

    def left(self) -> dict[str, str]:
        """Return the paths that have not settled, with what they wait for."""
        return {path: self._settle.reason_of(path) for path in self._known if path in self._settle}

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._watch.tick(now)
        self._begin_probes(now)

    def next_wake(self, *, backlog: bool) -> float:
        """Return when :meth:`tick` or :meth:`take` has something to do (monotonic seconds)."""
        times = [self._watch.next_wake(), self._settle.next_look(), self._batcher.closes_at(backlog=backlog)]
        return min(each for each in times if each is not None)

    def take(self, now: float, *, backlog: bool) -> list[SettledFile]:
        """Return the next closed batch, if any."""
        return self._batcher.take(now, backlog=backlog)

    def claim(self, path: str) -> None:
        """Leave a path alone until it is released: another has it in hand."""
        self._known[path] = _Known(time.monotonic())

    def release(self, path: str, *, again: bool = False) -> None:
        """Let go of a path whose scan has ended; if it arrived ``again`` meanwhile, it starts again."""
        known = self._known.pop(path, None)
        if again or (known is not None and known.again):
            self._arrive(Arrival(path, "closed"))
        self._make_room()

    def is_doubtful(self, scan: SettledFile, fault: ScanFault) -> bool:
        """Tell whether a scan may have been found damaged only because its writer is still at work."""
        return self._settle.is_doubtful(scan, fault, time.monotonic())

    def await_writer(self, scan: SettledFile, fault: ScanFault) -> None:
        """Take back a scan that was handed out and was found damaged, until it changes or the patience is over."""
        now = time.monotonic()
        self._known.setdefault(scan.path, _Known(now)).again = False
        self._settle.await_writer(scan, fault, now)
        left = max(0.0, scan.changed_at + self._settle.give_up_after - now)
        then = f"read again when it changes, quarantined in {left:.0f} s if it does not"
        if not self._gives_up:
            then = "left in the inbox unless it changes while others are read"
        _log.info("scan.waiting", path=scan.path, reason=fault.message, next_step=then)
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
        _log.debug("scan.seen", path=path, how=arrival.how)
        self._settle.track(arrival, time.monotonic())

    def _make_room(self) -> None:
        """Rescan for more where there is room for many."""
        if self._more and self._room() >= MOST_KNOWN // 2:
            self._watch.look_soon()

    def _room(self) -> int:
        """How many more scans may be kept in mind."""
        incomplete = min(self._settle.incomplete + self._blocked(), MOST_INCOMPLETE)
        return max(0, MOST_KNOWN + incomplete - len(self._known))

    def _wanted(self) -> Wanted:
        known = frozenset(self._known)
        return Wanted(self._room(), lambda path: path in known or self._kept(path))

    def _take_in(self, found: Rescan) -> None:
        # Whatever waited before the first look ended, or overflows the memory, is a backlog.
        fresh = self._watch.looked and not self._more
        self._more = found.more
        for path in found.paths:
            self._arrive(Arrival(path, "found", fresh=fresh))

    def _begin_probes(self, now: float) -> None:
        while paths := self._settle.due(now, _PROBES_AT_ONCE):
            self._probing += 1
            self._loop.background(
                lambda paths=paths: [(path, self._probe(path)) for path in paths],  # type: ignore[misc]
                self._end_probes,
                lambda error, paths=paths: self._fail_probes(error, paths),  # type: ignore[misc]
            )

    def _probe(self, path: str) -> Probe | Blocked | None:
        try:
            return probe(self._inbox, path)
        except Blocked as error:
            return error

    def _end_probes(self, probes: list[tuple[str, Probe | Blocked | None]]) -> None:
        self._probing -= 1
        now = time.monotonic()
        for path, found in probes:
            # What was dropped meanwhile may be known again by another road.
            if path in self._settle:
                self._judge(path, found, now)

    def _fail_probes(self, error: BaseException, paths: list[str]) -> None:
        self._probing -= 1
        if not isinstance(error, OcrwatchError):
            raise error
        # The inbox is away: the look that finds it back finds these again.
        for path in paths:
            self._settle.forget(path)
            self._known.pop(path, None)
        self._watch.failed(error)

    def _judge(self, path: str, found: Probe | Blocked | None, now: float) -> None:
        if isinstance(found, Blocked):
            if self._settle.refused(path, found.message, now).first:
                _log.warning("scan.waiting", path=path, reason=found.message, next_step=found.remedy)
            return
        verdict = self._settle.update(path, found, now)
        match verdict:
            case Ready(scan):
                _log.debug("scan.ready", path=path, bytes=scan.facts.size)
                self._batcher.add(scan, now)
            case Waiting(reason, first=True):
                _log.info("scan.waiting", path=path, reason=reason, next_step=self._then(reason))
                self._make_room()
            case GivenUp(facts, fault):
                self._given_up(path, facts, fault)
            case Gone():
                self.release(path)

    def _then(self, reason: str) -> str:
        if reason == "unreadable":
            return "read as soon as the user that ocrwatch runs as may read it"
        if reason == "growing":
            return "read when it is complete"
        if not self._gives_up:
            return "left in the inbox unless it gets complete while others are read"
        patience = f"{self._settle.patience_for(reason):g} s without any change"
        if reason == Completeness.PARTIAL.value:
            return f"read when it is complete, or as it is after {patience}"
        return f"read when it is complete, quarantined after {patience}"
