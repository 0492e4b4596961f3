"""Moves quarantined scans back to the inbox.

Each goes back once and replaces no other file, even if the process is killed in between.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ocrwatch.errors import environment_fault
from ocrwatch.log import printable
from ocrwatch.quarantine.reason_file import BEGUN, REASON
from ocrwatch.storage.files import (
    TEMPORARY_PREFIX,
    copy_durable,
    folder,
    folder_if_there,
    open_regular,
    remove,
    rename_over,
    renamed_at_once,
    split,
    status_of,
    sync,
)
from ocrwatch.storage.free_names import free_name, mirrored, rename_to_free

_KEY_LENGTH: Final = 16


class LeftAlone(Exception):
    """Why a file stays in the quarantine."""


def restore(quarantine: Path, inbox: Path, path: str) -> str:
    """Move a scan to its place in the inbox and remove its reason; return its path there.

    ``path`` is relative to the quarantine. Raises :class:`LeftAlone`, and :class:`EnvironmentFault` if a folder
    refuses.
    """
    parent, name = split(path)
    try:
        with folder(quarantine, parent) as source, _alone_in(source):
            status = status_of(source, name)
            if status is None or not stat.S_ISREG(status.st_mode):
                raise LeftAlone("it is gone, or no file")
            # A hash, since the name may have the maximum length.
            key = hashlib.sha256(os.fsencode(path)).hexdigest()[:_KEY_LENGTH]
            hidden = f"{TEMPORARY_PREFIX}retry-{key}.tmp"
            subfolder = mirrored((inbox,), parent)
            with folder_if_there(inbox, subfolder) as target:
                if target is not None:
                    # The copy of a killed process.
                    remove(target, hidden)
            _check(source, name)
            with folder(inbox, subfolder, create=True) as target:
                new_name = _move(source, name, target, hidden)
    except OSError as error:
        what = f"cannot move {printable(path)} from the quarantine {quarantine} to the inbox {inbox}"
        raise environment_fault(error, what) from error
    return f"{subfolder}/{new_name}" if subfolder else new_name


@contextlib.contextmanager
def _alone_in(quarantine: int) -> Iterator[None]:
    """Wait until no other process restores from an open folder of the quarantine, if the file system has locks."""
    with contextlib.suppress(OSError):
        fcntl.flock(quarantine, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(quarantine, fcntl.LOCK_UN)


def _check(quarantine: int, name: str) -> None:
    """Raise :class:`LeftAlone` for a file that is no quarantined scan, or perhaps is back already."""
    if status_of(quarantine, name + BEGUN) is not None:
        raise LeftAlone(
            f"a retry of it was interrupted: see with ocrwatch why whether it is back; if not, rename {name}{BEGUN} "
            f"to {name}{REASON} and try again"
        )
    reason = status_of(quarantine, name + REASON)
    if reason is None or not stat.S_ISREG(reason.st_mode):
        raise LeftAlone(f"there is no {name}{REASON} beside it")


def _move(source: int, name: str, inbox: int, hidden: str) -> str:
    """Move a scan to its own or another free name, never over another, and remove its reason; return the name."""
    is_near = os.fstat(source).st_dev == os.fstat(inbox).st_dev
    new_name = _moved_at_once(source, name, inbox) if is_near else None
    reason = name + REASON
    if new_name is None:
        new_name = _copy_back(source, name, inbox, hidden)
        reason = name + BEGUN
    # Only now: the reason is removed when the scan is safe. The ledger has it as well.
    remove(source, reason)
    sync(source)
    return new_name


def _moved_at_once(source: int, name: str, inbox: int) -> str | None:
    """Move a scan in one step.

    None if the file system has no such step, or the folders are on two mounts of it, as in a container.
    """
    while True:
        new_name = free_name(inbox, *os.path.splitext(name))
        try:
            if not renamed_at_once(source, name, inbox, new_name):
                return None
        except FileExistsError:
            # Another program took the name meanwhile.
            continue
        except OSError as error:
            if error.errno == errno.EXDEV:
                return None
            raise
        sync(inbox)
        sync(source)
        return new_name


def _copy_back(source: int, name: str, inbox: int, hidden: str) -> str:
    """Copy a scan, then remove it.

    Killed in between, it may be in both places, which the reason's name shows.
    """
    descriptor = open_regular(source, name)
    try:
        # Hidden until it is complete.
        copy_durable(descriptor, inbox, hidden)
    finally:
        os.close(descriptor)
    try:
        rename_over(source, name + REASON, name + BEGUN)
    except BaseException:
        remove(inbox, hidden)
        raise
    new_name = rename_to_free(inbox, hidden, inbox, *os.path.splitext(name))
    remove(source, name)
    sync(source)
    return new_name
