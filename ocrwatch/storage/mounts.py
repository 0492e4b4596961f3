"""Identifies the file system of a folder: how to watch it, and whether it is still the same."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ocrwatch.errors import EnvironmentFault, environment_fault

EVENTFUL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs"})
"""File systems on which inotify reports the changes of every writer, also a local Samba server.

Everything else is polled: on network and FUSE mounts the kernel sees only this machine's own writes, and on an
unknown file system a late text is better than none.
"""

_NOT_POSIX = frozenset({"fuse", "fuseblk", "vfat", "msdos", "exfat", "vboxsf"})
"""File systems that may number a file anew, without hard links or owners.

FUSE: the server chooses inode numbers, and rclone gives a renamed file another. FAT has none, so the kernel makes them
up for as long as a file is in its cache (``iunique``).
"""

_NUMBERED = frozenset({"ext2", "ext3", "ext4", "btrfs", "bcachefs", "zfs", "tmpfs"})
"""File systems with a number of their own, made from their UUID (``f_fsid``, statvfs(3)).

Others make it from the device number, or have none.
"""

_LIST_SECONDS = 1.0
"""Seconds for which the list of mounts is cached."""

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_HIDDEN = frozenset({errno.EACCES})
_OCTAL = re.compile(r"\\([0-7]{3})")


def nearest_existing(folder: Path) -> Path:
    """Return the nearest existing folder that this user may see: missing ones are made there at the start."""
    while folder != folder.parent and _refusal(folder) in _MISSING | _HIDDEN:
        folder = folder.parent
    return folder


def is_missing(folder: Path) -> bool:
    """Return whether nothing is there.

    A path that cannot be checked, as on a dead share, exists.
    """
    return _refusal(folder) in _MISSING


def _refusal(folder: Path) -> int | None:
    """Return the error number if the system refuses to check a folder, else None."""
    try:
        folder.stat()
    except OSError as error:
        return error.errno
    return None


def mount_of(folder: Path) -> tuple[str, str]:
    """Return type and source of the mount that ``folder`` is on, such as ``("nfs4", "nas:/scans")``.

    Read from /proc (proc(5), ``fdinfo`` and ``mountinfo``); ``("unknown", "")`` if that says nothing.
    """
    try:
        mount, _ = _mount_and_path(folder)
    except _UNTOLD:
        return "unknown", ""
    return mount.kind, mount.source


@dataclass(frozen=True, slots=True)
class Location:
    """Location of a folder: which file system, and where in it."""

    kind: str
    """The file system's type, such as ``ext4``."""
    source: str
    """Mounted device or share, such as ``/dev/sda1`` or ``nas:/scans``."""
    inner: str
    """The folder's path within that file system. Bind mounts do not change it."""
    point: Path
    """Top of the file system: the highest parent folder on it, and in the same place of it.

    A folder bind-mounted on itself, as systemd does for ``ReadWritePaths=``, is not a top. So this is the same inside
    and outside of such a sandbox.
    """

    @property
    def identity(self) -> tuple[str, str, str]:
        """Identity that is the same for the same folder seen through other mounts."""
        return self.kind, self.source, self.inner


def location_of(folder: Path) -> Location | None:
    """Return the location of a folder; None if /proc does not say."""
    try:
        mount, path = _mount_and_path(folder)
        inner = mount.inner(path)
        lowest = mount
        while lowest.point != Path("/"):
            above, parent = _mount_and_path(lowest.point.parent)
            if above.device != lowest.device or above.inner(parent / lowest.point.name) != lowest.root:
                break
            lowest = above
    except _UNTOLD:
        return None
    return Location(mount.kind, mount.source, str(inner), lowest.point)


def lasting_identity(folder: Path) -> tuple[str, ...]:
    """Return what identifies the file system of a folder, also when it is mounted again with another device number.

    Together with its inode number it identifies the folder. Empty if /proc does not say. Raises ``OSError`` if the
    folder refuses.
    """
    number = os.statvfs(folder).f_fsid
    location = location_of(folder)
    if location is None:
        return ()
    return (location.kind, f"{number:x}") if number and location.kind in _NUMBERED else location.identity


_UNTOLD = (OSError, LookupError, StopIteration, ValueError)
"""Errors if /proc is missing or has unexpected contents."""


@dataclass(frozen=True, slots=True)
class _Mount:
    """A line of /proc/self/mountinfo (proc(5))."""

    id: str
    device: str
    """Major and minor number of the file system: one for all its mounts."""
    root: Path
    """Which folder of the file system is mounted."""
    point: Path
    kind: str
    source: str
    options: frozenset[str]
    """Options of the file system, not of this mount."""

    @classmethod
    def of(cls, line: str) -> _Mount:
        before, _, after = line.partition(" - ")
        number, _, device, root, point, *_ = before.split(" ")
        kind, source, *options = after.split(" ")
        shared = frozenset(options[0].split(",")) if options else frozenset[str]()
        return cls(number, device, Path(_plain(root)), Path(_plain(point)), kind, _plain(source), shared)

    @property
    def is_posix(self) -> bool:
        """Whether its files have stable inode numbers, hard links and owners."""
        if self.kind in {"cifs", "smb3"}:
            # Else the kernel makes up inode numbers (mount.cifs(8)).
            return "serverino" in self.options
        return self.kind.partition(".")[0] not in _NOT_POSIX

    def inner(self, path: Path) -> Path:
        """Return a path below the mount point relative to the file system.

        Raises ``ValueError`` for others.
        """
        return self.root / path.relative_to(self.point)


def _plain(field: str) -> str:
    """Decode the octal escapes of blanks and other characters in mountinfo."""
    return _OCTAL.sub(lambda escape: chr(int(escape[1], 8)), field)


def _mounts() -> Iterator[_Mount]:
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        yield _Mount.of(line)


def _mount_and_path(folder: Path) -> tuple[_Mount, Path]:
    """Return the mount that a folder is on, and the folder's path without links."""
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        info = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
    finally:
        os.close(descriptor)
    wanted = next(line.split()[1] for line in info.splitlines() if line.startswith("mnt_id:"))
    return next(mount for mount in _mounts() if mount.id == wanted), path


class _Devices:
    """Caches for each device whether its file system is a POSIX one; usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, bool] = {}
        self._listed_at = float("-inf")

    def is_posix(self, device: int) -> bool:
        with self._lock:
            now = time.monotonic()
            if device not in self._known or now - self._listed_at > _LIST_SECONDS:
                self._known, self._listed_at = dict(self._listed()), now
                # A Btrfs subvolume has its own number, which the list lacks.
                self._known.setdefault(device, True)
            return self._known[device]

    @staticmethod
    def _listed() -> Iterator[tuple[int, bool]]:
        try:
            for mount in _mounts():
                major, minor = mount.device.split(":")
                yield os.makedev(int(major), int(minor)), mount.is_posix
        except _UNTOLD:
            return


_devices = _Devices()


def is_posix(device: int) -> bool:
    """Return whether files on a device (``st_dev``) have stable inode numbers, hard links and owners.

    True if that is not known.
    """
    return _devices.is_posix(device)


def watch_mode(kind: str) -> Literal["inotify", "poll"]:
    """Return how to watch a file system of this type."""
    return "inotify" if kind in EVENTFUL else "poll"


class MountGuard:
    """Detects that a share or disk was unmounted: its mount point is a folder too, and would be written to."""

    def __init__(self, folder: Path, what: str) -> None:
        """Locate ``folder``, which messages call ``what``.

        Raises :class:`EnvironmentFault` if it refuses.
        """
        self._folder = folder
        self._what = what
        try:
            self._device = folder.stat().st_dev
        except OSError as error:
            raise environment_fault(error, f"cannot use the {what} {folder}") from error
        self._mount = mount_of(folder)

    def check(self) -> None:
        """Raise :class:`EnvironmentFault` if the folder is no longer on the file system of the start.

        A share that was mounted again may have another device number, but has the same type and source. Raises
        ``OSError`` if the folder is gone or refuses.
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
