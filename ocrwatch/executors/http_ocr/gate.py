"""Lets requests to one service through: evenly spaced, and no more at a time than it may have.

A service that allows N requests per second counts them in a window that slides. A limiter that lets N through at once,
and N more a second later, is refused as soon as the network delays one of the first: so requests are spaced evenly, and
the window is a little longer than a second. It is measured between the times at which requests were sent, which may be
later than their turns: the event loop may be busy, and a new connection takes several times the way to the service.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ocrwatch.errors import Stopping

_MARGIN: Final = 1.01
"""Length of the window in windows of the service: what the network may delay one request more than another. Chosen: of
50 requests a second it leaves 49.5."""

_CATCH_UP: Final = 0.8
"""Least distance of two requests, as a share of the even one: a delay of the event loop is made up for by that much."""


class Turn:
    """Permission to send one request."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at
        """When the request was sent, as far as is known (monotonic seconds)."""

    def is_sent_now(self) -> None:
        """Record that the request was sent only now."""
        self.at = time.monotonic()


class Gate:
    """Grants turns in the order of arrival. Lives on the event loop."""

    def __init__(self, rate: float, concurrency: int) -> None:
        """``rate`` is in requests per second, ``concurrency`` how many turns may be held at once."""
        in_window = max(1, math.floor(rate))
        self._window = in_window / rate * _MARGIN
        self._distance = _CATCH_UP / rate if in_window > 1 else self._window
        self._granted: deque[Turn] = deque(maxlen=in_window)
        """The last turns."""
        self._concurrency = concurrency
        self._held = 0
        self._waiting: deque[asyncio.Future[Turn]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def held(self) -> int:
        """How many turns are held."""
        return self._held

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for a turn, and hold it; raises :class:`Stopping` once the gate is closed."""
        self.check_open()
        future: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._grant()
        try:
            turn = await future
            turn.is_sent_now()
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._release()
            raise
        try:
            yield turn
        finally:
            self._release()

    def check_open(self) -> None:
        """Raise :class:`Stopping` once the gate is closed."""
        if self._is_closed:
            raise Stopping

    def close(self) -> None:
        """Grant no more turns; those that are held go on."""
        self._is_closed = True
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(Stopping())

    def _release(self) -> None:
        self._held -= 1
        self._grant()

    def _grant(self) -> None:
        """Grant the turns that are due, and come back when the next one is."""
        while self._waiting and self._held < self._concurrency:
            if self._waiting[0].done():
                # It was cancelled.
                self._waiting.popleft()
                continue
            now = time.monotonic()
            if (due := self._due()) > now:
                self._come_back(due - now)
                return
            turn = Turn(now)
            self._granted.append(turn)
            self._held += 1
            self._waiting.popleft().set_result(turn)

    def _due(self) -> float:
        """Return when the next turn may be granted (monotonic seconds)."""
        if not self._granted:
            return 0.0
        due = self._granted[-1].at + self._distance
        if len(self._granted) == self._granted.maxlen:
            due = max(due, self._granted[0].at + self._window)
        return due

    def _come_back(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._grant()
