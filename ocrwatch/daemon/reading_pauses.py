"""Ends the pauses of reading if no scan is left that would find out whether it works again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.recipe import REMOTE
from ocrwatch.scan import Scan, Scans


class ReadingPauses:
    """Knows which open scans need no more reading. Lives on the event loop."""

    def __init__(self, backoff: Backoff, scans: Scans) -> None:
        self._backoff = backoff
        self._scans = scans
        self._past_reading: set[Scan] = set()
        self._timer: asyncio.TimerHandle | None = None
        """Set for the next try of a service."""
        self._is_stopped = False

    @contextlib.contextmanager
    def past_reading(self, scan: Scan) -> Iterator[None]:
        """Record that a scan no longer finds out whether scans can be read."""
        self._past_reading.add(scan)
        self.end()
        try:
            yield
        finally:
            self._past_reading.discard(scan)

    def end(self) -> None:
        """End the pauses if no scan is left to find out.

        One of a service lasts until its next try is due: the service may have asked for that time.
        """
        if not self._backoff or self._is_stopped or len(self._scans) > len(self._past_reading):
            return
        for cause in (Cause.READING, Cause.WORKERS, Cause.MEMORY):
            self._backoff.resolve(cause)
        now = time.monotonic()
        for service in [cause for cause in self._backoff.active if cause.startswith(REMOTE)]:
            if self._backoff.next_try(service) <= now:
                self._backoff.resolve(service)
        self._set_timer()

    def stop(self) -> None:
        """End no more pauses: one that lasts when ocrwatch ends is why scans were not finished."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        tries = [self._backoff.next_try(cause) for cause in self._backoff.active if cause.startswith(REMOTE)]
        # An event loop's time is the monotonic clock (asyncio.BaseEventLoop.time).
        self._timer = asyncio.get_running_loop().call_at(min(tries), self.end) if tries else None
