"""Checks how new scans are detected, and tests it with a file in the inbox."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ocrwatch.checks.finding import Finding
from ocrwatch.errors import OcrwatchError, environment_fault
from ocrwatch.storage.files import TEMPORARY_PREFIX, remove, rename_noreplace, write_durable
from ocrwatch.storage.files import folder as folder_below
from ocrwatch.storage.mounts import EVENTFUL

CANARY_SECONDS = 1.0

_LIMITS = Path("/proc/sys/fs/inotify")
_FEW_INSTANCES = 8
"""Free instances below which there is a warning: another program may take the last, and each watcher needs one."""
_POLL = "set watch.mode to poll"

Listening = Callable[[str, Callable[[], None]], AbstractContextManager[object]]
"""Watches the inbox for a file of a name within the context, and calls back when it came."""


def watching(mode: str, kind: str, folders: int) -> Iterator[Finding]:
    """Report how the inbox is watched, and whether inotify has enough watches."""
    yield Finding("watch", "fine", f"the inbox is on {kind} and watched by {mode}")
    if mode != "inotify":
        return
    if kind not in EVENTFUL:
        yield Finding(
            "watch mode",
            "warning",
            f"on {kind} the kernel may report only what this machine writes: scans of others would be detected late",
            "set watch.mode to auto or poll",
        )
    yield from limits(folders)


def limits(folders: int) -> Iterator[Finding]:
    """Compare inotify's needs with the kernel's limits for a user (inotify(7))."""
    watches = _limit("max_user_watches")
    if watches is not None and folders > watches // 2:
        yield Finding(
            "watch limit",
            "warning",
            f"the inbox has {folders} folders and fs.inotify.max_user_watches is {watches}",
            f"run: sysctl fs.inotify.max_user_watches={max(watches, folders) * 4}, or {_POLL}",
        )
    instances, used = _limit("max_user_instances"), instances_in_use()
    if instances is not None and used + _FEW_INSTANCES > instances:
        yield Finding(
            "watch instances",
            "warning",
            f"this user has {used} of the {instances} inotify instances that fs.inotify.max_user_instances allows",
            f"run: sysctl fs.inotify.max_user_instances={max(instances, used) * 4}, or {_POLL}",
        )


def canary(inbox: Path, listening: Listening) -> Finding:
    """Make, rename and remove a hidden file in the inbox, and check for its events."""
    names = [f"{TEMPORARY_PREFIX}canary-{os.getpid()}{part}.tmp" for part in ("", "-renamed")]
    came = threading.Event()
    try:
        with listening(names[1], came.set), folder_below(inbox) as directory:
            try:
                write_durable(directory, names[0], b"")
                rename_noreplace(directory, names[0], directory, names[1])
                seen = came.wait(CANARY_SECONDS)
            finally:
                for name in names:
                    with contextlib.suppress(OSError):
                        remove(directory, name)
    except OcrwatchError as error:
        return Finding("canary", "warning", error.message, error.remedy)
    except OSError as error:
        fault = environment_fault(error, f"cannot test whether new files in {inbox} are detected")
        return Finding("canary", "warning", fault.message, fault.remedy)
    if seen:
        return Finding("canary", "fine", "a file that was put into the inbox was detected at once")
    message = f"a file that was put into the inbox was not detected within {CANARY_SECONDS:g} s"
    return Finding("canary", "warning", message, _POLL)


def instances_in_use() -> int:
    """Count the inotify instances of this user's readable processes (proc(5))."""
    used, user = 0, os.geteuid()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid != user:
                continue
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    used += str(descriptor.readlink()) == "anon_inode:inotify"
    return used


def _limit(name: str) -> int | None:
    try:
        return int((_LIMITS / name).read_text())
    except (OSError, ValueError):
        return None
