"""Puts an original away, if it is still the file that was read; never over another file, never half."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ocrwatch.deliver.plan import Plan, first_free
from ocrwatch.files import (
    TEMPORARY_PREFIX,
    copy_durable,
    folder,
    has_content,
    is_unchanged,
    open_regular,
    remove,
    rename_noreplace,
    split,
    status_of,
    sync,
)


def move_away(plan: Plan, inbox: Path, target: Path, token: str) -> str | None:
    """Move the original below ``target``; return its name there, or None if it was not ours to move any more.

    Across file systems it is copied, verified and only then removed. Called again after being interrupted
    anywhere, it ends in the same state. Raises ``OSError`` where a folder refuses.
    """
    parent, name = split(plan.path)
    with folder(target, plan.folder, create=True) as destination:
        try:
            with folder(inbox, parent) as source:
                final = _move(plan, source, name, destination, token)
                sync(destination)
                sync(source)
        except FileNotFoundError:
            if not inbox.is_dir():
                raise
            final = _earlier_result(plan, destination)
    return final


def delete(plan: Plan, inbox: Path, token: str) -> bool:
    """Remove the original from the inbox if it is still the file that was read; say whether it was."""
    parent, name = split(plan.path)
    try:
        with folder(inbox, parent) as source:
            ours = is_unchanged(source, name, plan.facts, plan.sha256)
            if ours:
                _set_aside(source, name, plan, token)
            _remove_aside(source, plan, token)
            sync(source)
            return ours
    except FileNotFoundError:
        if not inbox.is_dir():
            raise
        return False


def _move(plan: Plan, source: int, name: str, destination: int, token: str) -> str | None:
    _remove_aside(source, plan, token)
    if not is_unchanged(source, name, plan.facts, plan.sha256):
        _give_back_stranger(plan, source, name, destination)
        return _earlier_result(plan, destination)
    try:
        return _rename(plan, source, name, destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    final = _copy(plan, source, name, destination, token)
    if final is not None:
        # The copy must be durable before its only other instance goes.
        sync(destination)
        _set_aside(source, name, plan, token)
        _remove_aside(source, plan, token)
    return final


def _rename(plan: Plan, source: int, name: str, destination: int) -> str | None:
    final = _free_name(destination, plan.original)
    rename_noreplace(source, name, destination, final)
    # Somebody may have put another file in its place since the look; then that one was moved, and goes back.
    if is_unchanged(destination, final, plan.facts, plan.sha256):
        return final
    _give_back(destination, final, source, name)
    return None


def _copy(plan: Plan, source: int, name: str, destination: int, token: str) -> str | None:
    """Copy the original and return the copy's name, or None if what was copied is not what was read."""
    temporary = f"{TEMPORARY_PREFIX}{token}-{plan.facts.inode}.copy.tmp"
    remove(destination, temporary)
    descriptor = open_regular(source, name)
    try:
        sha256 = copy_durable(descriptor, destination, temporary)
    finally:
        os.close(descriptor)
    if plan.sha256 not in {None, sha256}:
        remove(destination, temporary)
        return None
    if has_content(destination, plan.original, plan.facts.size, sha256):
        # An earlier call was killed between its copy and the removal.
        remove(destination, temporary)
        return plan.original
    final = _free_name(destination, plan.original)
    rename_noreplace(destination, temporary, destination, final)
    return final


def _earlier_result(plan: Plan, destination: int) -> str | None:
    return plan.original if _is_ours(plan, destination) else None


def _is_ours(plan: Plan, destination: int) -> bool:
    """Tell whether an earlier call has put the original under its planned name."""
    status = status_of(destination, plan.original)
    if status is None or status.st_size != plan.facts.size:
        return False
    if plan.sha256 is None:
        return status.st_mtime_ns == plan.facts.mtime_ns
    return has_content(destination, plan.original, plan.facts.size, plan.sha256)


def _give_back_stranger(plan: Plan, source: int, name: str, destination: int) -> None:
    """Give back a file that an earlier call moved by mistake, killed before it could see the mistake."""
    if status_of(destination, plan.original) is not None and not _is_ours(plan, destination):
        _give_back(destination, plan.original, source, name)


def _set_aside(source: int, name: str, plan: Plan, token: str) -> None:
    """Give the original a hidden name of its own, so that what is looked at last is also what is removed."""
    rename_noreplace(source, name, source, _aside(plan, token))


def _remove_aside(source: int, plan: Plan, token: str) -> None:
    aside = _aside(plan, token)
    if status_of(source, aside) is None:
        return
    if is_unchanged(source, aside, plan.facts, plan.sha256):
        remove(source, aside)
    else:
        _give_back(source, aside, source, split(plan.path)[1])


def _aside(plan: Plan, token: str) -> str:
    return f"{TEMPORARY_PREFIX}{token}-{plan.facts.inode}.read.tmp"


def _free_name(directory: int, wanted: str) -> str:
    stem, suffix = os.path.splitext(wanted)
    return first_free(stem, stem, lambda s: status_of(directory, s + suffix) is not None) + suffix


def _give_back(holder: int, held: str, source: int, name: str) -> None:
    rename_noreplace(holder, held, source, _free_name(source, name))
    sync(source)
