"""One thread on which everything is decided; what is slow runs elsewhere and comes back as a call."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ocrwatch.backoff import wait_until
from ocrwatch.daemon.threads import Threads
from ocrwatch.errors import memory_short

T = TypeVar("T")


class Loop:
    """A mailbox of calls. Only :meth:`post` and :meth:`background` may be used from other threads."""

    def __init__(self, threads: Threads) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()
        self._threads = threads
        self._events: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    def post(self, call: Callable[..., None], *arguments: object) -> None:
        """Have ``call`` made on the loop's thread. Safe from any thread and from signal handlers."""
        self._calls.put((call, arguments))
        if self._events is not None and self._wake is not None:
            # While the process ends, the event loop may be closed already.
            with contextlib.suppress(RuntimeError):
                self._events.call_soon_threadsafe(self._wake.set)

    def wake(self) -> None:
        """End :meth:`wait`, now or when it is next begun. On the event loop's thread only."""
        self.post(_nothing)

    async def wait(self, until: float) -> None:
        """Wait on the event loop until there is a call to be made, or until a time (monotonic seconds)."""
        if self._wake is None:
            self._events, self._wake = asyncio.get_running_loop(), asyncio.Event()
        if self._calls.empty():
            await wait_until(self._wake, until)
        self._wake.clear()

    def background(
        self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Run ``work`` on an I/O thread, then ``then`` with its result, or ``failed``, on the loop's."""
        self._hand_over(self._threads.io, work, then, failed)

    def deliver(
        self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Run ``work`` on the delivery thread, in order; else like :meth:`background`."""
        self._hand_over(self._threads.delivery, work, then, failed)

    def turn(self, until: float) -> None:
        """Make the calls that wait, sleeping until the first of them or ``until`` (monotonic seconds)."""
        try:
            call, arguments = self._calls.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return
        call(*arguments)
        # What has come meanwhile is taken along, but no more: timers must get their turn under any load.
        for _ in range(self._calls.qsize()):
            call, arguments = self._calls.get()
            call(*arguments)

    def _hand_over(
        self,
        executor: ThreadPoolExecutor,
        work: Callable[[], T],
        then: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        def finished(future: Future[T]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                self.post(then, future.result())
            else:
                # Whoever ran out of memory is not to blame for it: what it was about is tried again.
                self.post(failed, memory_short() if isinstance(error, MemoryError) else error)

        executor.submit(work).add_done_callback(finished)


def _nothing() -> None:
    """Do nothing."""
