"""Runs listeners of other packages, each on its own thread.

None can delay scans or make one fail.

A listener is a class that is made without arguments, found by its name in the entry point group
``ocrwatch.listeners``. It gets every event if ``events.listeners`` has its name.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint
from typing import Final, Protocol

from ocrwatch.errors import UsageError
from ocrwatch.events.base import Event
from ocrwatch.events.bus import publish, subscribe
from ocrwatch.events.daemon import ListenerDropped, ListenerFailed
from ocrwatch.plugins import installed, origin

GROUP: Final = "ocrwatch.listeners"

MOST_WAITING: Final = 1000
"""Events that wait for one listener; for each more the oldest is dropped."""

TIME_TO_END: Final = 2.0
"""Seconds in which all listeners have to handle what waits when ocrwatch ends."""

_DROPS_LOGGED_EVERY: Final = 60.0


class Listener(Protocol):
    """Protocol of a listener. All methods are called on one thread, and may block."""

    def handle(self, event: Event) -> None:
        """Handle an event; see :mod:`ocrwatch.events`."""

    def close(self) -> None:
        """Close; no further event is passed."""


def find(names: Iterable[str]) -> list[EntryPoint]:
    """Return the listeners of these names, without importing them.

    Raises :class:`UsageError` if one has none.
    """
    available = installed(GROUP, {})
    found: list[EntryPoint] = []
    for name in names:
        if name not in available:
            what = f"set events.listeners to some of: {', '.join(sorted(available))}"
            remedy = what if available else "install its package, or take it out of events.listeners"
            raise UsageError(f"there is no listener named {name!r}", remedy)
        found.append(available[name])
    return found


class Listeners:
    """All listeners of a run. Raises :class:`UsageError` if one is not installed."""

    def __init__(self, names: Iterable[str]) -> None:
        self._threads = [ListenerThread(each) for each in find(names)]

    def close(self) -> None:
        """End all, in :data:`TIME_TO_END` together."""
        until = time.monotonic() + TIME_TO_END
        for each in self._threads:
            each.stop()
        for each in self._threads:
            each.join(until)


class ListenerThread:
    """Runs one listener behind a bounded queue.

    It is imported and made on its thread, too.
    """

    def __init__(self, found: EntryPoint, most_waiting: int = MOST_WAITING) -> None:
        self._found = found
        self._most_waiting = most_waiting
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._is_stopped = False
        self._dropped = 0
        self._next_log = 0.0
        self._failures: set[type[BaseException]] = set()
        self._unsubscribe = subscribe(self._offer, Event)
        # One that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"listener-{found.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more events; those that wait are handled."""
        self._unsubscribe()
        with self._changed:
            self._is_stopped = True
            self._changed.notify()

    def join(self, until: float) -> None:
        """Wait for the end until a time (monotonic seconds), and log what was dropped."""
        self._thread.join(max(0.0, until - time.monotonic()))
        with self._changed:
            self._dropped += len(self._waiting)
            self._waiting.clear()
        self._log_dropped("ocrwatch stopped")

    def _offer(self, event: Event) -> None:
        with self._changed:
            if self._is_stopped:
                return
            if len(self._waiting) >= self._most_waiting:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(event)
            self._changed.notify()
            is_due = self._dropped and time.monotonic() >= self._next_log
        if is_due:
            self._log_dropped("it handles them more slowly than they come")

    def _log_dropped(self, reason: str) -> None:
        with self._changed:
            count, self._dropped = self._dropped, 0
            self._next_log = time.monotonic() + _DROPS_LOGGED_EVERY
        if count:
            remedy = f"check what the listener {self._found.name} waits for"
            publish(ListenerDropped(listener=self._found.name, count=count, reason=reason, remedy=remedy))

    def _run(self) -> None:
        listener: Listener | None = None
        with self._failures_logged():
            listener = self._found.load()()
        if listener is None:
            self._give_up()
            return
        while (event := self._next()) is not None:
            with self._failures_logged(event):
                listener.handle(event)
        with self._failures_logged():
            listener.close()

    def _give_up(self) -> None:
        """Drop all further events, since the listener failed to start."""
        self.stop()
        with self._changed:
            self._waiting.clear()

    def _next(self) -> Event | None:
        """Return the next event, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopped)
            return self._waiting.popleft() if self._waiting else None

    @contextlib.contextmanager
    def _failures_logged(self, event: Event | None = None) -> Iterator[None]:
        """Log what the listener raises, once for each kind of error, and go on."""
        try:
            yield
        except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's code may raise anything
            if type(error) not in self._failures:
                self._failures.add(type(error))
                publish(self._failure(error, event))

    def _failure(self, error: BaseException, event: Event | None) -> ListenerFailed:
        name = self._found.name
        return ListenerFailed(
            listener=name,
            handling=None if event is None else event.name,
            reason=f"the listener {name}{origin(self._found)} failed: {type(error).__name__}: {error}",
            remedy=f"report it to its makers, or take {name} out of events.listeners",
            exception=error,
        )
