"""Keys of remote OCR services: read from a file or a variable when a request needs them, and shown nowhere.

Only the daemon's own process has them. A file is read again when it has changed, so that a new key needs no restart.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from ocrwatch.errors import EnvironmentFault, UsageError, environment_fault
from ocrwatch.group_membership import remedy_for_reader
from ocrwatch.settings.remote import Remote

_LONGEST: Final = 8000
"""Bytes of a key: servers take no longer headers."""

_LOOKED_AT_EVERY: Final = 1.0
"""Seconds between two looks at a file."""

_SHORTEST_PART: Final = 6
"""Characters of a part of a key that is kept out of messages: shorter ones would occur in ordinary words."""


class Key:
    """The key of a service. Its text is only in ``value``; it cannot be printed or passed to another process."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @property
    def value(self) -> str:
        """The key: printable ASCII without spaces around it."""
        return self._value

    @property
    def parts(self) -> tuple[str, ...]:
        """The key, and the parts of one such as ``id:secret``: what must not be in any message, the longest first."""
        parts = {self._value, *(part for part in self._value.split(":") if len(part) >= _SHORTEST_PART)}
        return tuple(sorted(parts, key=len, reverse=True))

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key stays in its process")


@dataclass(frozen=True, slots=True)
class _Read:
    """A key as it was read from a file."""

    key: Key
    stamp: tuple[int, int, int]
    looked_at: float
    """Monotonic seconds."""


_lock: Final = threading.Lock()
_files: Final[dict[Path, _Read]] = {}
_taken: Final[dict[str, str]] = {}
"""Values of variables that were taken out of the environment."""


def key_of(remote: Remote) -> Key | None:
    """Return the current key of a service; None if it has none.

    Looks at a file at most once a second. Raises :class:`EnvironmentFault` if it cannot be read, and
    :class:`UsageError` if it, or the variable, has no key.
    """
    if remote.key_file is not None:
        return _of_file(remote, remote.key_file)
    if remote.key_variable is not None:
        return _of_variable(remote, remote.key_variable)
    return None


def take_variables(remotes: Iterable[Remote]) -> bool:
    """Take keys out of the environment, so that no process that is started from here on gets them.

    Return whether there were any.
    """
    names = {
        remote.key_variable
        for remote in remotes
        if remote.key_variable is not None and os.environ.get(remote.key_variable)
    }
    _taken.update({name: os.environ.pop(name) for name in names})
    return bool(names)


def _of_file(remote: Remote, path: Path) -> Key:
    now = time.monotonic()
    with _lock:
        known = _files.get(path)
    if known is not None and now - known.looked_at < _LOOKED_AT_EVERY:
        return known.key
    try:
        key, stamp = _read(remote, path, known)
    except OSError as error:
        closed = remedy_for_reader(path, f"let ocrwatch's user read {path}")
        raise environment_fault(error, f"cannot read {_place(remote)}", closed=closed) from error
    with _lock:
        _files[path] = _Read(key, stamp, now)
    return key


def _read(remote: Remote, path: Path, known: _Read | None) -> tuple[Key, tuple[int, int, int]]:
    """Return the key in a file, and a stamp that changes with it; raises ``OSError``."""
    try:
        # Without waiting: a FIFO has no end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise EnvironmentFault(
            f"{_place(remote)} is not there", "write the key into it, or correct key_file of the service"
        ) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{_place(remote)} is not a file", "name a file that has only the key")
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if known is not None and known.stamp == stamp:
            return known.key, stamp
        content = os.read(descriptor, _LONGEST + 1)
    finally:
        os.close(descriptor)
    return _checked(remote, content), stamp


def _of_variable(remote: Remote, name: str) -> Key:
    value = os.environ.get(name, _taken.get(name))
    if value is None:
        raise UsageError(
            f"{_place(remote)} is not set", "set it for ocrwatch, or put the key into a file and name that in key_file"
        )
    return _checked(remote, os.fsencode(value))


def _checked(remote: Remote, content: bytes) -> Key:
    """Return the key in the bytes of a file or variable; raises :class:`UsageError` without them."""
    line = content.removesuffix(b"\n").removesuffix(b"\r")
    if not line.strip():
        reason = "is empty"
    elif len(content) > _LONGEST:
        reason = f"has more than {_LONGEST} bytes"
    elif b"\n" in line or b"\r" in line:
        reason = "has several lines"
    elif line != line.strip():
        reason = "has spaces before or after the key"
    elif not (line.isascii() and line.decode().isprintable()):
        reason = "has characters that no key has"
    else:
        return Key(line.decode())
    raise UsageError(f"{_place(remote)} {reason}", "write the key into it as one line of printable ASCII characters")


def _place(remote: Remote) -> str:
    """Name where the key of a service is."""
    if remote.key_file is not None:
        return f"the file {remote.key_file} with the key of the service {remote.name}"
    return f"the environment variable {remote.key_variable} with the key of the service {remote.name}"
