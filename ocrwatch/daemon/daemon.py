"""One run: starts, serves and stops, and handles the signals that end it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

import ocrwatch
from ocrwatch.backoff import Cause, Pause, wait_until
from ocrwatch.checks import startup
from ocrwatch.checks.failed_start import failure_reported, make_folders_or_report
from ocrwatch.checks.remembered_mounts import check_mounts, remember_mounts
from ocrwatch.daemon.assembly import Assembly
from ocrwatch.daemon.document_status import written_documents
from ocrwatch.daemon.reload import Reloading
from ocrwatch.daemon.status_publisher import StatusPublisher, not_read_files
from ocrwatch.errors import EnvironmentFault, OcrwatchError
from ocrwatch.events import (
    DaemonFailed,
    DaemonReady,
    DaemonStarted,
    DaemonStopped,
    DaemonStopping,
    WorkerDied,
    WorkerStarted,
    publish,
)
from ocrwatch.events.listeners import Listeners
from ocrwatch.executors.events import WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.executors.startup_guard import StartupGuard
from ocrwatch.hangup import on_hangup
from ocrwatch.housekeeping.ledger_rebuild import rebuild, restore_forgotten
from ocrwatch.ledger import Ledger
from ocrwatch.observe.service_status import stops_all
from ocrwatch.observe.status import NotReadFile
from ocrwatch.observe.status_outputs import StatusOutputs
from ocrwatch.observe.status_report import deliveries_of, status_at_start
from ocrwatch.observe.systemd import notify
from ocrwatch.scan import Scan, ScanState
from ocrwatch.settings import Settings
from ocrwatch.storage.mount_watchdog import MountWatchdog
from ocrwatch.storage.threads import Tasks

_LONGEST_SLEEP = 5.0
_SLEEP_WHILE_STOPPING = 0.1
_SLEEP_OF_ONCE = 0.2
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAME_WISH = 0.1
_MOUNTS_INTERVAL = 2.5
_LONGEST_PAUSE_OF_ONCE = 60.0


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended."""

    ends: Counter[ScanState]
    left: dict[str, str] = field(default_factory=dict)
    """Scans that stayed in the inbox, incomplete or refused, with the reason (``once`` only)."""
    seconds: float = 0.0
    """From the first worker's readiness to the end, or from the first batch if texts were known before."""
    interrupted: bool = False
    """Whether it was stopped before it was done."""
    to_review: int = 0
    """Scans read in this run with a text that needs review."""
    not_read: int = 0
    """Files and folders in the inbox that are not read: other kinds, links, excluded names."""
    not_read_files: list[NotReadFile] = field(default_factory=list)
    """The first of them by name."""
    documents_left: int = 0
    """Documents that were not written: the run was stopped before, or there is a bug. The next run tries again."""


class Progress(Protocol):
    """Shows the progress of `ocrwatch once`; called on the event loop."""

    def show(self, done: int, total: int) -> None:
        """Show how many scans are closed."""


class Daemon:
    """One run over one inbox.

    Raises the errors of :mod:`ocrwatch.checks.startup` if it cannot start.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        once: bool = False,
        progress: Progress | None = None,
        reread: Callable[[], Settings] | None = None,
    ) -> None:
        """``reread`` loads the settings at SIGHUP; without it the signal keeps its default action."""
        self._settings = settings
        self._reread = reread
        self._reloading: Reloading | None = None
        self._once = once
        self._progress = progress
        self._ready_at: float | None = None
        self._stopping_since = 0.0
        self._stop_by: float | None = None
        self._hooks_by: float | None = None
        self._failure: OcrwatchError | None = None
        self._blocked: dict[str, str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._mounts = MountWatchdog({})
        self._early: list[Callable[[], None]] = []

    def run(self) -> Summary:
        """Run until SIGTERM or SIGINT (a second one stops at once), or with ``once`` until done."""
        settings = self._settings
        with contextlib.ExitStack() as stack:
            check_mounts(settings)
            make_folders_or_report(settings, once=self._once)
            for lock in startup.take_locks(settings):
                stack.callback(lock.release)
            remember_mounts(settings)
            ledger = Ledger(settings.state)
            stack.callback(self._wait_for, ledger.close, "state")
            outputs = StatusOutputs(settings, startup.sidecar_group(settings), once=self._once)
            stack.callback(outputs.close)
            # The last status of a killed run is out of date.
            read_last, documents_last = deliveries_of(ledger), written_documents(ledger)
            outputs.publish(status_at_start(settings, read_last, documents_last))
            stack.enter_context(failure_reported(settings, outputs, read_last, documents_last))
            listeners = Listeners(settings.events.listeners)
            # It ends when all else has: it hears of the end, too.
            stack.callback(listeners.close)
            startup.check_languages(settings)
            startup.check_formats(settings)
            startup.check_codes(settings)
            startup.check_remote(settings)
            rebuild(settings, ledger)
            restore_forgotten(settings, ledger)
            cache = startup.known_texts(settings)
            stack.callback(self._wait_for, cache.close, "state")
            self._mounts = MountWatchdog(startup.folders(settings))
            stack.callback(self._mounts.close)
            self._assembly = Assembly(settings, ledger, cache, once=self._once)
            stack.callback(self._assembly.close)
            if self._reread is not None:
                self._reloading = Reloading(self._assembly, self._reread)
            self._starts = StartupGuard(self._assembly.executor.capacity)
            outputs.listen()
            self._publisher = StatusPublisher(self._assembly, outputs)
            self._services = Tasks(self._assembly.changed)
            stack.enter_context(self._signals())
            try:
                asyncio.run(self._serve())
            finally:
                self._shut_down(ledger)
            if self._failure is not None:
                raise self._failure
        return self._summary()

    async def _serve(self) -> None:
        """Serve until the run ends."""
        assembly, settings = self._assembly, self._settings
        publish(
            DaemonStarted(
                version=ocrwatch.__version__,
                pid=os.getpid(),
                inbox=str(settings.inbox),
                outbox=str(settings.outbox),
                workers=assembly.executor.capacity,
            )
        )
        self._loop = asyncio.get_running_loop()
        for call in self._early:
            call()
        services = self._services
        # Workers load their engines during the rest of the start.
        assembly.executor.start()
        try:
            for service in (*assembly.pipeline.services(), *assembly.look_after()):
                services.start(service)
            await assembly.recovery.run()
            services.start(assembly.documents.run())
            services.start(assembly.take_in(events=not self._once))
            services.start(self._watch_workers())
            services.start(self._watch_mounts())
            services.start(self._assembly.pruning.run())
            services.start(self._publisher.run())
            services.start(self._publisher.give_signs())
            while not self._is_done():
                services.check()
                assembly.changed.clear()
                self._show_progress()
                self._publisher.state = self._state()
                await wait_until(assembly.changed, self._next_wake())
        finally:
            self._blocked = assembly.scans.blocked
            assembly.watcher.stop()
            assembly.documents.stop()
            await assembly.pipeline.cancel()
            assembly.stop_joining()
            await assembly.documents.writing.cancel()
            await services.cancel()
            # Last: events above may add notifications. What waits is dropped, and logged.
            await assembly.hooks.close()

    def _show_progress(self) -> None:
        if self._progress is not None:
            done = self._assembly.report.ends.total()
            self._progress.show(done, done + self._assembly.open_scans)

    async def _watch_mounts(self) -> None:
        """Pause while a folder does not answer: calls that wait for it cannot report it."""
        backoff, mounts = self._assembly.backoff, self._mounts
        while True:
            fault = mounts.fault(time.monotonic())
            if fault is None:
                backoff.resolve(Cause.MOUNT)
            elif backoff.message_of(Cause.MOUNT) != fault.message:
                backoff.record(Cause.MOUNT, fault, time.monotonic())
            await asyncio.sleep(_MOUNTS_INTERVAL)

    def _next_wake(self) -> float:
        now = time.monotonic()
        if self._stop_by is not None:
            return min(now + _SLEEP_WHILE_STOPPING, self._stop_by)
        return now + (_SLEEP_OF_ONCE if self._once else _LONGEST_SLEEP)

    async def _watch_workers(self) -> None:
        """Handle the events of the workers."""
        while True:
            event = await self._assembly.worker_events.get()
            self._starts.heard(event)
            self._failure = self._failure or self._starts.failure
            self._heard(event)
            if self._starts.ready and self._ready_at is None:
                await self._become_ready()
            self._assembly.changed.set()

    def _heard(self, event: WorkerReady | WorkerLost | WorkerUnfit) -> None:
        assembly = self._assembly
        match event:
            case WorkerReady(pid, engine, start_ms):
                named = "none: services read" if engine is None else f"{engine.name} {engine.version}"
                publish(WorkerStarted(pid=pid, engine=named, start_ms=round(start_ms)))
                if engine is not None:
                    assembly.cache.loaded(engine)
                assembly.backoff.resolve(Cause.WORKERS)
            case WorkerLost(pid, how, phase, scan, stderr):
                publish(WorkerDied(pid=pid, how=how, phase=phase, id=scan, stderr=stderr))
                if phase == "starting" and self._ready_at is not None:
                    fault = EnvironmentFault(f"a worker cannot start ({how})", "run ocrwatch doctor")
                    assembly.backoff.record(Cause.WORKERS, fault, time.monotonic())
            case WorkerUnfit(error) if self._ready_at is not None:
                assembly.backoff.record(Cause.WORKERS, error, time.monotonic())

    async def _become_ready(self) -> None:
        self._ready_at = time.monotonic()
        self._publisher.state = self._state()
        # A program that is notified may ask for the status at once.
        await self._publisher.publish(at_once=True)
        mode, workers = self._assembly.watcher.mode, self._assembly.executor.capacity
        publish(DaemonReady(mode=mode, workers=workers))
        notify("READY=1")
        if self._reloading is not None:
            self._services.start(self._reloading.run())

    def _is_done(self) -> bool:
        if self._failure is not None:
            return True
        assembly = self._assembly
        if self._stop_by is not None:
            refused = Cause.DELIVERY in assembly.backoff or Cause.MOUNT in assembly.backoff
            blocked = refused and not assembly.scans.count(ScanState.READING)
            is_busy = assembly.documents.writing.is_busy or not assembly.hooks.is_idle
            done = (assembly.pipeline.is_idle or blocked) and not is_busy
            return done or time.monotonic() >= self._stop_by
        if not self._once:
            return False
        is_idle = assembly.pipeline.is_idle and assembly.watcher.is_empty(time.monotonic())
        self._failure = self._lasting_fault(is_idle=is_idle)
        if self._failure is not None:
            return True
        if is_idle and not assembly.documents.is_idle:
            assembly.documents.end()
            is_idle = False
        if self._ready_at is None or not is_idle:
            self._hooks_by = None
            return False
        # Its last notifications are sent too, within the time that a stop allows.
        self._hooks_by = self._hooks_by or time.monotonic() + assembly.settings.workers.shutdown_timeout
        return assembly.hooks.is_idle or time.monotonic() >= self._hooks_by

    def _lasting_fault(self, *, is_idle: bool) -> EnvironmentFault | None:
        """Return what has kept `once` from going on for too long.

        The daemon waits without limit; the user of `once` waits for an answer. ``is_idle`` says that only documents are
        left.
        """
        if (pause := self._lasting_pause()) is not None:
            return EnvironmentFault(pause.message, pause.remedy)
        return self._assembly.documents.lasting_refusal(_LONGEST_PAUSE_OF_ONCE) if is_idle else None

    def _lasting_pause(self) -> Pause | None:
        """Return a pause that has lasted too long for `once`; one of a service only if nothing else is left to read."""
        backoff = self._assembly.backoff
        pause = backoff.longest(_LONGEST_PAUSE_OF_ONCE)
        if pause is None or stops_all(self._assembly.settings, backoff.active):
            return pause
        waiting = self._waiting()
        is_stuck = all(
            lane in backoff and scan.state is not ScanState.DELIVERING
            for scan in waiting
            for lane in (scan.lane, *scan.other_lanes)
        )
        return pause if waiting and is_stuck else None

    def _waiting(self) -> list[Scan]:
        """Return the open scans that hold up the end of `once`, without those that only wait for others of them."""
        scans = self._assembly.scans
        # Those that are blocked alone hold up no end.
        waiting = [scan for scan in scans.of(*ScanState) if scan.state is not ScanState.BLOCKED]
        files = {scan.file_page.whole for scan in waiting if scan.file_page is not None}
        if not files:
            return waiting
        queue = set(self._assembly.pipeline.scheduler.queue())
        # A file waits for its pages, or for the place of another one.
        return [
            scan
            for scan in waiting
            if not (scan.file.has_pages and (scan in files or (scan.state is ScanState.QUEUED and scan not in queue)))
        ]

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def handle(number: int, _frame: FrameType | None) -> None:
            self._post(self._begin_stop, number)

        for number in _STOP_SIGNALS:
            signal.signal(number, handle)
        if self._reloading is not None:
            on_hangup(functools.partial(self._post, self._reloading.ask))
        try:
            yield
        finally:
            # The process is about to end: one more signal must not change its exit code.
            for number in (*_STOP_SIGNALS, signal.SIGHUP) if self._reloading else _STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)

    def _post(self, call: Callable[..., None], *arguments: object) -> None:
        """Run ``call`` on the event loop; usable in a signal handler."""
        if self._loop is None:
            # It has not begun yet: the call is made when it has.
            self._early.append(functools.partial(call, *arguments))
            return
        # While the process ends, the loop may be closed already.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _begin_stop(self, number: int) -> None:
        now = time.monotonic()
        if self._stop_by is not None:
            # A supervisor that signals a process and its group sends the same request twice.
            if now - self._stopping_since > _SAME_WISH:
                self._stop_by = 0.0
                self._assembly.changed.set()
            return
        notify("STOPPING=1")
        assembly = self._assembly
        timeout = assembly.settings.workers.shutdown_timeout
        self._stopping_since, self._stop_by = now, now + timeout
        assembly.changed.set()
        assembly.watcher.stop()
        if self._reloading is not None:
            self._reloading.stop()
        assembly.documents.stop()
        in_work = assembly.pipeline.stop()
        publish(DaemonStopping(signal=signal.Signals(number).name, in_work=in_work, timeout_s=timeout))

    def _shut_down(self, ledger: Ledger) -> None:
        """Stop in the order of the data, so that no stage gets input from a stopped one.

        Unfinished scans are still in the inbox, and their attempts are refunded.
        """
        assembly = self._assembly
        try:
            assembly.executor.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's; the stop must be recorded as clean
            publish(DaemonFailed(exception=error))
        assembly.threads.close(wait=False)
        has_ended = self._wait_for(assembly.threads.close)
        with contextlib.suppress(OcrwatchError):
            if has_ended and Cause.MOUNT not in assembly.backoff:
                # Else the folders are not touched: the next start finds what was staged.
                self._wait_for(assembly.pipeline.close)
            # No scan in the ledger stays in work: one that waits for a folder or its writer was not killed.
            self._wait_for(ledger.record_clean_end, "state")
            # Nothing corrects the last status.
            self._wait_for(assembly.reviews.look_now, "state")
        self._show_progress()
        self._publisher.state = "stopped"
        self._wait_for(self._publisher.publish_last, "state")
        if self._ready_at is not None:
            publish(DaemonStopped(**assembly.report.totals()))

    def _wait_for(self, call: Callable[[], None], *folders: str) -> bool:
        """Make a call that waits for folders (default: any); return False if one hangs: the process would never end."""
        return self._mounts.wait_for(call, *folders)

    def _state(self) -> str:
        if self._stop_by is not None:
            return "stopping"
        if self._ready_at is None:
            return "starting"
        if stops_all(self._assembly.settings, self._assembly.backoff.active):
            return "paused"
        return "watching" if self._assembly.pipeline.is_idle else "working"

    def _summary(self) -> Summary:
        assembly = self._assembly
        began = (assembly.pipeline.began_at if assembly.report.cached else self._ready_at) or time.monotonic()
        return Summary(
            assembly.report.ends,
            {**assembly.watcher.left(), **self._blocked},
            time.monotonic() - began,
            interrupted=self._stop_by is not None,
            to_review=assembly.report.to_review,
            not_read=assembly.watcher.ignored.count,
            not_read_files=not_read_files(assembly.watcher.ignored.named),
            documents_left=assembly.documents.writing.unwritten + sum(1 for _ in assembly.documents),
        )
