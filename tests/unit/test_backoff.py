"""What the environment refuses is said once, tried again ever more rarely, and ended by success."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from ocrwatch import backoff as backoff_module
from ocrwatch.backoff import FIRST_DELAY, LONGEST_DELAY, Backoff, wait_until
from ocrwatch.errors import EnvironmentFault
from tests.eventually import run, settled


def full() -> EnvironmentFault:
    """Return the fault anew, as each try meets it."""
    return EnvironmentFault("the disk is full", "free some space")


FULL = full()
AWAY = EnvironmentFault("the share is away", "bring it back")


class Subject:
    """Pauses, and how often they have changed."""

    def __init__(self) -> None:
        self.pauses = Backoff()

    @property
    def changes(self) -> int:
        """How often it was."""
        return self.pauses.changes


@pytest.fixture
def subject() -> Subject:
    """Nothing is refused yet."""
    return Subject()


def test_nothing_is_paused_at_first(subject: Subject) -> None:
    """Without a fault there is no pause, and what is asked for may be done at once."""
    assert not subject.pauses
    assert "inbox" not in subject.pauses
    assert subject.pauses.next_try("inbox") == 0.0
    subject.pauses.resolve("inbox")
    assert (subject.changes, subject.pauses.active) == (0, {})


def test_a_fault_is_said_once_with_its_remedy(subject: Subject) -> None:
    """The same fault again is not another event; another one of the same cause is."""
    with capture_logs() as logs:
        for _ in range(3):
            subject.pauses.record("delivery", full(), 0.0)
        subject.pauses.record("delivery", AWAY, 0.0)
        subject.pauses.record("inbox", AWAY, 0.0)
    assert [(log["event"], log["cause"], log["reason"], log["remedy"]) for log in logs] == [
        ("daemon.paused", "delivery", "the disk is full", "free some space"),
        ("daemon.paused", "delivery", "the share is away", "bring it back"),
        ("daemon.paused", "inbox", "the share is away", "bring it back"),
    ]
    assert subject.pauses.active["delivery"].message == "the share is away"
    assert subject.changes == 5


def test_delays_grow_up_to_the_longest(subject: Subject) -> None:
    """Each try comes later than half its delay and not after it, doubled each time, at most half a minute."""
    now, delay = 100.0, FIRST_DELAY
    for _ in range(12):
        following = subject.pauses.record("inbox", full(), now)
        assert now + delay / 2 <= following <= now + delay
        assert subject.pauses.next_try("inbox") == following
        now, delay = following, min(delay * 2, LONGEST_DELAY)
    assert delay == LONGEST_DELAY == 30.0


def test_daemons_do_not_come_back_in_step() -> None:
    """Two daemons that meet the same fault at the same moment try again at different ones."""
    assert len({Subject().pauses.record("inbox", FULL, 0.0) for _ in range(20)}) > 1


def test_success_ends_a_pause_and_its_delays(subject: Subject) -> None:
    """It is said, only for the cause that works again, and the next fault begins anew."""
    for _ in range(5):
        subject.pauses.record("inbox", full(), 0.0)
    subject.pauses.record("delivery", full(), 0.0)
    with capture_logs() as logs:
        subject.pauses.resolve("inbox")
        subject.pauses.resolve("inbox")
    assert [(log["event"], log["cause"]) for log in logs] == [("daemon.resumed", "inbox")]
    assert logs[0]["paused_s"] >= 0
    assert "inbox" not in subject.pauses
    assert list(subject.pauses.active) == ["delivery"]
    assert subject.pauses.record("inbox", full(), 0.0) <= FIRST_DELAY


def test_what_is_shown_cannot_be_changed(subject: Subject) -> None:
    """The view of what is active is a copy."""
    subject.pauses.record("inbox", FULL, 0.0)
    subject.pauses.active.clear()
    assert "inbox" in subject.pauses


def test_one_error_that_many_meet_counts_as_one(subject: Subject) -> None:
    """Neither its delay nor the time of the next try changes by that."""
    first = subject.pauses.record("inbox", FULL, 100.0)
    assert [subject.pauses.record("inbox", FULL, 100.0 + number) for number in range(5)] == [first] * 5
    assert subject.changes == 1
    assert subject.pauses.record("inbox", EnvironmentFault("the disk is full"), 200.0) > first
    assert subject.pauses.active["inbox"].delay == 2 * FIRST_DELAY


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

        pauses.record("delivery", FULL, time.monotonic())
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
        pauses.record("delivery", FULL, time.monotonic() + 1000)
        tasks = await all_wait()
        pauses.resolve("delivery")
        await asyncio.gather(*tasks)
        assert order == list(range(30))
        await pauses.clear_for("delivery")

    run(scenario())


def test_a_subscriber_is_woken_by_each_change() -> None:
    """When a pause begins, when its next try is put off, and when it ends; not by what changes nothing."""

    async def scenario() -> None:
        pauses, event = Backoff(), asyncio.Event()
        pauses.subscribe(event)
        for change in (
            lambda: pauses.record("inbox", FULL, 0.0),
            lambda: pauses.record("inbox", AWAY, 0.0),
            lambda: pauses.resolve("inbox"),
        ):
            change()
            assert event.is_set()
            event.clear()
        pauses.resolve("inbox")
        assert not event.is_set()

    run(scenario())


def test_waiting_ends_with_the_event_or_with_the_time() -> None:
    """Whichever is first; a time that has passed is not waited for."""

    async def scenario() -> None:
        event = asyncio.Event()
        await wait_until(event, time.monotonic() - 1)
        begun = time.monotonic()
        await wait_until(event, begun + 0.02)
        assert time.monotonic() >= begun + 0.02
        event.set()
        await wait_until(event, float("inf"))

    run(scenario())
