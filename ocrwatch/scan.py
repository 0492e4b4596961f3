"""One scan on its way through ocrwatch: its state, what the file system says of it, and how it arrived."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Literal


class ScanState(enum.StrEnum):
    """Where a scan is: one vocabulary for ledger, pipeline, log, metrics and status."""

    QUEUED = "queued"
    """Complete, and waits for its turn."""
    LOADING = "loading"
    """Its bytes are read, and looked up in the ledger and the cache."""
    READING = "reading"
    """With the executor."""
    RETRYING = "retrying"
    """An attempt failed; another is made later."""
    BLOCKED = "blocked"
    """The environment refuses this scan while it serves others; it is tried again later."""
    DELIVERING = "delivering"
    """Its result becomes files."""
    PLANNED = "planned"
    """In the ledger: where everything goes is noted, and a restart carries it out."""
    PUBLISHED = "published"
    """In the ledger: its sidecars are durable under their final names."""
    DELIVERED = "delivered"
    QUARANTINED = "quarantined"
    CHANGED = "changed"
    """The file changed or went while it was handled; what is there now is another scan."""
    DUPLICATE = "duplicate"
    """Its text was delivered before."""
    CANCELLED = "cancelled"
    """ocrwatch was stopped before it was read; the next start takes it up."""
    INCOMPLETE = "incomplete"
    """It was found damaged a short time after its last change, and goes back to intake: its writer may be at work."""


CLOSED: Final = (
    ScanState.DELIVERED,
    ScanState.QUARANTINED,
    ScanState.CHANGED,
    ScanState.DUPLICATE,
    ScanState.CANCELLED,
    ScanState.INCOMPLETE,
)
"""The states in which a scan leaves the pipeline."""

Settled = Literal["closed", "moved", "found"]
"""How an arrival was noticed: closed after writing, moved in, or found by a look at the folder."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the file system says of one file: enough to know later whether it is still the same."""

    device: int
    inode: int
    """0 on a file system whose inode numbers do not stay the same."""
    size: int
    """Bytes."""
    mtime_ns: int
    ctime_ns: int = 0
    """Last change of the file or its status, which no program can set."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A path in the inbox that may be a new scan. Duplicates are harmless."""

    path: str
    """Relative to the inbox, ``/`` between parts; bytes that are not UTF-8 as surrogate escapes (PEP 383)."""
    how: Settled = "found"
    fresh: bool = True
    """False for what was already waiting when the daemon looked for the first time: the backlog."""


@dataclass(frozen=True, slots=True)
class SettledFile:
    """A complete file, ready to be read."""

    path: str
    facts: FileFacts
    fresh: bool
    ready_at: float
    """Monotonic seconds at which the file was found complete."""
    changed_at: float = float("-inf")
    """Monotonic seconds of its last change: when that was first seen, or earlier if the file's times may be trusted."""


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one scan, as read once from the inbox."""

    jpeg: bytes
    sha256: str
    facts: FileFacts
    """As reading left the file."""
