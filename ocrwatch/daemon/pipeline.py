"""A scan's life, from its batch to its end: read :meth:`Pipeline.process` first."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ocrwatch.backoff import BLOCKED_DELAY, Backoff, Cause, wait_until
from ocrwatch.cache.key import PageCache
from ocrwatch.daemon.attempts import AttemptRecords
from ocrwatch.daemon.documents import Documents
from ocrwatch.daemon.file_reader import FileReader
from ocrwatch.daemon.intake import Intake
from ocrwatch.daemon.page_source import BUG_REMEDY, PageSource
from ocrwatch.daemon.reading_pauses import ReadingPauses
from ocrwatch.daemon.retry_policy import HasPlan, TooSoon, delay_after, other_engine
from ocrwatch.daemon.scan_tasks import ScanTasks
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
from ocrwatch.delivery.step_order import Delivered
from ocrwatch.document import BEGINNING
from ocrwatch.documents.file_joining import FileJoining
from ocrwatch.errors import (
    Blocked,
    Changed,
    EnvironmentFault,
    InternalFault,
    OcrwatchError,
    ScanFault,
    ServiceFault,
    Stopping,
    TimedOut,
    UsageError,
    without_frames,
)
from ocrwatch.events import BatchStarted, ScanChanged, ScanClosed, ScanFailed, ScanRetrying, ScanWaiting, publish
from ocrwatch.executors.base import Executor
from ocrwatch.executors.events import Begun
from ocrwatch.intake.loading import AlreadyDelivered, Loading
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.observe.scan_events import publish_delivered, publish_duplicate, publish_quarantined, publish_recovered
from ocrwatch.render.base import RenderedPage
from ocrwatch.scan import LOCAL_LANE, Batch, Scan, Scans, ScanState, SettledFile
from ocrwatch.settings import Settings, recipe
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.threads import Threads, run_in

if TYPE_CHECKING:
    from ocrwatch.executors.http_ocr.executor import HttpOcrExecutor

_NO_FACTS: Final = FileFacts(0, 0, 0, 0, 0)


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
        documents: Documents,
        joining: FileJoining,
        services: HttpOcrExecutor | None = None,
    ) -> None:
        """Store the parts; ``groups`` has the group ids that sidecars may be given to.

        ``services`` is the executor, if there are remote services.
        """
        self.settings = settings
        """The current settings."""
        self.groups = groups
        self._ledger = ledger
        self._threads = threads
        self._backoff = backoff
        self._scans = scans
        self._executor = executor
        self._loading = loading
        self._attempts = AttemptRecords(ledger, threads, backoff)
        self._pages = PageSource(settings, cache, threads, backoff, scans, executor, loading, self._attempts, services)
        self._reading_pauses = ReadingPauses(backoff, scans)
        self._deliveries = deliveries
        self._duplicates = duplicates
        self._intake = intake
        self._documents = documents
        self.scheduler = self._pages.scheduler
        self._files = FileReader(
            settings, ledger, threads, backoff, scans, self.scheduler, loading, self._attempts, joining, intake
        )
        self.began_at: float | None = None
        """When the first batch was taken (monotonic seconds)."""
        self._batches = 0
        self._tasks = ScanTasks()
        self._stopping = asyncio.Event()
        self._plans: dict[Scan, Entry] = {}
        """Scans whose delivery an earlier run has planned."""

    # From the batch to the end.

    async def process(self, scan: Scan) -> None:  # noqa: PLR0912 - each end of a scan has its branch
        """Read a scan and deliver its text. Everything that can go wrong is decided here."""
        while not scan.is_closed:
            try:
                await self._wait(scan)
                if (planned := self._plans.get(scan)) is not None:
                    self._close(scan, await self._resume(scan, planned))
                elif scan.fault is None and scan.file.has_pages:
                    self._close(scan, await self._read_file(scan))
                elif scan.fault is None:
                    page = await self._pages.page(scan)
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
                self._plans[scan] = found.entry
                self._documents.rejoin(scan, found.entry.stack)
            except TooSoon as early:
                self._postpone(scan, ScanState.RETRYING, early.seconds)
            except Blocked as error:
                # The others go on without it.
                self._block(scan, error)
            except UsageError as error:
                # The setting of this recipe is wrong: scans of other profiles go on.
                self._retry(scan, "wrong-setting", str(error), self.settings.retry.max_delay)
            except ServiceFault as fault:
                # Scans of others go on, and this one with another engine if it has one.
                self._leave_service(scan, fault)
            except EnvironmentFault as error:
                await self._wait_out(scan, error)
            except ScanFault as fault:
                await self._judge(scan, fault)
            except Exception as error:  # noqa: BLE001 - a bug must not stop the daemon, nor lose the scan
                self._note_bug(scan, error)

    async def _read_file(self, scan: Scan) -> ScanState:
        """Have each page of a file read by a coroutine of its own, then deliver the file."""
        async with self._files.opened(scan) as file:
            async for page in file.pages():
                self._start(page)
            return await self._deliver(scan, await file.joined(max(self.settings.log.preview_chars, BEGINNING)))

    async def _deliver(self, scan: Scan, page: RenderedPage) -> ScanState:
        """Publish the text and archive the original; a page of a file is only kept.

        A blocked scan waits here, with its text.
        """
        if scan.file_page is not None:
            await self._files.keep(scan, page)
            return ScanState.DELIVERED
        output, fate, duplicates = scan.options.output, self.settings.on_success, self._duplicates
        place = await self._documents.page(scan, page, deletes=fate == "delete")
        if place is not None:
            # Every page belongs to its document, and no original is deleted before that is durable.
            fate, duplicates = "archive" if fate == "delete" else fate, None
        group = None if output.group is None else self.groups[output.group]
        item = PageItem(scan, page, fate, group, duplicates, place)
        with self._reading_pauses.past_reading(scan):
            delivered = await self._unblocked(item, scan)
        assert delivered is not None  # noqa: S101 - for the type checker
        if item.earlier is not None:
            publish_duplicate(scan, item.earlier, delivered)
            return ScanState.DUPLICATE
        publish_delivered(scan, page, delivered, preview_chars=self.settings.log.preview_chars)
        return ScanState.DELIVERED

    async def _resume(self, scan: Scan, planned: Entry) -> ScanState:
        """Carry out the plan of an earlier run."""
        with self._reading_pauses.past_reading(scan):
            delivered = await self._unblocked(PlanItem(planned), scan)
        publish_recovered(planned, delivered)
        self._documents.resumed(scan, delivered=delivered is not None and delivered.fate != "quarantine")
        # What is in its place now is another scan.
        return ScanState.CHANGED

    async def _quarantine(self, scan: Scan, fault: ScanFault) -> ScanState:
        """Move the scan to the quarantine, unless its writer may still be at work; a page of a file is only missing."""
        if scan.file_page is not None:
            return ScanState.QUARANTINED
        if not scan.id:
            scan.id, scan.sha256 = await run_in(self._threads.io, self._loading.open_row, scan)
            self._scans.has_row(scan)
            self._backoff.resolve(Cause.READING)
        if self._intake.is_doubtful(scan.file, fault):
            await self._attempts.refund_doubtful(scan, fault)
            return ScanState.INCOMPLETE
        scan.code, scan.reason = fault.code, fault.message
        with self._reading_pauses.past_reading(scan):
            place = await self._documents.page(scan, None, deletes=False)
            delivered = await self._unblocked(QuarantineItem(scan, fault, self._ledger, place), scan)
        scan.code, scan.reason = fault.code, fault.message
        scan.stays = delivered is not None and delivered.stays
        publish_quarantined(scan, fault, delivered)
        return ScanState.QUARANTINED

    async def _judge(self, scan: Scan, fault: ScanFault) -> None:
        """Decide whether a scan that could not be read is tried again."""
        if isinstance(fault, InternalFault):
            publish(ScanFailed(path=scan.path, reason=fault.message, trace=fault.trace))
        if other_engine(scan, fault):
            await self._attempts.refund(scan)
            self._retry(scan, fault.code, fault.message, 0.0)
            return
        delay = delay_after(scan, fault, self.settings.retry)
        if delay is None:
            if isinstance(fault, TimedOut) and scan.reduced:
                fault = TimedOut(f"{fault.message}, and again without enhancement, after all others", fault.remedy)
            scan.fault = without_frames(fault)
            return
        scan.reduced = scan.reduced or isinstance(fault, TimedOut)
        await self._attempts.wait(scan, fault, delay)
        self._retry(scan, fault.code, fault.message, delay)

    async def _wait_out(self, scan: Scan, error: EnvironmentFault) -> None:
        """Record a fault that concerns all; the scan keeps its place in the queue."""
        # Only workers can refuse a scan for a service while it is read.
        of_helpers = scan.lane != LOCAL_LANE and scan.state is ScanState.READING
        cause = Cause.WORKERS if scan.begun_at or of_helpers else Cause.READING
        self._backoff.record(cause, error, time.monotonic())
        if scan.fault is not None:
            # The scheduler holds back scans to read, but this one goes to the quarantine.
            scan.until = self._backoff.next_try(cause)

    def _leave_service(self, scan: Scan, fault: ServiceFault) -> None:
        """Leave a service that is not available; the scan lets others try it next."""
        if not fault.service:
            scan.fault = InternalFault(f"a bug in ocrwatch: a fault of no service: {fault.message}", BUG_REMEDY)
            return
        scan.refusing_engines |= {scan.engine}
        scan.note_failure(fault, Cause.READING)
        scan.goes_last_of_its_kind()

    def _note_bug(self, scan: Scan, error: Exception) -> None:
        publish(ScanFailed(path=scan.path, exception=error))
        if scan.fault is None:
            scan.fault = InternalFault(f"a bug in ocrwatch: {error!r}", BUG_REMEDY)
        elif not scan.is_closed:
            # The quarantine refuses it too: the next start tries again.
            self._close(scan, ScanState.CANCELLED)

    async def _unblocked(self, item: Item, scan: Scan) -> Delivered | None:
        """Deliver an item of a scan, and wait while the scan is blocked.

        Raises :class:`Stopping`.
        """
        while True:
            self._scans.change(scan, ScanState.DELIVERING)
            try:
                return await self._deliveries.deliver(item)
            except Blocked as error:
                self._block(scan, error)
                with self._deliveries.waiting(item):
                    await self._wait(scan)
            except Changed:
                publish(ScanChanged(path=scan.path, reason=item.if_changed))
                raise

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
                id=scan.row,
                path=scan.path,
                attempt=scan.attempt,
                code=code,
                reason=reason,
                retry_in_s=round(delay, 1),
                page=None if scan.file_page is None else scan.file_page.number,
            )
        )
        self._postpone(scan, ScanState.RETRYING, delay)

    def _close(self, scan: Scan, state: ScanState) -> None:
        """Set a scan's end, publish it, and give the path back to intake."""
        scan.content = b""
        self._plans.pop(scan, None)
        self._scans.change(scan, state)
        self.scheduler.changed()
        if scan.file_page is not None:
            self._files.ended(scan)
            return
        if not scan.stands_in:
            profile = scan.options.profile_name
            publish(ScanClosed(path=scan.path, state=state, batch=scan.batch.id, profile=profile))
            scan.batch.ended(state)
        self._reading_pauses.end()
        self._documents.closed(scan)
        self._intake.closed(scan)

    # Start and stop.

    @property
    def is_idle(self) -> bool:
        """Whether all open scans are blocked."""
        on_their_way = len(self._scans) - self._scans.count(ScanState.BLOCKED)
        return not (on_their_way or self._deliveries.pending)

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
        """Carry out the plan of an earlier run, with a scan that stands for it."""
        file = SettledFile(entry.path, _NO_FACTS, fresh=True, ready_at=time.monotonic())
        scan = self._scan(file, Batch(0, 1))
        scan.id, scan.stands_in = entry.id, True
        self._plans[scan] = entry
        self._documents.rejoin(scan, entry.stack)
        return self._start(scan)

    def clear(self, item: LeftoverItem | ClearingItem, path: str = "") -> None:
        """Remove what was left behind; what cannot be removed does no harm: the next start tries again."""
        self._tasks.start(self._clear(item), path)

    @property
    def may_clear(self) -> bool:
        """Whether something could not be removed before, and there is time."""
        return self._deliveries.has_left_behind and not self._deliveries.pending

    def change(self, settings: Settings, groups: Mapping[str, int]) -> None:
        """Apply other settings from the next turns on."""
        self.settings = self._pages.settings = self._files.settings = settings
        # Added to, since scans in work may still need the old ones.
        self.groups = {**self.groups, **groups}
        self._loading.max_bytes = settings.settle.max_bytes
        self.scheduler.workers = self._executor.capacity
        self.scheduler.changed()

    def begun(self, event: Begun) -> None:
        """Record that a worker was given a scan."""
        if (scan := self._scans.of_row(event.scan)) is not None:
            scan.begin(event.pid, event.attempt, time.monotonic())

    def stop(self) -> int:
        """Begin no more scans, and release those that no worker has begun; return how many are being read."""
        self.scheduler.stop()
        # Those that are withdrawn have their state until their coroutines go on.
        in_work = self._scans.count(ScanState.READING) - self._executor.withdraw()
        self._stopping.set()
        return in_work

    def close(self) -> None:
        """Remove staged files not delivered in this run.

        Blocks; called when the threads have ended.
        """
        with contextlib.suppress(EnvironmentFault):
            self._deliveries.close()

    async def cancel(self) -> None:
        """End all coroutines; the next start continues unfinished scans.

        A lasting pause is not ended by that: it is why scans were not finished.
        """
        self._deliveries.is_ending = True
        self._reading_pauses.stop()
        await self._tasks.cancel()
        for scan in list(self._scans.of(*ScanState)):
            self._close(scan, ScanState.CANCELLED)

    def services(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return the services that the scans' coroutines wait for, to be run beside them."""
        return self.scheduler.run(), self._loading.run(), self._deliveries.run()

    async def _clear(self, item: Item) -> None:
        with contextlib.suppress(OcrwatchError, Changed):
            await self._deliveries.deliver(item)

    def _scan(self, file: SettledFile, batch: Batch) -> Scan:
        options = self.settings.for_path(file.path)
        return Scan(file, batch, options, recipe(options))

    def _start(self, scan: Scan) -> asyncio.Task[None]:
        self._scans.add(scan)
        if not (scan.stands_in or scan.file_page is not None):
            self._documents.join(scan, self.groups)
        return self._tasks.start(self._run(scan), scan.path)

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
