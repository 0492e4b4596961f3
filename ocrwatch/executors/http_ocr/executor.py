"""The executor of remote OCR services: this machine's workers prepare scans and make pages, services read them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, Protocol

from ocrwatch.backoff import Backoff
from ocrwatch.errors import OcrwatchError, ServiceFault
from ocrwatch.executors.base import Executor, Reading, WorkerOptions
from ocrwatch.executors.http_ocr.service import Ambiguous, Service
from ocrwatch.executors.http_ocr.trial_picture import TRIAL_REQUEST, trial_picture
from ocrwatch.executors.ipc import AssembleJob, Job, Prepared, PrepareJob, RenderJob
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderedPage
from ocrwatch.render.registry import needs_original
from ocrwatch.settings.remote import Remote

_MOST_REMEMBERED: Final = 10_000
"""Scans on which a service has failed, so that it is known whether it has read others since."""

_NO_SCAN: Final = -1
"""Row of the trial picture, which is in no ledger."""


class PageWorkers(Executor, Protocol):
    """An executor whose workers also prepare scans for services, and make pages of the answers."""

    async def prepare(self, job: PrepareJob) -> Prepared:
        """Make a request to a service of a scan; raises like :meth:`read`."""

    async def assemble(self, job: AssembleJob) -> RenderedPage:
        """Make a page of an answer; raises like :meth:`read`, and what the answer says against it."""


class HttpOcrExecutor:
    """Reads scans with services if their recipes name one, and all others with this machine's workers.

    It is an :class:`~ocrwatch.executors.base.Executor`. Lives on the event loop.
    """

    def __init__(self, workers: PageWorkers, remotes: Sequence[Remote], backoff: Backoff) -> None:
        """Load the presets; raises :class:`UsageError` if one does not exist, or does not take its options."""
        self._workers = workers
        self._services = {remote.name: Service(remote) for remote in remotes}
        self._backoff = backoff
        self._failed_at: dict[int, int] = {}
        """By the row of a scan on which its service has failed: how many images it had read before."""
        self._trials = {remote.name: asyncio.Lock() for remote in remotes}

    async def read(self, job: Job) -> Reading:
        """Read one scan. With ``job.first``, its text is merged with that of the first reader."""
        if not (job.recipe.is_remote or job.first):
            return await self._workers.read(job)
        service, begun = self._service_of(job.recipe), time.monotonic()
        prepared = await self._workers.prepare(PrepareJob(job.scan, job.content, job.recipe, is_counted=not job.first))
        before = service.successes
        try:
            self._check_pause(service)
            answer = await service.ask(prepared.message)
            page = await self._assemble(job, prepared, answer)
        except Ambiguous as failure:
            raise await self._judged(service, job, failure, before) from None
        except ServiceFault as fault:
            service.without_key(fault)
            raise service.refused(fault, fault.tried_at or begun) from None
        except OcrwatchError as error:
            service.without_key(error)
            raise
        self._failed_at.pop(job.scan, None)
        service.successes += 1
        return Reading(page, (time.monotonic() - begun) * 1000)

    async def without_second(self, job: Job, reason: str) -> RenderedPage:
        """Return the page of the first reader, which says that the service could not read, and why."""
        return await self._workers.assemble(
            AssembleJob(job.scan, _shown(job), job.recipe, None, b"", job.request, job.first, reason)
        )

    @property
    def capacity(self) -> int:
        """How many scans this machine's workers read at once."""
        return self._workers.capacity

    @property
    def ready(self) -> int:
        """How many of the workers could read now."""
        return self._workers.ready

    @property
    def lanes(self) -> dict[str, int]:
        """How many scans each service may have at once, by the cause of its pauses."""
        return {service.cause: service.options.concurrency for service in self._services.values()}

    @property
    def in_flight(self) -> dict[str, int]:
        """How many requests wait for their answer, by the name of the service."""
        return {service.name: service.in_flight for service in self._services.values()}

    def start(self) -> None:
        """Start the workers."""
        self._workers.start()

    def prove(self, options: WorkerOptions) -> None:
        """Check whether scans could be read with other options."""
        self._workers.prove(options)

    def change(self, options: WorkerOptions) -> None:
        """Use other options from the next scans on; services stay as they are until a restart."""
        self._workers.change(options)

    async def render(self, job: RenderJob) -> RenderedPage:
        """Render a cached page."""
        return await self._workers.render(job)

    def withdraw(self) -> int:
        """Withdraw the scans that were not begun; return how many. Services get no more requests."""
        for service in self._services.values():
            service.stop()
        return self._workers.withdraw()

    def close(self) -> None:
        """End the workers at once."""
        self._workers.close()

    async def run(self) -> None:
        """Keep the connections until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            for service in self._services.values():
                await service.close()

    def _service_of(self, recipe: Recipe) -> Service:
        assert recipe.remote is not None  # noqa: S101 - the settings have checked it
        return self._services[recipe.remote.name]

    def _check_pause(self, service: Service) -> None:
        """Raise the reason of a pause that has begun since the scan had its turn."""
        pause = self._backoff.active.get(service.cause)
        if pause is not None and pause.next_try > time.monotonic():
            fault = ServiceFault(pause.message, pause.remedy)
            fault.tried_at = pause.begun
            raise fault

    async def _assemble(self, job: Job, prepared: Prepared, answer: bytes) -> RenderedPage:
        return await self._workers.assemble(
            AssembleJob(job.scan, _shown(job), job.recipe, prepared.sent, answer, job.request, job.first)
        )

    async def _judged(self, service: Service, job: Job, failure: Ambiguous, before: int) -> OcrwatchError:
        """Return whose fault a failure is: the scan's only if the service reads others."""
        scan, recipe = job.scan, job.recipe
        before = self._failed_at.setdefault(scan, before)
        if service.successes > before or (failure.trial_helps and await self._reads_trial(service, recipe, before)):
            self._failed_at.pop(scan, None)
            return failure.of_scan
        while len(self._failed_at) > _MOST_REMEMBERED:
            del self._failed_at[next(iter(self._failed_at))]
        return failure.of_service

    async def _reads_trial(self, service: Service, recipe: Recipe, before: int) -> bool:
        """Return whether a service reads the trial picture, or has read another image meanwhile.

        It is asked only if nothing else shows whether the service works: after a refusal that may be the image's fault.
        """
        async with self._trials[service.name]:
            if service.successes > before:
                return True
            job = Job(_NO_SCAN, trial_picture(), recipe, TRIAL_REQUEST)
            try:
                prepared = await self._workers.prepare(PrepareJob(job.scan, job.content, recipe, is_counted=False))
                await self._assemble(job, prepared, await service.ask(prepared.message))
            except (Ambiguous, OcrwatchError):
                return False
            service.successes += 1
            return True


def _shown(job: Job) -> bytes:
    """Return the scan if more than its text is needed for its page."""
    is_needed = job.recipe.tables or job.recipe.fields or needs_original(job.request.formats)
    return job.content if is_needed else b""
