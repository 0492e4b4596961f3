"""Builds the pipeline; one loop; signals; the order of start and stop."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import ocrwatch
from ocrwatch.daemon import startup
from ocrwatch.daemon.delivering import Delivering
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.pauses import Pauses
from ocrwatch.daemon.reading import Callbacks, Reading
from ocrwatch.daemon.reception import Reception
from ocrwatch.daemon.report import Report
from ocrwatch.daemon.tickets import Batch, End, Ticket
from ocrwatch.deliver.delivery import Delivered, Deliverer
from ocrwatch.deliver.formats import FORMATS
from ocrwatch.deliver.plan import Places
from ocrwatch.dispatch.pool import Pool
from ocrwatch.dispatch.slot import Outcome, SlotEvent, SlotOptions, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.errors import OcrwatchError, ScanFault
from ocrwatch.files import facts_of
from ocrwatch.intake.batch import Batcher
from ocrwatch.intake.settle import Settle
from ocrwatch.ledger import facts_key
from ocrwatch.log import get_logger
from ocrwatch.service.notify import notify, watchdog_interval
from ocrwatch.settings import Effective, Settings, recipe
from ocrwatch.values import FileFacts, Page, Scan

_IO_THREADS = 4
_LONGEST_SLEEP = 10.0

_log = get_logger()


@dataclass(slots=True)
class Watchers:
    """Who is told what happens, on the loop's thread; all optional."""

    delivered: Callable[[Ticket, Page, Delivered], None] = lambda *_: None
    turned: Callable[[Daemon], None] = lambda *_: None


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended."""

    ends: Counter[End]
    left: list[str] = field(default_factory=list)
    """Scans that stayed in the inbox because they did not get whole (``once`` only)."""
    seconds: float = 0.0
    """From the first worker's readiness to the end."""


class Daemon:
    """One run over one inbox. Raises what :mod:`ocrwatch.daemon.startup` raises where it cannot start."""

    def __init__(self, settings: Settings, *, once: bool = False, watchers: Watchers | None = None) -> None:
        self._settings = settings
        self._once = once
        self._watchers = watchers or Watchers()
        self._batches = 0
        self._ready_at: float | None = None
        self._stop_by: float | None = None
        self._failed_start: OcrwatchError | None = None
        self._next_sign = 0.0
        self._sign_interval = watchdog_interval()

    def run(self) -> Summary:
        """Work until told to stop by SIGTERM or SIGINT (a second one stops at once), or with ``once`` until done."""
        settings = self._settings
        with contextlib.ExitStack() as stack:
            startup.make_folders(settings)
            for lock in startup.take_locks(settings):
                stack.callback(lock.release)
            startup.check_languages(settings)
            self._groups = startup.group_ids(settings)
            self._ledger = startup.open_ledger(settings)
            stack.callback(self._ledger.close)
            self._build()
            stack.enter_context(self._signals())
            _log.info(
                "daemon.started",
                version=ocrwatch.__version__,
                pid=os.getpid(),
                inbox=str(settings.inbox),
                outbox=str(settings.outbox),
                workers=len(self._pool),
            )
            # Workers load their engines while the rest of the start goes on.
            self._pool.start()
            try:
                startup.recover(self._ledger, self._deliverer, settings)
                self._reception.start(events=not self._once)
                while not self._is_done():
                    self._step()
            finally:
                self._shut_down()
        if self._failed_start is not None:
            raise self._failed_start
        return self._summary()

    @property
    def report(self) -> Report:
        """What was counted so far."""
        return self._report

    @property
    def open_scans(self) -> int:
        """How many scans are known and not at their end."""
        return self._reception.waiting + self._reading.waiting + len(self._reading.in_work) + len(self._delivering)

    def _build(self) -> None:
        settings = self._settings
        count = settings.workers.count or startup.usable_cores()
        self._loop = Loop(io_threads=_IO_THREADS)
        self._report = Report(settings, count)
        self._pauses = Pauses(self._report.changed)
        self._pool = Pool(
            count,
            SlotOptions(
                recipe(settings.ocr, settings.enhance),
                settings.workers.timeout,
                settings.workers.max_memory,
                settings.workers.recycle_after,
                startup.fresh_scratch(settings),
            ),
            count_attempt=self._ledger.count_attempt,
            refund_attempt=self._ledger.refund_attempt,
            report=lambda event: self._loop.post(self._heard, event),
        )
        self._kept = dict(self._ledger.kept()) if settings.on_success == "keep" else {}
        self._reception = Reception(
            self._loop,
            self._pauses,
            settings.inbox,
            settings.watch,
            self._settle(),
            Batcher(settings.batch.max_scans, settings.batch.quiet, settings.batch.max_wait),
            kept=self._is_kept,
            given_up=self._give_up,
        )
        places = Places(settings.inbox, settings.outbox, settings.archive, settings.quarantine)
        self._deliverer = Deliverer(places, self._ledger, tuple(FORMATS))
        self._delivering = Delivering(
            self._loop,
            self._pauses,
            self._ledger,
            self._deliverer,
            fate=settings.on_success,
            group_id=self._groups.__getitem__,
            preview_chars=settings.log.preview_chars,
            end=self._end,
            delivered=self._watchers.delivered,
        )
        self._reading = Reading(
            self._loop,
            self._pauses,
            self._ledger,
            self._pool,
            settings.inbox,
            max_bytes=settings.settle.max_bytes,
            retry=settings.retry,
            keeps_originals=settings.on_success == "keep",
            callbacks=Callbacks(self._delivering.deliver, self._quarantine, self._end),
        )

    def _settle(self) -> Settle:
        options = self._settings.settle
        # Who runs `once` says that the scans are there. Two looks are taken all the same, in the time that the
        # workers need to load their engines.
        quiet = min(options.quiet, options.closed_quiet) if self._once else options.quiet
        return Settle(quiet, options.closed_quiet, options.patience)

    def _step(self) -> None:
        """Take what has come, then let each stage do what is due, in the order of the data's flow."""
        self._loop.turn(self._next_wake())
        now = time.monotonic()
        if self._stop_by is None:
            self._reception.tick(now)
            self._take_batches(now)
        self._reading.tick(now)
        self._delivering.tick(now)
        self._tell(now)

    def _take_batches(self, now: float) -> None:
        while scans := self._reception.take(now, backlog=self._reading.wants_backlog):
            batch = self._new_batch(len(scans))
            _log.info("batch.started", batch=batch.id, scans=len(scans), fresh=scans[0].fresh)
            for scan in scans:
                self._reading.add(self._ticket(scan, batch))

    def _new_batch(self, size: int) -> Batch:
        self._batches += 1
        return Batch(self._batches, size)

    def _ticket(self, scan: Scan, batch: Batch) -> Ticket:
        options: Effective = self._settings.for_path(scan.path)
        return Ticket(scan, batch, options, recipe(options.ocr, options.enhance))

    def _next_wake(self) -> float:
        now = time.monotonic()
        if self._stop_by is not None:
            return min(now + 0.1, self._stop_by)
        times = [stage.next_wake() for stage in (self._reading, self._delivering, self._report)]
        times.append(self._reception.next_wake(backlog=self._reading.wants_backlog))
        times.append(self._next_sign if self._sign_interval else now + _LONGEST_SLEEP)
        if self._once:
            times.append(now + 0.2)
        return min(times)

    def _heard(self, event: SlotEvent) -> None:
        match event:
            case Outcome():
                self._reading.finished(event)
            case WorkerReady(pid, engine, start_ms):
                _log.info("worker.started", pid=pid, engine=f"{engine.name} {engine.version}", start_ms=round(start_ms))
                self._pauses.clear("workers")
                self._report.engine = engine
                if self._ready_at is None:
                    self._become_ready()
            case WorkerLost():
                _log.warning(
                    "worker.died",
                    pid=event.pid,
                    how=event.how,
                    phase=event.phase,
                    id=event.scan,
                    stderr=event.stderr,
                )
            case WorkerUnfit(error):
                if self._ready_at is None:
                    # Nothing has worked yet: better told at once than found out after months.
                    self._failed_start = error
                else:
                    self._pauses.hit("workers", error, time.monotonic())

    def _become_ready(self) -> None:
        self._ready_at = time.monotonic()
        _log.info("daemon.ready", mode=self._reception.mode, workers=len(self._pool))
        notify("READY=1")

    def _give_up(self, path: str, facts: FileFacts, fault: ScanFault) -> None:
        ticket = self._ticket(Scan(path, facts, fresh=True, ready_at=time.monotonic()), self._new_batch(1))
        self._reading.give_up(ticket, fault)

    def _quarantine(self, ticket: Ticket, fault: ScanFault) -> None:
        self._report.failed(ticket.path, fault.code, fault.message)
        self._delivering.quarantine(ticket, fault)

    def _end(self, ticket: Ticket, end: End) -> None:
        ticket.batch.ended(end)
        self._report.count(end)
        if self._settings.on_success == "keep" and end in {"delivered", "known"}:
            self._kept[ticket.path] = facts_key(ticket.scan.facts)
        self._reception.release(ticket.path, again=end == "changed")

    def _is_kept(self, path: str) -> bool:
        """Tell whether an original that stays in the inbox is done; called on an I/O thread."""
        facts = self._kept.get(path)
        if facts is None:
            return False
        try:
            return facts == facts_key(facts_of((self._settings.inbox / path).lstat()))
        except OSError:
            return False

    def _is_done(self) -> bool:
        if self._failed_start is not None:
            return True
        idle = not (self._reading.waiting or self._reading.in_work or len(self._delivering))
        if self._stop_by is not None:
            return (
                idle or time.monotonic() >= self._stop_by or ("delivery" in self._pauses and not self._reading.in_work)
            )
        return self._once and idle and self._ready_at is not None and self._reception.is_empty(time.monotonic())

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def handle(number: int, _frame: FrameType | None) -> None:
            self._loop.post(self._begin_stop, number)

        old = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _begin_stop(self, number: int) -> None:
        if self._stop_by is not None:
            self._stop_by = 0.0
            return
        notify("STOPPING=1")
        grace = self._settings.workers.grace
        self._stop_by = time.monotonic() + grace
        self._reception.stop()
        self._reading.stop()
        _log.info(
            "daemon.stopping", signal=signal.Signals(number).name, in_work=len(self._reading.in_work), grace_s=grace
        )

    def _shut_down(self) -> None:
        """Stop in the data's order, so that no stage gets anything from one that is gone.

        What was not finished is still in the inbox, and its attempt is taken back.
        """
        self._reception.stop()
        self._pool.kill()
        self._loop.close()
        with contextlib.suppress(OcrwatchError):
            self._reading.give_back()
        if self._ready_at is not None:
            self._tell(time.monotonic(), state="stopped")
            _log.info("daemon.stopped", **self._report.totals())

    def _tell(self, now: float, state: str | None = None) -> None:
        self._watchers.turned(self)
        self._report.write(
            now,
            state=state or self._state(),
            watch=self._reception.mode,
            waiting=self._reception.waiting + self._reading.waiting,
            more=self._reception.more,
            oldest=self._reception.oldest,
            in_work=self._reading.in_work,
            pauses=self._pauses,
            at_once=state is not None,
        )
        if self._sign_interval and now >= self._next_sign:
            self._next_sign = now + self._sign_interval
            notify(f"WATCHDOG=1\nSTATUS={self._state()}")

    def _state(self) -> str:
        if self._stop_by is not None:
            return "stopping"
        if self._ready_at is None:
            return "starting"
        if self._pauses:
            return "paused"
        return "working" if self._reading.waiting or self._reading.in_work or len(self._delivering) else "watching"

    def _summary(self) -> Summary:
        began = self._ready_at or time.monotonic()
        return Summary(self._report.ends, self._reception.left(), time.monotonic() - began)
