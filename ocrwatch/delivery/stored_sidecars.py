"""Sidecars that are files of the state folder: those of a file with many pages may be too large for the memory."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final

from ocrwatch.errors import Changed, EnvironmentFault, environment_fault
from ocrwatch.render.base import StoredSidecar
from ocrwatch.storage.files import create, folder, open_regular, remove, sync_content

_CHUNK: Final = 1 << 20
"""Bytes in memory."""

_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO})
"""Errors of opening a file that was removed, or that something else has replaced."""


class StoredLost(Changed):
    """A stored sidecar is gone, or is not what was joined: its scan must be read again."""


def size_and_sha256(content: bytes | StoredSidecar) -> tuple[int, str]:
    """Return the size in bytes and the SHA-256 of a sidecar."""
    if isinstance(content, bytes):
        return len(content), hashlib.sha256(content).hexdigest()
    return content.size, content.sha256


def copy_stored(
    stored: StoredSidecar,
    parent: int,
    name: str,
    *,
    mode: int | None = None,
    group: int | None = None,
    sync_file: Callable[[int], None] = sync_content,
) -> None:
    """Copy a stored sidecar to a new file below ``parent``; ``sync_file`` makes its bytes durable.

    Like :func:`ocrwatch.storage.files.write_durable`. Raises :class:`StoredLost` if the stored file has not the bytes
    that it should have, :class:`EnvironmentFault` if it cannot be read, and ``OSError`` if the copy cannot be written.
    On any failure nothing is left behind.
    """
    with open(_opened(stored), "rb", buffering=0) as original:
        descriptor = create(parent, name, mode=mode, group=group)
        try:
            with open(descriptor, "wb") as copy:  # noqa: PTH123 - a descriptor, not a path
                _copy(stored, original, copy)
                copy.flush()
                sync_file(copy.fileno())
        except BaseException:
            remove(parent, name)
            raise


def _copy(stored: StoredSidecar, original: FileIO, copy: BinaryIO) -> None:
    digest, size = hashlib.sha256(), 0
    # No copy in the kernel: the bytes that are hashed are those that are written.
    while chunk := _read(stored, original):
        digest.update(chunk)
        size += len(chunk)
        copy.write(chunk)
    if (size, digest.hexdigest()) != (stored.size, stored.sha256):
        raise StoredLost(stored.path)


def _opened(stored: StoredSidecar) -> int:
    place = Path(stored.path)
    try:
        with folder(place.parent) as directory:
            return open_regular(directory, place.name)
    except OSError as error:
        if error.errno in _GONE:
            raise StoredLost(stored.path) from error
        raise _unreadable(stored, error) from error


def _read(stored: StoredSidecar, original: FileIO) -> bytes | None:
    try:
        return original.read(_CHUNK)
    except OSError as error:
        # An ``OSError`` would be taken for one of the folder that is written to.
        raise _unreadable(stored, error) from error


def _unreadable(stored: StoredSidecar, error: OSError) -> EnvironmentFault:
    return environment_fault(error, f"cannot read {stored.path} in the state folder")
