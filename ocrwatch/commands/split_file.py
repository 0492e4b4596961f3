"""Splits files of several pages for commands that print what was read, and joins what was read of their pages.

As the daemon does, with the same process and the same limits, but in a temporary folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from ocrwatch.commands.file_reading import RenderedFile, no_such_page
from ocrwatch.document import BEGINNING
from ocrwatch.documents.file_joining import FileJoining
from ocrwatch.documents.file_summary import ReadPage, file_fields, file_summary, none_read
from ocrwatch.documents.joiner import Joiner
from ocrwatch.errors import EnvironmentFault, OcrwatchError, ScanFault, UsageError, environment_fault
from ocrwatch.intake.completeness import has_pages
from ocrwatch.render.base import RenderedPage, StoredSidecar
from ocrwatch.render.joining.base import SourceFile
from ocrwatch.render.joining.job import joinable
from ocrwatch.settings import Effective, Settings
from ocrwatch.splitting.base import FileFailed, SplitLimits, SplitPage
from ocrwatch.splitting.image_check import read_image
from ocrwatch.splitting.splitter import Splitter

_MOST_OPEN: Final = 2
"""Files that are split at once: the pages of one keep all workers busy, and the next one is ready when it ends."""


class SplitFiles:
    """Splits files. Lives on an event loop; :meth:`close` removes its folder."""

    def __init__(self, settings: Settings, options: Settings | Effective, formats: tuple[str, ...], page: int) -> None:
        """Make no folder yet; ``formats`` are made of each page, and ``page`` is the only one wanted, 0 for all."""
        workers = settings.workers
        self.formats = formats
        self.page = page
        self._limits = SplitLimits(workers.max_memory, workers.timeout, options.enhance.max_pixels)
        self._places = asyncio.Semaphore(_MOST_OPEN)
        self._names = map(str, itertools.count(1))
        self._joiner = Joiner()
        self._folder: Path | None = None
        self.joins = asyncio.Lock()
        """Held while pages are joined: that is done for one file at a time."""

    @asynccontextmanager
    async def opened(self, path: Path, content: bytes) -> AsyncIterator[SplitFile | None]:
        """Split a file with this content; None if it is an image of one page.

        Raises :class:`ScanFault` if it cannot be split, :class:`UsageError` if it has not the wanted page, or more
        pages than one picture can show, and :class:`EnvironmentFault`.
        """
        async with self._places:
            joining = FileJoining(self._made_folder() / "pages", self._joiner)
            name = next(self._names)
            source = joining.folder / f"{name}.source"
            try:
                if not await asyncio.to_thread(_copy, joining, content, source):
                    yield None
                    return
                splitter = Splitter(source, joining.folder, name, self._limits)
                try:
                    count = await splitter.open()
                    numbers = self._wanted(count)
                    facts = SourceFile(os.fspath(path), len(content), hashlib.sha256(content).hexdigest())
                    yield SplitFile(self, joining, splitter, name, facts, count, numbers)
                finally:
                    await splitter.close()
            finally:
                source.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove what is left of all files."""
        self._joiner.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _made_folder(self) -> Path:
        if self._folder is None:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="ocrwatch-"))
            except OSError as error:
                raise environment_fault(error, "cannot make a temporary folder for the pages of files") from error
        return self._folder

    def _wanted(self, count: int) -> range:
        """Return the numbers of the pages to read. Raises :class:`UsageError`."""
        if self.page > count:
            raise no_such_page(self.page, count)
        if self.page:
            return range(self.page, self.page + 1)
        if count > 1 and not all(joinable([each]) for each in self.formats):
            raise UsageError(f"it has {count:,} pages, and a picture shows one", "choose one of them with --page")
        return range(1, count + 1)


class SplitFile:
    """A file that is split, and what is read of its pages."""

    def __init__(
        self,
        files: SplitFiles,
        joining: FileJoining,
        splitter: Splitter,
        name: str,
        source: SourceFile,
        count: int,
        numbers: range,
    ) -> None:
        """``name`` is that of its files in the folder; ``numbers`` are the pages to read, of ``count``."""
        self._files = files
        self._joining = joining
        self._splitter = splitter
        self._name = name
        self.source = source
        self._count = count
        self.numbers = numbers
        self._formats = joinable(files.formats)
        self._pages: dict[int, ReadPage] = {}
        """By number, like the others."""
        self._faults: dict[int, ScanFault] = {}
        self._notes: dict[str, list[int]] = {}
        """Each with the pages that have it."""
        self._last: RenderedPage | None = None
        """The only page, if there is one."""
        self.obstacle: OcrwatchError | None = None
        """Why no page can be read."""

    async def split(self, number: int) -> tuple[SplitPage, bytes] | None:
        """Return a page and its image; None if it is missing, or :attr:`obstacle` says why none can be read."""
        try:
            page = await self._splitter.page(number)
            for note in page.notes:
                self._notes.setdefault(note, []).append(number)
            return page, await asyncio.to_thread(self._image, page)
        except FileFailed as failed:
            self.ended(number, failed.fault)
        except OcrwatchError as error:
            self.ended(number, error)
        return None

    async def keep(self, number: int, page: RenderedPage) -> None:
        """Keep a page that was read."""
        try:
            self._pages[number] = await asyncio.to_thread(self._joining.keep, self._name, number, page, self._formats)
        except EnvironmentFault as fault:
            self.ended(number, fault)
        if len(self.numbers) == 1:
            self._last = page

    def ended(self, number: int, error: OcrwatchError) -> None:
        """Record why a page was not read."""
        if isinstance(error, ScanFault):
            self._faults[number] = error
            self._pages[number] = ReadPage(number, code=error.code, reason=error.message)
        else:
            self.obstacle = self.obstacle or error

    async def joined(self) -> RenderedPage:
        """Return what was read of the file, or the only page that is wanted.

        Raises :attr:`obstacle`, or :class:`ScanFault` if no page could be read, and :class:`EnvironmentFault`.
        """
        if self.obstacle is not None:
            raise self.obstacle
        if len(self._faults) == len(self.numbers):
            raise none_read(self._faults[min(self._faults)], len(self.numbers))
        if self._files.page and self._last is not None:
            last = self._last
            told = self._told()
            return RenderedFile(last.sidecars, last.summary, fields=last.fields, notes=told) if told else last
        async with self._files.joins:
            return await asyncio.to_thread(self._join)

    def _join(self) -> RenderedFile:
        pages = [self._pages[number] for number in self.numbers]
        summary = file_summary(pages, BEGINNING)
        sidecars: dict[str, bytes | StoredSidecar] = {} if self._last is None else dict(self._last.sidecars)
        if self._formats:
            made = self._joining.join(self._name, self.source, summary.review_reasons, pages, self._formats)
            sidecars |= {ending: Path(stored.path).read_bytes() for ending, stored in made}
        self._joining.discard(self._name)
        return RenderedFile(
            tuple(sidecars.items()),
            summary,
            fields=file_fields(pages),
            is_partial=bool(self._faults),
            missing=tuple(
                f"page {number} of {self._count:,} is missing: {fault}"
                for number, fault in sorted(self._faults.items())
            ),
            notes=self._told(),
        )

    def _told(self) -> tuple[str, ...]:
        """Return each note once, with the first page that has it."""
        told = []
        for note, numbers in self._notes.items():
            others = len(numbers) - 1
            more = f" (and {others:,} more {'page' if others == 1 else 'pages'})" if others else ""
            told.append(f"page {numbers[0]} of {self._count:,}: {note}{more}" if self._count > 1 else note)
        return tuple(told)

    def _image(self, page: SplitPage) -> bytes:
        image = self._joining.folder / page.name
        try:
            content = read_image(image, page.size, page.sha256)
        except OSError as error:
            raise environment_fault(error, f"cannot read {image}") from error
        with contextlib.suppress(OSError):
            image.unlink()
        return content


def _copy(joining: FileJoining, content: bytes, source: Path) -> bool:
    """Write the private copy of a file; return whether it has pages."""
    joining.prepare()
    try:
        source.write_bytes(content)
        with source.open("rb") as file:
            return has_pages(file.fileno(), len(content))
    except OSError as error:
        raise environment_fault(error, f"cannot write {source}") from error
