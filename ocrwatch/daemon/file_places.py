"""Places for files of several pages: a few are open at once, and fresh ones go before a backlog."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ocrwatch.scan import Scan


class FilePlace:
    """The place of one file."""

    def __init__(self, places: FilePlaces) -> None:
        self._places: FilePlaces | None = places

    def leave(self) -> None:
        """Let another file in; a second call does nothing."""
        places, self._places = self._places, None
        if places is not None:
            places.left()


class FilePlaces:
    """Lets in files by priority. Lives on the event loop."""

    def __init__(self, count: int) -> None:
        """``count`` files have a place at once."""
        self._free = count
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def place(self, scan: Scan) -> AsyncIterator[FilePlace]:
        """Wait for a place, which is left at the end, or before by :meth:`FilePlace.leave`."""
        await self._enter(scan)
        place = FilePlace(self)
        try:
            yield place
        finally:
            place.leave()

    def left(self) -> None:
        """Give a place to the next file."""
        self._free += 1
        while self._free and self._waiting:
            *_, future = heapq.heappop(self._waiting)
            if not future.done():
                self._free -= 1
                future.set_result(None)

    async def _enter(self, scan: Scan) -> None:
        if self._free:
            self._free -= 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not scan.file.fresh, scan.order, future))
        try:
            await future
        except asyncio.CancelledError:
            # It may have got its place just before.
            if not future.cancelled():
                self.left()
            raise
