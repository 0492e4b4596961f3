"""Counts the requests to remote OCR services, and says which of them are not available."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ocrwatch.backoff import Pause
from ocrwatch.observe.counters import Durations
from ocrwatch.observe.status import ServiceStatus, isoformat
from ocrwatch.recipe import REMOTE
from ocrwatch.settings import Remote, Settings

LATENCY_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds: from the answer of a service on this machine to the default of ``timeout``, and above."""

_LAST: Final = 100
"""Answers of which the median is taken: it follows a service that becomes slow within some seconds."""


class _Requests:
    """The requests to one service."""

    def __init__(self) -> None:
        self.answered = 0
        self.refused = 0
        self.failed = 0
        self.last: deque[float] = deque(maxlen=_LAST)
        self.seconds = Durations(LATENCY_BOUNDS)


class ServiceCounters:
    """The requests to all services since the start. Lives on the event loop."""

    def __init__(self, remotes: Iterable[Remote]) -> None:
        self._remotes = tuple(remotes)
        self._requests = {remote.name: _Requests() for remote in self._remotes}

    def answered(self, service: str, seconds: float) -> None:
        """Count a request that was answered."""
        found = self._requests[service]
        found.answered += 1
        found.last.append(seconds)
        found.seconds.add(seconds)

    def refused(self, service: str, status: int | None) -> None:
        """Count a request that was refused with an HTTP status, or was not answered."""
        found = self._requests[service]
        if status is None:
            found.failed += 1
        else:
            found.refused += 1

    def snapshot(self, pauses: Mapping[str, Pause], in_flight: Mapping[str, int]) -> list[ServiceStatus]:
        """Return the state of all services, in the order of the settings.

        ``pauses`` are all pauses by their cause, ``in_flight`` the requests that wait for their answer by service.
        """
        return [
            self._status(remote, pauses.get(remote.engine), in_flight.get(remote.name, 0)) for remote in self._remotes
        ]

    def _status(self, remote: Remote, pause: Pause | None, in_flight: int) -> ServiceStatus:
        found = self._requests[remote.name]
        return ServiceStatus(
            remote.name,
            remote.host,
            found.answered,
            found.refused,
            found.failed,
            in_flight,
            round(statistics.median(found.last), 3) if found.last else None,
            found.seconds.snapshot(),
            *(() if pause is None else _of_pause(pause)),
        )


def _of_pause(pause: Pause) -> tuple[str, str, str, str]:
    next_try = time.time() + pause.next_try - time.monotonic()
    return isoformat(pause.since), pause.message, pause.remedy, isoformat(next_try)


def stops_all(settings: Settings, causes: Collection[str]) -> bool:
    """Return whether no scan can be read while these causes pause.

    A pause of a service (``remote:NAME``) concerns the scans that need it: those of which each engine is a service in a
    pause. All other causes concern all scans.
    """
    if any(not cause.startswith(REMOTE) for cause in causes):
        return True
    return bool(causes) and all(set(ocr.engine) <= set(causes) for ocr in settings.all_ocr)
