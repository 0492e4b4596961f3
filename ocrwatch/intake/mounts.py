"""Which way of watching the file system under a folder allows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

EVENTFUL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs"})
"""File systems on which inotify reports what every writer does, also a local Samba server.

Everything else is polled: on network and FUSE mounts the kernel sees only this machine's own writes, and on an
unknown file system a late text is better than none.
"""


def mount_of(folder: Path) -> tuple[str, str]:
    """Return type and source of the mount that ``folder`` is on, such as ``("nfs4", "nas:/scans")``.

    Read from /proc (proc(5), ``fdinfo`` and ``mountinfo``); ``("unknown", "")`` where that tells nothing.
    """
    try:
        descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        try:
            info = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        finally:
            os.close(descriptor)
        wanted = next(line.split()[1] for line in info.splitlines() if line.startswith("mnt_id:"))
        for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
            before, _, after = line.partition(" - ")
            if before.split()[0] == wanted:
                kind, source, *_ = after.split()
                return kind, source
    except (OSError, StopIteration, ValueError):
        pass
    return "unknown", ""


def watch_mode(kind: str) -> Literal["inotify", "poll"]:
    """Return how to watch a file system of this type."""
    return "inotify" if kind in EVENTFUL else "poll"
