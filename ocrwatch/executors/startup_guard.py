"""Detects that workers cannot start, so that the daemon does not wait for them forever."""

from __future__ import annotations

from ocrwatch.errors import EnvironmentFault, OcrwatchError
from ocrwatch.executors.events import SlotEvent, WorkerLost, WorkerReady, WorkerUnfit

_ATTEMPTS_PER_WORKER = 3


class StartupGuard:
    """Watches a pool's events until its first worker is ready."""

    def __init__(self, workers: int) -> None:
        self._left = _ATTEMPTS_PER_WORKER * workers
        self.ready = False
        self.failure: OcrwatchError | None = None
        """Why there will be no worker; None while one is possible."""

    def heard(self, event: SlotEvent) -> None:
        """Handle an event. Once a worker was ready, failing starts are no longer final."""
        if isinstance(event, WorkerReady):
            self.ready = True
        if self.ready:
            return
        if isinstance(event, WorkerUnfit):
            # A file that one worker cannot find, another will not find either.
            self.failure = event.error
        elif isinstance(event, WorkerLost) and event.phase == "starting":
            self._left -= 1
            if self._left <= 0:
                self.failure = EnvironmentFault(
                    f"no worker can start: the last one was {event.how} ({event.stderr or 'without a word'})",
                    "run ocrwatch doctor, and see whether workers.max_memory is too low",
                )
