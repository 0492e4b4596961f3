"""What waits for disks runs on threads; what runs beside the daemon fails where it is seen."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.storage.threads import Tasks, Threads, run_in

LONG = 10.0


@pytest.fixture
def threads() -> Iterator[Threads]:
    """Start the threads."""
    threads = Threads()
    yield threads
    threads.close(wait=False)


def test_work_runs_elsewhere_and_its_result_comes_back(threads: Threads) -> None:
    """The result, or the error, is the awaited one's."""

    async def run() -> None:
        assert await run_in(threads.io, threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await run_in(threads.io, lambda: 1 // 0)

    asyncio.run(run())


def test_slow_work_stops_neither_the_event_loop_nor_other_work(threads: Threads) -> None:
    """While one piece of work hangs, other work is done."""
    release = threading.Event()

    async def run() -> None:
        slow = asyncio.ensure_future(run_in(threads.io, release.wait, LONG))
        assert await run_in(threads.io, lambda: "quick") == "quick"
        assert not slow.done()
        release.set()
        assert await slow

    asyncio.run(run())


@pytest.mark.parametrize("name", ["loading", "delivery", "state"])
def test_what_has_an_order_runs_one_after_the_other(threads: Threads, name: str) -> None:
    """No two run at once, in the order in which they were handed over."""
    running, most = 0, 0
    order: list[int] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
            order.append(number)

    async def run() -> None:
        await asyncio.gather(*(run_in(getattr(threads, name), work, number) for number in range(10)))

    asyncio.run(run())
    assert order == list(range(10))
    assert most == 1


def test_closing_waits_for_a_delivery_and_not_for_a_read() -> None:
    """A delivery that has begun is finished; a read on a share that does not answer is left alone."""
    threads = Threads()
    release, delivering, delivered, hanging = (threading.Event() for _ in range(4))

    def deliver() -> None:
        delivering.set()
        release.wait(0.2)
        delivered.set()

    threads.io.submit(hanging.wait, LONG)
    threads.delivery.submit(deliver)
    second = threads.delivery.submit(deliver)
    assert delivering.wait(LONG)
    begun = time.monotonic()
    threads.close()
    assert delivered.is_set()
    assert second.cancelled()
    assert time.monotonic() - begun < LONG / 2
    hanging.set()


def test_short_memory_is_the_environments_fault(threads: Threads) -> None:
    """What was done on a thread when there was no memory is not to blame for it."""

    def starve() -> None:
        raise MemoryError

    async def run() -> None:
        for executor in (threads.io, threads.loading, threads.delivery, threads.state):
            with pytest.raises(EnvironmentFault, match="memory"):
                await run_in(executor, starve)

    asyncio.run(run())


def test_all_threads_are_there_from_the_start() -> None:
    """Later there may be no memory for another, in the middle of something."""
    before = set(threading.enumerate())
    threads = Threads()
    try:
        assert len(set(threading.enumerate()) - before) == 4 + 1 + 1 + 1 + 1
    finally:
        threads.close()


def test_what_ends_a_task_is_raised_where_it_is_asked_for() -> None:
    """The owner is woken; tasks that were ended, or ended by themselves, raise nothing."""

    async def fail() -> None:
        raise ZeroDivisionError

    async def run() -> None:
        wake = asyncio.Event()
        tasks = Tasks(wake)
        tasks.start(asyncio.sleep(0))
        await asyncio.wait_for(wake.wait(), LONG)
        tasks.check()
        tasks.start(asyncio.sleep(LONG))
        await tasks.cancel()
        tasks.check()
        wake.clear()
        tasks.start(fail())
        await asyncio.wait_for(wake.wait(), LONG)
        with pytest.raises(ZeroDivisionError):
            tasks.check()

    asyncio.run(run())


def test_what_tries_to_end_the_process_is_an_error_of_the_call() -> None:
    """It would end the event loop without a word."""

    async def scenario() -> None:
        with ThreadPoolExecutor(1) as executor, pytest.raises(RuntimeError, match=r"SystemExit\(3\)"):
            await run_in(executor, sys.exit, 3)

    asyncio.run(scenario())
