"""Lists the originals in the quarantine with their reasons; read-only."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrwatch.errors import UsageError, environment_fault
from ocrwatch.log import printable
from ocrwatch.quarantine.reason_file import BEGUN, REASON, Reason, read_reason
from ocrwatch.storage.files import TEMPORARY_PREFIX, folder, split, status_of


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One file in the quarantine that is no reason."""

    path: str
    """Relative to the quarantine."""
    reason: Reason | None
    """None for a file that was put there by hand."""
    is_unsure: bool
    """Whether a retry of it was interrupted, so that it may be in the inbox as well."""


def originals(quarantine: Path) -> list[Quarantined]:
    """Return all files in the quarantine with their reasons, in order of their paths.

    A missing quarantine has none. Raises EnvironmentFault if a folder refuses.
    """
    found = []
    try:
        for path in _all(quarantine):
            parent, name = split(path)
            with folder(quarantine, parent) as directory:
                unsure = status_of(directory, name + BEGUN) is not None
                found.append(Quarantined(path, read_reason(directory, name), unsure))
    except OSError as error:
        raise environment_fault(error, f"cannot read the quarantine {quarantine}") from error
    return found


def paths_meant(quarantine: Path, files: Sequence[Path]) -> list[str]:
    """Return the paths, relative to the quarantine, of the named originals.

    ``files`` are originals, reasons or folders: absolute, relative to the quarantine or to the working directory, or
    only the name of an original in a subfolder. Without any, all of the quarantine is meant. Raises UsageError for a
    missing file, and for a name that several subfolders have, and EnvironmentFault if a folder refuses.
    """
    try:
        found = [path for file in files for path in _meant(quarantine, file)] if files else _all(quarantine)
        return list(dict.fromkeys(found))
    except OSError as error:
        raise environment_fault(error, f"cannot read the quarantine {quarantine}") from error


def _all(quarantine: Path) -> Iterator[str]:
    if quarantine.is_dir():
        yield from _below(quarantine, "")


def _meant(quarantine: Path, file: Path) -> Iterator[str]:
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
        yield _only_one_called(quarantine, file, relative)


def _only_one_called(quarantine: Path, file: Path, relative: str) -> str:
    """Return the path of the only original with a name; the quarantine's top folder has none, or a link."""
    found: list[str] = []
    if file == Path(file.name) and not os.path.lexists(quarantine / relative):
        found = [path for path in _all(quarantine) if split(path)[1] == relative]
    if len(found) > 1:
        raise UsageError(
            f"there are {len(found)} scans {file} in the quarantine {quarantine}",
            f"name the one that is meant with its folder: {printable(', '.join(found))}",
        )
    if not found:
        raise UsageError(
            f"there is no scan {file} in the quarantine {quarantine}",
            "name files or folders in it, or none to take them all",
        )
    return found[0]


def _relative(quarantine: Path, file: Path) -> str:
    """Return the path of a named file relative to the quarantine."""
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
