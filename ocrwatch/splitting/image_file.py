"""Writes the image of one page into the folder that the daemon has opened; knows no path."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ocrwatch.errors import TooLarge


class NotWritten(Exception):
    """The disk refuses an image. ``error`` is the system's."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class ImageFile:
    """An image that is being written, and what is known of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Write all of ``data``. Raises NotWritten, or TooLarge beyond the limit of this process (RLIMIT_FSIZE)."""
        view = memoryview(data)
        while view:
            try:
                count = os.write(self._descriptor, view)
            except OSError as error:
                if error.errno == errno.EFBIG:
                    raise TooLarge(
                        f"the image of the page takes more than {self.size:,} bytes", "scan at a lower resolution"
                    ) from error
                raise NotWritten(error) from error
            self._digest.update(view[:count])
            self.size += count
            view = view[count:]


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Where images go."""

    descriptor: int
    name: str
    """Begins their names; the page's number and the ending follow."""

    @contextmanager
    def create(self, number: int, ending: str) -> Iterator[ImageFile]:
        """Open a new file for a page, instead of an earlier one; remove it if it is not completed.

        Raises NotWritten.
        """
        name = f"{self.name}-{number}.{ending}"
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self.descriptor)
            descriptor = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self.descriptor
            )
        except OSError as error:
            raise NotWritten(error) from error
        try:
            yield ImageFile(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self.descriptor)
            raise
        finally:
            os.close(descriptor)
