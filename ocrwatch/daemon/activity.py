"""What the stages have in hand at one moment, for the status."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocrwatch.observe.status import (
    BLOCKED,
    BeingRead,
    BlockedGroup,
    Incomplete,
    NotReadFile,
    Resting,
    blocked_groups,
    display_path,
    isoformat,
)

if TYPE_CHECKING:
    from ocrwatch.daemon.pipeline import Pipeline

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


def activity_of(pipeline: Pipeline, calendar: Calendar) -> Activity:
    """Look at all stages."""
    reception, reading = pipeline.reception, pipeline.reading
    at = calendar.at
    oldest = reception.oldest
    waits = [
        *(
            Resting(display_path(ticket.path), ticket.attempt, ticket.code, ticket.reason, at(until), ticket.remedy)
            for until, ticket in reading.resting
        ),
        *(
            Resting(display_path(path), 0, BLOCKED, error.message, at(until), error.remedy)
            for until, path, error in pipeline.delivering.resting
        ),
    ]
    # What is blocked for long must not hide what is tried again in a moment.
    waits.sort(key=lambda one: one.is_blocked)
    return Activity(
        oldest=None if reception.oldest_path is None else display_path(reception.oldest_path),
        oldest_since=None if oldest is None else at(oldest),
        workers_ready=pipeline.pool.ready,
        being_read=[
            BeingRead(display_path(ticket.path), ticket.worker, ticket.attempt, at(ticket.begun_at))
            for ticket in reading.being_read
        ],
        queue=[display_path(path) for path in itertools.islice(pipeline.queue(), MOST_SHOWN)],
        queued=pipeline.queued,
        delivering=[display_path(path) for path in itertools.islice(pipeline.delivering.paths(), MOST_SHOWN)],
        incomplete=[
            Incomplete(
                display_path(one.path),
                one.reason,
                at(one.changed_at),
                one.detail,
                None if one.until is None else at(one.until),
            )
            for one in itertools.islice(reception.incomplete(), MOST_SHOWN)
        ],
        resting=waits[:MOST_SHOWN],
        blocked=blocked_groups(waits)[:MOST_SHOWN],
        not_read=reception.not_read.count,
        not_read_files=reception.not_read.named,
    )
