"""The file system under a folder: how it may be watched, and whether it is still the same."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Literal

from ocrwatch.errors import EnvironmentFault, environment_fault

EVENTFUL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs"})
"""File systems on which inotify reports what every writer does, also a local Samba server.

Everything else is polled: on network and FUSE mounts the kernel sees only this machine's own writes, and on an
unknown file system a late text is better than none.
"""

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_HIDDEN = frozenset({errno.EACCES})
_OCTAL = re.compile(r"\\([0-7]{3})")


def nearest_existing(folder: Path) -> Path:
    """Return the nearest folder that this user may see: what is missing is made there at the start."""
    while folder != folder.parent and _refusal(folder) in _MISSING | _HIDDEN:
        folder = folder.parent
    return folder


def is_missing(folder: Path) -> bool:
    """Tell whether nothing is there; what refuses to be looked at, as a dead share does, is there."""
    return _refusal(folder) in _MISSING


def _refusal(folder: Path) -> int | None:
    """Return the error number with which the system refuses a look at a folder, None where it does not."""
    try:
        folder.stat()
    except OSError as error:
        return error.errno
    return None


def mount_of(folder: Path) -> tuple[str, str]:
    """Return type and source of the mount that ``folder`` is on, such as ``("nfs4", "nas:/scans")``.

    Read from /proc (proc(5), ``fdinfo`` and ``mountinfo``); ``("unknown", "")`` where that tells nothing.
    """
    try:
        _, after = _mount_line(folder)
        kind, source, *_ = after
    except (OSError, LookupError, StopIteration, ValueError):
        return "unknown", ""
    return kind, source


def mount_point_of(folder: Path) -> Path | None:
    """Return where the file system that ``folder`` is on is mounted; None where /proc does not tell."""
    try:
        before, _ = _mount_line(folder)
        # Blanks and their like are octal escapes there.
        return Path(_OCTAL.sub(lambda escape: chr(int(escape[1], 8)), before[4]))
    except (OSError, LookupError, StopIteration, ValueError):
        return None


def _mount_line(folder: Path) -> tuple[list[str], list[str]]:
    """Return the fields of a folder's mount in /proc/self/mountinfo, before and after the separator."""
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        info = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    finally:
        os.close(descriptor)
    wanted = next(line.split()[1] for line in info.splitlines() if line.startswith("mnt_id:"))
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[0] == wanted:
            return before.split(), after.split()
    raise LookupError(wanted)


def watch_mode(kind: str) -> Literal["inotify", "poll"]:
    """Return how to watch a file system of this type."""
    return "inotify" if kind in EVENTFUL else "poll"


class Anchor:
    """Notices that a share or disk is unmounted: its mount point is a folder too, and would be written to."""

    def __init__(self, folder: Path, what: str) -> None:
        """Look where ``folder``, which messages call ``what``, is; raises :class:`EnvironmentFault` if it refuses."""
        self._folder = folder
        self._what = what
        try:
            self._device = folder.stat().st_dev
        except OSError as error:
            raise environment_fault(error, f"cannot use the {what} {folder}") from error
        self._mount = mount_of(folder)

    def check(self) -> None:
        """Raise :class:`EnvironmentFault` where the folder is not on the file system that it was on at the start.

        A share that was mounted again may have another device number, but has the same type and source. Raises
        ``OSError`` where the folder is gone or refuses.
        """
        device = self._folder.stat().st_dev
        if device == self._device:
            return
        mount = mount_of(self._folder)
        if mount != self._mount:
            before = self._mount
            raise EnvironmentFault(
                f"the {self._what} {self._folder} is on {mount[0]} {mount[1]}, and was on {before[0]} {before[1]}",
                "see that it is mounted; if it was moved on purpose, restart ocrwatch",
            )
        self._device = device
