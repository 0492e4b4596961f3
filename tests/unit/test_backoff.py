"""What the environment refuses is said once, tried again ever more rarely, and ended by success."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from ocrwatch.backoff import FIRST_DELAY, LONGEST_DELAY, Backoff
from ocrwatch.errors import EnvironmentFault

FULL = EnvironmentFault("the disk is full", "free some space")
AWAY = EnvironmentFault("the share is away", "bring it back")


class Subject:
    """Backoff that count their changes."""

    def __init__(self) -> None:
        self.changes = 0
        self.pauses = Backoff(self._changed)

    def _changed(self) -> None:
        self.changes += 1


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
            subject.pauses.record("delivery", FULL, 0.0)
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
        following = subject.pauses.record("inbox", FULL, now)
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
        subject.pauses.record("inbox", FULL, 0.0)
    subject.pauses.record("delivery", FULL, 0.0)
    with capture_logs() as logs:
        subject.pauses.resolve("inbox")
        subject.pauses.resolve("inbox")
    assert [(log["event"], log["cause"]) for log in logs] == [("daemon.resumed", "inbox")]
    assert logs[0]["paused_s"] >= 0
    assert "inbox" not in subject.pauses
    assert list(subject.pauses.active) == ["delivery"]
    assert subject.pauses.record("inbox", FULL, 0.0) <= FIRST_DELAY


def test_what_is_shown_cannot_be_changed(subject: Subject) -> None:
    """The view of what is active is a copy."""
    subject.pauses.record("inbox", FULL, 0.0)
    subject.pauses.active.clear()
    assert "inbox" in subject.pauses
