"""Has files of several pages read, such as PDF and TIFF: read :meth:`Pipeline._deliver_file` first.

A file is copied to the state folder and split there. Each page is a scan for the pipeline, with all its retries; it has
no row in the ledger, and its sidecars go to the state folder. When the last page has ended, they are joined, and the
file is delivered as one scan. Nothing of this survives a restart: then the file is read again, with the pages that are
cached.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.daemon.attempts import AttemptRecords
from ocrwatch.daemon.file_places import FilePlace, FilePlaces
from ocrwatch.daemon.intake import Intake
from ocrwatch.daemon.priority_scheduler import Scheduler
from ocrwatch.daemon.retry_policy import check_admission, renew
from ocrwatch.documents.file_joining import FileJoining
from ocrwatch.documents.file_summary import ReadPage, file_fields, file_summary, none_read
from ocrwatch.errors import Blocked, Changed, EnvironmentFault, ScanFault, Stopping, TimedOut
from ocrwatch.events import ScanSplit, publish
from ocrwatch.intake.loading import Loading
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.render.base import RenderedPage
from ocrwatch.render.joining.base import SourceFile
from ocrwatch.render.joining.job import JOINABLE, joinable
from ocrwatch.scan import FilePage, FileProgress, Scan, Scans, ScanState
from ocrwatch.settings import Settings
from ocrwatch.splitting.base import FileFailed, SplitLimits, SplitPage
from ocrwatch.splitting.splitter import Splitter
from ocrwatch.storage.threads import Threads, run_in

_MOST_OPEN: Final = 4
"""Files that are split at once: a small one need not wait for a large one. Each has a process and a copy."""

_MOST_COPIED: Final = 2
"""Files that are copied at once: that may take minutes, and intake needs the other I/O threads."""

_AHEAD: Final = 1
"""Pages that are split besides one for each worker."""

_rows = itertools.count(-1, -1)
"""Numbers of pages, where other scans have their rows."""


class FileReader:
    """Reads files of several pages. Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        threads: Threads,
        backoff: Backoff,
        scans: Scans,
        scheduler: Scheduler,
        loading: Loading,
        attempts: AttemptRecords,
        joining: FileJoining,
        intake: Intake,
    ) -> None:
        self.settings = settings
        """The current settings."""
        self._ledger = ledger
        self._threads = threads
        self._backoff = backoff
        self._scans = scans
        self._scheduler = scheduler
        self._loading = loading
        self._attempts = attempts
        self._joining = joining
        self._intake = intake
        self._places = FilePlaces(_MOST_OPEN)
        self._copies = asyncio.Semaphore(_MOST_COPIED)
        self._names = map(str, itertools.count(1))
        self._open: dict[Scan, OpenFile] = {}

    @asynccontextmanager
    async def opened(self, scan: Scan) -> AsyncIterator[OpenFile]:
        """Split a file; what it needs in the state folder is removed at the end.

        Raises :class:`ScanFault` if it cannot be split, :class:`Blocked` if no format of its profile can have several
        pages, the state folder has no room for them, or the process that splits cannot start,
        :class:`EnvironmentFault` if no file can be split, :class:`Stopping`, and what :class:`Loading` and
        :func:`check_admission` say against reading it now.
        """
        name = next(self._names)
        async with self._places.place(scan) as place:
            try:
                async with self._split(scan, name, place) as file:
                    yield file
            except EnvironmentFault as error:
                if error.is_full:
                    raise _no_room(error) from error
                raise

    @asynccontextmanager
    async def _split(self, scan: Scan, name: str, place: FilePlace) -> AsyncIterator[OpenFile]:
        """Copy and split a file under a name of its own; see :meth:`opened`."""
        source = self._joining.folder / f"{name}.source"
        try:
            entry = await self._load(scan, source)
            splitter = Splitter(source, self._joining.folder, name, self._limits(scan))
            try:
                file = OpenFile(scan, entry, name, splitter, place, self._threads, self._joining, self._intake)
                self._open[scan] = file
                await file.open(self._scheduler.workers + _AHEAD)
                scan.is_free_again()
                yield file
            except (EnvironmentFault, Stopping):
                await self._attempts.refund(scan)
                raise
            finally:
                self._open.pop(scan, None)
                scan.begun_at, scan.progress = 0.0, None
                await splitter.close()
        finally:
            await self._discard(name)

    async def keep(self, scan: Scan, page: RenderedPage) -> None:
        """Keep a page that was read, unless its file is given up.

        Raises :class:`EnvironmentFault` if the state folder refuses, and :class:`Changed` if it has no room: the file
        is given up then.
        """
        # It is read: a state folder that refuses says nothing of the workers.
        was_begun, scan.begun_at = bool(scan.begun_at), 0.0
        if (file := self._file_of(scan)) is None:
            return
        try:
            await file.keep(scan, page)
        except EnvironmentFault as error:
            if not error.is_full:
                if was_begun:
                    await self._attempts.refund(scan)
                raise
            # The file itself may have filled it: it must not wait for room that it takes.
            file.give_up(error)
            raise Changed(scan.path) from error
        self._backoff.resolve(Cause.READING)
        # Only what is cached is kept after a kill: otherwise each run would get as far, and no further.
        if page.packed and not scan.cached and (pages := file.news_of_progress(scan)):
            file.is_suspected = not await self._attempts.forget_deaths(file.scan, pages)

    def ended(self, scan: Scan) -> None:
        """Record the end of a page."""
        if (file := self._file_of(scan)) is not None:
            file.ended(scan)

    def _file_of(self, scan: Scan) -> OpenFile | None:
        """Return the file that a page was taken from; None if that is given up, though it may be read anew."""
        file = None if scan.file_page is None else self._open.get(scan.file_page.whole)
        return file if file is not None and file.has(scan) else None

    async def _discard(self, name: str) -> None:
        """Remove what was kept of a file; what cannot be removed now is removed by the next start."""
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # The run ends, and a state folder that hangs must not hold it up.
            return
        # The file may have been delivered: it must not be read again.
        with contextlib.suppress(EnvironmentFault):
            # On the thread that keeps the pages: after those that are being kept.
            await run_in(self._threads.state, self._joining.discard, name)

    def _limits(self, scan: Scan) -> SplitLimits:
        workers = self.settings.workers
        return SplitLimits(workers.max_memory, workers.timeout, scan.options.enhance.max_pixels)

    async def _load(self, scan: Scan, source: Path) -> Entry:
        """Copy a file, and count an attempt: if a page of it ends ocrwatch, it is suspected. Return its row."""
        renew(scan, self.settings)
        if not joinable(scan.options.output.formats):
            # Others go on, and `once` ends without it.
            raise Blocked(
                "the file has several pages, and no format in output.formats can have several",
                f"add one of these to output.formats: {', '.join(JOINABLE)}",
            )
        self._scans.change(scan, ScanState.QUEUED)
        async with self._copies, self._scheduler.turn(scan):
            self._scans.change(scan, ScanState.LOADING)
            await run_in(self._threads.state, self._joining.prepare)
            loaded = await run_in(self._threads.io, self._loading.copy, scan, source)
        scan.id, scan.attempt = loaded.entry.id, loaded.entry.attempts
        self._scans.has_row(scan)
        check_admission(scan, loaded, self.settings.retry)
        scan.attempt = await run_in(self._threads.state, self._ledger.count_attempt, scan.id)
        scan.begun_at = time.monotonic()
        scan.queued_ms = (scan.begun_at - scan.file.ready_at) * 1000
        scan.read_ms = 0.0
        self._scans.change(scan, ScanState.READING)
        return loaded.entry


class OpenFile:
    """A file that is split and read. Lives on the event loop."""

    def __init__(
        self,
        scan: Scan,
        entry: Entry,
        name: str,
        splitter: Splitter,
        place: FilePlace,
        threads: Threads,
        joining: FileJoining,
        intake: Intake,
    ) -> None:
        """``entry`` is its row in the ledger when it was loaded, ``name`` that of its files in the state folder."""
        self.scan = scan
        self.is_suspected = bool(entry.deaths)
        """Whether ocrwatch was killed while only this file was in work, and that is not forgotten."""
        self._pages_before = entry.pages
        self._name = name
        self._splitter = splitter
        self._place = place
        self._threads = threads
        self._joining = joining
        self._intake = intake
        self._formats = joinable(scan.options.output.formats)
        self._progress = FileProgress(0)
        self._room = asyncio.Semaphore(0)
        self._ended: dict[int, ReadPage] = {}
        """Pages that were read, or are missing, by their numbers."""
        self._faults: list[ScanFault] = []
        self._obstacle: Stopping | EnvironmentFault | None = None
        """Why a page will not be read; the first counts."""
        self._keeps_pages = False
        """Whether the searchable PDF gets pages of the file itself."""
        self._all_cached = True
        self._has_images = False
        """Whether a page could be taken out."""
        self._changed = asyncio.Event()

    async def open(self, ahead: int) -> None:
        """Find out how many pages it has; at most ``ahead`` of them are read, or wait for that, at once.

        Raises :class:`ScanFault` and :class:`EnvironmentFault`.
        """
        self._progress = self.scan.progress = FileProgress(await self._splitter.open())
        self._room = asyncio.Semaphore(ahead)
        publish(ScanSplit(id=self.scan.id, path=self.scan.path, pages=self._count))

    async def pages(self) -> AsyncIterator[Scan]:
        """Yield each page as a scan to be read, as there is room for it.

        Raises :class:`Stopping`, :class:`ScanFault` if the file cannot be split any further, and
        :class:`EnvironmentFault`.
        """
        for number in range(1, self._count + 1):
            await self._room.acquire()
            self._check()
            self._progress.begin(number)
            try:
                split = await self._splitter.page(number)
            except FileFailed as failed:
                self._miss_from(number, failed.fault)
                return
            except ScanFault as fault:
                self._miss(number, fault)
                self._release()
            else:
                self._has_images = True
                yield self._scan_of(split)

    def has(self, scan: Scan) -> bool:
        """Return whether it has a page, and not an earlier attempt to read the same file."""
        return _place_of(scan).image.name.startswith(f"{self._name}-")

    async def keep(self, scan: Scan, page: RenderedPage) -> None:
        """Keep a page that was read. Raises :class:`EnvironmentFault` if the state folder refuses."""
        place = _place_of(scan)

        def keep() -> ReadPage:
            kept = self._joining.keep(self._name, place.number, page, self._formats)
            place.image.unlink(missing_ok=True)
            return kept

        self._ended[place.number] = await run_in(self._threads.state, keep)
        self._progress.end(place.number)

    def news_of_progress(self, scan: Scan) -> int:
        """Return how many pages are done from the first one on, after one was read; 0 if that is no news.

        It is if ocrwatch was killed while only this file was in work, and what it has read now is further than it was
        when that was last forgotten, with no gap: a page that kills ocrwatch is never done, so that few pages before
        it are left for this, however many after it are read.
        """
        pages = self._progress.in_order
        return pages if self.is_suspected and pages >= max(_place_of(scan).number, self._pages_before + 1) else 0

    def give_up(self, error: EnvironmentFault) -> None:
        """Read it no further: there is no room for its pages."""
        self._obstacle = self._obstacle or error

    def ended(self, scan: Scan) -> None:
        """Record the end of a page."""
        page = _place_of(scan)
        if scan.state is ScanState.QUARANTINED and scan.fault is not None:
            self._miss(page.number, scan.fault)
        elif scan.state is not ScanState.DELIVERED:
            is_lost = scan.state is ScanState.CHANGED
            self._obstacle = self._obstacle or (self._image_missing(page.number) if is_lost else Stopping())
        self.scan.read_ms += scan.read_ms
        # A page with text of its own goes the way of cached ones.
        self._all_cached = self._all_cached and scan.cached and not page.packed
        self._release()

    async def joined(self, preview_chars: int) -> RenderedPage:
        """Wait for all pages, and return the sidecars of the file; the beginning of its text has so many characters.

        Raises :class:`ScanFault` if no page could be read, or the writer of the file may not be done;
        :class:`Stopping`, and :class:`EnvironmentFault`.
        """
        self._check()
        while len(self._ended) < self._count:
            self._changed.clear()
            await self._changed.wait()
            self._check()
        for fault in self._faults:
            if self._intake.is_doubtful(self.scan.file, fault):
                raise fault
        if len(self._faults) == self._count:
            raise none_read(self._faults[0], self._count)
        self.scan.cached = self._all_cached
        await self._splitter.close()
        joined = await run_in(self._threads.documents, self._join, preview_chars)
        # It may be blocked for hours now, with nothing but its sidecars.
        self._place.leave()
        return joined

    def _join(self, preview_chars: int) -> RenderedPage:
        scan = self.scan
        pages = [self._ended[number] for number in range(1, self._count + 1)]
        summary = file_summary(pages, preview_chars)
        profile = scan.options.profile_name or ""
        copy = str(self._splitter.source) if self._keeps_pages else ""
        max_memory = self._splitter.limits.max_memory
        source = SourceFile(scan.path, scan.file.facts.size, scan.sha256 or "", copy, max_memory)
        sidecars = self._joining.join(self._name, source, summary.review_reasons, pages, self._formats, profile)
        return RenderedPage(sidecars, summary, fields=file_fields(pages), is_partial=bool(self._faults))

    def _check(self) -> None:
        """Raise :class:`Stopping` or :class:`EnvironmentFault` if a page will not be read."""
        if self._obstacle is not None:
            raise self._obstacle

    def _image_missing(self, number: int) -> EnvironmentFault:
        return EnvironmentFault(
            f"the image of page {number} of {self.scan.path} is missing in {self._joining.folder}",
            "keep other programs out of the state folder; the file is read again",
        )

    @property
    def _count(self) -> int:
        return self._progress.pages

    def _miss_from(self, number: int, last: ScanFault) -> None:
        """Record that a page, and all after it, will not be taken out; raise the fault if that is so of all.

        ``last`` is that of the last page that was tried.
        """
        if not self._has_images:
            if isinstance(last, TimedOut):
                # Each of its pages had that time.
                last.retryable = False
            raise last
        fault = type(last)(f"not tried, since too many pages before it failed; the last: {last.message}", last.remedy)
        for missing in range(number, self._count + 1):
            self._progress.begin(missing)
            self._miss(missing, fault)

    def _miss(self, number: int, fault: ScanFault) -> None:
        self._progress.end(number)
        self._faults.append(fault)
        self._ended[number] = ReadPage(number, code=fault.code, reason=fault.message)

    def _release(self) -> None:
        self._room.release()
        self._changed.set()

    def _scan_of(self, split: SplitPage) -> Scan:
        whole = self.scan
        facts = replace(whole.file.facts, size=split.size)
        file = replace(whole.file, facts=facts, ready_at=time.monotonic(), has_pages=False)
        scan = Scan(file, whole.batch, whole.options, whole.recipe, id=next(_rows), sha256=split.sha256)
        scan.isolated, scan.reduced = whole.isolated, whole.reduced
        image = self._joining.folder / split.name
        scan.file_page = FilePage(whole, split.number, image, split.packed, split.notes, split.keeps_page)
        self._keeps_pages = self._keeps_pages or split.keeps_page
        return scan


def _no_room(error: EnvironmentFault) -> Blocked:
    """Return why a file waits: others that need less room go on."""
    return Blocked(
        f"there is no room for its pages in the state folder ({error.message})",
        "make room there, or take the file out of the inbox; ocrwatch retries it",
    )


def _place_of(scan: Scan) -> FilePage:
    assert scan.file_page is not None  # noqa: S101 - for the type checker
    return scan.file_page
