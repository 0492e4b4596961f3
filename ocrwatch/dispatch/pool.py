"""The pool: as many slots as there are workers, one queue of jobs."""

from __future__ import annotations

import queue
from collections.abc import Callable

from ocrwatch.dispatch.messages import Job
from ocrwatch.dispatch.slot import Slot, SlotEvent, SlotOptions
from ocrwatch.values import Recipe


class Pool:
    """Runs jobs in worker processes; the results come through ``report``, which is called on the slots' threads.

    See :class:`~ocrwatch.dispatch.slot.Slot` for the callbacks.
    """

    def __init__(
        self,
        count: int,
        options: SlotOptions,
        *,
        count_attempt: Callable[[int], int],
        refund_attempt: Callable[[int], None],
        report: Callable[[SlotEvent], None],
    ) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._slots = [
            Slot(
                number,
                options,
                self._jobs,
                count_attempt=count_attempt,
                refund_attempt=refund_attempt,
                report=report,
            )
            for number in range(count)
        ]

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def ready(self) -> int:
        """How many workers have loaded their engine."""
        return sum(slot.is_ready for slot in self._slots)

    def start(self) -> None:
        """Start all workers; each reports when it is ready."""
        for slot in self._slots:
            slot.start()

    def submit(self, scan: int, jpeg: bytes, recipe: Recipe) -> None:
        """Queue one scan for the next free worker."""
        self._jobs.put(Job(scan, jpeg, recipe))

    @property
    def pids(self) -> tuple[int, ...]:
        """The workers' process ids."""
        return tuple(pid for slot in self._slots if (pid := slot.pid) is not None)

    def withdraw(self) -> list[int]:
        """Take back the jobs that no worker has begun, and return their scans."""
        scans: list[int] = []
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return scans
            if job is not None:
                scans.append(job.scan)

    def kill(self) -> None:
        """End all workers and what they started, at once."""
        for slot in self._slots:
            slot.kill()
            self._jobs.put(None)
        for slot in self._slots:
            if slot.ident is not None:
                slot.join(5)
