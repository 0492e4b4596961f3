"""What the file system says of one file."""

from __future__ import annotations

from dataclasses import dataclass


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
