"""Starts the first worker before the rest of the daemon is loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ocrwatch.executors.base import LOCAL
from ocrwatch.executors.ipc import READS
from ocrwatch.executors.worker_handle import EARLY, WorkerProcess
from ocrwatch.settings import Settings


@contextlib.contextmanager
def early_worker(settings: Settings) -> Iterator[None]:
    """Start a worker, which loads its libraries while the daemon's process loads its own; the first slot gets it.

    If no slot takes it, it ends with the context.
    """
    if settings.workers.executor == LOCAL:
        # A slot that finds none starts one, and reports what prevents it.
        with contextlib.suppress(OSError, MemoryError):
            EARLY.append(WorkerProcess.start(READS))
    try:
        yield
    finally:
        while EARLY:
            EARLY.popleft().kill()
