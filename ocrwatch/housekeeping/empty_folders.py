"""Removes subfolders of the inbox that are empty after their scans were read (``intake.remove_empty_folders``).

Only folders that held a processed scan are removed: an empty one may be new, for scans to come. They must have been
empty and unchanged for a while, since the next page may be coming. Only ``rmdir`` is used, which fails if a folder is
not empty by then (rmdir(2)).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from ocrwatch.backoff import wait_until
from ocrwatch.errors import EnvironmentFault
from ocrwatch.events import FolderKept, FolderRemoved, ScanClosed, publish
from ocrwatch.scan import ScanState
from ocrwatch.storage.files import folder, split, status_of
from ocrwatch.storage.threads import Threads, run_in

PATIENCE: Final = 300.0
"""Seconds that a folder must have been empty and unchanged."""

_GONE: Final = frozenset({ScanState.DELIVERED, ScanState.QUARANTINED, ScanState.DUPLICATE})
_MOST_REMEMBERED: Final = 10_000
_AT_ONCE: Final = 100


class Tidying:
    """Remembers the folders that scans were taken from.

    Lives on the event loop, and checks folders on a thread. Times are monotonic seconds.
    """

    def __init__(self, threads: Threads, inbox: Path, patience: float = PATIENCE) -> None:
        self._threads = threads
        self._wake = asyncio.Event()
        self._inbox = inbox
        self._patience = patience
        self._due: dict[str, float] = {}
        """When each folder is checked next, soonest first: all wait equally long."""
        self._changed: dict[str, int] = {}
        """Last change of each, in its file system's time, as of the last check."""

    def took(self, paths: Iterable[str], now: float) -> None:
        """Record that scans were taken out of the inbox."""
        for path in paths:
            if parent := split(path)[0]:
                self._remember(parent, now)

    def closed(self, event: ScanClosed) -> None:
        """Record a scan that left the inbox."""
        if event.state in _GONE:
            self.took([event.path], time.monotonic())

    async def run(self) -> None:
        """Check folders whenever it is due, until cancelled."""
        while True:
            self._wake.clear()
            if self.next_look() <= time.monotonic():
                await self.look(time.monotonic())
            else:
                await wait_until(self._wake, self.next_look())

    def next_look(self) -> float:
        """Return when the next check is due, infinity if there is none."""
        return next(iter(self._due.values()), float("inf"))

    async def look(self, now: float) -> None:
        """Check the folders that are due, and remove those that are empty."""
        due = [parent for parent, at in self._due.items() if at <= now][:_AT_ONCE]
        before = {parent: self._changed.pop(parent, 0) for parent in due}
        for parent in due:
            del self._due[parent]
        # A disk that refuses this also refuses important writes, which report it.
        with contextlib.suppress(EnvironmentFault):
            self._looked(await run_in(self._threads.io, self._remove_all, before), now)

    def _remove_all(self, before: Mapping[str, int]) -> list[tuple[str, int | None]]:
        return [(parent, _remove(self._inbox, parent, changed)) for parent, changed in before.items()]

    def _remember(self, parent: str, now: float) -> None:
        if parent not in self._due and len(self._due) < _MOST_REMEMBERED:
            self._due[parent] = now + self._patience
            self._wake.set()

    def _looked(self, found: Sequence[tuple[str, int | None]], now: float) -> None:
        for parent, changed in found:
            if changed is not None:
                self._changed[parent] = changed
                self._remember(parent, now)
            elif above := split(parent)[0]:
                # It may have held only this one.
                self._remember(above, now)


def _remove(inbox: Path, path: str, changed: int) -> int | None:
    """Remove a folder if it is empty since that change; return its last change if it must be checked again.

    None if it is gone or not empty: the next scan taken from it brings it back here.
    """
    above, name = split(path)
    with contextlib.suppress(OSError), folder(inbox, above) as directory:
        status = status_of(directory, name)
        if status is None:
            return None
        if status.st_mtime_ns != changed:
            return status.st_mtime_ns
        try:
            os.rmdir(name, dir_fd=directory)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR}:
                publish(FolderKept(path=path, reason=os.strerror(error.errno or 0).lower()))
            return None
        publish(FolderRemoved(path=path))
    return None
