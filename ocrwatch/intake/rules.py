"""Why a file in the inbox is left alone, in words."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ocrwatch.files import folder, split, status_of
from ocrwatch.intake.look import DEEPEST
from ocrwatch.intake.names import NameRules


def name_ignored(path: str, include: Sequence[str], exclude: Sequence[str], *, recursive: bool) -> tuple[str, str]:
    """Return why a path's names alone keep it from being read, and the remedy; empty where they do not."""
    *folders, name = path.split("/")
    for part in folders:
        if (pattern := _matching(part, exclude)) is not None:
            return (
                f'its folder {part} matches "{pattern}" of watch.exclude',
                "move it elsewhere, or change watch.exclude",
            )
    if folders and not recursive:
        return "it lies in a subfolder, and watch.recursive is false", "move it up, or set watch.recursive"
    if len(folders) > DEEPEST:
        return f"it lies more than {DEEPEST} folders deep", "move it up"
    if (pattern := _matching(name, exclude)) is not None:
        return f'its name matches "{pattern}" of watch.exclude', "rename it, or change watch.exclude"
    if _matching(name, include) is None:
        wanted = ", ".join(include)
        return f"its name matches nothing of watch.include ({wanted})", "rename it, or change watch.include"
    return "", ""


def kind_ignored(inbox: Path, path: str) -> tuple[os.stat_result | None, str, str]:
    """Return the status of what lies at ``path`` and why its kind keeps it from being read, with the remedy.

    None where nothing is there. Raises ``OSError`` where that cannot be told.
    """
    parent, name = split(path)
    try:
        with folder(inbox, parent) as directory:
            status = status_of(directory, name)
    except FileNotFoundError:
        if not inbox.is_dir():
            raise
        return None, "", ""
    except NotADirectoryError:
        return (
            None,
            "one of its folders is a link or no folder, and links are never followed",
            "put the scan itself there",
        )
    if status is None or stat.S_ISREG(status.st_mode):
        return status, "", ""
    if stat.S_ISLNK(status.st_mode):
        return status, "it is a symbolic link, and links are never followed", "put the scan itself there"
    if stat.S_ISDIR(status.st_mode):
        return status, "it is a folder; ask for a scan in it", ""
    return status, "it is not a regular file", "put a regular file there"


def _matching(name: str, patterns: Sequence[str]) -> str | None:
    return next((pattern for pattern in patterns if NameRules.of((), (pattern,)).exclude.match(name)), None)
