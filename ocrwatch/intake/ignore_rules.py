"""Explains why a file in the inbox is ignored."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrwatch.errors import system_reason
from ocrwatch.intake.names import first_match, is_system_folder, plain_ending, readable
from ocrwatch.intake.rescan import DEEPEST, GONE, Ignored
from ocrwatch.log import printable
from ocrwatch.magic import HEAD, OTHER, ImageKind, image_kind, kind_of, read_kinds, remedy_for
from ocrwatch.storage.files import folder, open_regular, split, status_of

AT_REST = 2.0
"""Seconds after a file's last change until it is reported as not read: many programs rename when done."""

_EMPTY = "it is empty"
_RENAME = "rename it, or change watch.include"
_TYPE = re.compile(r"\.[a-z][a-z0-9_]{1,4}", re.IGNORECASE)
"""An ending that names a file type."""

_LET_READ = "let the user that ocrwatch runs as read it"


def name_ignored(path: str, include: Sequence[str], exclude: Sequence[str], *, recursive: bool) -> tuple[str, str]:
    """Return why a path's names alone exclude it, and the remedy; empty if they do not."""
    reason, remedy = _excluded(path, exclude, recursive=recursive)
    if reason:
        return reason, remedy
    if first_match(split(path)[1], readable(include)) is None:
        return f"its name matches nothing of watch.include ({', '.join(include)})", _RENAME
    return "", ""


def _excluded(path: str, exclude: Sequence[str], *, recursive: bool) -> tuple[str, str]:
    """Return which rule excludes a file at this place, or of this name, whatever it is."""
    *folders, name = path.split("/")
    for part in folders:
        if is_system_folder(part):
            return (
                f"its folder {part} belongs to the NAS, the system or a sync program, and is never looked into",
                "put it elsewhere in the inbox",
            )
        if (pattern := first_match(part, exclude)) is not None:
            return (
                f'its folder {part} matches "{pattern}" of watch.exclude',
                "move it elsewhere, or change watch.exclude",
            )
    if folders and not recursive:
        return "it lies in a subfolder, and watch.recursive is false", "move it up, or set watch.recursive"
    if len(folders) > DEEPEST:
        return f"it lies more than {DEEPEST} folders deep", "move it up"
    if (pattern := first_match(name, exclude)) is not None:
        return f'its name matches "{pattern}" of watch.exclude', "rename it, or change watch.exclude"
    return "", ""


def kind_ignored(inbox: Path, path: str) -> tuple[os.stat_result | None, str, str]:
    """Return the status of ``path`` and why its kind is not read, with the remedy.

    None if nothing is there. Raises ``OSError`` if that is unknown.
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


@dataclass(frozen=True, slots=True)
class NameCheck:
    """Explains why a file is not read, by its name and its content, in the order of the rules."""

    inbox: Path
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    recursive: bool

    def judge(self, path: str) -> tuple[str, str]:
        """Return why the file at ``path`` is not read, and the remedy; empty if its name is a scan's."""
        reason, remedy = _excluded(path, self.exclude, recursive=self.recursive)
        if reason:
            return reason, remedy
        reason, remedy = name_ignored(path, self.include, self.exclude, recursive=self.recursive)
        return (self._by_content(path) or (reason, remedy)) if reason else ("", "")

    def ignored(self, path: str, *, at_rest: float) -> Ignored | None:
        """Return why a file is not read.

        None if it is gone, a scan now, or changed less than ``at_rest`` ago.
        """
        parent, name = split(path)
        try:
            with folder(self.inbox, parent) as directory:
                status = status_of(directory, name)
            if status is None or _is_young(status, at_rest):
                return None
        except OSError as error:
            if error.errno in GONE:
                return None
        reason, remedy = self.judge(path)
        return Ignored(path, reason, remedy, may_change=reason.startswith(_EMPTY)) if reason else None

    def _by_content(self, path: str) -> tuple[str, str] | None:
        """Return what the first bytes of a file say; None if they say nothing."""
        parent, name = split(path)
        try:
            with folder(self.inbox, parent) as directory:
                descriptor = open_regular(directory, name)
                try:
                    head = os.pread(descriptor, HEAD, 0)
                finally:
                    os.close(descriptor)
        except PermissionError:
            return f"{self._no_match(name)}, and this user may not look into it", _LET_READ
        except OSError as error:
            return f"{self._no_match(name)}, and it cannot be read ({system_reason(error)})", "see its disk"
        if not head:
            return f"{_EMPTY}, and {self._no_match(name)}", "put the scan itself there"
        if (image := image_kind(head)) is not None:
            return f"it is a {image.value}, but {self._no_match(name)}", f"rename it to {self._as_scan(name, image)}"
        kind = kind_of(head)
        return None if kind == OTHER else (f"it is {kind}, and only {read_kinds()} are read", remedy_for(kind))

    def _no_match(self, name: str) -> str:
        if not os.path.splitext(name)[1]:
            return "its name has no ending"
        return f"its name matches nothing of watch.include ({', '.join(self.include)})"

    def _as_scan(self, name: str, image: ImageKind) -> str:
        stem, ending = os.path.splitext(name)
        if not _TYPE.fullmatch(ending):
            # A date or a number: it does not name a type.
            stem = name
        is_scan = first_match(stem, readable(self.include)) is not None
        return printable(stem if is_scan else stem + plain_ending(self.include, image))


def _is_young(status: os.stat_result, at_rest: float) -> bool:
    # A share's clock may be ahead: a change in the future counts as long ago.
    return 0 <= time.time() - max(status.st_mtime, status.st_ctime) < at_rest
