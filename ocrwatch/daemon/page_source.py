"""Gets the page of a scan from the cache or the executor."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Final

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.cache.key import PageCache
from ocrwatch.daemon.priority_scheduler import Scheduler
from ocrwatch.daemon.retry_policy import check_admission, renew
from ocrwatch.errors import Blocked, EnvironmentFault, ScanFault, UsageError
from ocrwatch.events import CacheFailed, publish
from ocrwatch.executors.base import Executor, read_checked, render_checked, request_for
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.intake.loading import AlreadyDelivered, Loaded, Loading
from ocrwatch.ledger import Ledger
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.render.registry import needs_original
from ocrwatch.scan import Scan, Scans, ScanState
from ocrwatch.settings import Settings
from ocrwatch.storage.threads import Threads, run_in

BUG_REMEDY: Final = "please report it with the log's traceback"


class PageSource:
    """Gets pages. Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        cache: PageCache,
        threads: Threads,
        backoff: Backoff,
        scans: Scans,
        executor: Executor,
        loading: Loading,
    ) -> None:
        self.settings = settings
        """The current settings."""
        self._ledger = ledger
        self._cache = cache
        self._threads = threads
        self._backoff = backoff
        self._scans = scans
        self._executor = executor
        self._loading = loading
        self.scheduler = Scheduler(scans, backoff, executor.capacity, looks_ahead=bool(cache))

    async def page(self, scan: Scan) -> RenderedPage:
        """Return the scan's page, rendered.

        Raises :class:`ScanFault` if it cannot be read, :class:`EnvironmentFault` or :class:`UsageError` if no scan can,
        :class:`Stopping`, and what :class:`Loading` and :func:`check_admission` say against reading it now.
        """
        scan.begun_at = 0.0
        self._scans.change(scan, ScanState.QUEUED)
        async with self.scheduler.turn(scan):
            self._scans.change(scan, ScanState.LOADING)
            renew(scan, self.settings)
            loaded = await self._load(scan)
            if loaded.page is not None:
                if (page := await self._render_cached(scan, loaded.page, loaded.content)) is not None:
                    return page
                check_admission(scan, replace(loaded, page=None), self.settings.retry)
            scan.content = loaded.content
            del loaded
            async with self.scheduler.place(scan):
                # The settings may have changed while it waited.
                renew(scan, self.settings)
                content, scan.content = scan.content, b""
                # Another scan with the same bytes may have been read since this one was loaded.
                cached = self._cache.recent(scan.sha256 or "", scan.recipe)
                if cached is not None and (page := await self._render_cached(scan, cached, content)) is not None:
                    return page
                return await self._have_read(scan, content)

    async def refund(self, row: int) -> None:
        """Refund an attempt; a ledger that refuses is reported by a more important call."""
        with contextlib.suppress(EnvironmentFault):
            await run_in(self._threads.state, self._ledger.refund_attempt, row)

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

    async def _render_cached(self, scan: Scan, packed: bytes, content: bytes) -> RenderedPage | None:
        """Render a cached page; return None if it cannot be, so that the scan must be read."""
        if packed == scan.unrendered:
            return None
        shown = content if needs_original(scan.options.output.formats) else b""
        try:
            page = await render_checked(self._executor, RenderJob(scan.id, packed, self._request(scan), shown))
        except (ScanFault, EnvironmentFault) as fault:
            # Reading meets the same fault of the environment, if it lasts, and pauses for it.
            scan.unrendered = packed
            publish(CacheFailed(reason=f"{scan.path}: {fault.message}", remedy="nothing: the scan is read"))
            return None
        scan.cached = True
        scan.queued_ms = (time.monotonic() - scan.file.ready_at) * 1000
        return page

    async def _have_read(self, scan: Scan, content: bytes) -> RenderedPage:
        self._scans.change(scan, ScanState.READING)
        try:
            reading = await read_checked(self._executor, Job(scan.id, content, scan.recipe, self._request(scan)))
        except (EnvironmentFault, UsageError) as error:
            if scan.begun_at:
                await self.refund(scan.id)
            if isinstance(error, Blocked):
                # One at a time until a page is read. The pause keeps its error, without this scan's frames.
                self._backoff.record(Cause.MEMORY, error, time.monotonic())
                raise Blocked(error.message, error.remedy) from None
            raise
        finally:
            scan.worker = 0
        self._backoff.resolve(Cause.WORKERS)
        self._backoff.resolve(Cause.MEMORY)
        scan.read_ms = reading.read_ms
        scan.queued_ms = (time.monotonic() - scan.file.ready_at) * 1000 - reading.read_ms
        self._remember(scan, reading.page)
        return reading.page

    def _request(self, scan: Scan) -> RenderRequest:
        return request_for(scan, preview_chars=self.settings.log.preview_chars, packs=bool(self._cache))

    def _remember(self, scan: Scan, page: RenderedPage) -> None:
        """Cache the page; the delivery thread writes it, so that it is written before the scan is closed."""
        save = self._cache.remember(scan.sha256 or "", scan.recipe, page)

        def saved(future: asyncio.Future[None]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                publish(CacheFailed(reason=repr(error), remedy=BUG_REMEDY))

        asyncio.ensure_future(run_in(self._threads.delivery, save)).add_done_callback(saved)
