"""What the daemon counts, and the status that it writes."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from pathlib import Path

import ocrwatch
from ocrwatch.daemon.pauses import Pauses
from ocrwatch.daemon.tickets import End
from ocrwatch.service import status
from ocrwatch.settings import Settings
from ocrwatch.values import EngineInfo

_LAST_SHOWN = 10
_HOUR_MINUTES = 60
_SHORTEST_INTERVAL = 1.0


class Report:
    """Collects counts and writes the status file: soon after a change, and at every heartbeat."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings = settings
        self._workers = workers
        self._heartbeat = settings.status.heartbeat
        self._state = "starting"
        self._since = self._started = time.time()
        self._failures: deque[status.Failure] = deque(maxlen=_LAST_SHOWN)
        self._to_review = 0
        self._reviews: deque[status.Doubtful] = deque(maxlen=_LAST_SHOWN)
        self._minutes: deque[tuple[int, int]] = deque(maxlen=_HOUR_MINUTES)
        self._recent: deque[float] = deque()
        self._written = 0.0
        self._dirty = True
        self.ends: Counter[End] = Counter()
        self.cached = 0
        """Scans delivered whose text was known before."""
        self.engine: EngineInfo | None = None

    def totals(self) -> dict[str, int]:
        """Return how many scans came to which end."""
        return {str(end): count for end, count in self.ends.items()}

    def changed(self) -> None:
        """Have the status written soon."""
        self._dirty = True

    def count(self, end: End) -> None:
        """Count the end of a scan."""
        self.ends[end] += 1
        self._dirty = True
        if end not in {"delivered", "quarantined"}:
            return
        now = time.monotonic()
        self._recent.append(now)
        self._forget_old(now)
        minute = int(now // 60)
        if self._minutes and self._minutes[-1][0] == minute:
            self._minutes[-1] = (minute, self._minutes[-1][1] + 1)
        else:
            self._minutes.append((minute, 1))

    def failed(self, path: str, code: str, reason: str) -> None:
        """Remember a quarantined scan."""
        self._failures.append(status.Failure(_shown(path), code, reason, status.iso(time.time())))

    def doubtful(self, path: str, confidence: float | None) -> None:
        """Remember a scan whose text is to be reviewed."""
        self._to_review += 1
        rounded = None if confidence is None else round(confidence, 1)
        self._reviews.append(status.Doubtful(_shown(path), rounded, status.iso(time.time())))

    def next_wake(self) -> float:
        """Return when the status is to be written next (monotonic seconds)."""
        return self._written + (_SHORTEST_INTERVAL if self._dirty else self._heartbeat)

    def write(
        self,
        now: float,
        *,
        state: str,
        watch: str,
        waiting: int,
        more: bool,
        oldest: float | None,
        in_work: list[str],
        pauses: Pauses,
        at_once: bool = False,
    ) -> None:
        """Write the status if it is due, or ``at_once``."""
        if state != self._state:
            self._state, self._since, self._dirty = state, time.time(), True
        if not at_once and now < self.next_wake():
            return
        self._written, self._dirty = now, False
        self._forget_old(now)
        this_hour = int(now // 60) - _HOUR_MINUTES
        status.write(
            self._settings.state,
            status.Status(
                state=state,
                since=status.iso(self._since),
                written=status.iso(time.time()),
                pid=os.getpid(),
                version=ocrwatch.__version__,
                inbox=_shown(self._settings.inbox),
                outbox=_shown(self._settings.outbox),
                quarantine=_shown(self._settings.quarantine),
                watch=watch,
                workers=self._workers,
                engine="" if self.engine is None else f"{self.engine.name} {self.engine.version}",
                started=status.iso(self._started),
                waiting=waiting,
                more=more,
                oldest_waiting_s=None if oldest is None else round(now - oldest, 1),
                in_work=[_shown(path) for path in in_work],
                delivered=self.ends["delivered"],
                quarantined=self.ends["quarantined"],
                scans_last_minute=len(self._recent),
                scans_last_hour=sum(count for minute, count in self._minutes if minute > this_hour),
                paused=[
                    status.PauseStatus(cause, pause.message, pause.remedy, status.iso(pause.since))
                    for cause, pause in pauses.active.items()
                ],
                failures=list(self._failures),
                cached=self.cached,
                to_review=self._to_review,
                reviews=list(self._reviews),
            ),
        )

    def _forget_old(self, now: float) -> None:
        while self._recent and now - self._recent[0] > 60:  # noqa: PLR2004 - a minute
            self._recent.popleft()


def _shown(path: str | Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
