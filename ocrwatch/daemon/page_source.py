"""Gets the page of a scan from the cache or the executor."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.cache.key import PageCache
from ocrwatch.daemon.attempts import AttemptRecords
from ocrwatch.daemon.priority_scheduler import MOST_BACKLOG, LaneClosed, Scheduler
from ocrwatch.daemon.retry_policy import check_admission, record_pause, renew
from ocrwatch.errors import (
    Blocked,
    Changed,
    EnvironmentFault,
    InternalFault,
    ScanFault,
    ServiceFault,
    Stopping,
    UsageError,
    environment_fault,
)
from ocrwatch.events import CacheFailed, ScanFailed, publish
from ocrwatch.executors.base import Executor, read_checked, render_checked, request_for
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.intake.loading import AlreadyDelivered, Loaded, Loading
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.render.registry import needs_original
from ocrwatch.scan import LOCAL_LANE, FilePage, Scan, Scans, ScanState, lane_of
from ocrwatch.settings import Settings
from ocrwatch.splitting.image_check import read_image
from ocrwatch.storage.threads import Threads, run_in

if TYPE_CHECKING:
    from ocrwatch.executors.http_ocr.executor import HttpOcrExecutor

BUG_REMEDY: Final = "please report it with the log's traceback"


@dataclass(frozen=True, slots=True)
class LoadedPage:
    """A page of a file, loaded. It has no row in the ledger: what earlier runs know is known of its file."""

    content: bytes
    page: bytes | None
    """The cached page of these bytes, or its own text, packed."""


class PageSource:
    """Gets pages. Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        cache: PageCache,
        threads: Threads,
        backoff: Backoff,
        scans: Scans,
        executor: Executor,
        loading: Loading,
        attempts: AttemptRecords,
        services: HttpOcrExecutor | None,
    ) -> None:
        """``services`` is the executor, if there are remote services."""
        self._settings = settings
        self._cache = cache
        self._threads = threads
        self._backoff = backoff
        self._scans = scans
        self._executor = executor
        self._loading = loading
        self._attempts = attempts
        self._services = services
        self.scheduler = Scheduler(
            scans,
            backoff,
            executor.capacity,
            services=services.lanes if services is not None else {},
            looks_ahead=bool(cache),
        )

    @property
    def settings(self) -> Settings:
        """The current settings. Scans that wait for a service leave it if they have other engines by new ones."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        for scan in self.scheduler.queue():
            # Those that wait for workers get theirs soon, and those that wait for a second reader have been read.
            waits_for_service = scan.lane == lane_of(scan.engine) != LOCAL_LANE
            if waits_for_service and set(map(lane_of, self._engines(scan))) != {scan.lane, *scan.other_lanes}:
                self.scheduler.send_back(scan)

    async def page(self, scan: Scan) -> RenderedPage:
        """Return the scan's page, rendered.

        Raises :class:`ScanFault` if it cannot be read, :class:`EnvironmentFault` or :class:`UsageError` if no scan can,
        :class:`Stopping`, and what :class:`Loading` and :func:`check_admission` say against reading it now.
        """
        while True:
            try:
                return await self._page(scan)
            except LaneClosed:
                # It goes to another of its engines, for which it may wait long: it is loaded again.
                scan.content = b""

    async def _page(self, scan: Scan) -> RenderedPage:
        scan.begun_at = scan.read_ms = 0.0
        self._choose_engine(scan)
        chosen_by = self._settings
        self._scans.change(scan, ScanState.QUEUED)
        async with self.scheduler.turn(scan):
            self._check_settings(chosen_by)
            self._scans.change(scan, ScanState.LOADING)
            renew(scan, self.settings)
            loaded = await (self._load(scan) if scan.file_page is None else self._load_page(scan, scan.file_page))
            if loaded.page is not None:
                if (page := await self._render_cached(scan, loaded.page, loaded.content)) is not None:
                    return page
                if isinstance(loaded, Loaded):
                    check_admission(scan, replace(loaded, page=None), self.settings.retry)
            scan.content = loaded.content
            del loaded
            self._check_settings(chosen_by)
            async with self.scheduler.place(scan):
                # The settings may have changed while it waited.
                self._renew(scan)
                content, scan.content = scan.content, b""
                # Another scan with the same bytes may have been read since this one was loaded.
                cached = self._cache.recent(scan.sha256 or "", scan.recipe)
                if cached is not None and (page := await self._render_cached(scan, cached, content)) is not None:
                    return page
                page = await self._have_read(scan, Job(scan.id, content, scan.recipe, self._request(scan)))
                del content
            if scan.recipe.has_remote_second and page.summary.is_doubtful and page.packed:
                # Many may wait for a slow service: only the packed page is kept meanwhile.
                packed = page.packed
                del page
                page = await self._have_read_again(scan, packed)
            self._remember(scan, page)
            return page

    def _choose_engine(self, scan: Scan) -> None:
        """Choose the first of the scan's engines that can read it and is available, otherwise the first that can."""
        left = self._engines(scan)
        # One that has just waited for a service in vain leaves it to others to try whether it is back.
        left.sort(key=scan.refusing_engines.__contains__)
        scan.engine = next((engine for engine in left if self.scheduler.is_open(lane_of(engine))), left[0])
        scan.lane = lane_of(scan.engine)
        scan.other_lanes = tuple(lane_of(engine) for engine in left if engine != scan.engine)

    def _engines(self, scan: Scan) -> list[str]:
        """Return the engines of a scan that have not failed on it, but at least the last one."""
        # A page has the options of its file, as in renew().
        options = self.settings.for_path(scan.path) if scan.file_page is None else scan.file_page.whole.options
        engines = options.ocr.engine
        return [engine for engine in engines if engine not in scan.failed_engines] or [engines[-1]]

    def _check_settings(self, chosen_by: Settings) -> None:
        """Raise :class:`LaneClosed` if the settings have changed since an engine was chosen by them."""
        if self._settings is not chosen_by:
            raise LaneClosed

    def _renew(self, scan: Scan) -> None:
        """Give a scan the options that are in force; raises :class:`LaneClosed` if they give it another lane."""
        renew(scan, self.settings)
        if lane_of(scan.recipe.engine) != scan.lane:
            raise LaneClosed

    async def _load(self, scan: Scan) -> Loaded:
        """Return bytes, row and cached page.

        Raises what the ledger says against reading it now.
        """
        try:
            loaded = await self._loading.commit(scan)
        except (ScanFault, AlreadyDelivered):
            self._backoff.resolve(Cause.READING)
            raise
        self._backoff.resolve(Cause.READING)
        scan.is_free_again()
        entry = loaded.entry
        scan.id, scan.attempt = entry.id, entry.attempts
        self._scans.has_row(scan)
        check_admission(scan, loaded, self.settings.retry)
        return loaded

    async def _load_page(self, scan: Scan, page: FilePage) -> LoadedPage:
        """Return bytes and cached page of a page of a file; raises :class:`Changed` if the file is given up."""
        try:
            # One at a time, so that workers get pages in their order.
            content, packed = await run_in(self._threads.state, self._read_image, scan, page)
        except FileNotFoundError as error:
            raise Changed(scan.path) from error
        except OSError as error:
            raise environment_fault(error, f"cannot read {page.image}") from error
        scan.is_free_again()
        self._scans.has_row(scan)
        return LoadedPage(content, packed)

    def _read_image(self, scan: Scan, page: FilePage) -> tuple[bytes, bytes | None]:
        cached = page.packed or next(iter(self._cache.pages([(scan.sha256 or "", scan.recipe)])))
        return read_image(page.image, scan.file.facts.size, scan.sha256 or ""), cached

    async def _render_cached(self, scan: Scan, packed: bytes, content: bytes) -> RenderedPage | None:
        """Render a cached page; return None if it cannot be, so that the scan must be read."""
        if packed == scan.unrendered:
            return None
        request, find = self._request(scan), _to_find(scan, packed)
        shown = content if find is not None or needs_original(request.formats) else b""
        try:
            page = await render_checked(self._executor, RenderJob(scan.id, packed, request, shown, find=find))
        except (ScanFault, EnvironmentFault) as fault:
            # Reading meets the same fault of the environment, if it lasts, and pauses for it.
            scan.unrendered = packed
            publish(CacheFailed(reason=f"{scan.path}: {fault.message}", remedy="nothing: the scan is read"))
            return None
        scan.cached = True
        scan.queued_ms = (time.monotonic() - scan.file.ready_at) * 1000
        return page

    async def _have_read(self, scan: Scan, job: Job) -> RenderedPage:
        self._scans.change(scan, ScanState.READING)
        try:
            reading = await read_checked(self._executor, job)
        except (EnvironmentFault, UsageError, Stopping) as error:
            if isinstance(error, ServiceFault) and error.service:
                # Before the next turn at the service is granted, which may be while the ledger is written.
                record_pause(self._backoff, error)
            if scan.begun_at:
                await self._attempts.refund(scan)
            if isinstance(error, Blocked):
                # One at a time until a page is read. The pause keeps its error, without this scan's frames.
                self._backoff.record(Cause.MEMORY, error, time.monotonic())
                raise Blocked(error.message, error.remedy) from None
            raise
        finally:
            scan.worker = 0
        self._backoff.resolve(Cause.WORKERS)
        self._backoff.resolve(Cause.MEMORY)
        scan.read_ms += reading.read_ms
        scan.queued_ms = (time.monotonic() - scan.file.ready_at) * 1000 - scan.read_ms
        return reading.page

    async def _have_read_again(self, scan: Scan, first: bytes) -> RenderedPage:
        """Have a service read a doubtful page, if it is available; ``first`` is the page, packed.

        Otherwise the page says that it was not.
        """
        assert self._services is not None  # noqa: S101 - the settings name one
        # It may wait long, and a kill meanwhile must not count against it.
        await self._attempts.refund(scan)
        scan.begun_at = 0.0
        scan.lane, scan.other_lanes = scan.recipe.second, (LOCAL_LANE,)
        reason = self._reason_against_waiting(scan.lane)
        if not reason:
            self._scans.change(scan, ScanState.QUEUED)
            try:
                async with self.scheduler.place(scan):
                    # Its bytes are loaded again: those of all that wait would take much memory.
                    return await self._have_read(scan, await self._second_job(scan, first))
            except LaneClosed:
                reason = self._backoff.message_of(scan.lane) or "it is not available"
            except ServiceFault as fault:
                reason = fault.message
            except ScanFault as fault:
                if isinstance(fault, InternalFault):
                    publish(ScanFailed(path=scan.path, reason=fault.message, trace=fault.trace))
                reason = fault.message
        self._scans.change(scan, ScanState.READING)
        return await self._services.without_second(await self._second_job(scan, first), reason)

    async def _second_job(self, scan: Scan, first: bytes) -> Job:
        page = scan.file_page
        content = await self._loading.again(scan) if page is None else (await self._load_page(scan, page)).content
        return Job(scan.id, content, scan.recipe, self._request(scan), first)

    def _reason_against_waiting(self, lane: str) -> str:
        """Return why a page is not given to a service for a second reading; empty if it is."""
        if not self.scheduler.is_open(lane):
            return self._backoff.message_of(lane) or "it is not available"
        if self.scheduler.waiting_in(lane) >= MOST_BACKLOG:
            return "too many pages wait for it"
        return ""

    def _request(self, scan: Scan) -> RenderRequest:
        packs = bool(self._cache) or scan.recipe.has_remote_second
        return request_for(scan, preview_chars=self.settings.log.preview_chars, packs=packs)

    def _remember(self, scan: Scan, page: RenderedPage) -> None:
        """Cache the page; the delivery thread writes it, so that it is written before the scan is closed.

        Not if a service read nothing on it although there is print: it may read it another time.
        """
        if scan.recipe.is_remote and not page.summary.words and page.summary.is_doubtful:
            return
        save = self._cache.remember(scan.sha256 or "", scan.recipe, page)

        def saved(future: asyncio.Future[None]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                publish(CacheFailed(reason=repr(error), remedy=BUG_REMEDY))

        asyncio.ensure_future(run_in(self._threads.delivery, save)).add_done_callback(saved)


def _to_find(scan: Scan, packed: bytes) -> Recipe | None:
    """Return the recipe by which a page is completed that has text of its own; None for cached ones."""
    return scan.recipe if scan.file_page is not None and scan.file_page.packed == packed else None
