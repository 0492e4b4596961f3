"""A snapshot of the stages' current work, for the status."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ocrwatch.observe.status import BeingRead, BlockedGroup, Incomplete, NotReadFile, Resting, isoformat
from ocrwatch.observe.status_documents import FileBeingRead

MOST_SHOWN = 100
"""Scans of each kind that the status names: it is written every second."""


@dataclass(frozen=True, slots=True)
class Activity:
    """The current work; paths and times in the form of the status."""

    oldest: str | None = None
    oldest_since: str | None = None
    workers_ready: int = 0
    being_read: list[BeingRead] = field(default_factory=list)
    files: list[FileBeingRead] = field(default_factory=list)
    queue: list[str] = field(default_factory=list)
    queued: int = 0
    delivering: list[str] = field(default_factory=list)
    incomplete: list[Incomplete] = field(default_factory=list)
    resting: list[Resting] = field(default_factory=list)
    blocked: list[BlockedGroup] = field(default_factory=list)
    in_flight: dict[str, int] = field(default_factory=dict)
    """By the name of a remote service: the requests that wait for their answer."""
    not_read: int = 0
    not_read_files: list[NotReadFile] = field(default_factory=list)
    cache_level_hits: dict[str, int] = field(default_factory=dict)
    cache_dropped: int = 0


class Calendar:
    """Converts monotonic times to wall-clock times, always with the same result."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def at(self, moment: float) -> str:
        """Return a monotonic time in the form of the status.

        Times before a change of the clock change with it.
        """
        offset = time.time() - time.monotonic()
        if abs(offset - self._offset) > 1.0:
            self._offset = offset
        return isoformat(moment + self._offset)
