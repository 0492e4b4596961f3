"""The executor of this machine: worker processes that read, and some that do what takes a moment."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from msgspec import structs

from ocrwatch.errors import EnvironmentFault, InternalFault, Stopping
from ocrwatch.executors.base import Attempts, Reading, WorkerListener, WorkerOptions
from ocrwatch.executors.events import Begun, Outcome, SlotEvent, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.executors.ipc import AnyJob, AssembleJob, Job, Prepared, PrepareJob, RenderJob
from ocrwatch.executors.process_pool import Pool
from ocrwatch.executors.trial_start import try_start
from ocrwatch.render.base import RenderedPage

_RETRY_HELPER: Final = 30.0
"""Seconds until a process that died as it started is tried again."""


class LocalExecutor:
    """Reads scans with worker processes of this machine.

    It is an :class:`~ocrwatch.executors.base.Executor`. Lives on the event loop; its workers' threads post to it.
    """

    def __init__(self, options: WorkerOptions, attempts: Attempts, listener: WorkerListener) -> None:
        """Start nothing yet."""
        self._pool = Pool(options, attempts, self._report)
        # More processes, since a cached page, or one for a service, must not wait for scans that take seconds. They are
        # started for the first of these pages.
        self._helpers = Pool(_for_helping(options), attempts, self._report_helping)
        self._helps = False
        self._cannot_help: EnvironmentFault | None = None
        """Why no helper can work at present."""
        self._try_again_at = 0.0
        """When it is tried again (monotonic seconds)."""
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: dict[int, asyncio.Future[Outcome]] = {}
        """By the scan's row."""
        self._helping: dict[int, asyncio.Future[Outcome]] = {}
        """By the number of the job: one that was given up may still be answered."""
        self._numbers = itertools.count(1)

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
        self._helpers.change(_for_helping(options))

    async def read(self, job: Job) -> Reading:
        """Read one scan in a worker."""
        outcome = await _outcome(job, job.scan, self._pool, self._reading)
        return Reading(_page_of(outcome), outcome.read_ms)

    async def render(self, job: RenderJob) -> RenderedPage:
        """Render a cached page in a helper."""
        return _page_of(await self._help(job))

    async def prepare(self, job: PrepareJob) -> Prepared:
        """Make a request to a remote service of a scan, in a helper."""
        outcome = await self._help(job)
        if outcome.prepared is None:
            raise InternalFault("a worker prepared nothing", "please report it")
        return outcome.prepared

    async def assemble(self, job: AssembleJob) -> RenderedPage:
        """Make a page of the answer of a remote service, in a helper."""
        return _page_of(await self._help(job))

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
        self._helpers.kill()

    async def _help(self, job: RenderJob | PrepareJob | AssembleJob) -> Outcome:
        if self._cannot_help is not None and time.monotonic() < self._try_again_at:
            raise EnvironmentFault(self._cannot_help.message, self._cannot_help.remedy)
        if not self._helps:
            self._helpers.start()
            self._helps = True
        number = next(self._numbers)
        return await _outcome(structs.replace(job, number=number), number, self._helpers, self._helping)

    def _report(self, event: SlotEvent) -> None:
        self._post(self._heard, event)

    def _report_helping(self, event: SlotEvent) -> None:
        self._post(self._heard_of_helping, event)

    def _post(self, call: Callable[[SlotEvent], None], event: SlotEvent) -> None:
        """Pass an event from a slot's thread to the event loop."""
        # While the process ends, the loop may be closed already.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call, event)

    def _heard(self, event: SlotEvent) -> None:
        if isinstance(event, Outcome):
            _answer(self._reading, event.scan, event)
        else:
            self._listener.heard(event)

    def _heard_of_helping(self, event: SlotEvent) -> None:
        match event:
            case Outcome():
                _answer(self._helping, event.number, event)
            case Begun():
                # A scan that is prepared for a service is an attempt to read it.
                self._listener.heard(event)
            case WorkerReady():
                self._cannot_help = None
            case WorkerLost():
                if event.phase == "starting":
                    self._stop_helping(event.how, _RETRY_HELPER)
                # What other workers read is not concerned.
                self._listener.heard(replace(event, phase="reading" if event.phase == "reading" else "rendering"))
            case WorkerUnfit():
                self._stop_helping(event.error.message, event.retry_in)

    def _stop_helping(self, reason: str, retry_in: float) -> None:
        """Answer all that wait, and all others until it is tried again, if no helper can start.

        If others work, they do what waits.
        """
        if self._helpers.ready:
            return
        fault = self._cannot_help = EnvironmentFault(f"no worker can start ({reason})", "run ocrwatch doctor")
        self._try_again_at = time.monotonic() + retry_in
        self._helpers.withdraw()
        for future in self._helping.values():
            if not future.done():
                future.set_exception(fault)


async def _outcome(job: AnyJob, key: int, pool: Pool, waiting: dict[int, asyncio.Future[Outcome]]) -> Outcome:
    """Have a job done; raises the error that it ends with."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    waiting[key] = future
    pool.submit(job)
    try:
        return await future
    finally:
        waiting.pop(key, None)


def _answer(waiting: dict[int, asyncio.Future[Outcome]], key: int, event: Outcome) -> None:
    future = waiting.get(key)
    if future is None or future.done():
        return
    if event.error is not None:
        future.set_exception(event.error)
    else:
        future.set_result(event)


def _page_of(outcome: Outcome) -> RenderedPage:
    if outcome.page is None:
        raise InternalFault("a worker said nothing", "please report it")
    return outcome.page


def _for_helping(options: WorkerOptions) -> WorkerOptions:
    return replace(options, workers=options.helpers, recipes=())
