"""Threads that wait for disks, so that the event loop never does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from ocrwatch.errors import memory_short

P = ParamSpec("P")
T = TypeVar("T")

_IO_THREADS: Final = 4


class Threads:
    """One group of threads for each kind of disk, so that a hung share does not block the others."""

    def __init__(self) -> None:
        self.io = ThreadPoolExecutor(_IO_THREADS, "io")
        """Checks files in inbox, quarantine and archive."""
        self.loading = ThreadPoolExecutor(1, "loading")
        """Loads scans one at a time, so that workers get them in their batch's order."""
        self.delivery = ThreadPoolExecutor(1, "delivery")
        """Delivers one at a time, so that no two scans choose the same free name."""
        self.state = ThreadPoolExecutor(1, "state")
        """Reads and writes the state folder: ledger, status, and pages of files."""
        self.documents = ThreadPoolExecutor(1, "documents")
        """Writes documents with several pages one at a time: a large one delays no scan."""
        single = (self.loading, self.delivery, self.state, self.documents)
        for executor, threads in ((self.io, _IO_THREADS), *((each, 1) for each in single)):
            _start_all(executor, threads)

    def close(self, *, wait: bool = True) -> None:
        """``wait`` for a running delivery; leave reads on a hung share to the end of the process."""
        self.io.shutdown(wait=False, cancel_futures=True)
        self.loading.shutdown(wait=False, cancel_futures=True)
        self.state.shutdown(wait=wait, cancel_futures=True)
        self.delivery.shutdown(wait=wait, cancel_futures=True)
        self.documents.shutdown(wait=wait, cancel_futures=True)


async def run_in(executor: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work`` on a thread of ``executor``.

    Lack of memory is the environment's fault, not the scan's.
    """

    def call() -> T:
        try:
            return work(*args, **kwargs)
        except (StopIteration, SystemExit) as error:
            # A future with the first never ends (asyncio.Future.set_exception raises); the second would end the loop.
            raise RuntimeError(repr(error)) from error

    try:
        return await asyncio.get_running_loop().run_in_executor(executor, call)
    except MemoryError as error:
        raise memory_short() from error


class Tasks:
    """Coroutines that run beside their owner.

    :meth:`check` raises the error that ended one of them.
    """

    def __init__(self, wake: asyncio.Event) -> None:
        """``wake`` is set when one of them has ended."""
        self._wake = wake
        self._running: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Task[None] | None = None

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def check(self) -> None:
        """Raise the error that ended one of them: a bug."""
        if self._failed is not None:
            self._failed.result()

    async def cancel(self) -> None:
        """End them all."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed = task
        self._wake.set()


def _start_all(executor: ThreadPoolExecutor, threads: int) -> None:
    """Start all threads now: later there may be no memory for another."""
    together = threading.Barrier(threads + 1)
    for _ in range(threads):
        executor.submit(together.wait)
    together.wait()
