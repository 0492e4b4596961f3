"""The file that ``ocrwatch read --explain`` writes."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from ocrwatch.errors import EnvironmentFault, UsageError, environment_fault
from ocrwatch.storage.files import TEMPORARY_PREFIX, folder, remove, rename_over, write_durable

_ENDING: Final = ".png"
_WRITABLE: Final = "name a picture in a folder in which you may write"


def check_target(picture: Path, scan: Path) -> None:
    """Check that a picture of ``scan`` can be written, before time is spent on reading.

    An earlier picture is replaced, and never the scan itself, a link, a device or the like. Raises
    :class:`UsageError` and :class:`EnvironmentFault`.
    """
    if picture.suffix.lower() != _ENDING:
        # Also a slip of the hand: a scan in the place of the picture, which would be lost.
        raise UsageError(f"the picture {picture} does not end in {_ENDING}", f"name a file such as page{_ENDING}")
    parent = picture.parent
    try:
        if not parent.is_dir():
            raise UsageError(f"there is no folder {parent}", "make it, or name a picture in another folder")
        there = picture.lstat() if os.path.lexists(picture) else None
        if there is not None and not stat.S_ISREG(there.st_mode):
            raise UsageError(f"{picture} is there, and is not a regular file", "remove it, or name another picture")
        if there is not None and scan.exists() and picture.samefile(scan):
            raise UsageError(f"the picture {picture} would replace the scan", "name another picture")
    except OSError as error:
        raise environment_fault(error, f"cannot look at {picture}", closed=_WRITABLE) from error
    if not os.access(parent, os.W_OK | os.X_OK):
        raise EnvironmentFault(f"cannot write to the folder {parent}", _WRITABLE)


def write_picture(picture: Path, content: bytes) -> None:
    """Write a picture in one step: what is there before it is whole is the earlier one.

    Raises :class:`EnvironmentFault` if the folder refuses.
    """
    temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}.tmp"
    try:
        with folder(picture.parent) as directory:
            write_durable(directory, temporary, content)
            try:
                rename_over(directory, temporary, picture.name)
            finally:
                remove(directory, temporary)
    except OSError as error:
        raise environment_fault(error, f"cannot write the picture {picture}", closed=_WRITABLE) from error
