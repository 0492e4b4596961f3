"""Keeps away from a server that fails, and logs each outage once."""

from __future__ import annotations

import threading
import time
from typing import Final

from ocrwatch.events import CacheFailed, CacheRecovered, publish

AWAY: Final = 30.0
"""Seconds without a request after a failure; then there is one try."""


class Breaker:
    """Decides whether a server may be asked. May be used from any thread."""

    def __init__(self, what: str) -> None:
        """Begin as if the server works; ``what`` is the subject of the log's sentences."""
        self._what = what
        self._lock = threading.Lock()
        self._next_try: float | None = None
        """Monotonic seconds; None while it works."""
        self._is_trying = False

    @property
    def is_away(self) -> bool:
        """Whether the server failed, and it is too early for the next try."""
        with self._lock:
            return self._next_try is not None and time.monotonic() < self._next_try

    def allows(self) -> bool:
        """Return whether to send a request now: always if the last one went well, else one in 30 seconds."""
        now = time.monotonic()
        with self._lock:
            if self._next_try is None:
                return True
            if now < self._next_try:
                return False
            self._next_try = now + AWAY
            self._is_trying = True
            return True

    def failed(self, reason: str, remedy: str) -> None:
        """Record a failure; the first one of an outage is logged."""
        with self._lock:
            is_news = self._next_try is None
            self._next_try = time.monotonic() + AWAY
            self._is_trying = False
        if is_news:
            publish(CacheFailed(reason=f"{self._what} {reason}", remedy=remedy))

    def worked(self) -> None:
        """Record that a request went well; one that was sent before the failure of another counts for nothing."""
        with self._lock:
            has_recovered = self._next_try is not None and self._is_trying
            if has_recovered:
                self._next_try, self._is_trying = None, False
        if has_recovered:
            publish(CacheRecovered(what=self._what))
