"""Keeps a file up to date on its own thread, since a share may be slow or dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from ocrwatch.errors import EnvironmentFault

SHORTEST_INTERVAL: Final = 2.0
"""Minimum seconds between two changes of the file."""

RETRY_INTERVAL: Final = 5.0
"""Seconds until a failed change is retried."""

_PATIENCE_AT_END: Final = 2.0
"""Maximum seconds that a stop waits for the last change."""


class StatusTextWriter:
    """Writes the newest text, each at most once, and retries after an error.

    ``post`` raises ``OSError`` or :class:`EnvironmentFault` if the share fails; that is not reported, since more
    important work on that share reports it.
    """

    def __init__(self, post: Callable[[str], None]) -> None:
        self._post = post
        self._wanted = self._posted = ""
        self._closing = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="poster", daemon=True)
        self._thread.start()

    def offer(self, text: str) -> None:
        """Write ``text`` soon, unless it is written already."""
        with self._news:
            self._wanted = text
            self._news.notify()

    def close(self) -> None:
        """Write the last text now, and end; an error is not retried."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join(_PATIENCE_AT_END)

    def _run(self) -> None:
        ending = False
        while not ending:
            with self._news:
                while self._wanted == self._posted and not self._closing:
                    self._news.wait()
                text, ending = self._wanted, self._closing
            interval = SHORTEST_INTERVAL
            if text != self._posted:
                try:
                    self._post(text)
                    self._posted = text
                except (OSError, EnvironmentFault):
                    interval = RETRY_INTERVAL
            self._rest(interval)

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._news:
            while not self._closing and (left := until - time.monotonic()) > 0:
                self._news.wait(left)
