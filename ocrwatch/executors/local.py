"""The executor of this machine: worker processes that read, and one that renders cached pages."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from ocrwatch.errors import InternalFault, Stopping
from ocrwatch.executors.base import Attempts, Reading, WorkerListener, WorkerOptions
from ocrwatch.executors.events import Outcome, SlotEvent
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.executors.process_pool import Pool
from ocrwatch.executors.trial import try_start
from ocrwatch.render.base import RenderedPage


class LocalExecutor:
    """An :class:`~ocrwatch.executors.base.Executor`. Lives on the event loop; its workers' threads post to it."""

    def __init__(self, options: WorkerOptions, attempts: Attempts, listener: WorkerListener) -> None:
        """Start nothing yet."""
        self._pool = Pool(options, attempts, self._report)
        # One more process, since a cached page must not wait for scans that take seconds. It is started for the first
        # cached page.
        self._renderer = Pool(_for_rendering(options), attempts, self._report)
        self._renders = False
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: dict[int, asyncio.Future[Reading]] = {}

    @property
    def capacity(self) -> int:
        """How many workers there are."""
        return len(self._pool)

    @property
    def ready(self) -> int:
        """How many of them have loaded their engine."""
        return self._pool.ready

    def start(self) -> None:
        """Start the workers; each reports when it is ready."""
        self._loop = asyncio.get_running_loop()
        self._pool.start()

    def prove(self, options: WorkerOptions) -> None:
        """Start a worker with other options, and end it again."""
        try_start(options)

    def change(self, options: WorkerOptions) -> None:
        """Use other options from the next scans on. No scan is lost."""
        self._pool.change(options)
        self._renderer.change(_for_rendering(options))

    async def read(self, job: Job) -> Reading:
        """Read one scan in a worker."""
        return await self._result(job, self._pool)

    async def render(self, job: RenderJob) -> RenderedPage:
        """Render a cached page in the process that is kept for that."""
        if not self._renders:
            self._renders = True
            self._renderer.start()
        return (await self._result(job, self._renderer)).page

    def withdraw(self) -> int:
        """Withdraw the scans that no worker has begun; return how many."""
        withdrawn = self._pool.withdraw()
        for scan in withdrawn:
            if (future := self._reading.get(scan)) is not None and not future.done():
                future.set_exception(Stopping())
        return len(withdrawn)

    def close(self) -> None:
        """End the workers at once."""
        self._pool.kill()
        self._renderer.kill()

    async def _result(self, job: Job | RenderJob, pool: Pool) -> Reading:
        future: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._reading[job.scan] = future
        pool.submit(job)
        try:
            return await future
        finally:
            self._reading.pop(job.scan, None)

    def _report(self, event: SlotEvent) -> None:
        # While the process ends, the loop may be closed already.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._take, event)

    def _take(self, event: SlotEvent) -> None:
        if not isinstance(event, Outcome):
            self._listener.heard(event)
            return
        future = self._reading.get(event.scan)
        if future is None or future.done():
            return
        if event.page is not None:
            future.set_result(Reading(event.page, event.read_ms))
        else:
            future.set_exception(event.error or InternalFault("a worker said nothing", "please report it"))


def _for_rendering(options: WorkerOptions) -> WorkerOptions:
    return replace(options, workers=1, recipes=())
