"""An executor without workers: what reading a scan comes to is up to the test."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Word
from ocrwatch.errors import Stopping
from ocrwatch.executors.base import Reading, WorkerOptions
from ocrwatch.executors.events import Begun
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.executors.rendering import plain, render_packed, render_page
from ocrwatch.render.base import RenderedPage

WORKER: Final = 4711
"""The process id that is told of what reads."""

ENGINE: Final = EngineInfo("fake", "1", ())

_BOX: Final = Box(0, 0, 1, 1)

Act = Callable[[Job], Awaitable[Page]]
"""Returns what a job's page is, or raises."""

RenderAct = Callable[[RenderJob], Awaitable[RenderedPage]]
"""Returns a cached page, rendered, or raises."""


def page_of(text: str, engine: EngineInfo = ENGINE) -> Page:
    """Return a page with one word."""
    line = Line((Word(text, _BOX, 95.0),), _BOX)
    return Page(1, 1, None, 1, (Block((line,), _BOX),), engine)


async def echo(job: Job) -> Page:
    """Read a scan's own bytes off it."""
    return page_of(job.content.decode("ascii", "replace"))


async def render(job: RenderJob) -> RenderedPage:
    """Render a cached page as workers do."""
    return render_packed(job.packed, job.request, job.content, job.find)


class FakeExecutor:
    """An :class:`~ocrwatch.executors.base.Executor` that reads ``capacity`` scans at once, in their order.

    ``act`` and ``render_act`` may be changed at any time. ``count_attempt`` is called on a thread, ``heard`` on the
    event loop.
    """

    def __init__(
        self,
        capacity: int = 1,
        act: Act = echo,
        *,
        count_attempt: Callable[[int], int],
        heard: Callable[[Begun], None],
    ) -> None:
        self.act = act
        self.render_act: RenderAct = render
        self.jobs: list[Job] = []
        """All that were begun."""
        self.rendered: list[RenderJob] = []
        """All cached pages that were to be rendered."""
        self._capacity = capacity
        self._count_attempt = count_attempt
        self._heard = heard
        self._thread = ThreadPoolExecutor(1, "fake")
        self._busy = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def capacity(self) -> int:
        """How many scans it reads at once."""
        return self._capacity

    @property
    def ready(self) -> int:
        """How many it could read at once at this moment."""
        return self._capacity

    def start(self) -> None:
        """Be ready."""

    def prove(self, options: WorkerOptions) -> None:
        """Accept all options."""

    def change(self, options: WorkerOptions) -> None:
        """Read another number of scans at once."""
        self._capacity = options.workers
        self._grant()

    async def read(self, job: Job) -> Reading:
        """Have the test read one scan."""
        await self._turn()
        try:
            attempt = await asyncio.get_running_loop().run_in_executor(self._thread, self._count_attempt, job.scan)
            self.jobs.append(job)
            self._heard(Begun(WORKER, job.scan, attempt))
            begun = time.monotonic()
            page = render_page(plain(await self.act(job)), job.request, job.content)
            return Reading(page, (time.monotonic() - begun) * 1000)
        finally:
            self._busy -= 1
            self._grant()

    async def render(self, job: RenderJob) -> RenderedPage:
        """Render a cached page."""
        self.rendered.append(job)
        # As any other, it is not there at once.
        await asyncio.sleep(0)
        return await self.render_act(job)

    def withdraw(self) -> int:
        """Give up the scans that have not been begun; return how many."""
        withdrawn = 0
        while self._queue:
            future = self._queue.popleft()
            if not future.done():
                future.set_exception(Stopping())
                withdrawn += 1
        return withdrawn

    def close(self) -> None:
        """Wait for what is being counted."""
        self._thread.shutdown(cancel_futures=True)

    async def _turn(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(future)
        self._grant()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._busy -= 1
                self._grant()
            raise

    def _grant(self) -> None:
        while self._queue and self._busy < self._capacity:
            future = self._queue.popleft()
            if not future.done():
                self._busy += 1
                future.set_result(None)
