"""Backoff for the environment's faults: said once, tried again with growing delays, ended by success."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from ocrwatch.errors import OcrwatchError
from ocrwatch.log import get_logger

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0

SILENCE = "silence"
"""The cause where a folder does not answer."""

BLOCKED_DELAY = 30.0
"""Seconds until a scan is tried again that is the only one to be refused."""

_log = get_logger()


@dataclass(slots=True)
class Pause:
    """One thing that the environment refuses."""

    message: str
    remedy: str
    since: float
    """Wall clock, seconds since 1970, to be shown; how long it lasts is measured by ``begun``."""
    begun: float
    """Monotonic seconds."""
    delay: float
    next_try: float
    """Monotonic seconds."""


class Backoff:
    """What keeps the daemon from working, by cause.

    These are ``inbox``, ``delivery``, ``silence``, ``workers``, ``reading`` and ``memory``.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._active: dict[str, Pause] = {}
        self._changed = changed

    def __bool__(self) -> bool:
        return bool(self._active)

    def __contains__(self, cause: str) -> bool:
        return cause in self._active

    @property
    def active(self) -> dict[str, Pause]:
        """All causes with what is said of them."""
        return dict(self._active)

    def longest(self, seconds: float) -> Pause | None:
        """Return a pause that has lasted longer than ``seconds``, if there is one."""
        now = time.monotonic()
        return next((pause for pause in self._active.values() if now - pause.begun > seconds), None)

    def record(self, cause: str, error: OcrwatchError, now: float) -> float:
        """Note a fault; return the time of the next try: exponential back-off with jitter, at most 30 s."""
        pause = self._active.get(cause)
        if pause is None:
            pause = Pause(error.message, error.remedy, time.time(), now, FIRST_DELAY, now)
            self._active[cause] = pause
            _log.error("daemon.paused", cause=cause, reason=error.message, remedy=error.remedy)
        else:
            pause.delay = min(pause.delay * 2, LONGEST_DELAY)
            if pause.message != error.message:
                pause.message, pause.remedy = error.message, error.remedy
                _log.error("daemon.paused", cause=cause, reason=error.message, remedy=error.remedy)
        # Jitter, so that many daemons on one share do not come back in step.
        pause.next_try = now + pause.delay * random.uniform(0.5, 1.0)  # noqa: S311
        self._changed()
        return pause.next_try

    @staticmethod
    def blocked_until(now: float) -> float:
        """Return when to try a scan again that is the only one to be refused, which is no reason for a pause."""
        return now + BLOCKED_DELAY

    def resolve(self, cause: str) -> None:
        """Note that it works again."""
        pause = self._active.pop(cause, None)
        if pause is not None:
            _log.info("daemon.resumed", cause=cause, paused_s=round(time.monotonic() - pause.begun, 1))
            self._changed()

    def message_of(self, cause: str) -> str | None:
        """Return what is said of a cause, None if there is no such pause."""
        pause = self._active.get(cause)
        return pause.message if pause else None

    def next_try(self, cause: str) -> float:
        """Return when to try again, 0 if there is no such pause."""
        pause = self._active.get(cause)
        return pause.next_try if pause else 0.0
