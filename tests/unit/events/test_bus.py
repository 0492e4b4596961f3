"""The bus: every event is logged, and passed to those that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs

from ocrwatch.events import Event, ListenerFailed, ScanClosed, ScanReady, ScanSeen, publish, subscribe
from ocrwatch.scan_state import ScanState

SEEN = ScanSeen(path="a.jpg", how="found")
READY = ScanReady(path="a.jpg", bytes=1)


@pytest.fixture
def ends() -> Iterator[list[Callable[[], None]]]:
    """End all subscriptions of a test."""
    found: list[Callable[[], None]] = []
    yield found
    for end in found:
        end()


def test_an_event_is_logged_with_its_fields(ends: list[Callable[[], None]]) -> None:
    """Also if nobody listens; a state is a word."""
    with capture_logs() as logs:
        publish(SEEN)
        publish(ScanClosed(path="a.jpg", state=ScanState.DELIVERED, batch=1))
    assert logs == [
        {"event": "scan.seen", "log_level": "debug", "path": "a.jpg", "how": "found"},
        {"event": "scan.closed", "log_level": "debug", "path": "a.jpg", "state": "delivered", "batch": 1},
    ]
    assert ends == []


def test_a_listener_gets_what_it_asked_for(ends: list[Callable[[], None]]) -> None:
    """Until it ends its subscription, which it may do more than once."""
    ready: list[ScanReady] = []
    everything: list[Event] = []
    ends += [subscribe(everything.append, Event), subscribe(ready.append, ScanReady)]
    publish(SEEN)
    publish(READY)
    ends[1]()
    ends[1]()
    publish(READY)
    assert ready == [READY]
    assert everything == [SEEN, READY, READY]


def test_each_of_two_equal_subscriptions_ends_alone(ends: list[Callable[[], None]]) -> None:
    """Two runs in one process do not end each other's."""
    heard: list[Event] = []
    ends += [subscribe(heard.append, ScanSeen), subscribe(heard.append, ScanSeen)]
    ends[0]()
    publish(SEEN)
    assert heard == [SEEN]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)], ids=["error", "exit"])
def test_an_exception_of_a_listener_is_an_event(ends: list[Callable[[], None]], error: BaseException) -> None:
    """The publisher goes on, and so do the other listeners; one that ends the process would end the event loop."""
    heard: list[Event] = []

    def fail(_event: ScanSeen) -> None:
        raise error

    ends += [subscribe(fail, ScanSeen), subscribe(heard.append, Event)]
    with capture_logs() as logs:
        publish(SEEN)
    failure, seen = heard
    assert seen == SEEN
    assert isinstance(failure, ListenerFailed)
    assert (failure.handling, failure.reason) == ("scan.seen", f"a bug in ocrwatch: {error!r}")
    assert failure.listener.endswith("fail")
    assert [log["event"] for log in logs] == ["scan.seen", "listener.failed"]
    assert logs[1]["exc_info"] is error


def test_a_listener_that_fails_on_everything_is_not_called_for_ever(ends: list[Callable[[], None]]) -> None:
    """Its failure on its own failure is logged only."""

    def fail(_event: Event) -> None:
        raise ValueError("no")

    ends.append(subscribe(fail, Event))
    with capture_logs() as logs:
        publish(SEEN)
    assert [log["event"] for log in logs] == ["scan.seen", "listener.failed", "listener.failed"]
