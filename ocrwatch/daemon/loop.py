"""One thread on which everything is decided; what is slow runs elsewhere and comes back as a call."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ocrwatch.errors import memory_short

T = TypeVar("T")


class Loop:
    """A mailbox of calls. Only :meth:`post` and :meth:`background` may be used from other threads."""

    def __init__(self, *, io_threads: int) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()
        self._io = ThreadPoolExecutor(io_threads, "io")
        # Scans are loaded one after the other, so that they come to the workers in their batch's order.
        self._loading = ThreadPoolExecutor(1, "loading")
        # Deliveries are made one after the other, so that no two choose the same free name.
        self._delivery = ThreadPoolExecutor(1, "delivery")
        for executor, threads in ((self._io, io_threads), (self._loading, 1), (self._delivery, 1)):
            _start_all(executor, threads)

    def post(self, call: Callable[..., None], *arguments: object) -> None:
        """Have ``call`` made on the loop's thread. Safe from any thread and from signal handlers."""
        self._calls.put((call, arguments))

    def background(
        self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Run ``work`` on an I/O thread, then ``then`` with its result, or ``failed``, on the loop's."""
        self._hand_over(self._io, work, then, failed)

    def load(self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[BaseException], None]) -> None:
        """Run ``work`` on the loading thread, in order; else like :meth:`background`."""
        self._hand_over(self._loading, work, then, failed)

    def deliver(
        self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Run ``work`` on the delivery thread, in order; else like :meth:`background`."""
        self._hand_over(self._delivery, work, then, failed)

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

    def close(self, *, wait: bool = True) -> None:
        """``wait`` for deliveries that have begun; leave reads on a dead share to the end of the process."""
        self._io.shutdown(wait=False, cancel_futures=True)
        self._loading.shutdown(wait=False, cancel_futures=True)
        self._delivery.shutdown(wait=wait, cancel_futures=True)

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


def _start_all(executor: ThreadPoolExecutor, threads: int) -> None:
    """Have all threads started now: later there may be no memory for another."""
    together = threading.Barrier(threads + 1)
    for _ in range(threads):
        executor.submit(together.wait)
    together.wait()
