"""One thread on which everything is decided; what is slow runs elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ocrwatch.daemon.loop import Loop
from ocrwatch.errors import EnvironmentFault

LONG = 10.0


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Make a loop with two I/O threads."""
    loop = Loop(io_threads=2)
    yield loop
    loop.close()


def turn_until(loop: Loop, condition: Callable[[], object]) -> None:
    """Turn the loop until something is true."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        loop.turn(deadline)


def unexpected(value: object) -> None:
    """Fail: this was not to be called."""
    pytest.fail(f"unexpected call with {value!r}")


def test_calls_are_made_in_order_on_the_turning_thread(loop: Loop) -> None:
    """Whatever thread posts, the one that turns makes the calls, with their arguments."""
    made: list[tuple[object, int]] = []

    def call(value: object) -> None:
        made.append((value, threading.get_ident()))

    def post() -> None:
        for number in range(5):
            loop.post(call, number)

    poster = threading.Thread(target=post)
    poster.start()
    poster.join(LONG)
    loop.turn(time.monotonic() + LONG)
    assert made == [(number, threading.get_ident()) for number in range(5)]


def test_a_turn_without_calls_ends_in_time(loop: Loop) -> None:
    """It sleeps until then, and not at all where the time is past."""
    begun = time.monotonic()
    loop.turn(begun + 0.1)
    assert 0.09 <= time.monotonic() - begun < 2
    begun = time.monotonic()
    loop.turn(begun - 5)
    loop.turn(float("-inf"))
    assert time.monotonic() - begun < 1


def test_a_call_wakes_the_loop(loop: Loop) -> None:
    """A turn that sleeps is ended by what comes."""
    made: list[str] = []
    timer = threading.Timer(0.05, loop.post, [made.append, "call"])
    timer.start()
    begun = time.monotonic()
    loop.turn(begun + LONG)
    assert made == ["call"]
    assert time.monotonic() - begun < LONG / 2
    timer.join(LONG)


def test_calls_that_post_calls_do_not_hold_a_turn_for_ever(loop: Loop) -> None:
    """Timers get their turn under any load: what is posted meanwhile waits for the next."""
    made: list[int] = []

    def again(number: int) -> None:
        made.append(number)
        loop.post(again, number + 1)

    loop.post(again, 0)
    loop.turn(time.monotonic())
    assert 1 <= len(made) <= 2
    loop.turn(time.monotonic())
    assert made == list(range(len(made)))


def test_work_runs_elsewhere_and_comes_back(loop: Loop) -> None:
    """The work is on another thread; its result, or its error, on the loop's."""
    results: list[object] = []
    here = threading.get_ident()
    loop.background(threading.get_ident, lambda worker: results.append((worker, threading.get_ident())), unexpected)
    turn_until(loop, lambda: results)
    ((worker, receiver),) = [result for result in results if isinstance(result, tuple)]
    assert worker != here
    assert receiver == here
    loop.background(lambda: 1 // 0, unexpected, results.append)
    turn_until(loop, lambda: len(results) == 2)
    assert isinstance(results[1], ZeroDivisionError)


def test_slow_work_does_not_stop_the_loop_nor_other_work(loop: Loop) -> None:
    """While one piece of work hangs, calls are made and other work is done."""
    release, results = threading.Event(), list[str]()
    loop.background(lambda: release.wait(LONG), lambda _: results.append("slow"), unexpected)
    loop.background(lambda: "quick", results.append, unexpected)
    turn_until(loop, lambda: results == ["quick"])
    release.set()
    turn_until(loop, lambda: results == ["quick", "slow"])


def test_deliveries_are_made_one_after_the_other(loop: Loop) -> None:
    """No two run at once, in the order in which they were handed over, beside the other work."""
    running, most, order = 0, 0, list[int]()
    lock = threading.Lock()

    def deliver(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return number

    for number in range(10):
        loop.deliver(lambda number=number: deliver(number), order.append, unexpected)  # type: ignore[misc]
    turn_until(loop, lambda: len(order) == 10)
    assert order == list(range(10))
    assert most == 1


def test_closing_waits_for_a_delivery_and_not_for_a_read() -> None:
    """A delivery that has begun is finished; a read on a share that does not answer is left alone."""
    loop = Loop(io_threads=1)
    release, delivering, delivered = threading.Event(), threading.Event(), threading.Event()

    def deliver() -> None:
        delivering.set()
        release.wait(0.2)
        delivered.set()

    hanging = threading.Event()
    loop.background(lambda: hanging.wait(LONG), unexpected, unexpected)
    loop.deliver(deliver, lambda _: None, unexpected)
    loop.deliver(lambda: unexpected("the second delivery"), lambda _: None, unexpected)
    assert delivering.wait(LONG)
    begun = time.monotonic()
    loop.close()
    assert delivered.is_set()
    assert time.monotonic() - begun < LONG / 2
    hanging.set()


def test_short_memory_is_the_environments_fault(loop: Loop) -> None:
    """Whatever was done in the background when there was none is not to blame for it."""

    def starve() -> None:
        raise MemoryError

    failures: list[BaseException] = []
    for run in (loop.background, loop.load, loop.deliver):
        run(starve, unexpected, failures.append)
    turn_until(loop, lambda: len(failures) == 3)
    assert all(isinstance(error, EnvironmentFault) and "memory" in error.message for error in failures)


def test_all_threads_are_there_from_the_start() -> None:
    """Later there may be no memory for another, in the middle of something."""
    before = set(threading.enumerate())
    loop = Loop(io_threads=3)
    try:
        assert len(set(threading.enumerate()) - before) == 3 + 1 + 1
    finally:
        loop.close()
