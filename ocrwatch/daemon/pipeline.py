"""A scan's life, from its batch to its end: read :meth:`Pipeline.process` first."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from ocrwatch.backoff import BLOCKED_DELAY, Backoff, Cause, wait_until
from ocrwatch.cache.key import PageCache
from ocrwatch.daemon.retry_policy import HasPlan, TooSoon, check_admission, delay_after, renew
from ocrwatch.daemon.scheduler import Scheduler
from ocrwatch.delivery.deliveries import (
    ClearingItem,
    Deliveries,
    Item,
    LeftoverItem,
    PageItem,
    PlanItem,
    QuarantineItem,
)
from ocrwatch.delivery.duplicates import Duplicates
from ocrwatch.delivery.plan import Plan
from ocrwatch.delivery.transaction import Delivered
from ocrwatch.errors import (
    Blocked,
    Changed,
    EnvironmentFault,
    InternalFault,
    OcrwatchError,
    ScanFault,
    Stopping,
    TimedOut,
    UsageError,
)
from ocrwatch.events import (
    BatchStarted,
    CacheFailed,
    ScanChanged,
    ScanClosed,
    ScanFailed,
    ScanRetrying,
    ScanWaiting,
    publish,
)
from ocrwatch.executors.base import Executor, request_for
from ocrwatch.executors.events import Begun
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.intake.loading import AlreadyDelivered, Loaded, Loading
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.observe.scan_events import publish_delivered, publish_duplicate, publish_quarantined, publish_recovered
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.scan import Batch, Scan, Scans, ScanState, SettledFile
from ocrwatch.settings import Settings, recipe
from ocrwatch.storage.facts import FileFacts
from ocrwatch.storage.threads import Threads, run_in

MOST_BLOCKED: Final = 128
"""Scans that may be blocked with their texts in memory; more mean that the folder refuses all: a pause."""

BUG_REMEDY: Final = "please report it with the log's traceback"


class Intake(Protocol):
    """Where scans come from, and go back to. Called on the event loop."""

    def closed(self, scan: Scan) -> None:
        """Take back the path of a closed scan."""

    def is_doubtful(self, scan: SettledFile, fault: ScanFault) -> bool:
        """Return whether a scan may be damaged only because its writer is not done."""


class Pipeline:
    """Processes each scan in its own coroutine. Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        groups: Mapping[str, int],
        ledger: Ledger,
        cache: PageCache,
        threads: Threads,
        backoff: Backoff,
        scans: Scans,
        executor: Executor,
        loading: Loading,
        deliveries: Deliveries,
        duplicates: Duplicates | None,
        intake: Intake,
    ) -> None:
        """Store the parts; ``groups`` has the group ids that sidecars may be given to."""
        self.settings = settings
        """The current settings."""
        self.groups = groups
        self._ledger = ledger
        self._cache = cache
        self._threads = threads
        self._backoff = backoff
        self._scans = scans
        self._executor = executor
        self._loading = loading
        self._deliveries = deliveries
        self._duplicates = duplicates
        self._intake = intake
        self.scheduler = Scheduler(scans, backoff, executor.capacity, looks_ahead=bool(cache))
        self.began_at: float | None = None
        """When the first batch was taken (monotonic seconds)."""
        self._batches = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._is_ending = False
        self._undelivered = 0
        self._past_reading = 0
        """Open scans that need no more reading."""
        self._blocked_texts = 0
        """Scans that are blocked with their texts in memory."""
        self.resuming: set[str] = set()
        """Paths of scans of earlier runs with plans that are being carried out."""

    # From the batch to the end.

    async def process(self, scan: Scan) -> None:  # noqa: PLR0912 - each end of a scan has its branch
        """Read a scan and deliver its text. Everything that can go wrong is decided here."""
        while not scan.is_closed:
            try:
                await self._wait(scan)
                if scan.fault is None:
                    page = await self._read(scan)
                    self._close(scan, await self._deliver(scan, page))
                else:
                    self._close(scan, await self._quarantine(scan, scan.fault))
            except Stopping:
                self._close(scan, ScanState.CANCELLED)
            except Changed:
                self._close(scan, ScanState.CHANGED)
            except AlreadyDelivered:
                self._close(scan, ScanState.DUPLICATE)
            except HasPlan as found:
                self._close(scan, await self._resume(found.entry, scan))
            except TooSoon as early:
                self._postpone(scan, ScanState.RETRYING, early.seconds)
            except Blocked as error:
                # The others go on without it.
                self._block(scan, error)
            except UsageError as error:
                # The setting of this recipe is wrong: scans of other profiles go on.
                self._retry(scan, "wrong-setting", str(error), self.settings.retry.max_delay)
            except EnvironmentFault as error:
                await self._wait_out(scan, error)
            except ScanFault as fault:
                await self._judge(scan, fault)
            except Exception as error:  # noqa: BLE001 - a bug must not stop the daemon, nor lose the scan
                self._note_bug(scan, error)

    async def _read(self, scan: Scan) -> RenderedPage:
        """Return the scan's page, rendered; it comes from the cache or from the executor."""
        scan.begun_at = 0.0
        self._scans.change(scan, ScanState.QUEUED)
        async with self.scheduler.turn(scan):
            self._scans.change(scan, ScanState.LOADING)
            renew(scan, self.settings)
            reduced = scan.reduced
            loaded = await self._load(scan)
            if loaded.page is not None:
                if (page := await self._render_cached(scan, loaded.page)) is not None:
                    return page
                scan.reduced = reduced
                check_admission(scan, replace(loaded, page=None), self.settings.retry)
            scan.jpeg = loaded.jpeg
            del loaded
            async with self.scheduler.place(scan):
                # The settings may have changed while it waited.
                renew(scan, self.settings)
                jpeg, scan.jpeg = scan.jpeg, b""
                # Another scan with the same bytes may have been read since this one was loaded.
                cached = self._cache.recent(scan.sha256 or "", scan.recipe)
                if cached is not None and (page := await self._render_cached(scan, cached)) is not None:
                    return page
                return await self._have_read(scan, jpeg)

    async def _load(self, scan: Scan) -> Loaded:
        """Return bytes, row and cached page; raises what the ledger says against reading it now."""
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

    async def _render_cached(self, scan: Scan, packed: bytes) -> RenderedPage | None:
        """Render a cached page; return None if it cannot be, so that the scan must be read."""
        if packed == scan.unrendered:
            return None
        try:
            page = await self._executor.render(RenderJob(scan.id, packed, self._request(scan)))
        except ScanFault as fault:
            scan.unrendered = packed
            publish(CacheFailed(reason=f"{scan.path}: {fault.message}", remedy="nothing: the scan is read"))
            return None
        except EnvironmentFault:
            # It is a pause of the workers: loading, which works, would end another one at once.
            scan.begun_at = time.monotonic()
            raise
        self._backoff.resolve(Cause.WORKERS)
        scan.cached = True
        scan.queued_ms = (time.monotonic() - scan.file.ready_at) * 1000
        return page

    def _request(self, scan: Scan) -> RenderRequest:
        return request_for(scan, preview_chars=self.settings.log.preview_chars, packs=bool(self._cache))

    async def _have_read(self, scan: Scan, jpeg: bytes) -> RenderedPage:
        self._scans.change(scan, ScanState.READING)
        try:
            reading = await self._executor.read(Job(scan.id, jpeg, scan.recipe, self._request(scan)))
        except EnvironmentFault as error:
            if scan.begun_at:
                await self._refund(scan.id)
            if isinstance(error, Blocked):
                # One at a time until a page is read.
                self._backoff.record(Cause.MEMORY, error, time.monotonic())
            raise
        except UsageError:
            if scan.begun_at:
                await self._refund(scan.id)
            raise
        finally:
            scan.worker = 0
        self._backoff.resolve(Cause.WORKERS)
        self._backoff.resolve(Cause.MEMORY)
        scan.read_ms = reading.read_ms
        scan.queued_ms = (time.monotonic() - scan.file.ready_at) * 1000 - reading.read_ms
        self._remember(scan, reading.page)
        return reading.page

    async def _deliver(self, scan: Scan, page: RenderedPage) -> ScanState:
        """Publish the text and archive the original; a blocked scan waits here, with its text."""
        output = scan.options.output
        group = None if output.group is None else self.groups[output.group]
        item = PageItem(scan, page, self.settings.on_success, group, self._duplicates)
        with self._is_read():
            delivered = await self._unblocked(item, scan)
        assert delivered is not None  # noqa: S101 - for the type checker
        if item.earlier is not None:
            publish_duplicate(scan, item.earlier, delivered)
            return ScanState.DUPLICATE
        publish_delivered(scan, page.summary, delivered, preview_chars=self.settings.log.preview_chars)
        return ScanState.DELIVERED

    async def _quarantine(self, scan: Scan, fault: ScanFault) -> ScanState:
        """Move the scan to the quarantine, unless its writer may still be at work."""
        if not scan.id:
            scan.id, scan.sha256 = await run_in(self._threads.io, self._loading.open_row, scan)
            self._scans.has_row(scan)
            self._backoff.resolve(Cause.READING)
        if self._intake.is_doubtful(scan.file, fault):
            # The attempt is refunded, as it proves nothing yet. On the delivery thread, which is waited for at the end:
            # attempts that stay counted would add up. A ledger that refuses is reported by a more important call.
            with contextlib.suppress(EnvironmentFault):
                await run_in(
                    self._threads.delivery, self._ledger.refund_attempt, scan.id, code=fault.code, reason=fault.message
                )
            return ScanState.INCOMPLETE
        scan.code, scan.reason = fault.code, fault.message
        with self._is_read():
            delivered = await self._unblocked(QuarantineItem(scan, fault, self._ledger), scan)
        scan.code, scan.reason = fault.code, fault.message
        scan.stays = delivered is not None and delivered.stays
        publish_quarantined(scan, fault, delivered)
        return ScanState.QUARANTINED

    async def _judge(self, scan: Scan, fault: ScanFault) -> None:
        """Decide whether a scan that could not be read is tried again."""
        if isinstance(fault, InternalFault):
            publish(ScanFailed(path=scan.path, reason=fault.message, trace=fault.trace))
        delay = delay_after(scan, fault, self.settings.retry)
        if delay is None:
            if isinstance(fault, TimedOut) and scan.reduced:
                fault = TimedOut(f"{fault.message}, and again without enhancement, after all others", fault.remedy)
            scan.fault = fault
            return
        scan.reduced = scan.reduced or isinstance(fault, TimedOut)
        try:
            await run_in(
                self._threads.state, self._ledger.wait, scan.id, time.time() + delay, fault.code, fault.message
            )
        except EnvironmentFault as error:
            self._backoff.record(Cause.READING, error, time.monotonic())
        self._retry(scan, fault.code, fault.message, delay)

    async def _wait_out(self, scan: Scan, error: EnvironmentFault) -> None:
        """Record a fault that concerns all; the scan keeps its place in the queue."""
        cause = Cause.WORKERS if scan.begun_at else Cause.READING
        self._backoff.record(cause, error, time.monotonic())
        if scan.fault is not None:
            # The scheduler holds back scans to read, but this one goes to the quarantine.
            scan.until = self._backoff.next_try(cause)

    def _note_bug(self, scan: Scan, error: Exception) -> None:
        publish(ScanFailed(path=scan.path, exception=error))
        if scan.fault is None:
            scan.fault = InternalFault(f"a bug in ocrwatch: {error!r}", BUG_REMEDY)
        elif not scan.is_closed:
            # The quarantine refuses it too: the next start tries again.
            self._close(scan, ScanState.CANCELLED)

    # Steps.

    async def _unblocked(self, item: Item, scan: Scan) -> Delivered | None:
        """Deliver an item of a scan, and wait while the scan is blocked; raises :class:`Stopping`."""
        has_text = isinstance(item, PageItem)
        # The attempt of a scan that was read is refunded, as a long pause would otherwise use up its attempts.
        refundable = scan if has_text and not scan.cached else None
        while True:
            self._scans.change(scan, ScanState.DELIVERING)
            try:
                return await self._commit(item, refundable, has_text=has_text)
            except Blocked as error:
                self._block(scan, error)
                self._blocked_texts += has_text
                try:
                    await self._wait(scan)
                finally:
                    self._blocked_texts -= has_text
            except Changed:
                publish(ScanChanged(path=scan.path, reason="it changed or went while it was read"))
                raise

    async def _commit(self, item: Item, refundable: Scan | None = None, *, has_text: bool = False) -> Delivered | None:
        """Deliver an item, and wait while a disk refuses all items.

        ``refundable`` is a scan that gets its attempt refunded then.
        """
        self._undelivered += 1
        try:
            while True:
                await self._backoff.clear_for(Cause.DELIVERY)
                try:
                    delivered = await self._deliveries.commit(item)
                except EnvironmentFault as error:
                    if isinstance(error, Blocked) and not (has_text and self._blocked_texts >= MOST_BLOCKED):
                        raise
                    self._backoff.record(Cause.DELIVERY, error, time.monotonic())
                    if refundable is not None:
                        # Meanwhile it counts among the waiting.
                        self._spawn(self._refund(refundable.id), refundable.path)
                else:
                    self._backoff.resolve(Cause.DELIVERY)
                    return delivered
        finally:
            self._undelivered -= 1
            if not (self._undelivered or self._is_ending):
                # No scan is left to try with, and none would be read in its place.
                self._backoff.resolve(Cause.DELIVERY)

    @contextlib.contextmanager
    def _is_read(self) -> Iterator[None]:
        """Record that this scan no longer tests whether scans can be read."""
        self._past_reading += 1
        self._end_pauses_of_reading()
        try:
            yield
        finally:
            self._past_reading -= 1

    def _end_pauses_of_reading(self) -> None:
        """End the pauses of reading if no scan is left to test whether it works again."""
        if self._backoff and len(self._scans) <= self._past_reading and not self._is_ending:
            for cause in (Cause.READING, Cause.WORKERS, Cause.MEMORY):
                self._backoff.resolve(cause)

    async def _wait(self, scan: Scan) -> None:
        """Wait until a scan's next attempt is due; raises :class:`Stopping`."""
        if not scan.until:
            return
        await wait_until(self._stopping, scan.until)
        if self._stopping.is_set():
            raise Stopping
        scan.until = 0.0

    def _postpone(self, scan: Scan, state: ScanState, seconds: float) -> None:
        """Make a scan wait before its next attempt, and then behind the others of its kind."""
        scan.until = time.monotonic() + seconds
        scan.has_waited = scan.has_waited or seconds > 0
        scan.goes_last_of_its_kind()
        self._scans.change(scan, state)
        self.scheduler.changed()

    def _block(self, scan: Scan, error: Blocked) -> None:
        if scan.note_failure(error, ScanState.BLOCKED):
            publish(ScanWaiting(path=scan.path, reason=error.message, next_step=error.remedy, blocked=True))
        self._postpone(scan, ScanState.BLOCKED, BLOCKED_DELAY)

    def _retry(self, scan: Scan, code: str, reason: str, delay: float) -> None:
        scan.code, scan.reason = code, reason
        publish(
            ScanRetrying(
                id=scan.id, path=scan.path, attempt=scan.attempt, code=code, reason=reason, retry_in_s=round(delay, 1)
            )
        )
        self._postpone(scan, ScanState.RETRYING, delay)

    async def _refund(self, row: int) -> None:
        """Refund an attempt; a ledger that refuses is reported by a more important call."""
        with contextlib.suppress(EnvironmentFault):
            await run_in(self._threads.state, self._ledger.refund_attempt, row)

    async def _resume(self, entry: Entry, scan: Scan | None = None) -> ScanState:
        """Carry out the plan of an earlier run, and return the end of the ``scan`` that has it."""
        self.resuming.add(entry.path)
        stand_in: Scan | None = None
        try:
            try:
                delivered = await self._commit(PlanItem(entry))
            except Blocked as error:
                self.resuming.discard(entry.path)
                if scan is None:
                    scan = stand_in = self._stand_in(entry)
                with self._is_read():
                    self._block(scan, error)
                    await self._wait(scan)
                    delivered = await self._unblocked(PlanItem(entry), scan)
        except Stopping:
            return ScanState.CANCELLED
        except Changed:
            return ScanState.CHANGED
        except Exception as error:  # noqa: BLE001 - a bug: the next start tries again
            publish(ScanFailed(path=entry.path, exception=error))
            return ScanState.CHANGED
        finally:
            self.resuming.discard(entry.path)
            if stand_in is not None:
                self._scans.change(stand_in, ScanState.CHANGED)
        publish_recovered(entry, delivered)
        return ScanState.CHANGED

    def _stand_in(self, entry: Entry) -> Scan:
        """Return an open scan for a blocked plan, so that it is listed with the others."""
        facts = Plan.from_json(entry.plan or "").facts
        scan = self._scan(SettledFile(entry.path, facts, fresh=True, ready_at=time.monotonic()), Batch(0, 1))
        scan.id = entry.id
        self._scans.add(scan)
        return scan

    def _remember(self, scan: Scan, page: RenderedPage) -> None:
        """Cache the page; the delivery thread writes it, so that it is on the disk before the scan is closed."""
        save = self._cache.remember(scan.sha256 or "", scan.recipe, page)

        def saved(future: asyncio.Future[None]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                publish(CacheFailed(reason=repr(error), remedy=BUG_REMEDY))

        asyncio.ensure_future(run_in(self._threads.delivery, save)).add_done_callback(saved)

    def _close(self, scan: Scan, state: ScanState) -> None:
        """Set a scan's end, publish it, and give the path back to intake."""
        scan.jpeg = b""
        self._scans.change(scan, state)
        self.scheduler.changed()
        profile = scan.options.profile_name
        publish(ScanClosed(path=scan.path, state=state, batch=scan.batch.id, profile=profile))
        scan.batch.ended(state)
        self._end_pauses_of_reading()
        self._intake.closed(scan)

    # Start and stop.

    @property
    def is_idle(self) -> bool:
        """Whether all open scans are blocked."""
        on_their_way = len(self._scans) - self._scans.count(ScanState.BLOCKED)
        return not (on_their_way or self._undelivered or self.resuming)

    def begin(self, files: Iterable[SettledFile]) -> None:
        """Process the scans of a new batch."""
        files = list(files)
        self._batches += 1
        self.began_at = self.began_at or time.monotonic()
        batch = Batch(self._batches, len(files))
        publish(BatchStarted(batch=batch.id, scans=batch.size, fresh=files[0].fresh))
        for file in files:
            self._start(self._scan(file, batch))

    def give_up(self, path: str, facts: FileFacts, fault: ScanFault) -> None:
        """Quarantine a file that no worker may see."""
        scan = self._scan(SettledFile(path, facts, fresh=True, ready_at=time.monotonic()), Batch(0, 1))
        scan.fault = fault
        self._start(scan)

    def recover(self, entry: Entry) -> asyncio.Task[None]:
        """Carry out the plan of an earlier run."""
        self.resuming.add(entry.path)
        return self._spawn(self._recover(entry), entry.path)

    def clear_leftovers(self, entry: Entry) -> None:
        """Remove what an earlier run may have staged for a scan that will be read again."""
        self._spawn(self._clear(LeftoverItem(entry)), entry.path)

    def clear_away(self) -> None:
        """Remove what could not be removed before, if there is time."""
        if self._deliveries.has_left_behind and not self._undelivered:
            self._spawn(self._clear(ClearingItem()), "")

    def change(self, settings: Settings, groups: Mapping[str, int]) -> None:
        """Apply other settings from the next turns on."""
        self.settings = settings
        # Added to, since scans in work may still need the old ones.
        self.groups = {**self.groups, **groups}
        self._loading.max_bytes = settings.settle.max_bytes
        self.scheduler.workers = self._executor.capacity
        self.scheduler.changed()

    def begun(self, event: Begun) -> None:
        """Record that a worker was given a scan."""
        if (scan := self._scans.of_row(event.scan)) is not None:
            scan.worker, scan.attempt, scan.begun_at = event.pid, event.attempt, time.monotonic()

    def stop(self) -> int:
        """Begin no more scans, and release those that no worker has begun; return how many are being read."""
        self.scheduler.stop()
        # Those that are withdrawn have their state until their coroutines go on.
        in_work = self._scans.count(ScanState.READING) - self._executor.withdraw()
        self._stopping.set()
        return in_work

    def close(self) -> None:
        """Remove staged files not delivered in this run. Blocks; called when the threads have ended."""
        with contextlib.suppress(EnvironmentFault):
            self._deliveries.close()

    async def cancel(self) -> None:
        """End all coroutines; the next start continues unfinished scans.

        A lasting pause is not ended by that: it is why scans were not finished.
        """
        self._is_ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for scan in list(self._scans.of(*ScanState)):
            self._close(scan, ScanState.CANCELLED)

    def services(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return the services that the scans' coroutines wait for, to be run beside them."""
        return self.scheduler.run(), self._loading.run(), self._deliveries.run()

    async def _clear(self, item: Item) -> None:
        # A leftover that cannot be removed does no harm: the next start tries again.
        with contextlib.suppress(OcrwatchError, Changed):
            await self._commit(item)

    def _scan(self, file: SettledFile, batch: Batch) -> Scan:
        options = self.settings.for_path(file.path)
        return Scan(file, batch, options, recipe(options.ocr, options.enhance))

    async def _recover(self, entry: Entry) -> None:
        await self._resume(entry)

    def _start(self, scan: Scan) -> None:
        self._scans.add(scan)
        self._spawn(self._run(scan), scan.path)

    async def _run(self, scan: Scan) -> None:
        """Process a scan, and close it even if there is a bug in the error handling."""
        try:
            while not scan.is_closed:
                try:
                    await self.process(scan)
                except Exception as error:  # noqa: BLE001 - a bug must not stop the daemon, nor lose the scan
                    self._note_bug(scan, error)
        finally:
            if not scan.is_closed:
                # Cancelled: by the run's end, or by the executor itself.
                self._close(scan, ScanState.CANCELLED)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], path: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                publish(ScanFailed(path=path, exception=error))

        task.add_done_callback(ended)
        return task
