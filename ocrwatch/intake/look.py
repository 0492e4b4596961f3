"""A look at the whole inbox: the truth, of which events are only a hint."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrwatch.errors import environment_fault, system_reason
from ocrwatch.files import folder, inode_of
from ocrwatch.intake.names import NameRules, natural_key

DEEPEST = 64
"""Folders within one another that are looked into. Every folder is reached from the inbox anew, part by part, so that
the time grows with the square of the depth; nobody files scans so deep."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something that has a scan's name and is left alone."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found."""

    paths: tuple[str, ...]
    """Scans that were not known yet, in natural order, at most as many as asked for."""
    total: int
    """How many there are in all."""
    ignored: tuple[Ignored, ...]
    identity: tuple[int, int]
    """Device and inode of the inbox: another value means that it was replaced, so watches are to be set anew."""

    @property
    def more(self) -> bool:
        """Whether there are others besides those in ``paths``."""
        return self.total > len(self.paths)


def look(inbox: Path, rules: NameRules, *, recursive: bool, limit: int, known: Callable[[str], bool]) -> Look:
    """Walk the inbox without following links and return up to ``limit`` scans that ``known`` denies.

    Keeps ``limit`` names in memory, however many files wait. Raises :class:`EnvironmentFault` where the inbox
    cannot be read; folders below it that cannot are reported as ignored.
    """
    ignored: list[Ignored] = []
    count = 0

    def unknown() -> Iterator[str]:
        nonlocal count
        for path in _walk(inbox, rules, recursive=recursive, ignored=ignored):
            if not known(path):
                count += 1
                yield path

    try:
        status = inbox.stat()
        # At least one, since nsmallest does not even count where none is wanted.
        first = heapq.nsmallest(max(limit, 1), unknown(), key=natural_key)[:limit]
    except OSError as error:
        raise environment_fault(error, f"cannot read the inbox {inbox}") from error
    return Look(tuple(first), count, tuple(ignored), (status.st_dev, inode_of(status)))


def _walk(inbox: Path, rules: NameRules, *, recursive: bool, ignored: list[Ignored]) -> Iterator[str]:
    """Yield every scan; one folder after the other, however deep they lie."""
    folders = [""]
    while folders:
        relative = folders.pop()
        try:
            yield from _entries(inbox, relative, rules, folders if recursive else [], ignored)
        except OSError as error:
            if not relative:
                raise
            ignored.append(Ignored(relative, f"folder cannot be read: {system_reason(error)}"))


def _add_folder(path: str, below: list[str], ignored: list[Ignored]) -> None:
    if path.count("/") < DEEPEST:
        below.append(path)
    else:
        ignored.append(Ignored(path, f"folder lies more than {DEEPEST} folders deep"))


def _entries(inbox: Path, relative: str, rules: NameRules, below: list[str], ignored: list[Ignored]) -> Iterator[str]:
    """Yield the scans in one folder, and add its subfolders to ``below``."""
    with folder(inbox, relative) as descriptor, os.scandir(descriptor) as entries:
        for entry in entries:
            path = f"{relative}/{entry.name}" if relative else entry.name
            if entry.is_symlink():
                if rules.is_scan(entry.name):
                    ignored.append(Ignored(path, "symbolic link"))
            elif entry.is_dir(follow_symlinks=False):
                if rules.is_scan(entry.name):
                    ignored.append(Ignored(path, "folder with a scan's name; what is in it is read"))
                if rules.enters(entry.name):
                    _add_folder(path, below, ignored)
            elif rules.is_scan(entry.name):
                if entry.is_file(follow_symlinks=False):
                    yield path
                else:
                    ignored.append(Ignored(path, "not a regular file"))
