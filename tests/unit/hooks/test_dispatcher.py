"""Notices wait in a bounded queue; whoever sends never waits."""

from __future__ import annotations

import io
import json
import threading
import time

import pytest

from ocrwatch import log
from ocrwatch.hooks.dispatcher import Dispatcher, Notification
from tests.waiting import until


@pytest.fixture
def logged() -> io.StringIO:
    """Keep the log."""
    stream = io.StringIO()
    log.configure("info", "json", stream)
    return stream


def _events(logged: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in logged.getvalue().splitlines()]


def _notice(number: int) -> Notification:
    return Notification("delivered", b"{}", str(number))


def test_notices_are_carried_in_order() -> None:
    """With one thread, in the order in which they were sent; then it is idle and has no thread."""
    carried: list[str] = []
    dispatcher = Dispatcher("programs", lambda notice: carried.append(notice.subject), threads=1, capacity=100)
    for number in range(50):
        dispatcher.send(_notice(number))
    until(lambda: dispatcher.is_idle, 5)
    assert carried == [str(number) for number in range(50)]
    until(lambda: not [t for t in threading.enumerate() if t.name == "hooks-programs"], 5)


def test_so_many_at_once_and_no_more() -> None:
    """The limit of threads holds, and a change of it takes effect."""
    gate = threading.Semaphore(0)
    under_way: set[str] = set()

    def carry(notice: Notification) -> None:
        under_way.add(notice.subject)
        gate.acquire(timeout=10)
        under_way.discard(notice.subject)

    dispatcher = Dispatcher("programs", carry, threads=2, capacity=100)
    for number in range(6):
        dispatcher.send(_notice(number))
    until(lambda: len(under_way) == 2, 5)
    dispatcher.change(threads=3, capacity=100)
    dispatcher.send(_notice(6))
    until(lambda: len(under_way) == 3, 5)
    dispatcher.change(threads=1, capacity=100)
    gate.release(3)
    until(lambda: len(under_way) == 1, 5)
    gate.release(10)
    until(lambda: dispatcher.is_idle, 5)


def test_overflow_drops_the_oldest_and_says_how_many(logged: io.StringIO) -> None:
    """Sending never waits, the newest are kept, and the log counts what was dropped."""
    gate = threading.Event()
    carried: list[str] = []

    def carry(notice: Notification) -> None:
        gate.wait(10)
        carried.append(notice.subject)

    dispatcher = Dispatcher("webhook", carry, threads=1, capacity=3)
    dispatcher.send(_notice(0))
    until(lambda: len(dispatcher._waiting) == 0, 5)
    begun = time.monotonic()
    for number in range(1, 1000):
        dispatcher.send(_notice(number))
    assert time.monotonic() - begun < 5
    gate.set()
    until(lambda: dispatcher.is_idle, 5)
    assert carried == ["0", "997", "998", "999"]
    dispatcher.close()
    drops = _events(logged)
    # At once, and the rest at the end, rather than a line for each.
    assert [event["event"] for event in drops] == ["hook.dropped"] * 2
    assert sum(int(str(event["count"])) for event in drops) == 996
    assert drops[0]["target"] == "webhook"


def test_what_waits_at_the_end_is_counted(logged: io.StringIO) -> None:
    """Closed, it takes nothing more and says what it lets go of."""
    gate = threading.Event()

    def carry(_: Notification) -> None:
        gate.wait(10)

    dispatcher = Dispatcher("programs", carry, threads=1, capacity=10)
    for number in range(4):
        dispatcher.send(_notice(number))
    until(lambda: len(dispatcher._waiting) == 3, 5)
    dispatcher.close()
    dispatcher.send(_notice(9))
    gate.set()
    until(lambda: dispatcher.is_idle, 5)
    (event,) = _events(logged)
    assert (event["event"], event["count"], event["reason"]) == ("hook.dropped", 3, "ocrwatch stopped")


def test_a_bug_costs_one_notice(logged: io.StringIO) -> None:
    """What goes wrong with one is logged, and the others are carried."""
    carried: list[str] = []

    def carry(notice: Notification) -> None:
        if notice.subject == "1":
            raise ZeroDivisionError
        carried.append(notice.subject)

    dispatcher = Dispatcher("programs", carry, threads=1, capacity=10)
    for number in range(3):
        dispatcher.send(_notice(number))
    until(lambda: dispatcher.is_idle, 5)
    assert carried == ["0", "2"]
    assert [(event["event"], event["subject"]) for event in _events(logged)] == [("hook.failed", "1")]
