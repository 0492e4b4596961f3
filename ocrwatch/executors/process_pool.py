"""The pool: as many slots as there are workers, one queue of jobs."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable

from ocrwatch.errors import EnvironmentFault
from ocrwatch.executors.base import Attempts, WorkerOptions
from ocrwatch.executors.events import SlotEvent, WorkerUnfit
from ocrwatch.executors.ipc import AnyJob
from ocrwatch.executors.worker_slot import Slot


class Pool:
    """Runs jobs in worker processes.

    The results come through ``report``, which is called on the slots' threads. See
    :class:`~ocrwatch.executors.worker_slot.Slot` for the parameters.
    """

    def __init__(
        self,
        options: WorkerOptions,
        attempts: Attempts,
        report: Callable[[SlotEvent], None],
    ) -> None:
        self._jobs: queue.SimpleQueue[AnyJob | None] = queue.SimpleQueue()
        self._options = options
        self._attempts = attempts
        self._report = report
        self._numbers = itertools.count()
        self._retired: list[Slot] = []
        """Slots that finish their current job."""
        self._slots = [self._slot() for _ in range(options.workers)]

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def ready(self) -> int:
        """How many workers have loaded their engine."""
        return sum(slot.is_ready for slot in self._slots)

    def start(self) -> None:
        """Start all workers; each reports when it is ready.

        Raises :class:`EnvironmentFault` if the system allows no more threads; it may be called again then.
        """
        for slot in self._slots:
            if slot.ident is None:
                _start(slot)

    def change(self, options: WorkerOptions) -> None:
        """Use other options from the next scans on; call it once the workers are started.

        No job is lost: current jobs are read to their end, and queued ones wait for the remaining slots.
        """
        self._options, count = options, options.workers
        for slot in self._slots:
            slot.change(options)
        self._retired = [slot for slot in self._retired if slot.is_alive()]
        while len(self._slots) > count:
            slot = self._slots.pop()
            slot.retire()
            self._retired.append(slot)
        while len(self._slots) < count:
            slot = self._slot()
            try:
                _start(slot)
            except EnvironmentFault as error:
                # Those that run go on; the next change adds the rest.
                self._report(WorkerUnfit(error, 0.0))
                return
            self._slots.append(slot)

    def submit(self, job: AnyJob) -> None:
        """Queue a job for the next free worker."""
        self._jobs.put(job)

    @property
    def pids(self) -> tuple[int, ...]:
        """The workers' process ids."""
        return tuple(pid for slot in self._all() if (pid := slot.pid) is not None)

    def withdraw(self) -> list[int]:
        """Withdraw the jobs that no worker has begun, and return their scans."""
        scans: list[int] = []
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return scans
            if job is not None:
                scans.append(job.scan)

    def kill(self) -> None:
        """Kill all workers and their child processes at once."""
        slots = self._all()
        for slot in slots:
            slot.kill()
            self._jobs.put(None)
        for slot in slots:
            if slot.ident is not None:
                slot.join(5)

    def _all(self) -> list[Slot]:
        return [*self._slots, *self._retired]

    def _slot(self) -> Slot:
        return Slot(
            next(self._numbers),
            self._options,
            self._jobs,
            self._attempts,
            self._report,
        )


def _start(slot: Slot) -> None:
    try:
        slot.start()
    except (RuntimeError, MemoryError) as error:
        # Python reports a refused thread as a RuntimeError.
        message = f"cannot start a thread for a worker ({error})"
        raise EnvironmentFault(message, "free memory, or allow more processes (TasksMax=, ulimit -u)") from error
