"""One slot: a thread that keeps one worker process alive and gives it one scan at a time."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable

import msgspec

from ocrwatch.errors import EnvironmentFault, InternalFault, OcrwatchError, OutOfMemory, TimedOut
from ocrwatch.executors.base import Attempts, WorkerOptions
from ocrwatch.executors.events import Begun, Outcome, SlotEvent, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.executors.failure_causes import as_expected, classify_exit
from ocrwatch.executors.ipc import (
    Answer,
    AnyJob,
    AssembleJob,
    BadMessage,
    ChannelClosed,
    Failed,
    Prepared,
    PrepareJob,
    Read,
    Setup,
    Taken,
    Warm,
)
from ocrwatch.executors.worker_process import WorkerProcess, cannot_spawn
from ocrwatch.render.registry import flaw_of
from ocrwatch.rlimits import kills_for_memory

START_TIMEOUT = 60.0
"""Seconds a worker may take to load its engine; a cold, loaded machine needs some."""

_IDLE_CHECK = 5.0
"""Seconds between two looks at an idle worker; a look each second costs 0.016 % of a core for each worker."""

_MOST_LOST = 2
"""Workers that may die before they have a scan's bytes until the scan is blamed."""

_LONGEST_BACK_OFF = 30.0


def setup_of(options: WorkerOptions) -> Setup:
    """Return the first message to a worker."""
    return Setup(options.recipes, options.formats, options.max_memory)


class Slot(threading.Thread):
    """Takes jobs from a queue that all slots share.

    An attempt is counted just before a job's bytes go out, and refunded if it ended before the worker had the bytes. A
    cached page has no attempts. ``report`` gets the events; it must not block.
    """

    def __init__(
        self,
        number: int,
        options: WorkerOptions,
        jobs: queue.SimpleQueue[AnyJob | None],
        attempts: Attempts,
        report: Callable[[SlotEvent], None],
    ) -> None:
        super().__init__(name=f"slot-{number}", daemon=True)
        self._options = options
        self._retired = False
        self._jobs = jobs
        self._attempts = attempts
        self._report = report
        self._worker: WorkerProcess | None = None
        self._warm: WorkerProcess | None = None
        self._stopped = threading.Event()
        self._back_off = 0.0
        # The first workers of the slots count from different numbers, so that not all are replaced at the same time.
        self._count_from = options.max_scans * (number % options.workers) // options.workers

    def run(self) -> None:
        """Serve until the pool closes, or :meth:`retire`, or :meth:`kill`."""
        try:
            while not (self._stopped.is_set() or self._retired):
                try:
                    if not self._turn():
                        return
                except Exception as error:  # noqa: BLE001 - no one would notice that a slot's thread has ended
                    self._end_worker()
                    self._report(WorkerUnfit(as_expected(error), self._next_back_off()))
                    self._wait_back_off()
        finally:
            self._end_worker()

    def _turn(self) -> bool:
        """Do one thing; False if there is no more to come."""
        self._recycle()
        if self._worker is None and not self._start():
            if not self._stopped.is_set():
                self._wait_back_off()
            return True
        try:
            job = self._jobs.get(timeout=_IDLE_CHECK)
        except queue.Empty:
            self._check_idle()
            return True
        if job is None:
            return False
        try:
            self._serve(job)
        except Exception as error:
            # Its scan must not wait for an answer that never comes.
            self._report(Outcome(job.scan, None, as_expected(error), 0.0, 0, number=job.number))
            raise
        return True

    def change(self, options: WorkerOptions) -> None:
        """Use other options from the next scan on.

        A worker with another set-up is replaced when it is free.
        """
        self._options = options

    def retire(self) -> None:
        """End after the current scan.

        A job that the slot takes at this moment is still read.
        """
        self._retired = True

    def kill(self) -> None:
        """End the worker at once, whatever it is doing; the thread follows."""
        self._stopped.set()
        worker = self._worker
        if worker is not None:
            worker.signal_group()

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        worker = self._worker
        return worker.pid if worker else None

    @property
    def is_ready(self) -> bool:
        """Whether the worker has loaded its engine."""
        worker = self._worker
        return worker is not None and worker is self._warm

    def _start(self, job: AnyJob | None = None) -> bool:
        """Start a worker. If that fails, queue a job again, which another slot may have a worker for, and report it."""
        begun = time.monotonic()
        options = self._options
        setup = setup_of(options)
        try:
            worker = self._worker = WorkerProcess.spawn(options.scratch, reads=bool(options.recipes))
        except (OSError, MemoryError) as error:
            self._give_back(job)
            self._report(WorkerUnfit(cannot_spawn(error), self._next_back_off()))
            return False
        if self._stopped.is_set():
            # Killed before there was a worker to see; the end of the thread kills this one too.
            return False
        try:
            worker.channel.send(
                msgspec.structs.replace(setup, scratch=os.fsencode(worker.scratch)), begun + START_TIMEOUT
            )
            answer = worker.channel.receive(begun + START_TIMEOUT)
            if not isinstance(answer, Warm | Failed):
                raise BadMessage("the answer to a scan")
        except (BadMessage, ChannelClosed, TimeoutError) as error:
            if not self._stopped.is_set():
                self._give_back(job)
                self._reap("starting", None, killed=_why_killed(error))
            return False
        if isinstance(answer, Warm):
            worker.setup = setup
            worker.served, self._count_from = self._count_from, 0
            self._back_off = 0.0
            self._warm = worker
            self._report(WorkerReady(worker.pid, answer.engine, (time.monotonic() - begun) * 1000))
            return True
        self._end_worker()
        self._give_back(job)
        self._report(WorkerUnfit(answer.error, self._next_back_off()))
        return False

    def _give_back(self, job: AnyJob | None) -> None:
        if job is not None:
            self._jobs.put(job)

    def _serve(self, job: AnyJob) -> None:
        """Get one job done, by another worker if the first died before it had the bytes."""
        lost = 0
        # Rows below 0 are no scans.
        is_counted = job.is_counted and job.scan >= 0
        # While it waited for this job the options may have changed.
        self._recycle()
        while not self._stopped.is_set():
            if self._worker is None and not self._start(job):
                return
            try:
                attempt = self._attempts.count_attempt(job.scan) if is_counted else 0
                if isinstance(job, AssembleJob) and job.content:
                    # More is read of the scan itself.
                    self._attempts.record_answered(job.scan)
            except EnvironmentFault as error:
                self._report(Outcome(job.scan, None, error, 0.0, 0, number=job.number))
                return
            outcome = self._have_read(job, attempt)
            if outcome is None:
                lost += 1
            if outcome is None and lost > _MOST_LOST:
                # These are no longer idle deaths: the scan's bytes are too much for them.
                fault = OutOfMemory(_NOT_TAKEN, _MEMORY_REMEDY)
                outcome = Outcome(job.scan, None, fault, 0.0, attempt, number=job.number)
            if outcome is not None:
                if is_counted and outcome.prepared is not None:
                    # If it cannot be recorded, a kill makes the scan suspected, which only delays it.
                    with contextlib.suppress(EnvironmentFault):
                        self._attempts.record_sent(job.scan)
                self._report(outcome)
                return
            if is_counted:
                with contextlib.suppress(EnvironmentFault):
                    self._attempts.refund_attempt(job.scan)

    def _have_read(self, job: AnyJob, attempt: int) -> Outcome | None:
        """Return the outcome, or None if the worker died before it took the job."""
        worker = self._worker
        assert worker is not None  # noqa: S101 - for the type checker; _serve has started one
        begun = time.monotonic()
        timeout = self._options.timeout
        deadline = begun + timeout
        phase, kills_before = "rendering", 0
        if job.is_counted:
            phase, kills_before = "reading", kills_for_memory()
            self._report(Begun(worker.pid, job.scan, attempt))
        taken = False
        try:
            worker.channel.send(job, deadline)
            received = worker.channel.receive(deadline)
            if isinstance(received, Taken):
                taken = True
                received = worker.channel.receive(deadline)
            answer = _checked(received, job)
        except TimeoutError as error:
            self._reap(phase, job.scan, killed=_why_killed(error))
            fault = TimedOut(f"{phase} took longer than {timeout:g} s", _TIMEOUT_REMEDY)
            return self._failed(job, attempt, begun, fault)
        except (BadMessage, ChannelClosed) as error:
            how = self._reap(*((phase, job.scan) if taken else ("idle", None)), killed=_why_killed(error))
            if not taken:
                return None
            return self._failed(
                job,
                attempt,
                begun,
                _fault_of(error, how, phase, starved=job.is_counted and kills_for_memory() > kills_before),
            )
        except Exception as error:  # noqa: BLE001 - most often memory is short; a message sent in part ends with the worker
            self._end_worker()
            return self._failed(job, attempt, begun, as_expected(error))
        if not isinstance(job, AssembleJob):
            # Its scan was counted when the request was made.
            worker.served += 1
        # The behaviour of native code after a failed allocation is unknown: the next scan gets a fresh worker.
        worker.worn = isinstance(answer, Failed) and isinstance(answer.error, OutOfMemory)
        if isinstance(answer, Failed):
            return self._failed(job, attempt, begun, answer.error)
        page, prepared = (answer.page, None) if isinstance(answer, Read) else (None, answer)
        return Outcome(job.scan, page, None, (time.monotonic() - begun) * 1000, attempt, prepared, job.number)

    @staticmethod
    def _failed(job: AnyJob, attempt: int, begun: float, error: OcrwatchError) -> Outcome:
        return Outcome(job.scan, None, error, (time.monotonic() - begun) * 1000, attempt, number=job.number)

    def _check_idle(self) -> None:
        if self._worker is not None and not self._worker.is_alive:
            self._reap("idle", None)

    def _recycle(self) -> None:
        """End a worker that gets no more scans."""
        worker, options = self._worker, self._options
        if worker is None:
            return
        old = bool(options.max_scans) and worker.served >= options.max_scans
        if worker.worn or old or worker.setup != setup_of(options):
            self._end_worker()

    def _reap(self, phase: str, scan: int | None, *, killed: str = "") -> str:
        """Reap a dead worker, or kill a hung one for the reason ``killed``; return its exit status in words."""
        worker, self._worker = self._worker, None
        if worker is None:
            return "gone"
        if not killed:
            # The socket closes a moment before the process ends; the exit status says more.
            worker.wait(1.0)
        words = worker.last_words()
        worker.kill()
        how = f"{killed} and had to be killed" if killed else worker.how_it_ended()
        if not self._stopped.is_set():
            self._report(WorkerLost(worker.pid, how, phase, scan, words))
        return how

    def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()

    def _next_back_off(self) -> float:
        return min(max(0.5, self._back_off * 2), _LONGEST_BACK_OFF)

    def _wait_back_off(self) -> None:
        self._back_off = self._next_back_off()
        self._stopped.wait(self._back_off)


def _checked(answer: Answer, job: AnyJob) -> Read | Prepared | Failed:
    """Return what is an answer to a job; raises :class:`BadMessage` for anything else."""
    if not isinstance(answer, Failed | (Prepared if isinstance(job, PrepareJob) else Read)) or answer.scan != job.scan:
        raise BadMessage("the answer to something else")
    if isinstance(answer, Read) and not isinstance(job, PrepareJob) and (flaw := flaw_of(answer.page, job.request)):
        raise BadMessage(flaw)
    return answer


def _fault_of(error: BadMessage | ChannelClosed, how: str, phase: str, *, starved: bool) -> OcrwatchError:
    """Return the fault of a scan if its worker sent no valid answer, or ended ``how``."""
    if isinstance(error, BadMessage):
        return InternalFault(f"its worker sent invalid data instead of a page ({error})", _BAD_PAGE_REMEDY)
    return classify_exit(how, phase, starved=starved)


def _why_killed(error: Exception) -> str:
    """Return what is wrong with a worker that has not ended; nothing if it has ended."""
    if isinstance(error, TimeoutError):
        return "stuck"
    return "sending invalid data" if isinstance(error, BadMessage) else ""


_NOT_TAKEN = "workers die as they are handed its bytes"
_MEMORY_REMEDY = "raise workers.max_memory, or scan at fewer dots per inch"
_BAD_PAGE_REMEDY = "please report it; if ocr.engine is another package's, to its authors"
_TIMEOUT_REMEDY = "look at the scan; raise workers.timeout if it is just large"
