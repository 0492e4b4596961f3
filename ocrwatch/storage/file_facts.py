"""Facts of one file from the file system."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Facts of one file from the file system: enough to know later whether it is still the same."""

    device: int
    inode: int
    """0 on a file system without stable inode numbers."""
    size: int
    """Bytes."""
    mtime_ns: int
    ctime_ns: int = 0
    """Last change of the file or its status, which no program can set."""
