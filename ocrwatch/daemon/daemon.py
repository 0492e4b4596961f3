"""Builds the pipeline; one loop; signals; the order of start and stop."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import ocrwatch
from ocrwatch.backoff import SILENCE
from ocrwatch.checks import startup
from ocrwatch.checks.remembered_mounts import check_mounts, remember_mounts
from ocrwatch.daemon.failed_start import make_folders_or_tell, tell_failed_start
from ocrwatch.daemon.hangup import on_hangup
from ocrwatch.daemon.outlets import StatusOutputs
from ocrwatch.daemon.pipeline import Listeners, Pipeline
from ocrwatch.daemon.recovery import rebuild, restore_forgotten
from ocrwatch.daemon.reload import Reloading
from ocrwatch.daemon.report import deliveries_of, status_at_start
from ocrwatch.daemon.status_publisher import StatusPublisher
from ocrwatch.daemon.tickets import End, Ticket
from ocrwatch.delivery.transaction import Delivered
from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault, OcrwatchError
from ocrwatch.executors.events import Begun, Outcome, SlotEvent, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.executors.startup_guard import StartupGuard
from ocrwatch.ledger import Ledger
from ocrwatch.log import get_logger
from ocrwatch.observe.status import NotReadFile
from ocrwatch.observe.systemd import notify
from ocrwatch.settings import Settings
from ocrwatch.storage.mount_watchdog import MountWatchdog

_LONGEST_SLEEP = 5.0
_SLEEP_WHILE_STOPPING = 0.1
_SLEEP_OF_ONCE = 0.2
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAME_WISH = 0.1
_LONGEST_PAUSE_OF_ONCE = 60.0
_DAY = 86_400.0

_log = get_logger()


@dataclass(slots=True)
class Watchers:
    """Who is told what happens, on the loop's thread; both optional."""

    delivered: Callable[[Ticket, Page, Delivered], None] = lambda *_: None
    turned: Callable[[Pipeline], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended."""

    ends: Counter[End]
    left: dict[str, str] = field(default_factory=dict)
    """Scans that stayed in the inbox, incomplete or refused, with the reason (``once`` only)."""
    seconds: float = 0.0
    """From the first worker's readiness to the end, or from the first batch where scans were known before."""
    interrupted: bool = False
    """Whether it was told to stop before it was done."""
    to_review: int = 0
    """Scans read in this run whose text is to be reviewed."""
    not_read: int = 0
    """Files and folders in the inbox that are not read: those of other kinds, links, excluded names."""
    not_read_files: list[NotReadFile] = field(default_factory=list)
    """The first of them by name."""


def _told(tell: Callable[[OcrwatchError], None]) -> Callable[..., None]:
    """Return what tells of an error with which a ``with`` block is left."""

    def leave(_kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OcrwatchError):
            tell(error)

    return leave


class Daemon:
    """One run over one inbox. Raises what :mod:`ocrwatch.checks.startup` raises where it cannot start."""

    def __init__(
        self,
        settings: Settings,
        *,
        once: bool = False,
        watchers: Watchers | None = None,
        reread: Callable[[], Settings] | None = None,
    ) -> None:
        """``reread`` returns the settings anew at SIGHUP; without it the signal keeps its usual meaning."""
        self._settings = settings
        self._reread = reread
        self._reloading: Reloading | None = None
        self._once = once
        self._watchers = watchers or Watchers()
        self._ready_at: float | None = None
        self._stopping_since = 0.0
        self._stop_by: float | None = None
        self._hooks_by: float | None = None
        self._failure: OcrwatchError | None = None
        self._next_pruning = 0.0
        self._blocked: dict[str, str] = {}

    def run(self) -> Summary:
        """Work until told to stop by SIGTERM or SIGINT (a second one stops at once), or with ``once`` until done."""
        settings = self._settings
        with contextlib.ExitStack() as stack:
            check_mounts(settings)
            make_folders_or_tell(settings, once=self._once)
            for lock in startup.take_locks(settings):
                stack.callback(lock.release)
            remember_mounts(settings)
            ledger = Ledger(settings.state)
            stack.callback(ledger.close)
            outlets = StatusOutputs(settings, once=self._once)
            stack.callback(outlets.close)
            # What a killed run has said there last is not true any more.
            read_last = deliveries_of(ledger)
            outlets.tell(status_at_start(settings, read_last))
            stack.push(_told(lambda failure: tell_failed_start(settings, outlets, read_last, failure)))
            startup.check_languages(settings)
            startup.check_formats(settings)
            rebuild(settings, ledger)
            restore_forgotten(settings, ledger)
            known = self._known = startup.known_texts(settings)
            stack.callback(known.close)
            shared = {name: folder for name, folder in startup.folders(settings).items() if name != "state"}
            self._silence = MountWatchdog(shared)
            stack.callback(self._silence.close)
            listeners = Listeners(self._watchers.delivered, self._worker_said)
            self._pipeline = Pipeline(settings, ledger, known, listeners, once=self._once)
            if self._reread is not None:
                self._reloading = Reloading(self._pipeline, self._reread, self._is_steady)
            self._starts = StartupGuard(len(self._pipeline.pool))
            outlets.listen()
            self._bulletin = StatusPublisher(self._pipeline, outlets)
            stack.enter_context(self._signals())
            self._work(ledger)
            if self._failure is not None:
                raise self._failure
        return self._summary()

    def _work(self, ledger: Ledger) -> None:
        pipeline, settings = self._pipeline, self._settings
        _log.info(
            "daemon.started",
            version=ocrwatch.__version__,
            pid=os.getpid(),
            inbox=str(settings.inbox),
            outbox=str(settings.outbox),
            workers=len(pipeline.pool),
        )
        # Workers load their engines while the rest of the start goes on.
        pipeline.pool.start()
        try:
            pipeline.recover(ledger)
            pipeline.reception.start(events=not self._once)
            while not self._is_done():
                pipeline.loop.turn(self._next_wake())
                now = time.monotonic()
                pipeline.tick(now, receiving=self._stop_by is None)
                self._heed_silence(now)
                self._prune_if_due(ledger, now)
                self._watchers.turned(pipeline)
                self._bulletin.tell(now, self._state())
        finally:
            self._shut_down()

    def _heed_silence(self, now: float) -> None:
        """Pause while a folder does not answer: what waits for it cannot say so."""
        pauses, fault = self._pipeline.pauses, self._silence.fault(now)
        if fault is None:
            pauses.resolve(SILENCE)
        elif pauses.message_of(SILENCE) != fault.message:
            pauses.record(SILENCE, fault, now)

    def _prune_if_due(self, ledger: Ledger, now: float) -> None:
        """Forget what is long past, now and once a day."""
        if now < self._next_pruning:
            return
        self._next_pruning = now + _DAY

        def pruned(rows: int) -> None:
            if rows:
                _log.info("ledger.pruned", rows=rows)

        def failed(error: BaseException) -> None:
            # A disk that refuses this refuses what matters as well, and is reported for that.
            if not isinstance(error, EnvironmentFault):
                raise error

        before = time.time() - self._pipeline.settings.history.max_age

        def prune() -> int:
            self._known.prune()
            return ledger.prune(before)

        self._pipeline.loop.background(prune, pruned, failed)

    def _next_wake(self) -> float:
        now = time.monotonic()
        if self._stop_by is not None:
            return min(now + _SLEEP_WHILE_STOPPING, self._stop_by)
        times = [self._pipeline.next_wake(), self._bulletin.next_wake(), now + _LONGEST_SLEEP]
        if self._once:
            times.append(now + _SLEEP_OF_ONCE)
        return min(times)

    def _worker_said(self, event: SlotEvent) -> None:
        self._pipeline.loop.post(self._heard, event)

    def _heard(self, event: SlotEvent) -> None:
        self._starts.heard(event)
        self._failure = self._starts.failure
        match event:
            case Outcome():
                self._pipeline.reading.finished(event)
            case Begun():
                self._pipeline.reading.begun(event)
            case WorkerReady(pid, engine, start_ms):
                _log.info("worker.started", pid=pid, engine=f"{engine.name} {engine.version}", start_ms=round(start_ms))
                self._known.loaded(engine)
                self._pipeline.pauses.resolve("workers")
                self._pipeline.report.worker_ready(engine)
                if self._ready_at is None:
                    self._become_ready()
            case WorkerLost(pid, how, phase, scan, stderr):
                self._pipeline.report.worker_died()
                _log.warning("worker.died", pid=pid, how=how, phase=phase, id=scan, stderr=stderr)
                if phase == "starting" and self._ready_at is not None:
                    fault = EnvironmentFault(f"a worker cannot start ({how})", "run ocrwatch doctor")
                    self._pipeline.pauses.record("workers", fault, time.monotonic())
            case WorkerUnfit(error) if self._ready_at is not None:
                self._pipeline.pauses.record("workers", error, time.monotonic())

    def _become_ready(self) -> None:
        self._ready_at = time.monotonic()
        _log.info("daemon.ready", mode=self._pipeline.reception.mode, workers=len(self._pipeline.pool))
        notify("READY=1")
        if self._reloading is not None:
            self._reloading.begin()

    def _is_steady(self) -> bool:
        return self._ready_at is not None and self._stop_by is None and self._failure is None

    def _is_done(self) -> bool:
        if self._failure is not None:
            return True
        pipeline = self._pipeline
        if self._stop_by is not None:
            refused = "delivery" in pipeline.pauses or SILENCE in pipeline.pauses
            blocked = refused and not pipeline.reading.in_work
            done = (pipeline.is_idle or blocked) and pipeline.hooks.is_idle
            return done or time.monotonic() >= self._stop_by
        if not self._once:
            return False
        if (pause := pipeline.pauses.longest(_LONGEST_PAUSE_OF_ONCE)) is not None:
            # The daemon waits for ever; whoever runs `once` waits for an answer.
            self._failure = EnvironmentFault(pause.message, pause.remedy)
            return True
        if self._ready_at is None or not pipeline.is_idle or not pipeline.reception.is_empty(time.monotonic()):
            self._hooks_by = None
            return False
        # What it did is told as well, in the time that a stop would give it.
        self._hooks_by = self._hooks_by or time.monotonic() + pipeline.settings.workers.shutdown_timeout
        return pipeline.hooks.is_idle or time.monotonic() >= self._hooks_by

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def handle(number: int, _frame: FrameType | None) -> None:
            self._pipeline.loop.post(self._begin_stop, number)

        for number in _STOP_SIGNALS:
            signal.signal(number, handle)
        if self._reloading is not None:
            on_hangup(functools.partial(self._pipeline.loop.post, self._reloading.ask))
        try:
            yield
        finally:
            # The process is about to end: one more of them must not spoil its exit code.
            for number in (*_STOP_SIGNALS, signal.SIGHUP) if self._reloading else _STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)

    def _begin_stop(self, number: int) -> None:
        now = time.monotonic()
        if self._stop_by is not None:
            # A supervisor that signals a process and its group sends the same wish twice.
            if now - self._stopping_since > _SAME_WISH:
                self._stop_by = 0.0
            return
        notify("STOPPING=1")
        grace = self._pipeline.settings.workers.shutdown_timeout
        self._stopping_since, self._stop_by = now, now + grace
        self._pipeline.reception.stop()
        self._pipeline.reading.stop()
        in_work = len(self._pipeline.reading.in_work)
        _log.info("daemon.stopping", signal=signal.Signals(number).name, in_work=in_work, grace_s=grace)

    def _shut_down(self) -> None:
        """Stop in the data's order, so that no stage gets anything from one that is gone.

        What was not finished is still in the inbox, and its attempt is taken back.
        """
        pipeline = self._pipeline
        self._blocked = pipeline.blocked
        pipeline.reception.stop()
        pipeline.pool.kill()
        silent = SILENCE in pipeline.pauses
        pipeline.loop.close(wait=not silent)
        with contextlib.suppress(OcrwatchError):
            pipeline.reading.give_back()
            pipeline.delivering.close(clear_away=not silent)
            pipeline.record_clean_end()
            # Nothing corrects any more what is said last.
            pipeline.reviews.look_now()
        self._watchers.turned(pipeline)
        self._bulletin.tell(time.monotonic(), "stopped", at_once=True)
        pipeline.hooks.close()
        if self._ready_at is not None:
            _log.info("daemon.stopped", **pipeline.report.totals())

    def _state(self) -> str:
        if self._stop_by is not None:
            return "stopping"
        if self._ready_at is None:
            return "starting"
        if self._pipeline.pauses:
            return "paused"
        return "watching" if self._pipeline.is_idle else "working"

    def _summary(self) -> Summary:
        began = (self._pipeline.began_at if self._pipeline.report.cached else self._ready_at) or time.monotonic()
        return Summary(
            self._pipeline.report.ends,
            {**self._pipeline.reception.left(), **self._blocked},
            time.monotonic() - began,
            interrupted=self._stop_by is not None,
            to_review=self._pipeline.report.to_review,
            not_read=self._pipeline.reception.not_read.count,
            not_read_files=self._pipeline.reception.not_read.named,
        )
