"""Archives, quarantines or deletes an original, if it is still the file that was read.

It never overwrites another file and never leaves a partial one. The original is first claimed: renamed to a hidden name
in its own folder. A rename takes whatever has the name at that moment, so only a check *after* it proves what is moved.
If it is another file, put in the scan's place at the last moment, its name is restored. A folder may be renamed while
it holds a claimed original: the hidden name is unique, so it can be found again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from pathlib import Path

from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.delivery.durability import SYNC_NOW, Disk
from ocrwatch.storage.files import (
    TEMPORARY_PREFIX,
    copy_durable,
    files_below,
    folder,
    folder_if_there,
    has_content,
    is_same_file,
    is_unchanged,
    open_regular,
    remove,
    rename_noreplace,
    rename_to_own,
    split,
    status_of,
    sync,
)
from ocrwatch.storage.free_names import rename_to_free

_KEY_LENGTH = 16
"""Hexadecimal digits of a path's hash, which need only distinguish the names of one file."""


def claim(plan: Plan, inbox: Path, token: str, *, parent: str | None = None) -> bool:
    """Rename the original to its hidden name, now or earlier; False if it is not the file that was read.

    From here on no other program can rename, replace or remove it by its name. ``parent`` is its present folder, if
    that has changed, as :func:`find` returns it. Raises ``OSError`` if a folder refuses.
    """
    with _parent_of(plan, inbox, parent) as source:
        return source is not None and _set_aside(plan, source, token)


def unclaim(plan: Plan, inbox: Path, token: str, *, parent: str | None = None) -> None:
    """Give a claimed original a visible name again, its own if that is free."""
    with _parent_of(plan, inbox, parent) as source:
        if source is None or status_of(source, claimed_name(plan, token)) is None:
            return
        if is_same_file(source, split(plan.path)[1], source, claimed_name(plan, token)):
            # Killed between link and unlink, on a file system without a rename that never replaces.
            remove(source, claimed_name(plan, token))
        else:
            _give_back(plan, source, token)


def move_away(
    plan: Plan,
    inbox: Path,
    target: Path,
    token: str,
    *,
    parent: str | None = None,
    taken: bool = False,
    again: bool = False,
    disk: Disk = SYNC_NOW,
) -> str | None:
    """Move the original below ``target``; return its name there, None if it is no longer the file that was read.

    Across file systems it is copied, verified and only then removed. A call after an interruption at any point ends in
    the same state. ``taken`` says that :func:`claim` has just succeeded, ``again`` that an earlier call may have been
    interrupted. Raises ``FileExistsError`` if another program took the planned name, with the original still in the
    inbox, and ``OSError`` if a folder refuses.
    """
    with (
        folder(target, plan.folder, create=True) as destination,
        _parent_of(plan, inbox, parent) as source,
    ):
        if source is None or not (taken or _set_aside(plan, source, token)):
            return plan.original if _is_there(plan, destination) else None
        moved = _move_on(plan, source, destination, token, disk, again=again)
        disk.folder(source)
        return plan.original if moved else None


def copy_away(plan: Plan, inbox: Path, target: Path, token: str, *, again: bool, disk: Disk = SYNC_NOW) -> str | None:
    """Copy the original below ``target``; return its name there, or None if it is another file now.

    The original stays. A call after an interruption at any point, which ``again`` announces, ends in the same state.
    """
    with folder(target, plan.folder, create=True) as destination, _parent_of(plan, inbox, None) as source:
        name = split(plan.path)[1]
        if source is None or not is_unchanged(source, name, plan.facts, plan.sha256):
            return plan.original if again and _is_there(plan, destination) else None
        if not _copied(plan, source, name, destination, token, again=again):
            return None
        disk.folder(destination)
        return plan.original


def delete(
    plan: Plan, inbox: Path, token: str, *, parent: str | None = None, taken: bool = False, disk: Disk = SYNC_NOW
) -> bool:
    """Remove the original from the inbox if it is still the file that was read; return whether it was."""
    with _parent_of(plan, inbox, parent) as source:
        if source is None or not (taken or _set_aside(plan, source, token)):
            return False
        remove(source, claimed_name(plan, token))
        disk.folder(source)
        return True


def find(plan: Plan, inbox: Path, token: str) -> str | None:
    """Return the folder below ``inbox`` that holds the claimed original, relative to it, or None.

    Follows no link. Raises ``OSError`` if a folder that may hold it cannot be read.
    """
    aside = claimed_name(plan, token)
    refusals: list[OSError] = []

    def refused(relative: str, error: OSError) -> None:
        # A folder that is gone or became a link has nothing in it.
        if not relative or error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            refusals.append(error)

    for relative, name in files_below(inbox, refused):
        if name == aside:
            return relative
    if refusals:
        raise refusals[0]
    return None


def _parent_of(plan: Plan, inbox: Path, parent: str | None) -> contextlib.AbstractContextManager[int | None]:
    return folder_if_there(inbox, split(plan.path)[0] if parent is None else parent)


def _set_aside(plan: Plan, source: int, token: str) -> bool:
    """Rename the original to its hidden name, now or earlier; return whether it is there."""
    name, aside = split(plan.path)[1], claimed_name(plan, token)
    just_renamed = status_of(source, aside) is None
    if just_renamed:
        if not is_unchanged(source, name, plan.facts, plan.sha256):
            return False
        try:
            rename_to_own(source, name, aside)
        except FileNotFoundError:
            return False
    elif is_same_file(source, name, source, aside):
        # Killed between link and unlink, on a file system without a rename that never replaces.
        remove(source, name)
    if is_unchanged(source, aside, plan.facts, plan.sha256, just_renamed=just_renamed):
        return True
    _give_back(plan, source, token)
    return False


def _give_back(plan: Plan, source: int, token: str) -> None:
    stem, suffix = os.path.splitext(split(plan.path)[1])
    rename_to_free(source, claimed_name(plan, token), source, stem, suffix)


def _move_on(plan: Plan, source: int, destination: int, token: str, disk: Disk, *, again: bool) -> bool:
    """Move a claimed original to its planned name; False if it changed meanwhile and was restored."""
    aside = claimed_name(plan, token)
    if is_same_file(source, aside, destination, plan.original):
        remove(source, aside)
    elif not _renamed(source, aside, destination, plan.original, again=again):
        if not _copied(plan, source, aside, destination, token, again=again):
            _give_back(plan, source, token)
            return False
        # The copy must be durable before the original goes.
        sync(destination)
        remove(source, aside)
    disk.folder(destination)
    return True


def _renamed(source: int, name: str, destination: int, new_name: str, *, again: bool) -> bool:
    """Rename within a file system; return False if there are two."""
    # Checked first: without renameat2 a taken name would be reported before the crossing.
    if os.fstat(source).st_dev != os.fstat(destination).st_dev:
        return False
    try:
        rename_noreplace(source, name, destination, new_name, again=again)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _copied(plan: Plan, source: int, name: str, destination: int, token: str, *, again: bool) -> bool:
    """Copy an original to its planned name, unless an earlier call has; False if it is not what was read."""
    temporary = f"{TEMPORARY_PREFIX}{token}-{_key(plan)}.copy.tmp"
    remove(destination, temporary)
    descriptor = open_regular(source, name)
    try:
        sha256 = copy_durable(descriptor, destination, temporary)
    finally:
        os.close(descriptor)
    if plan.sha256 not in {None, sha256} or has_content(destination, plan.original, plan.facts.size, sha256):
        remove(destination, temporary)
        return plan.sha256 in {None, sha256}
    rename_noreplace(destination, temporary, destination, plan.original, again=again)
    return True


def _is_there(plan: Plan, destination: int) -> bool:
    """Return whether an earlier call has put the original under its planned name."""
    status = status_of(destination, plan.original)
    if status is None or status.st_size != plan.facts.size:
        return False
    if plan.sha256 is None:
        return status.st_mtime_ns == plan.facts.mtime_ns
    return has_content(destination, plan.original, plan.facts.size, plan.sha256)


def claimed_name(plan: Plan, token: str) -> str:
    """Return the hidden name of a claimed original, in its own folder."""
    return f"{TEMPORARY_PREFIX}{token}-{_key(plan)}.read.tmp"


def _key(plan: Plan) -> str:
    """Return a key unique among the originals in delivery, hard links to them included."""
    what = os.fsencode(plan.path)
    if not plan.facts.inode:
        # Another scan may arrive under this name before the first is archived.
        what += f"/{plan.sha256}/{plan.facts.size}/{plan.facts.mtime_ns}".encode()
    return f"{plan.facts.inode}-{hashlib.sha256(what).hexdigest()[:_KEY_LENGTH]}"
