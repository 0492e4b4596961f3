"""Full rescan of the inbox. Events are hints; the rescan is authoritative."""

from __future__ import annotations

import errno
import heapq
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrwatch.errors import environment_fault, system_reason
from ocrwatch.intake.names import NameRules, first_match, is_meant, is_system_folder, natural_key
from ocrwatch.storage.files import folder, inode_of

DEEPEST = 64
"""Depth of folders that are read. Every folder is reached from the inbox anew, part by part, so that the time grows
with the square of the depth; no one files scans so deep.
"""


MOST_IGNORED = 10_000
"""How many of the unread files are named; the others are counted."""

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""A subfolder that is gone, or is something else, after its name was read: the next rescan sees it."""

_OF_THE_SCAN = "put the scan itself there"


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something in the inbox that is not read."""

    path: str
    reason: str
    """Empty if only its content decides (:class:`ocrwatch.intake.ignore_rules.NameCheck`)."""
    remedy: str
    """Empty if nothing needs to be done: the folder's files are read."""
    is_closed: bool = False
    """Whether it is a folder that cannot be read."""
    may_change: bool = False
    """Whether the content that it was judged by is not all there yet."""


class _Left:
    """Files that a rescan ignores: the first by name, all by number."""

    def __init__(self) -> None:
        self.first: list[Ignored] = []
        self.total = 0

    def add(self, path: str, reason: str = "", remedy: str = "", *, is_closed: bool = False) -> None:
        self.total += 1
        self._name(Ignored(path, reason, remedy, is_closed))

    def mention(self, path: str, reason: str) -> None:
        """Report something unusual, though nothing stays unread for it."""
        self._name(Ignored(path, reason, ""))

    def _name(self, item: Ignored) -> None:
        if len(self.first) < MOST_IGNORED:
            self.first.append(item)


@dataclass(frozen=True, slots=True)
class Rescan:
    """Result of a rescan."""

    paths: tuple[str, ...]
    """Scans that were not known yet, in natural order, at most as many as requested."""
    total: int
    """How many there are in all."""
    ignored: tuple[Ignored, ...]
    """Unread files that may have been meant to be read, at most :data:`MOST_IGNORED`."""
    ignored_total: int
    """How many of them there are in all."""
    identity: tuple[int, int]
    """Device and inode of the inbox: another value means that it was replaced, so watches must be set again."""

    @property
    def more(self) -> bool:
        """Whether there are others besides those in ``paths``."""
        return self.total > len(self.paths)


def rescan(
    inbox: Path, rules: NameRules, *, recursive: bool, limit: int, known: Callable[[str], bool] | None = None
) -> Rescan:
    """Walk the inbox without following links and return up to ``limit`` scans that are not ``known``.

    Keeps ``limit`` names in memory, however many files wait. Raises :class:`EnvironmentFault` if the inbox
    cannot be read; folders below it that cannot are reported as ignored.
    """
    ignored = _Left()
    count = 0

    def unknown() -> Iterator[str]:
        nonlocal count
        for path in _walk(inbox, rules, recursive=recursive, ignored=ignored):
            if known is None or not known(path):
                count += 1
                yield path

    try:
        status = inbox.stat()
        # At least one, since nsmallest does not even count if none is requested.
        first = heapq.nsmallest(max(limit, 1), unknown(), key=natural_key)[:limit]
    except OSError as error:
        raise environment_fault(error, f"cannot read the inbox {inbox}") from error
    return Rescan(tuple(first), count, tuple(ignored.first), ignored.total, (status.st_dev, inode_of(status)))


def _walk(inbox: Path, rules: NameRules, *, recursive: bool, ignored: _Left) -> Iterator[str]:
    """Yield every scan; one folder at a time, at any depth."""
    folders = [""]
    while folders:
        relative = folders.pop()
        try:
            yield from _entries(inbox, relative, rules, folders if recursive else None, ignored)
        except OSError as error:
            if not relative:
                raise
            _report_folder(inbox, relative, error, ignored)


def _report_folder(inbox: Path, relative: str, error: OSError, ignored: _Left) -> None:
    fault = environment_fault(error, "", closed="let the user that ocrwatch runs as read it and enter it")
    if error.errno not in GONE:
        reason = f"folder {inbox / relative} cannot be read: {system_reason(error)}"
        ignored.add(relative, reason, fault.remedy, is_closed=True)


def _entries(inbox: Path, relative: str, rules: NameRules, below: list[str] | None, ignored: _Left) -> Iterator[str]:
    """Yield the scans in one folder, and add its subfolders to ``below``, unless that is None."""
    with folder(inbox, relative) as descriptor, os.scandir(descriptor) as entries:
        if relative and not os.access(".", os.X_OK, dir_fd=descriptor, effective_ids=True):
            # Its names can be listed, but nothing in it can be opened (path_resolution(7)).
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), relative)
        for entry in entries:
            path = f"{relative}/{entry.name}" if relative else entry.name
            if entry.is_symlink():
                if rules.is_scan(entry.name):
                    ignored.add(path, "symbolic link", _OF_THE_SCAN)
            elif entry.is_dir(follow_symlinks=False):
                if rules.is_scan(entry.name):
                    ignored.mention(path, "folder with a scan's name; what is in it is read")
                _take_folder(path, entry.name, rules, below, ignored)
            elif rules.is_scan(entry.name):
                if entry.is_file(follow_symlinks=False):
                    yield path
                else:
                    ignored.add(path, "not a regular file", "put a regular file there")
            elif is_meant(entry.name) and entry.is_file(follow_symlinks=False):
                ignored.add(path)


def _take_folder(path: str, name: str, rules: NameRules, below: list[str] | None, ignored: _Left) -> None:
    """Add a folder to be read, or report why it is not; system folders are not reported."""
    if is_system_folder(name):
        return
    if not rules.enters(name):
        if is_meant(name):
            pattern = first_match(name, rules.excluded)
            ignored.add(path, f'folder matches "{pattern}" of watch.exclude', "move it elsewhere, or change that")
    elif below is None:
        if is_meant(name):
            ignored.add(path, "subfolder, and watch.recursive is false", "move its scans up, or set watch.recursive")
    elif path.count("/") < DEEPEST:
        below.append(path)
    else:
        ignored.add(path, f"folder lies more than {DEEPEST} folders deep", "move it up")
