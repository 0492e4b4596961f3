"""One scan on its way through ocrwatch: what the file system says of it, and how it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
