"""What the stages have in hand at one moment, for the status."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocrwatch.intake.rescan import Ignored
from ocrwatch.observe.status import (
    BeingRead,
    BlockedGroup,
    Incomplete,
    NotReadFile,
    Resting,
    blocked_groups,
    isoformat,
)
from ocrwatch.scan import ScanState
from ocrwatch.storage.files import display_path

if TYPE_CHECKING:
    from ocrwatch.daemon.assembly import Assembly

MOST_SHOWN = 100
"""Scans of each kind that the status names: it is written every second."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What is in hand; paths and times as the status has them."""

    oldest: str | None = None
    oldest_since: str | None = None
    workers_ready: int = 0
    being_read: list[BeingRead] = field(default_factory=list)
    queue: list[str] = field(default_factory=list)
    queued: int = 0
    delivering: list[str] = field(default_factory=list)
    incomplete: list[Incomplete] = field(default_factory=list)
    resting: list[Resting] = field(default_factory=list)
    blocked: list[BlockedGroup] = field(default_factory=list)
    not_read: int = 0
    not_read_files: list[NotReadFile] = field(default_factory=list)


class Calendar:
    """Turns the stages' monotonic times into those that people know, always the same one into the same."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def at(self, moment: float) -> str:
        """Return a monotonic time as the status has it; whatever is older than a clock that was set moves with it."""
        offset = time.time() - time.monotonic()
        if abs(offset - self._offset) > 1.0:
            self._offset = offset
        return isoformat(moment + self._offset)


def not_read_files(ignored: Iterable[Ignored]) -> list[NotReadFile]:
    """Return files that are not read as the status has them."""
    return [NotReadFile(display_path(item.path), item.reason, item.remedy) for item in ignored]


def activity_of(assembly: Assembly, calendar: Calendar) -> Activity:
    """Look at all stages."""
    watcher, scans = assembly.watcher, assembly.scans
    at = calendar.at
    oldest = watcher.oldest
    delivering = (*assembly.pipeline.resuming, *(scan.path for scan in scans.of(ScanState.DELIVERING)))
    waits = [
        Resting(display_path(scan.path), scan.attempt, scan.code, scan.reason, at(scan.until), scan.remedy)
        for scan in sorted(scans.of(ScanState.RETRYING, ScanState.BLOCKED), key=lambda scan: scan.until)
    ]
    # What is blocked for long must not hide what is tried again in a moment.
    waits.sort(key=lambda one: one.is_blocked)
    return Activity(
        oldest=None if watcher.oldest_path is None else display_path(watcher.oldest_path),
        oldest_since=None if oldest is None else at(oldest),
        workers_ready=assembly.executor.ready,
        being_read=[
            BeingRead(display_path(scan.path), scan.worker, scan.attempt, at(scan.begun_at))
            for scan in sorted(scans.of(ScanState.READING), key=lambda scan: scan.begun_at)
            if scan.worker
        ],
        queue=[display_path(path) for path in itertools.islice(assembly.queue(), MOST_SHOWN)],
        queued=assembly.queued,
        delivering=[display_path(path) for path in itertools.islice(delivering, MOST_SHOWN)],
        incomplete=[
            Incomplete(
                display_path(one.path),
                one.reason,
                at(one.changed_at),
                one.detail,
                None if one.until is None else at(one.until),
            )
            for one in itertools.islice(watcher.incomplete(), MOST_SHOWN)
        ],
        resting=waits[:MOST_SHOWN],
        blocked=blocked_groups(waits)[:MOST_SHOWN],
        not_read=watcher.ignored.count,
        not_read_files=not_read_files(watcher.ignored.named),
    )
