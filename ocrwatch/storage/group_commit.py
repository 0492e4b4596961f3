"""Group commit: many waiters, one thread, one fsync.

Items that wait while the thread is busy go together next.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, Generic, TypeVar

from ocrwatch.errors import EnvironmentFault
from ocrwatch.storage.threads import run_in

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_TOGETHER: Final = 64
"""As many as wait, but few enough that the first need not wait long for the last."""


class GroupCommit(ABC, Generic[Item, Result]):
    """``await commit(item)`` returns the item's result, or raises what its commit raised. Lives on the event loop."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._wake = asyncio.Event()
        self._one_by_one = 0

    def __len__(self) -> int:
        """Return how many items have no result yet."""
        return len(self._waiting)

    @abstractmethod
    def work(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        """Return the results of the first items, at least one; called on the thread.

        Raises an error that concerns no single item: all of ``items`` get it.
        """

    async def commit(self, item: Item) -> Result:
        """Wait for the item's result."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._wake.clear()
            while self._waiting:
                await self._serve()
            await self._wake.wait()

    async def _serve(self) -> None:
        # Items without a waiter are not begun: no one would record their results.
        self._waiting = deque(each for each in self._waiting if not each[1].done())
        most = 1 if self._one_by_one else MOST_TOGETHER
        group = list(islice(self._waiting, most))
        if not group:
            return
        self._one_by_one = max(0, self._one_by_one - 1)
        try:
            results = await run_in(self._thread, self.work, [item for item, _ in group])
        except EnvironmentFault as error:
            # Later items would only meet it as well; one error that all get counts as one.
            results = [error] * len(self._waiting)
        except Exception as error:  # noqa: BLE001 - a bug; delivered alone, it shows which item it concerns
            if len(group) > 1:
                self._one_by_one = len(group)
                return
            results = [error]
        for result in results:
            _, future = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(result, StopIteration):
                # No future accepts one (asyncio.Future.set_exception).
                future.set_exception(RuntimeError(repr(result)))
            elif isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
