"""Makes files and folders durable: each at once, or many together.

A journalling file system makes everything pending durable in one commit; separate fsyncs cost one commit each.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Protocol, Self

from ocrwatch.storage.files import sync, sync_content
from ocrwatch.storage.mounts import is_posix


class Disk(Protocol):
    """Takes what must become durable.

    Raises ``OSError`` if a disk refuses, here or in the wait.
    """

    def file(self, descriptor: int) -> None:
        """Make the bytes of an open file durable."""

    def folder(self, descriptor: int) -> None:
        """Make the names in an open folder durable."""


@dataclass(frozen=True, slots=True)
class _AtOnce:
    file: Callable[[int], None]
    folder: Callable[[int], None]


SYNC_NOW: Disk = _AtOnce(sync_content, sync)
"""Waits for each file and folder at once."""

NO_SYNC: Disk = _AtOnce(lambda _: None, lambda _: None)
"""Waits for nothing: for files that a restart makes anew."""


class GroupSync:
    """Syncs files in parallel as soon as they are added, and folders in :meth:`wait`.

    A context manager, so that no descriptor stays open.
    """

    def __init__(self, threads: Executor) -> None:
        """``threads`` run the fsyncs of files."""
        self._threads = threads
        self._stack = contextlib.ExitStack()
        self._files: list[Future[None]] = []
        self._folders: dict[tuple[int, int], int] = {}
        """Kept descriptors by device and inode, or by device and descriptor if inode numbers are unreliable."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Before the descriptors are closed.
        wait(self._files)
        self._stack.close()

    def file(self, descriptor: int) -> None:
        """Begin to make a file's bytes durable."""
        self._files.append(self._threads.submit(sync_content, self._kept(descriptor)))

    def folder(self, descriptor: int) -> None:
        """Add a folder, each only once."""
        status = os.fstat(descriptor)
        if not is_posix(status.st_dev):
            kept = self._kept(descriptor)
            self._folders[status.st_dev, kept] = kept
        elif (identity := (status.st_dev, status.st_ino)) not in self._folders:
            self._folders[identity] = self._kept(descriptor)

    def wait(self) -> None:
        """Return when everything is durable, files before the folders that name them.

        Raises ``OSError``.
        """
        for future in self._files:
            future.result()
        for descriptor in self._folders.values():
            sync(descriptor)

    def _kept(self, descriptor: int) -> int:
        kept = os.dup(descriptor)
        self._stack.callback(os.close, kept)
        return kept
