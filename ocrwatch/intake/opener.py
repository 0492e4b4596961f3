"""Opens files in the inbox safely; no other module opens them."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final

from ocrwatch.errors import (
    Blocked,
    Changed,
    OcrwatchError,
    TooLarge,
    environment_fault,
    is_memory_error,
    memory_short,
    system_reason,
)
from ocrwatch.intake.completeness import Completeness, completeness, has_pages
from ocrwatch.magic import HEAD, OTHER, kind_of
from ocrwatch.scan import Source
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import facts_of, folder, open_regular, split

_PIECE: Final = 1 << 20
"""Bytes of a file that are copied at once."""

_FORBIDDEN = {errno.EACCES, errno.EPERM}
_THIS_PROCESS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_THIS_FILE_ONLY = {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EINVAL, errno.ENXIO} | _FORBIDDEN


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of one probe of a file."""

    facts: FileFacts
    """At the beginning of the probe."""
    state: Completeness | None
    """None if the daemon may not read the file."""
    kind: str = OTHER
    """File type if it is no image."""
    has_pages: bool = False
    """Whether it is split into its pages: a PDF, or a TIFF with more than one page."""
    unmodified_for: float = field(default=0.0, compare=False)
    """Seconds since its content changed, by its modification time and this machine's clock."""
    untouched_for: float = field(default=0.0, compare=False)
    """The same by its status change time, if that is later: a copy sets the modification time, a rename only this."""
    left: FileFacts | None = None
    """State of the file after the probe, if the probe changed it: rclone changes the modification time of a file that
    is read before it is uploaded.
    """

    @property
    def known(self) -> FileFacts:
        """State that the next probe finds if the file does not change."""
        return self.left or self.facts


class ProbeFailed(Blocked):
    """A bug in ocrwatch ended the probe of one file; ``bug`` is its exception."""

    def __init__(self, bug: Exception) -> None:
        name = type(bug).__name__
        super().__init__(f"a bug in ocrwatch: checking it ended with {name}", "please report it; ocrwatch retries it")
        self.bug = bug


def probe(inbox: Path, path: str) -> Probe | None:
    """Probe a file in the inbox; None if it is gone or no longer a regular file.

    Raises :class:`Blocked` if only this file cannot be read, :class:`ProbeFailed` of these if a bug is the cause, and
    :class:`EnvironmentFault` if the inbox cannot.
    """
    parent, name = split(path)
    try:
        with folder(inbox, parent) as directory:
            try:
                descriptor = open_regular(directory, name)
            except OSError as error:
                if error.errno not in _FORBIDDEN:
                    raise
                return Probe(facts_of(os.stat(name, dir_fd=directory, follow_symlinks=False)), None)
            try:
                return _look_into(descriptor)
            finally:
                os.close(descriptor)
    except OSError as error:
        _raise_unless_gone(error, inbox)
        return None
    except OcrwatchError:
        raise
    except Exception as error:
        if is_memory_error(error):
            raise memory_short() from error
        # One file must not end the daemon, nor keep all others from being read.
        raise ProbeFailed(error) from error


def _look_into(descriptor: int) -> Probe:
    facts = facts_of(os.fstat(descriptor))
    state = completeness(descriptor, facts.size)
    kind = kind_of(os.pread(descriptor, HEAD, 0)) if state is Completeness.OTHER else OTHER
    pages = state in {Completeness.WHOLE, Completeness.PARTIAL} and has_pages(descriptor, facts.size)
    now = time.time()
    unmodified_for = max(0.0, now - facts.mtime_ns / 1e9)
    untouched_for = min(unmodified_for, max(0.0, now - facts.ctime_ns / 1e9))
    after = facts_of(os.fstat(descriptor))
    left = after if _by_reading(facts, after) else None
    return Probe(facts, state, kind, pages, unmodified_for, untouched_for, left)


def _by_reading(before: FileFacts, after: FileFacts) -> bool:
    """Return whether only what reading may change has changed, on a file system without inode numbers."""
    times = replace(before, mtime_ns=after.mtime_ns, ctime_ns=after.ctime_ns)
    return not before.inode and after == times


def read(inbox: Path, path: str, expected: FileFacts, max_bytes: int) -> Source:
    """Read a complete scan once: return its bytes and their hash.

    Raises :class:`Changed` if the file is not the complete one, changes while it is read, or may not be read any more;
    :class:`TooLarge` above ``max_bytes``; :class:`Blocked` if only this file cannot be read, :class:`EnvironmentFault`
    if the inbox cannot be read.
    """
    with _opened(inbox, path, expected, max_bytes) as file:
        # One byte more than expected shows a file that has grown since.
        data = file.read(expected.size + 1)
        after = _facts_after(file, path, expected, len(data))
    return Source(data, hashlib.sha256(data).hexdigest(), after)


def copy(inbox: Path, path: str, expected: FileFacts, max_bytes: int, target: Path) -> Source:
    """Copy a complete file to ``target``, which does not exist, and return its hash without its bytes.

    Raises like :func:`read`, and :class:`EnvironmentFault` if the target cannot be written.
    """
    digest = hashlib.sha256()
    size = 0
    with _opened(inbox, path, expected, max_bytes) as file, _created(target) as written:
        while data := file.read(_PIECE):
            size += len(data)
            if size > expected.size:
                break
            digest.update(data)
            _write(written, data, target)
        after = _facts_after(file, path, expected, size)
    return Source(b"", digest.hexdigest(), after)


@contextmanager
def _opened(inbox: Path, path: str, expected: FileFacts, max_bytes: int) -> Iterator[BinaryIO]:
    """Open the expected file; raises like :func:`read`."""
    if expected.size > max_bytes:
        raise TooLarge(
            f"the file has {expected.size:,} bytes, more than the {max_bytes:,} allowed",
            "raise settle.max_bytes if such scans are wanted",
        )
    parent, name = split(path)
    try:
        with (
            folder(inbox, parent) as directory,
            # A descriptor, not a path.
            open(open_regular(directory, name), "rb") as file,  # noqa: PTH123
        ):
            if facts_of(os.fstat(file.fileno())) != expected:
                raise Changed(path)
            yield file
    except OSError as error:
        _raise_unless_gone(error, inbox)
        raise Changed(path) from error


def _facts_after(file: BinaryIO, path: str, expected: FileFacts, size: int) -> FileFacts:
    """Return the facts of a file of which ``size`` bytes were read; raises :class:`Changed` if it is another now."""
    after = facts_of(os.fstat(file.fileno()))
    if size != expected.size or not (after == expected or _by_reading(expected, after)):
        raise Changed(path)
    return after


@contextmanager
def _created(target: Path) -> Iterator[FileIO]:
    try:
        file = FileIO(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w")
    except OSError as error:
        raise environment_fault(error, f"cannot write the file {target}") from error
    with file:
        yield file


def _write(file: FileIO, data: bytes, target: Path) -> None:
    """Write all of ``data``; errors are not those of the inbox."""
    view = memoryview(data)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        raise environment_fault(error, f"cannot write the file {target}") from error


def _raise_unless_gone(error: OSError, inbox: Path) -> None:
    """Return if the file is gone or unreadable, in an inbox that is there.

    Raises otherwise.
    """
    if error.errno in _THIS_PROCESS or not _answers(inbox):
        raise environment_fault(error, f"cannot read the inbox {inbox}") from error
    if error.errno not in _THIS_FILE_ONLY:
        # Such as a bad sector: one bad file must not keep all others from being read.
        message = f"it cannot be read ({system_reason(error)})"
        raise Blocked(message, "see whether its disk is sound; ocrwatch retries it") from error


def _answers(inbox: Path) -> bool:
    """Return whether the inbox can be listed."""
    try:
        with os.scandir(inbox) as entries:
            next(entries, None)
    except OSError:
        return False
    return True
