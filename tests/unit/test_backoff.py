"""What the environment refuses is said once, tried again ever more rarely, and ended by success."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref

import pytest
from structlog.testing import capture_logs

from ocrwatch import backoff as backoff_module
from ocrwatch.backoff import FIRST_DELAY, LONGEST_DELAY, Backoff
from ocrwatch.errors import EnvironmentFault
from tests.eventually import run, settled

FULL = EnvironmentFault("the disk is full", "free some space")
LONG = 10.0
AWAY = EnvironmentFault("the share is away", "bring it back")


def full() -> EnvironmentFault:
    """Return the fault of another try."""
    return EnvironmentFault(FULL.message, FULL.remedy)


@pytest.fixture
def backoff() -> Backoff:
    """Nothing is refused yet."""
    return Backoff()


def test_nothing_is_paused_at_first(backoff: Backoff) -> None:
    """Without a fault there is no pause, and what is asked for may be done at once."""
    assert not backoff
    assert "inbox" not in backoff
    assert backoff.next_try("inbox") == 0.0
    backoff.resolve("inbox")
    assert (backoff.changes, backoff.active) == (0, {})


def test_a_fault_is_said_once_with_its_remedy(backoff: Backoff) -> None:
    """The same fault again is not another event; another one of the same cause is."""
    with capture_logs() as logs:
        for _ in range(3):
            backoff.record("delivery", full(), 0.0)
        backoff.record("delivery", AWAY, 0.0)
        backoff.record("inbox", AWAY, 0.0)
    assert [(log["event"], log["cause"], log["reason"], log["remedy"]) for log in logs] == [
        ("daemon.paused", "delivery", "the disk is full", "free some space"),
        ("daemon.paused", "delivery", "the share is away", "bring it back"),
        ("daemon.paused", "inbox", "the share is away", "bring it back"),
    ]
    assert backoff.active["delivery"].message == "the share is away"
    assert backoff.changes == 5


def test_delays_grow_up_to_the_longest(backoff: Backoff) -> None:
    """Each try comes later than half its delay and not after it, doubled each time, at most half a minute."""
    now, delay = 100.0, FIRST_DELAY
    for _ in range(12):
        following = backoff.record("inbox", full(), now)
        assert now + delay / 2 <= following <= now + delay
        assert backoff.next_try("inbox") == following
        now, delay = following, min(delay * 2, LONGEST_DELAY)
    assert delay == LONGEST_DELAY == 30.0


def test_daemons_do_not_come_back_in_step() -> None:
    """Two daemons that meet the same fault at the same moment try again at different ones."""
    assert len({Backoff().record("inbox", full(), 0.0) for _ in range(20)}) > 1


def test_success_ends_a_pause_and_its_delays(backoff: Backoff) -> None:
    """It is said, only for the cause that works again, and the next fault begins anew."""
    for _ in range(5):
        backoff.record("inbox", full(), 0.0)
    backoff.record("delivery", FULL, 0.0)
    with capture_logs() as logs:
        backoff.resolve("inbox")
        backoff.resolve("inbox")
    assert [(log["event"], log["cause"]) for log in logs] == [("daemon.resumed", "inbox")]
    assert logs[0]["paused_s"] >= 0
    assert "inbox" not in backoff
    assert list(backoff.active) == ["delivery"]
    assert backoff.record("inbox", full(), 0.0) <= FIRST_DELAY


def test_what_is_shown_cannot_be_changed(backoff: Backoff) -> None:
    """The view of what is active is a copy."""
    backoff.record("inbox", full(), 0.0)
    backoff.active.clear()
    assert "inbox" in backoff


def test_a_fault_that_several_met_together_counts_once(backoff: Backoff) -> None:
    """The same error neither doubles the delay nor moves the next try."""
    first = backoff.record("inbox", FULL, 0.0)
    assert {backoff.record("inbox", FULL, 1.0) for _ in range(5)} == {first}
    assert backoff.changes == 1


def test_a_pause_is_waited_for_until_its_next_try_or_its_end(backoff: Backoff) -> None:
    """Without a pause nothing is waited for; its end wakes at once those who wait."""

    async def run() -> None:
        await backoff.clear_for("inbox")
        begun = time.monotonic()
        due = backoff.record("inbox", FULL, begun)
        await backoff.clear_for("inbox")
        assert due <= time.monotonic() < due + LONG
        backoff.record("delivery", FULL, time.monotonic() + 100 * LONG)
        waiting = asyncio.ensure_future(backoff.clear_for("delivery"))
        await asyncio.sleep(0)
        assert not waiting.done()
        backoff.resolve("delivery")
        await asyncio.wait_for(waiting, LONG)
        assert backoff._subscribers == []

    asyncio.run(run())


def test_those_who_wait_for_something_else_hear_of_changes(backoff: Backoff) -> None:
    """Their event is set when a pause begins, goes on with a later try, and ends."""
    event = asyncio.Event()
    backoff.subscribe(event)
    for change in (lambda: backoff.record("inbox", full(), 0.0), lambda: backoff.resolve("inbox")):
        event.clear()
        change()
        assert event.is_set()
    event.clear()
    backoff.resolve("inbox")
    assert not event.is_set()


def test_those_that_wait_for_a_next_try_go_on_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """When its time has come, after another refusal and when the pause ends; who is cancelled holds up no other."""
    monkeypatch.setattr(backoff_module, "FIRST_DELAY", 0.02)

    async def scenario() -> None:
        pauses, order = Backoff(), list[int]()

        async def wait(number: int) -> None:
            await pauses.clear_for("delivery")
            order.append(number)

        async def all_wait() -> list[asyncio.Task[None]]:
            tasks = [asyncio.ensure_future(wait(number)) for number in range(30)]
            await settled()
            return tasks

        pauses.record("delivery", full(), time.monotonic())
        until = pauses.next_try("delivery")
        await asyncio.gather(*await all_wait())
        assert time.monotonic() >= until
        assert order == list(range(30))

        order.clear()
        pauses.record("delivery", AWAY, time.monotonic())
        tasks = await all_wait()
        pauses.record("delivery", EnvironmentFault("a third one"), time.monotonic())
        tasks[0].cancel()
        tasks[7].cancel()
        await settled()
        assert order == []
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [number for number in range(30) if number not in {0, 7}]

        order.clear()
        pauses.record("delivery", full(), time.monotonic() + 1000)
        tasks = await all_wait()
        pauses.resolve("delivery")
        await asyncio.gather(*tasks)
        assert order == list(range(30))
        await pauses.clear_for("delivery")

    run(scenario())


def test_a_pause_keeps_nothing_in_memory_of_what_met_the_fault(backoff: Backoff) -> None:
    """A scan may be large, and the pause long."""

    class Large:
        pass

    def meet() -> weakref.ref[Large]:
        scan = Large()
        try:
            raise full()
        except EnvironmentFault as error:
            backoff.record("inbox", error, 0.0)
        return weakref.ref(scan)

    found = meet()
    gc.collect()
    assert "inbox" in backoff
    assert found() is None
