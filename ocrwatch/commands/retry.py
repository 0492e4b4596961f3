"""``ocrwatch retry``: quarantined scans go back into the inbox, whether the daemon runs or not."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ocrwatch.commands.run import settings_for_work
from ocrwatch.errors import EnvironmentFault, ExitCode, UsageError, environment_fault
from ocrwatch.log import printable
from ocrwatch.quarantine.restore import BEGUN, REASON, LeftAlone, restore
from ocrwatch.settings import Settings
from ocrwatch.storage.files import TEMPORARY_PREFIX, folder, split, status_of
from ocrwatch.storage.lock import inbox_holder


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
            new_path = restore(settings.quarantine, settings.inbox, path)
        except LeftAlone as why:
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
        relative = _relative(quarantine, file).removesuffix(REASON).removesuffix(BEGUN)
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
    yield from (prefix + name for name in sorted(names) if not name.endswith((REASON, BEGUN)))
    for name in sorted(below):
        yield from _below(quarantine, prefix + name)


def _shown(path: str) -> str:
    return escape(printable(path))
