"""The executor of remote OCR services: this machine's workers prepare scans and make pages, services read them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ocrwatch.backoff import Backoff
from ocrwatch.errors import EngineFailed, OcrwatchError, Rejected, ServiceFault
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


_MOST_IN_A_ROW: Final = 2
"""Scans, one after the other, that a service may fail on although it reads the trial picture. With more it is to blame:
it may be short of memory for all pages of a usual size. Chosen."""


class PageWorkers(Executor, Protocol):
    """An executor whose workers also prepare scans for services, and make pages of the answers."""

    async def prepare(self, job: PrepareJob) -> Prepared:
        """Make a request to a service of a scan; raises like :meth:`read`."""

    async def assemble(self, job: AssembleJob) -> RenderedPage:
        """Make a page of an answer; raises like :meth:`read`, and what the answer says against it."""


_FIRST_TRIAL: Final = -(1 << 62)
"""Row of the first trial picture. Those above, from -1 downwards, are pages of files."""


@dataclass(slots=True)
class _Trial:
    """The last time that a service was sent the trial picture."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    begun_at: float = 0.0
    """Monotonic seconds."""
    was_read: bool = False
    wait: float = 0.0
    """Seconds that the service asked to wait instead."""


class HttpOcrExecutor:
    """Reads scans with services if their recipes name one, and all others with this machine's workers.

    It is an :class:`~ocrwatch.executors.base.Executor`. Lives on the event loop.
    """

    def __init__(self, workers: PageWorkers, remotes: Sequence[Remote], backoff: Backoff) -> None:
        """Load the presets; raises :class:`UsageError` if one does not exist, or does not take its options."""
        self._workers = workers
        self._services = {remote.name: Service(remote, backoff) for remote in remotes}
        self._backoff = backoff
        self._failed: dict[tuple[str, int], None] = {}
        """Services with the rows of scans on which they have failed, in the order of the failures."""
        self._in_a_row: dict[str, set[int]] = {remote.name: set() for remote in remotes}
        """Rows of scans that each service has failed on since it last read one."""
        self._trials = {remote.name: _Trial() for remote in remotes}
        self._trial_rows = itertools.count(_FIRST_TRIAL, -1)
        """Rows of trial pictures: those of scans are above 0."""

    async def read(self, job: Job) -> Reading:
        """Read one scan. With ``job.first``, its text is merged with that of the first reader."""
        if not (job.recipe.is_remote or job.first):
            return await self._workers.read(job)
        service, begun = self._service_of(job.recipe), time.monotonic()
        try:
            prepared = await self._workers.prepare(PrepareJob(job.scan, job.content, job.recipe))
            page = await self._asked(service, job, prepared)
        except ServiceFault as fault:
            raise service.completed(fault, fault.tried_at or begun) from None
        except OcrwatchError as error:
            service.without_key(error)
            raise
        self._failed.pop((service.name, job.scan), None)
        self._in_a_row[service.name].clear()
        self._backoff.resolve(service.cause, tried_at=begun)
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

    async def _assembled(self, job: Job, prepared: Prepared, answer: bytes) -> RenderedPage:
        """Make a page of an answer; raises :class:`Ambiguous` for an answer that refuses, or is none."""
        try:
            return await self._workers.assemble(
                AssembleJob(job.scan, _shown(job), job.recipe, prepared.sent, answer, job.request, job.first)
            )
        except Rejected as fault:
            raise Ambiguous(fault, ServiceFault(fault.message, fault.remedy), at_once=True) from None
        except ServiceFault as fault:
            raise Ambiguous(EngineFailed(fault.message, fault.remedy), fault, at_once=False) from None

    async def _asked(self, service: Service, job: Job, prepared: Prepared) -> RenderedPage:
        """Have a service read an image; if it fails, find out whose fault that is, and raise it.

        It is the scan's only if the service reads the trial picture, and then fails on the image again: it may have
        been out of order just before. What it fails on for no stated reason must not be several scans in a row.
        """
        try:
            return await self._assembled(job, prepared, await service.ask(prepared.message))
        except Ambiguous as error:
            failure = error
        if not (failure.at_once or self._has_failed(service, job)):
            raise failure.of_service
        if not await self._reads_trial(service, job.recipe):
            failure.of_service.wait = max(failure.of_service.wait, self._trials[service.name].wait)
            raise failure.of_service
        asked_at = time.monotonic()
        try:
            return await self._assembled(job, prepared, await service.ask(prepared.message))
        except Ambiguous as error:
            if isinstance(error.of_scan, EngineFailed) and self._is_one_too_many(service, job):
                raise error.of_service from None
            self._failed.pop((service.name, job.scan), None)
            self._backoff.resolve(service.cause, tried_at=asked_at)
            raise error.of_scan from None

    def _is_one_too_many(self, service: Service, job: Job) -> bool:
        """Record that a service has failed on a scan again; return whether it has failed on others in a row."""
        in_a_row = self._in_a_row[service.name]
        if len(in_a_row) < _MOST_IN_A_ROW:
            in_a_row.add(job.scan)
        return job.scan not in in_a_row

    def _has_failed(self, service: Service, job: Job) -> bool:
        """Record that a service has failed on a scan; return whether it had before."""
        key = (service.name, job.scan)
        failed_before = key in self._failed
        self._failed[key] = None
        while len(self._failed) > _MOST_REMEMBERED:
            del self._failed[next(iter(self._failed))]
        return failed_before

    async def _reads_trial(self, service: Service, recipe: Recipe) -> bool:
        """Return whether a service reads the trial picture: it is sent now, unless one is on its way to be."""
        asked_at = time.monotonic()
        trial = self._trials[service.name]
        async with trial.lock:
            if trial.begun_at < asked_at:
                trial.begun_at, trial.wait = time.monotonic(), 0.0
                trial.was_read = await self._try(service, recipe, trial)
            return trial.was_read

    async def _try(self, service: Service, recipe: Recipe, trial: _Trial) -> bool:
        plain = replace(recipe, tables=False, codes=False, fields=())
        job = Job(next(self._trial_rows), trial_picture(), plain, TRIAL_REQUEST)
        try:
            # It is in no ledger, and counts as no attempt.
            prepared = await self._workers.prepare(PrepareJob(job.scan, job.content, plain))
            await self._assembled(job, prepared, await service.ask(prepared.message))
        except (Ambiguous, OcrwatchError) as error:
            if isinstance(error, OcrwatchError):
                service.without_key(error)
            if isinstance(error, ServiceFault):
                trial.wait = error.wait
            return False
        return True


def _shown(job: Job) -> bytes:
    """Return the scan if more than its text is needed for its page."""
    recipe = job.recipe
    is_needed = recipe.tables or recipe.codes or recipe.fields or needs_original(job.request.formats)
    return job.content if is_needed else b""
