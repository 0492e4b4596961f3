"""Checks whether this process may move a scan out of its folder.

A rename needs write permission on the folder, ownership if the folder is sticky (rename(2), inode(7)), and neither the
folder nor the file marked immutable or append-only (ioctl_iflags(2), statx(2)). Checked before a scan is read: if its
original must stay, its text would be delivered again.
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from ocrwatch.errors import Blocked
from ocrwatch.storage.files import folder, split

_AT_EMPTY_PATH = 0x1000
_AT_SYMLINK_NOFOLLOW = 0x100
_BASIC_STATS = 0x7FF
_IMMUTABLE = 0x10  # STATX_ATTR_IMMUTABLE
_APPEND_ONLY = 0x20  # STATX_ATTR_APPEND
_CAP_FOWNER = 3  # linux/capability.h
_libc = ctypes.CDLL(None, use_errno=True)


class _Statx(ctypes.Structure):
    """The beginning of ``struct statx`` (statx(2)); the kernel fills 256 bytes."""

    _fields_ = (
        ("mask", ctypes.c_uint32),
        ("block_size", ctypes.c_uint32),
        ("attributes", ctypes.c_uint64),
        ("links", ctypes.c_uint32),
        ("uid", ctypes.c_uint32),
        ("gid", ctypes.c_uint32),
        ("mode", ctypes.c_uint16),
        ("_rest", ctypes.c_uint8 * 226),
    )


@dataclass(frozen=True, slots=True)
class _Owned:
    """Attributes that decide who may move a file, or move files out of a folder."""

    uid: int
    gid: int
    mode: int
    attributes: int


def check_movable(inbox: Path, path: str) -> None:
    """Raise :class:`Blocked` if only this scan or its subfolder cannot be moved.

    ``path`` is relative to the inbox. The next step finds an inbox that refuses as a whole, and a scan that is gone.
    Raises ``OSError`` if the scan or its folder cannot be checked.
    """
    parent, name = split(path)
    with folder(inbox, parent) as directory:
        place = _status(directory, "")
        file = _status(directory, name)
        if file.attributes & (_IMMUTABLE | _APPEND_ONLY):
            raise Blocked(*_marked(inbox / path, "it", file))
        if parent:
            if place.attributes & (_IMMUTABLE | _APPEND_ONLY):
                raise Blocked(*_marked(inbox / parent, f"its folder {inbox / parent}", place))
            if os.fstatvfs(directory).f_flag & os.ST_RDONLY:
                raise Blocked(f"its folder {inbox / parent} is on a read-only file system", "remount it writable")
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=directory, effective_ids=True):
                message = f"the user {_user(os.geteuid())} may not move scans out of its folder {inbox / parent}"
                raise Blocked(message, _let_in(inbox, inbox / parent, place))
        if place.mode & stat.S_ISVTX and os.geteuid() not in {file.uid, place.uid} and not _may_move_any():
            message = f"it belongs to {_user(file.uid)}, and its folder lets only the owner move a file (sticky bit)"
            raise Blocked(message, f"make the folder an ordinary one: sudo chmod -t {_quoted(inbox / parent)}")


def _status(directory: int, name: str) -> _Owned:
    """Return the status of ``name`` in an open folder; without a name, of the folder."""
    buffer = _Statx()
    flags = _AT_SYMLINK_NOFOLLOW | (0 if name else _AT_EMPTY_PATH)
    if _libc.statx(directory, os.fsencode(name), flags, _BASIC_STATS, ctypes.byref(buffer)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return _Owned(buffer.uid, buffer.gid, buffer.mode, buffer.attributes)


def _marked(place: Path, subject: str, status: _Owned) -> tuple[str, str]:
    letter, word = ("i", "immutable") if status.attributes & _IMMUTABLE else ("a", "append-only")
    return f"{subject} is marked {word}, so that it cannot be moved", f"sudo chattr -{letter} {_quoted(place)}"


def _let_in(inbox: Path, place: Path, status: _Owned) -> str:
    """Return the command that lets this process move scans out of a folder."""
    mine = {os.getegid(), *os.getgroups()}
    if status.uid == os.geteuid():
        return f"chmod -R u+rwX {_quoted(place)}"
    if status.gid in mine:
        return f"chmod -R g+rwX {_quoted(place)}"
    of_inbox = inbox.stat().st_gid
    group = _group(of_inbox if of_inbox in mine else os.getegid())
    return f"sudo chgrp -R {group} {_quoted(place)} && sudo chmod -R g+rwX {_quoted(place)}"


def _may_move_any() -> bool:
    """Return whether this thread has CAP_FOWNER (capabilities(7)).

    It overrides the sticky bit.
    """
    lines = Path("/proc/thread-self/status").read_bytes().splitlines()
    effective = next((line.split()[1] for line in lines if line.startswith(b"CapEff:")), b"0")
    return bool(int(effective, 16) >> _CAP_FOWNER & 1)


def _quoted(place: Path) -> str:
    return shlex.quote(str(place))


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
