"""Remedy for a user who may not read ocrwatch's files: join the group that may."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from ocrwatch.errors import ASK_ITS_USER

_FIRST_PERSON = 1000
"""Users with lower numbers are programs (Debian Policy 9.2.2), with which no person logs in."""
_READ_FILE = stat.S_IRGRP
_READ_FOLDER = stat.S_IRGRP | stat.S_IXGRP


def remedy_for_reader(path: Path, otherwise: str = ASK_ITS_USER) -> str:
    """Return how the user of this process can get to read ``path``; ``otherwise`` if no group would help."""
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
    """Return the group of the file or folder that keeps this process out; raises ``OSError`` or ``KeyError``."""
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
