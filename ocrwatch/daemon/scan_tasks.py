"""The coroutines of scans: a bug that ends one of them is published, and ends no other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ocrwatch.events import ScanFailed, publish


class ScanTasks:
    """Runs coroutines. Lives on the event loop."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, coroutine: Coroutine[Any, Any, None], path: str) -> asyncio.Task[None]:
        """Run the coroutine of the scan with this path."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                publish(ScanFailed(path=path, exception=error))

        task.add_done_callback(ended)
        return task

    async def cancel(self) -> None:
        """End all of them."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
