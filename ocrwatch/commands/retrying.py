"""``ocrwatch retry``: quarantined scans go back into the inbox, whether the daemon runs or not."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ocrwatch.commands.work import settings_for_work
from ocrwatch.deliver.delivery import REASON_ENDING
from ocrwatch.deliver.plan import free_name, mirrored, rename_to_free
from ocrwatch.errors import EnvironmentFault, ExitCode, UsageError, environment_fault
from ocrwatch.files import (
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
from ocrwatch.log import printable
from ocrwatch.service.lock import inbox_holder
from ocrwatch.settings import Settings

_REASON = f".{REASON_ENDING}"

_KEY_LENGTH = 16

_BEGUN = ".retry.json"
"""Ends the reason's name while its scan may be in the inbox as well as in the quarantine."""


class _LeftAlone(Exception):
    """Why a file stays in the quarantine."""


def retry(files: Sequence[Path], config: Path | None, overrides: Mapping[str, object], sets: Sequence[str]) -> ExitCode:
    """Put the named scans, or all of the quarantine, back into the inbox; code 1 where one was left alone."""
    settings = settings_for_work(config, overrides, sets)
    output = Console(soft_wrap=True, highlight=False)
    # All are looked up before the first is moved: a mistyped name changes nothing.
    try:
        wanted = list(dict.fromkeys(_wanted(settings.quarantine, files)))
    except OSError as error:
        raise environment_fault(error, f"cannot read the quarantine {settings.quarantine}") from error
    left = 0
    for path in wanted:
        try:
            new_path = _put_back(settings, path)
        except _LeftAlone as why:
            left += 1
            output.print(f"Left alone: {_shown(path)} ({_shown(str(why))})")
        else:
            name = "" if new_path == path else f" as {_shown(new_path)}"
            output.print(f"Back in the inbox: {_shown(path)}{name}")
    _print_summary(output, settings, len(wanted) - left)
    return ExitCode.QUARANTINED if left else ExitCode.FINE


def _print_summary(output: Console, settings: Settings, moved: int) -> None:
    if not moved:
        output.print(f"Nothing to put back in {escape(str(settings.quarantine))}.")
        return
    scans = "1 scan is" if moved == 1 else f"{moved} scans are"
    when = "; no ocrwatch runs here now, start it to have them read" if _is_free(settings.inbox) else ""
    output.print(f"{scans} back in the inbox {escape(str(settings.inbox))}{when}.")


def _is_free(inbox: Path) -> bool:
    """Tell whether it is known that no ocrwatch works on an inbox."""
    with contextlib.suppress(EnvironmentFault):
        return inbox_holder(inbox) is None
    return False


def _wanted(quarantine: Path, files: Sequence[Path]) -> Iterator[str]:
    """Yield the paths, relative to the quarantine, of what was named; everything where nothing was."""
    if not files:
        if quarantine.is_dir():
            yield from _below(quarantine, "")
        return
    for file in files:
        relative = _relative(quarantine, file).removesuffix(_REASON).removesuffix(_BEGUN)
        parent, name = split(relative)
        try:
            with folder(quarantine, parent) as directory:
                status = status_of(directory, name) if name else os.fstat(directory)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise
            status = None
        if status is not None and stat.S_ISDIR(status.st_mode):
            yield from _below(quarantine, relative)
        elif status is not None and stat.S_ISREG(status.st_mode):
            yield relative
        else:
            raise UsageError(
                f"there is no scan {file} in the quarantine {quarantine}",
                "name files or folders in it, or none to take them all",
            )


def _relative(quarantine: Path, file: Path) -> str:
    """Return a path relative to the quarantine, from one that is absolute, or relative to it or to where one is."""
    here = file if file.is_absolute() else Path.cwd() / file
    inside = _inside(quarantine, here)
    within = _inside(quarantine, quarantine / file)
    if within is not None and (inside is None or os.path.lexists(quarantine / within)):
        inside = within
    if inside is None:
        raise UsageError(f"{file} is not in the quarantine {quarantine}", "name files or folders in the quarantine")
    return inside


def _inside(quarantine: Path, path: Path) -> str | None:
    # The name itself is not resolved: a link there is not followed.
    place = path.parent.resolve() / path.name if path.name != ".." else path.resolve()
    root = quarantine.resolve()
    if not place.is_relative_to(root):
        return None
    relative = place.relative_to(root)
    return "" if relative == Path() else relative.as_posix()


def _below(quarantine: Path, subfolder: str) -> Iterator[str]:
    """Yield all files below a folder of the quarantine, in order, without the reasons."""
    below: list[str] = []
    names: list[str] = []
    with folder(quarantine, subfolder) as directory, os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.name)
            elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(TEMPORARY_PREFIX):
                names.append(entry.name)
    prefix = f"{subfolder}/" if subfolder else ""
    yield from (prefix + name for name in sorted(names) if not name.endswith((_REASON, _BEGUN)))
    for name in sorted(below):
        yield from _below(quarantine, prefix + name)


def _put_back(settings: Settings, path: str) -> str:
    """Move a scan to its place in the inbox; return its path there. Raises :class:`_LeftAlone`."""
    parent, name = split(path)
    try:
        with folder(settings.quarantine, parent) as source, _alone_in(source):
            status = status_of(source, name)
            if status is None or not stat.S_ISREG(status.st_mode):
                raise _LeftAlone("it is gone, or no file")
            # By a hash, since the name may be as long as a name can be.
            key = hashlib.sha256(os.fsencode(path)).hexdigest()[:_KEY_LENGTH]
            hidden = f"{TEMPORARY_PREFIX}retry-{key}.tmp"
            subfolder = mirrored((settings.inbox,), parent)
            with folder_if_there(settings.inbox, subfolder) as inbox:
                if inbox is not None:
                    # The copy of one that was killed.
                    remove(inbox, hidden)
            _check(source, name)
            with folder(settings.inbox, subfolder, create=True) as inbox:
                new_name = _move(source, name, inbox, hidden)
    except OSError as error:
        what = f"cannot move {printable(path)} from the quarantine {settings.quarantine} to the inbox {settings.inbox}"
        raise environment_fault(error, what) from error
    return f"{subfolder}/{new_name}" if subfolder else new_name


@contextlib.contextmanager
def _alone_in(quarantine: int) -> Iterator[None]:
    """Wait until no other ``retry`` is at work in an open folder of the quarantine, where the file system has locks."""
    with contextlib.suppress(OSError):
        fcntl.flock(quarantine, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(quarantine, fcntl.LOCK_UN)


def _check(quarantine: int, name: str) -> None:
    """Raise :class:`_LeftAlone` for what is no quarantined scan, or perhaps is back already."""
    if status_of(quarantine, name + _BEGUN) is not None:
        raise _LeftAlone(
            f"a retry of it was interrupted: see with ocrwatch why whether it is back; if not, rename {name}{_BEGUN} "
            f"to {name}{_REASON} and try again"
        )
    reason = status_of(quarantine, name + _REASON)
    if reason is None or not stat.S_ISREG(reason.st_mode):
        raise _LeftAlone(f"there is no {name}{_REASON} beside it")


def _move(source: int, name: str, inbox: int, hidden: str) -> str:
    """Move a scan under its own or another free name, never over another, and remove its reason; return the name."""
    is_near = os.fstat(source).st_dev == os.fstat(inbox).st_dev
    new_name = _moved_at_once(source, name, inbox) if is_near else None
    reason = name + _REASON
    if new_name is None:
        new_name = _copy_back(source, name, inbox, hidden)
        reason = name + _BEGUN
    # Only now: what is known of the scan goes when the scan is safe. The ledger remembers it as well.
    remove(source, reason)
    sync(source)
    return new_name


def _moved_at_once(source: int, name: str, inbox: int) -> str | None:
    """Move a scan in one step; None where the file system has no such step."""
    while True:
        new_name = free_name(inbox, *os.path.splitext(name))
        with contextlib.suppress(FileExistsError):
            if not renamed_at_once(source, name, inbox, new_name):
                return None
            sync(inbox)
            sync(source)
            return new_name


def _copy_back(source: int, name: str, inbox: int, hidden: str) -> str:
    """Copy a scan, then remove it. Killed in between, it may be in both places, which the reason's name tells."""
    descriptor = open_regular(source, name)
    try:
        # Hidden until it is whole.
        copy_durable(descriptor, inbox, hidden)
    finally:
        os.close(descriptor)
    try:
        rename_over(source, name + _REASON, name + _BEGUN)
    except BaseException:
        remove(inbox, hidden)
        raise
    new_name = rename_to_free(inbox, hidden, inbox, *os.path.splitext(name))
    remove(source, name)
    sync(source)
    return new_name


def _shown(path: str) -> str:
    return escape(printable(path))
