"""The daemon's state as a file in the state folder, for ``ocrwatch status`` and whoever else wants to read it."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STATUS_NAME = "status.json"
STATUS_SCHEMA = "ocrwatch.status/1"


@dataclass(frozen=True, slots=True)
class PauseStatus:
    """One thing that keeps the daemon from working."""

    cause: str
    reason: str
    remedy: str
    since: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One scan that was quarantined."""

    path: str
    code: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """One scan whose text somebody should look at."""

    path: str
    confidence: float | None
    """0 to 100, None where nothing was read."""
    at: str


@dataclass(frozen=True, slots=True)
class Status:
    """What the daemon was doing when it wrote this. Times are ISO 8601, UTC."""

    state: str
    """``starting``, ``watching``, ``working``, ``paused``, ``stopping`` or ``stopped``."""
    since: str
    written: str
    pid: int
    version: str
    inbox: str
    outbox: str
    quarantine: str
    watch: str
    """``inotify`` or ``poll``."""
    workers: int
    engine: str
    started: str
    waiting: int
    """Scans that settle, are batched, or wait for a worker."""
    more: bool
    """Whether the inbox holds more than are counted in ``waiting``."""
    oldest_waiting_s: float | None
    in_work: list[str]
    delivered: int
    quarantined: int
    scans_last_minute: int
    scans_last_hour: int
    paused: list[PauseStatus] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    cached: int = 0
    """Scans since the start, of those delivered, whose text was known before."""
    to_review: int = 0
    """Pages since the start that were read with too little confidence."""
    reviews: list[Doubtful] = field(default_factory=list)
    """The last of them."""
    schema: str = STATUS_SCHEMA


def iso(seconds: float) -> str:
    """Render seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def write(folder: Path, status: Status) -> None:
    """Replace the status file atomically; a disk that refuses is reported by what matters more."""
    temporary = folder / f".{STATUS_NAME}.tmp"
    with contextlib.suppress(OSError):
        with open(temporary, "w", opener=_private) as file:
            json.dump(asdict(status), file, indent=1)
        os.replace(temporary, folder / STATUS_NAME)  # noqa: PTH105 - atomic replacement of our own file


def _private(path: str, flags: int) -> int:
    """Open for owner and group only: the status tells the names of scans."""
    return os.open(path, flags, 0o640)


def read(folder: Path) -> Status | None:
    """Return what the daemon wrote last, or None where there is nothing (readable)."""
    try:
        values: dict[str, Any] = json.loads((folder / STATUS_NAME).read_text())
        values["paused"] = [PauseStatus(**pause) for pause in values["paused"]]
        values["failures"] = [Failure(**failure) for failure in values["failures"]]
        values["reviews"] = [Doubtful(**doubtful) for doubtful in values.get("reviews", [])]
        return Status(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
