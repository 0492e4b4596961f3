"""A bounded queue of notifications and the threads that send them; senders never wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ocrwatch.log import get_logger

_DROPS_TOLD_EVERY = 60.0

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Notification:
    """An event to notify of."""

    event: str
    """``delivered``, ``quarantined`` or ``batch``."""
    body: bytes
    """The facts as JSON."""
    subject: str
    """The scan's path, or the batch's number: for the log."""


class Dispatcher:
    """Calls ``carry`` for each notification, on at most ``threads`` threads, which live only while there is work.

    When ``capacity`` notifications wait, the oldest is dropped for a new one: after a long outage new ones are more
    useful. ``name`` is that of the log.
    """

    def __init__(self, name: str, carry: Callable[[Notification], None], *, threads: int, capacity: int) -> None:
        self._name = name
        self._carry = carry
        self._threads = threads
        self._capacity = capacity
        self._waiting: deque[Notification] = deque()
        self._lock = threading.Lock()
        self._busy = 0
        self._closed = False
        self._dropped = 0
        self._next_telling = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no notification waits or is being sent."""
        with self._lock:
            return not (self._waiting or self._busy)

    def change(self, *, threads: int, capacity: int) -> None:
        """Apply other limits from here on."""
        with self._lock:
            self._threads, self._capacity = threads, capacity

    def send(self, notice: Notification) -> None:
        """Queue a notification; returns at once."""
        with self._lock:
            if self._closed:
                return
            while len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(notice)
            more = self._busy < self._threads
            self._busy += more
        if more:
            self._start_thread()
        if self._dropped and time.monotonic() >= self._next_telling:
            self._tell_dropped("they come faster than they can be told")

    def close(self) -> None:
        """Drop what waits. What is being sent is not waited for."""
        with self._lock:
            self._closed = True
            self._dropped += len(self._waiting)
            self._waiting.clear()
        if self._dropped:
            self._tell_dropped("ocrwatch stopped")

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._work, name=f"hooks-{self._name}", daemon=True).start()
        except RuntimeError:
            # No thread can be started: the next notification tries again, and takes this one along.
            with self._lock:
                self._busy -= 1

    def _work(self) -> None:
        while (notice := self._next()) is not None:
            try:
                self._carry(notice)
            except Exception as error:  # noqa: BLE001 - a bug here must not lose later notifications
                reason = f"a bug in ocrwatch: {error!r}"
                _log.error("hook.failed", hook=notice.event, subject=notice.subject, reason=reason, exc_info=error)

    def _next(self) -> Notification | None:
        with self._lock:
            if not self._waiting or self._busy > self._threads:
                self._busy -= 1
                return None
            return self._waiting.popleft()

    def _tell_dropped(self, reason: str) -> None:
        with self._lock:
            count, self._dropped = self._dropped, 0
        self._next_telling = time.monotonic() + _DROPS_TOLD_EVERY
        remedy = "see that what the hooks run or post to is there and fast enough"
        _log.warning("hook.dropped", target=self._name, count=count, reason=reason, remedy=remedy)
