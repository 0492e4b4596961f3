"""Pauses the daemon during faults of the environment.

A fault is logged once and retried with growing delays; a success ends the pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import random
import time
from dataclasses import dataclass

from ocrwatch.errors import OcrwatchError, without_frames
from ocrwatch.events import DaemonPaused, DaemonResumed, publish

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0

BLOCKED_DELAY = 30.0
"""Seconds until the next attempt for a scan that alone is refused."""


class Cause(enum.StrEnum):
    """Work that the environment can prevent."""

    INBOX = "inbox"
    DELIVERY = "delivery"
    MOUNT = "mount"
    """A folder does not answer."""
    WORKERS = "workers"
    READING = "reading"
    """Scans cannot be loaded, or the ledger refuses."""
    MEMORY = "memory"


@dataclass(slots=True)
class Pause:
    """One cause that the environment refuses."""

    error: OcrwatchError
    since: float
    """Wall clock, seconds since 1970, for display; its length is measured from ``begun``."""
    begun: float
    """Monotonic seconds."""
    delay: float
    next_try: float
    """Monotonic seconds."""

    @property
    def message(self) -> str:
        """What is wrong."""
        return self.error.message

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self.error.remedy


class Backoff:
    """Pauses of the daemon, by cause: exponential backoff with jitter.

    Lives on one thread.
    """

    def __init__(self) -> None:
        self._active: dict[str, Pause] = {}
        self.changes = 0
        """Number of changes; code that displays the pauses compares it."""
        self._subscribers: list[asyncio.Event] = []
        self._first: dict[str, asyncio.Event] = {}
        """By cause: set when the first of its waiters goes on."""

    def __bool__(self) -> bool:
        return bool(self._active)

    def __contains__(self, cause: str) -> bool:
        return cause in self._active

    @property
    def active(self) -> dict[str, Pause]:
        """All active causes with their messages."""
        return dict(self._active)

    def longest(self, seconds: float) -> Pause | None:
        """Return a pause that has lasted longer than ``seconds``, if there is one."""
        now = time.monotonic()
        return next((pause for pause in self._active.values() if now - pause.begun > seconds), None)

    def record(
        self, cause: str, error: OcrwatchError, now: float, *, tried_at: float | None = None, at_least: float = 0.0
    ) -> float:
        """Record a fault; return the time of the next try, at most 30 s away (all monotonic seconds).

        The same error counts once: several scans may have met it together. So does one of a try that began, at
        ``tried_at``, before the last one was due. ``at_least`` are the seconds that what refuses asks to wait; they may
        be more.
        """
        # It is kept for as long as the pause lasts.
        without_frames(error)
        pause = self._active.get(cause)
        if pause is not None and pause.error is error:
            return pause.next_try
        if pause is not None and tried_at is not None and tried_at < pause.next_try:
            pause.next_try = max(pause.next_try, now + at_least)
            return pause.next_try
        if pause is None:
            pause = self._active[cause] = Pause(error, time.time(), now, FIRST_DELAY, now)
            publish(DaemonPaused(cause=str(cause), reason=error.message, remedy=error.remedy))
        else:
            pause.delay = min(pause.delay * 2, LONGEST_DELAY)
            if pause.message != error.message:
                publish(DaemonPaused(cause=str(cause), reason=error.message, remedy=error.remedy))
            pause.error = error
        # Jitter, so that many daemons on one share do not retry in step.
        pause.next_try = now + max(pause.delay * random.uniform(0.5, 1.0), at_least)  # noqa: S311
        self._changed()
        return pause.next_try

    def resolve(self, cause: str, *, tried_at: float = float("inf")) -> None:
        """Record that it works again, by a try that began at ``tried_at``; one from before the pause shows nothing."""
        pause = self._active.get(cause)
        if pause is not None and tried_at >= pause.begun:
            del self._active[cause]
            publish(DaemonResumed(cause=str(cause), paused_s=round(time.monotonic() - pause.begun, 1)))
            self._changed()

    def message_of(self, cause: str) -> str | None:
        """Return the message of a cause, None if there is no such pause."""
        pause = self._active.get(cause)
        return pause.message if pause else None

    def next_try(self, cause: str) -> float:
        """Return the time of the next try, 0 if there is no such pause."""
        pause = self._active.get(cause)
        return pause.next_try if pause else 0.0

    def subscribe(self, event: asyncio.Event) -> None:
        """Set ``event`` whenever a pause begins, is extended, or ends."""
        self._subscribers.append(event)

    async def clear_for(self, cause: str) -> None:
        """Wait until there is no such pause, or until its next try; waiters go on in order."""
        while (until := self.next_try(cause)) > time.monotonic():
            if (first := self._first.get(cause)) is not None:
                await first.wait()
                continue
            # Timers that end at the same time do so in any order: only the first waiter has one.
            done = self._first[cause] = asyncio.Event()
            event = asyncio.Event()
            self._subscribers.append(event)
            try:
                await wait_until(event, until)
            finally:
                self._subscribers.remove(event)
                del self._first[cause]
                done.set()

    def _changed(self) -> None:
        self.changes += 1
        for event in self._subscribers:
            event.set()


async def wait_until(event: asyncio.Event, until: float) -> None:
    """Wait for ``event``, at most until a time (monotonic seconds; infinity waits for the event alone)."""
    with contextlib.suppress(TimeoutError):
        # An event loop's time is the monotonic clock (asyncio.BaseEventLoop.time).
        async with asyncio.timeout_at(None if until == float("inf") else until):
            await event.wait()
