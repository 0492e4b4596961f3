"""Finds the group that a user must join to read ocrwatch's files."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from ocrwatch.errors import ASK_ITS_USER

_FIRST_PERSON = 1000
"""Lower user ids are those of system users (Debian Policy 9.2.2), which do not log in."""
_READ_FILE = stat.S_IRGRP
_READ_FOLDER = stat.S_IRGRP | stat.S_IXGRP


def remedy_for_reader(path: Path, otherwise: str = ASK_ITS_USER) -> str:
    """Return the remedy for a user who cannot read ``path``.

    It is ``otherwise`` if no group can read it.
    """
    try:
        user, group = pwd.getpwuid(os.geteuid()), _group_that_may_read(path)
    except (OSError, KeyError):
        return otherwise
    if user.pw_uid < _FIRST_PERSON or group.gr_gid in {0, os.getegid(), *os.getgroups()}:
        return otherwise
    if user.pw_name in group.gr_mem:
        return f"log out and in again: {user.pw_name} became a member of the group {group.gr_name} after this login"
    return f"run: sudo usermod -aG {group.gr_name} {user.pw_name}, and log out and in again"


def _group_that_may_read(path: Path) -> grp.struct_group:
    """Return the group of the file or folder that this process cannot read.

    Raises ``OSError`` or ``KeyError``.
    """
    for place in (path, *path.absolute().parents):
        try:
            info = place.stat()
        except PermissionError:
            # Its folder is closed.
            continue
        wanted = _READ_FOLDER if stat.S_ISDIR(info.st_mode) else _READ_FILE
        if info.st_mode & wanted != wanted:
            break
        return grp.getgrgid(info.st_gid)
    raise PermissionError(path)
