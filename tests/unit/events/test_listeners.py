"""Listeners of other packages: each has its thread and its queue, and what it does wrong stays its own matter."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import pytest

from ocrwatch.errors import UsageError
from ocrwatch.events import Event, ListenerDropped, ListenerFailed, ScanSeen, publish, subscribe
from ocrwatch.events import listeners as module
from ocrwatch.events.listeners import Listeners, ListenerThread
from tests.eventually import LONG
from tests.other_listeners import OUTPUT, installed

SEEN = ScanSeen(path="a.jpg", how="found")


class Gated:
    """A listener of this process, which waits until it may go on."""

    gate: ClassVar[threading.Event]
    heard: ClassVar[list[Event]]
    closed: ClassVar[list[str]]

    def handle(self, event: Event) -> None:
        """Remember it."""
        self.gate.wait()
        self.heard.append(event)

    def close(self) -> None:
        """Remember which thread that was."""
        self.closed.append(threading.current_thread().name)


FOUND = EntryPoint("gated", f"{__name__}:Gated", module.GROUP)


@pytest.fixture(autouse=True)
def _new_gate() -> None:
    Gated.gate, Gated.heard, Gated.closed = threading.Event(), [], []


@pytest.fixture
def told() -> Iterator[list[Event]]:
    """Hear what is published of listeners."""
    heard: list[Event] = []
    ends: list[Callable[[], None]] = [subscribe(heard.append, ListenerFailed), subscribe(heard.append, ListenerDropped)]
    yield heard
    for end in ends:
        end()


def test_a_listener_gets_all_events_in_their_order() -> None:
    """On its own thread; what waits at the end is handled, and it is closed."""
    thread = ListenerThread(FOUND)
    events = [ScanSeen(path=str(number), how="found") for number in range(100)]
    for event in events:
        publish(event)
    assert Gated.heard == []
    Gated.gate.set()
    thread.stop()
    publish(SEEN)
    thread.join(time.monotonic() + LONG)
    assert Gated.heard == events
    assert Gated.closed == ["listener-gated"]


def test_the_oldest_events_are_dropped_for_new_ones(told: list[Event]) -> None:
    """They are counted, and logged once a minute and at the end."""
    thread = ListenerThread(FOUND, most_waiting=3)
    for number in range(10):
        publish(ScanSeen(path=str(number), how="found"))
    Gated.gate.set()
    thread.stop()
    thread.join(time.monotonic() + LONG)
    assert isinstance(Gated.heard[-1], ScanSeen)
    assert Gated.heard[-1].path == "9"
    dropped = [event for event in told if isinstance(event, ListenerDropped)]
    assert len(dropped) == 2
    # What it was told of its own dropped events counts, too.
    assert sum(event.count for event in dropped) + len(Gated.heard) == 11


def test_one_that_hangs_is_not_waited_for(told: list[Event], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Longer than all listeners have together; what it has not handled is counted."""
    monkeypatch.setattr(module, "TIME_TO_END", 0.1)
    with installed(tmp_path):
        listeners = Listeners(("hangs",))
        publish(SEEN)
        publish(SEEN)
        begun = time.monotonic()
        listeners.close()
    assert time.monotonic() - begun < 1.0
    (dropped,) = told
    assert isinstance(dropped, ListenerDropped)
    assert (dropped.listener, dropped.reason) == ("hangs", "ocrwatch stopped")
    assert 1 <= dropped.count <= 2


def test_one_that_raises_is_logged_once_for_each_kind_of_error(told: list[Event], tmp_path: Path) -> None:
    """With its package, which is at fault."""
    with installed(tmp_path):
        listeners = Listeners(("raises",))
        for _ in range(5):
            publish(SEEN)
        listeners.close()
    assert [(event.listener, event.handling) for event in told if isinstance(event, ListenerFailed)] == [
        ("raises", "scan.seen"),
        ("raises", None),
    ]
    assert isinstance(told[0], ListenerFailed)
    assert (
        told[0].reason
        == "the listener raises of the package other-listeners failed: ValueError: cannot handle scan.seen"
    )


@pytest.mark.parametrize("name", ["cannot-be-made", "missing"])
def test_one_that_cannot_be_made_is_logged(told: list[Event], tmp_path: Path, name: str) -> None:
    """The others get their events."""
    Gated.gate.set()
    with installed(tmp_path):
        listeners, other = Listeners((name,)), ListenerThread(FOUND)
        publish(SEEN)
        listeners.close()
        other.stop()
        other.join(time.monotonic() + LONG)
    (failed,) = told
    assert isinstance(failed, ListenerFailed)
    assert failed.listener == name
    assert SEEN in Gated.heard


def test_a_listener_that_is_not_installed_is_an_error(tmp_path: Path) -> None:
    """It says which ones are; none is started."""
    before = threading.active_count()
    with installed(tmp_path), pytest.raises(UsageError, match="no listener named 'other'") as refused:
        Listeners(("raises", "other"))
    assert refused.value.remedy == "set events.listeners to some of: cannot-be-made, hangs, missing, raises, writes"
    with pytest.raises(UsageError, match="no listener named 'other'") as refused:
        Listeners(("other",))
    assert refused.value.remedy == "install its package, or take it out of events.listeners"
    assert threading.active_count() == before


def test_a_listener_may_write_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last line is there when the run has ended."""
    output = tmp_path / "output"
    monkeypatch.setenv(OUTPUT, str(output))
    with installed(tmp_path / "packages"):
        listeners = Listeners(("writes",))
        listeners.close()
    assert [json.loads(line) for line in output.read_text().splitlines()] == [{"event": "closed"}]
