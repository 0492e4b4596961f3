"""Everything that could stop ocrwatch on this machine, each finding with its remedy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ocrwatch.errors import OcrwatchError

Severity = Literal["fine", "warning", "problem"]

LITTLE_SPACE = 200_000_000
"""Bytes of free space under which a folder is worth a warning."""

_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
_ON_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "ceph", "virtiofs"})


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question."""

    subject: str
    severity: Severity
    message: str
    remedy: str = ""


def check(subject: str, fine: str, test: Callable[[], object]) -> Finding:
    """Run a test that raises an :class:`OcrwatchError` where something is wrong; ``fine`` is said where nothing is."""
    try:
        test()
    except OcrwatchError as error:
        return Finding(subject, "problem", error.message, error.remedy)
    return Finding(subject, "fine", fine)


def space(name: str, folder: Path) -> Finding:
    """Look at the free space that an ordinary user has in ``folder``."""
    try:
        free = shutil.disk_usage(nearest_existing(folder)).free
    except OSError as error:
        return Finding(f"{name} space", "problem", f"cannot look at {folder}: {error.strerror}", "check the mount")
    message = f"{free / 1e9:,.1f} GB free in {folder}"
    if free < LITTLE_SPACE:
        return Finding(f"{name} space", "warning", message, "free some space")
    return Finding(f"{name} space", "fine", message)


def same_file_system(inbox: Path, archive: Path) -> Finding:
    """Look whether originals can be moved to the archive rather than copied."""
    if nearest_existing(inbox).stat().st_dev == nearest_existing(archive).stat().st_dev:
        return Finding("moving", "fine", "inbox and archive are on one file system: originals are moved at once")
    return Finding(
        "moving",
        "warning",
        "inbox and archive are on different file systems: originals are copied, checked and then removed",
        "put the archive beside the inbox if that is too slow",
    )


def watching(mode: str, kind: str, inbox: Path) -> Iterator[Finding]:
    """Say how the inbox is watched, and whether the kernel lets as many folders be watched as there are."""
    yield Finding("watch", "fine", f"the inbox is on {kind} and watched by {mode}")
    if mode != "inotify":
        return
    try:
        limit = int(_WATCHES.read_text())
    except (OSError, ValueError):
        return
    folders = sum(1 for _ in os.walk(inbox))
    if folders > limit // 2:
        yield Finding(
            "watch limit",
            "warning",
            f"the inbox has {folders} folders and fs.inotify.max_user_watches is {limit}",
            f"sysctl fs.inotify.max_user_watches={max(limit, folders) * 4}, or set watch.mode to poll",
        )


def ledger_place(kind: str, state: Path) -> Finding:
    """Look whether the state folder is where SQLite can work safely."""
    if kind.split(".", maxsplit=1)[0] in _ON_NETWORK:
        return Finding(
            "ledger",
            "problem",
            f"the state folder {state} is on {kind}, where SQLite cannot lock",
            "set state to a local folder",
        )
    return Finding("ledger", "fine", f"the state folder is on {kind}")


def nearest_existing(folder: Path) -> Path:
    """Return the nearest folder that is there: what is missing is made there at the start."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
