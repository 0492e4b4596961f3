"""When what was written is waited for: at once, or for many files and folders together.

A journalling file system makes all that waits for it durable in one go; asked one after the other, it goes each time.
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
    """Told of what is to be durable. Raises ``OSError`` where a disk refuses, here or when it is waited for."""

    def file(self, descriptor: int) -> None:
        """Have the bytes of an open file made durable."""

    def folder(self, descriptor: int) -> None:
        """Have the names in an open folder made durable."""


@dataclass(frozen=True, slots=True)
class _AtOnce:
    file: Callable[[int], None]
    folder: Callable[[int], None]


SYNC_NOW: Disk = _AtOnce(sync_content, sync)
"""Waits for each on its own."""


class GroupSync:
    """Has files made durable side by side from when it is told of them, and folders at :meth:`wait`.

    A context manager, so that nothing stays open.
    """

    def __init__(self, threads: Executor) -> None:
        """``threads`` is where files are waited for."""
        self._threads = threads
        self._stack = contextlib.ExitStack()
        self._files: list[Future[None]] = []
        self._folders: dict[tuple[int, int], int] = {}
        """Kept descriptors by device and inode, or by device and descriptor if inode numbers tell nothing."""

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
        """Note a folder, each only once."""
        status = os.fstat(descriptor)
        if not is_posix(status.st_dev):
            kept = self._kept(descriptor)
            self._folders[status.st_dev, kept] = kept
        elif (identity := (status.st_dev, status.st_ino)) not in self._folders:
            self._folders[identity] = self._kept(descriptor)

    def wait(self) -> None:
        """Return when everything is durable, files before the folders that name them; raises ``OSError``."""
        for future in self._files:
            future.result()
        for descriptor in self._folders.values():
            sync(descriptor)

    def _kept(self, descriptor: int) -> int:
        kept = os.dup(descriptor)
        self._stack.callback(os.close, kept)
        return kept
