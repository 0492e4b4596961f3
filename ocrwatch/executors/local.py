"""The executor of this machine: worker processes that read, and one that renders cached pages."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ocrwatch.errors import EnvironmentFault, InternalFault, Stopping
from ocrwatch.executors.base import Attempts, Reading, WorkerListener, WorkerOptions
from ocrwatch.executors.events import Outcome, SlotEvent, WorkerLost, WorkerUnfit
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.executors.process_pool import Pool
from ocrwatch.executors.trial_start import try_start
from ocrwatch.render.base import RenderedPage

_RETRY_RENDERER: Final = 30.0
"""Seconds until a process that died as it started is tried again."""


class LocalExecutor:
    """Reads scans with worker processes of this machine.

    It is an :class:`~ocrwatch.executors.base.Executor`. Lives on the event loop; its workers' threads post to it.
    """

    def __init__(self, options: WorkerOptions, attempts: Attempts, listener: WorkerListener) -> None:
        """Start nothing yet."""
        self._pool = Pool(options, attempts, self._report)
        # One more process, since a cached page must not wait for scans that take seconds. It is started for the first
        # cached page.
        self._renderer = Pool(_for_rendering(options), attempts, self._report_rendering)
        self._renders = False
        self._cannot_render: EnvironmentFault | None = None
        """Why no worker can render at present."""
        self._try_again_at = 0.0
        """When it is tried again (monotonic seconds)."""
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: dict[int, asyncio.Future[Reading]] = {}
        """By the scan's row."""
        self._rendering: dict[int, asyncio.Future[Reading]] = {}

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
        return await _result(job, self._pool, self._reading)

    async def render(self, job: RenderJob) -> RenderedPage:
        """Render a cached page in the process that is kept for that."""
        if self._cannot_render is not None and time.monotonic() < self._try_again_at:
            raise EnvironmentFault(self._cannot_render.message, self._cannot_render.remedy)
        if not self._renders:
            self._renderer.start()
            self._renders = True
        return (await _result(job, self._renderer, self._rendering)).page

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

    def _report(self, event: SlotEvent) -> None:
        self._post(self._heard, event)

    def _report_rendering(self, event: SlotEvent) -> None:
        self._post(self._heard_of_rendering, event)

    def _post(self, call: Callable[[SlotEvent], None], event: SlotEvent) -> None:
        """Pass an event from a slot's thread to the event loop."""
        # While the process ends, the loop may be closed already.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call, event)

    def _heard(self, event: SlotEvent) -> None:
        if isinstance(event, Outcome):
            _answer(self._reading, event)
        else:
            self._listener.heard(event)

    def _heard_of_rendering(self, event: SlotEvent) -> None:
        match event:
            case Outcome():
                _answer(self._rendering, event)
            case WorkerLost():
                if event.phase == "starting":
                    self._stop_rendering(event.how, _RETRY_RENDERER)
                # Readings are not concerned.
                self._listener.heard(replace(event, phase="rendering"))
            case WorkerUnfit():
                self._stop_rendering(event.error.message, event.retry_in)

    def _stop_rendering(self, reason: str, retry_in: float) -> None:
        """Answer all that wait for a process that cannot start, and all others until it is tried again."""
        fault = self._cannot_render = EnvironmentFault(f"no worker can render ({reason})", "run ocrwatch doctor")
        self._try_again_at = time.monotonic() + retry_in
        self._renderer.withdraw()
        for future in self._rendering.values():
            if not future.done():
                future.set_exception(fault)


async def _result(job: Job | RenderJob, pool: Pool, waiting: dict[int, asyncio.Future[Reading]]) -> Reading:
    future: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
    waiting[job.scan] = future
    pool.submit(job)
    try:
        return await future
    finally:
        waiting.pop(job.scan, None)


def _answer(waiting: dict[int, asyncio.Future[Reading]], event: Outcome) -> None:
    future = waiting.get(event.scan)
    if future is None or future.done():
        return
    if event.page is not None:
        future.set_result(Reading(event.page, event.read_ms))
    else:
        future.set_exception(event.error or InternalFault("a worker said nothing", "please report it"))


def _for_rendering(options: WorkerOptions) -> WorkerOptions:
    return replace(options, workers=1, recipes=())
