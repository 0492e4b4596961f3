"""Reads files for commands that print what was read, in worker processes; no folder of the daemon is changed."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import structs

from ocrwatch import log
from ocrwatch.backoff import Backoff
from ocrwatch.checks.startup import open_services, usable_cores
from ocrwatch.document import BEGINNING
from ocrwatch.errors import (
    EngineFailed,
    ExitCode,
    OcrwatchError,
    Rejected,
    ScanFault,
    ServiceFault,
    TooLarge,
    UsageError,
    environment_fault,
)
from ocrwatch.executors.base import Executor, Uncounted, WorkerOptions, read_checked, render_checked
from ocrwatch.executors.events import Begun, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.executors.local import LocalExecutor
from ocrwatch.executors.startup_guard import StartupGuard
from ocrwatch.magic import HEAD, SPLIT, image_kind
from ocrwatch.recipe import REMOTE
from ocrwatch.render import registry
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.settings import Effective, Settings, recipe

if TYPE_CHECKING:
    from ocrwatch.commands.split_file import SplitFile, SplitFiles
    from ocrwatch.executors.http_ocr.executor import HttpOcrExecutor
    from ocrwatch.splitting.base import SplitPage

STANDARD_INPUT: Final = Path("-")
"""The argument that means standard input."""

_AHEAD_PER_WORKER: Final = 2

_OF_ENGINE: Final = (EngineFailed, Rejected, ServiceFault)
"""Errors after which another engine may read a scan."""

_PAGES_AHEAD: Final = 1
"""Pages of a file that wait to be read, besides one for each worker."""


@dataclass(frozen=True, slots=True)
class RenderedFile(RenderedPage):
    """What was read of a file with several pages, joined."""

    missing: tuple[str, ...] = ()
    """Which pages could not be read, and why: a sentence each."""
    notes: tuple[str, ...] = ()
    """What the text lacks, or may lack, although all these pages were read, such as attached files: a sentence each."""


Result = RenderedPage | OcrwatchError
"""What becomes of a file: its page, or what its pages were joined to; or why it could not be read."""


def check_streams(files: Sequence[Path]) -> None:
    """Check that the files can be read and the results printed; raises :class:`UsageError`."""
    if sys.stdout is None:
        raise UsageError("standard output is closed", "send it to a program or a file")
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input (-) is given more than once", "give it once")


def content_of(result: RenderedPage, name: str) -> bytes:
    """Return what a format made of the page."""
    content = dict(result.sidecars)[registry.load(name).ending]
    return content if isinstance(content, bytes) else Path(content.path).read_bytes()


def missing_pages(result: RenderedPage) -> tuple[str, ...]:
    """Return which pages of a file with several could not be read, and why: a sentence each."""
    return result.missing if isinstance(result, RenderedFile) else ()


def notes_of(result: RenderedPage) -> tuple[str, ...]:
    """Return what the text of a file with several pages lacks, or may lack, besides missing pages: a sentence each."""
    return result.notes if isinstance(result, RenderedFile) else ()


def complain_of_lacks(path: Path, result: RenderedPage) -> ExitCode:
    """Print to standard error what the text of a file lacks; return the exit code that this means."""
    for sentence in (*notes_of(result), *missing_pages(result)):
        complain(path, sentence)
    return ExitCode.QUARANTINED if missing_pages(result) else ExitCode.FINE


def complain(path: Path, sentence: str) -> None:
    """Print a sentence about a file to standard error."""
    print(f"ocrwatch: {name_of(path)}: {sentence}", file=sys.stderr)  # noqa: T201


def name_of(path: Path) -> str:
    """Return the name of a file for a line on a terminal."""
    return "standard input" if path == STANDARD_INPUT else log.printable(str(path))


def read_files(
    files: Sequence[Path], settings: Settings, options: Settings | Effective, formats: tuple[str, ...], page: int = 0
) -> Iterator[tuple[Path, Result]]:
    """Read files in worker processes; yield the results in order.

    ``options`` are those of the scans, which a profile may have changed. ``page`` is the only page, from 1, that is
    read of each file; 0 for all. Limits of time and memory apply as in the daemon.
    """
    reader = _Reader(files, settings, options, formats, page)
    try:
        # It runs only while a result is waited for; workers go on meanwhile.
        with asyncio.Runner() as runner:
            for number, path in enumerate(files):
                yield path, runner.run(reader.result(number))
    finally:
        reader.close()


class _Reader:
    """Reads files ahead of the one whose result is wanted. Lives on an event loop."""

    def __init__(
        self,
        files: Sequence[Path],
        settings: Settings,
        options: Settings | Effective,
        formats: tuple[str, ...],
        page: int,
    ) -> None:
        self._files = files
        self._settings = settings
        self._options = options
        self._formats = formats
        self._page = page
        self._max_bytes = settings.settle.max_bytes
        # The preferred engine is the last that a worker warms up for.
        self._recipes = [recipe(options, engine) for engine in options.ocr.engine]
        self._workers = self._worker_options(settings)
        workers = LocalExecutor(self._workers, Uncounted(), self)
        self._services = open_services(settings, workers, Backoff())
        self._executor: Executor = self._services or workers
        self._starts = StartupGuard(self._executor.capacity)
        self._cannot_start = asyncio.Event()
        self._tasks: dict[int, asyncio.Task[Result]] = {}
        """By the number of the file."""
        self._begun = 0
        self._split: SplitFiles | None = None
        """None until a file may have pages."""
        self._numbers = itertools.count(-1, -1)
        """Numbers of pages; those of files are not negative."""

    async def result(self, number: int) -> Result:
        """Return what becomes of a file; they are asked for in order. Raises the error that prevents all reading."""
        if not number:
            self._executor.start()
            if self._services is not None:
                self._connections = asyncio.create_task(self._services.run())
        ahead = _AHEAD_PER_WORKER * self._executor.capacity
        for begun in range(self._begun, min(len(self._files), number + ahead)):
            self._tasks[begun] = asyncio.create_task(self._read(begun, self._files[begun]))
            self._begun += 1
        reading, failure = self._tasks.pop(number), asyncio.create_task(self._cannot_start.wait())
        await asyncio.wait({reading, failure}, return_when=asyncio.FIRST_COMPLETED)
        failure.cancel()
        if self._starts.failure is not None and not reading.done():
            raise self._starts.failure
        return await reading

    def heard(self, event: WorkerReady | WorkerLost | WorkerUnfit | Begun) -> None:
        """Notice that no worker can start."""
        if not isinstance(event, Begun):
            self._starts.heard(event)
        if self._starts.failure is not None:
            self._cannot_start.set()

    def close(self) -> None:
        """End the workers."""
        self._executor.close()
        if self._split is not None:
            self._split.close()

    def _worker_options(self, settings: Settings) -> WorkerOptions:
        workers = settings.workers
        count = min(workers.count or usable_cores(), len(self._files))
        return WorkerOptions(
            count,
            tuple(each for each in reversed(self._recipes) if not each.is_remote),
            self._formats,
            workers.timeout,
            workers.max_memory,
            workers.max_scans,
            helpers=count,
        )

    async def _read(self, number: int, path: Path) -> Result:
        """Read a file, page by page if it has several."""
        try:
            content = _content(path, self._max_bytes)
            if image_kind(content[:HEAD]) in SPLIT:
                async with self._splitting().opened(path, content) as file:
                    if file is not None:
                        return await self._read_pages(file)
            if self._page > 1:
                raise no_such_page(self._page, 1)
        except OcrwatchError as error:
            return error
        except OSError as error:
            return environment_fault(error, "cannot read it")
        sha256 = hashlib.sha256(content).hexdigest()
        return await self._read_image(number, content, self._request(os.fspath(path), len(content), sha256))

    def _splitting(self) -> SplitFiles:
        from ocrwatch.commands.split_file import SplitFiles  # noqa: PLC0415 - not every file needs it

        if self._split is None:
            self._split = SplitFiles(self._settings, self._options, self._formats, self._page)
        return self._split

    async def _read_pages(self, file: SplitFile) -> RenderedPage:
        """Read the pages of a file with all workers, and join them. Raises :class:`OcrwatchError`."""
        self._start_workers(len(file.numbers))
        room = asyncio.Semaphore(self._executor.capacity + _PAGES_AHEAD)
        readings = []
        for number in file.numbers:
            await room.acquire()
            split = None if file.obstacle is not None else await file.split(number)
            if split is None:
                room.release()
            else:
                readings.append(asyncio.create_task(self._read_page(file, *split, room)))
        await asyncio.gather(*readings)
        return await file.joined()

    async def _read_page(self, file: SplitFile, page: SplitPage, image: bytes, room: asyncio.Semaphore) -> None:
        """Read a page of a file; ``room`` is for one more page afterwards."""
        try:
            source = file.source
            request = self._request(source.path, source.size, source.sha256)
            request = replace(request, page=page.number, review_notes=page.notes)
            result: Result | None = None
            if page.packed:
                result = await self._read_own_text(page.packed, image, request)
            if result is None:
                result = await self._read_image(next(self._numbers), image, request)
            if isinstance(result, OcrwatchError):
                file.ended(page.number, result)
            else:
                await file.keep(page.number, result)
        finally:
            room.release()

    async def _read_own_text(self, packed: bytes, image: bytes, request: RenderRequest) -> RenderedPage | None:
        """Return a page with text of its own; None if its image must be read."""
        job = RenderJob(next(self._numbers), packed, request, image, find=self._recipes[0])
        try:
            return await render_checked(self._executor, job)
        except OcrwatchError:
            # If the environment is at fault, reading meets the same fault.
            return None

    def _start_workers(self, pages: int) -> None:
        """Have as many workers as there are pages, as far as the settings allow."""
        most = self._settings.workers.count or usable_cores()
        if (wanted := min(most, pages)) > self._workers.workers:
            self._workers = replace(self._workers, workers=wanted, helpers=wanted)
            self._executor.change(self._workers)

    async def _read_image(self, number: int, content: bytes, request: RenderRequest) -> Result:
        """Read an image with the first engine that can."""
        *others, last = self._recipes
        for each in others:
            result = await self._read_with(Job(number, content, each, request))
            if not isinstance(result, _OF_ENGINE):
                return result
        return await self._read_with(Job(number, content, last, request))

    async def _read_with(self, job: Job) -> Result:
        try:
            page = (await read_checked(self._executor, job)).page
            if self._services is not None and job.recipe.has_remote_second and page.summary.is_doubtful:
                return await self._read_again(self._services, structs.replace(job, first=page.packed))
        except OcrwatchError as error:
            return error
        return page

    @staticmethod
    async def _read_again(services: HttpOcrExecutor, job: Job) -> RenderedPage:
        """Have a service read a doubtful page; if it cannot, the page says so."""
        try:
            return (await read_checked(services, job)).page
        except (ServiceFault, ScanFault) as fault:
            return await services.without_second(job, fault.message)

    def _request(self, path: str, size: int, sha256: str) -> RenderRequest:
        return RenderRequest(
            self._formats,
            os.fsencode(path),
            size,
            sha256,
            self._options.output.review_below,
            preview_chars=BEGINNING,
            packs=self._options.ocr.second.startswith(REMOTE),
            straighten=self._options.pdf.straighten,
        )


def no_such_page(page: int, count: int) -> UsageError:
    """Return the error for a page that a file of ``count`` pages has not."""
    has = "one page" if count == 1 else f"{count:,} pages"
    return UsageError(f"it has {has}, and no page {page}", "choose another one with --page")


def _content(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a file, or of standard input.

    Raises UsageError, TooLarge or OSError.
    """
    if path == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("nothing is sent to standard input", "send an image: ocrwatch read - < page.jpg")
        content = sys.stdin.buffer.read(max_bytes + 1)
        size = len(content)
    else:
        if not path.is_file():
            what = "it is not a regular file" if path.exists() else "there is no such file"
            raise UsageError(what, "name JPEG, PNG, TIFF or PDF files")
        size = path.stat().st_size
        content = b"" if size > max_bytes else path.read_bytes()
    if size > max_bytes:
        raise TooLarge("the file is larger than allowed", "raise settle.max_bytes")
    return content
