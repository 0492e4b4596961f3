"""Splits one file into its pages, for the daemon's event loop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from ocrwatch.errors import (
    Blocked,
    InternalFault,
    OcrwatchError,
    OutOfMemory,
    ScanFault,
    TimedOut,
    WorkerDied,
    environment_fault,
)
from ocrwatch.executors.failure_causes import classify_exit
from ocrwatch.splitting.base import FileFailed, SplitLimits, SplitPage
from ocrwatch.splitting.messages import (
    ENDINGS,
    Answer,
    Ask,
    Faulty,
    Opened,
    Refused,
    Request,
    Setup,
    Written,
    decode_answer,
    encode,
    fault_of,
)
from ocrwatch.splitting.process import LAST_MOMENT, SplitProcess

_STARTING: Final = 60.0
"""Seconds for the start of a process, which takes 0.3 s if the machine is idle."""

_MOST_IN_A_ROW: Final = 10
"""Pages one after the other that end the process, or have it hang: those that follow will hardly be better."""

_MOST_LOST: Final = 20
"""Times ``timeout`` that the pages of one file without an image may take in all: a few files are split at once, and
one with thousands of such pages must not take the place of others for days."""

_TIMEOUT_REMEDY: Final = "look at the file; raise workers.timeout if its pages are just large"

_DIED_REMEDY: Final = "look at the file; raise workers.max_memory if its pages just have very much on them"
"""pdfium ends its process if it gets no memory."""


class Splitter:
    """Splits one file, in a process of its own.

    Its methods are called one at a time. A process that dies or hangs is replaced for the next page. If it has split
    other pages before it dies, they may have damaged it: the page is tried with a fresh process.
    """

    def __init__(self, source: Path, folder: Path, name: str, limits: SplitLimits) -> None:
        """``source`` is a private copy of the file; images are written to ``folder`` as ``NAME-NUMBER.png``.

        Their ending may also be ``jpg`` or ``tif``.
        """
        self.source = source
        self._folder = folder
        self._name = name
        self.limits = limits
        self._process: SplitProcess | None = None
        self._count = 0
        self._is_fresh = True
        """Whether the process has split no page yet."""
        self._in_a_row = 0
        """Such pages, up to the last one."""
        self._lost_s = 0.0
        """Seconds spent on pages without an image."""
        self._given_up: ScanFault | None = None
        """Why there are no more pages."""

    async def open(self) -> int:
        """Start the process, and return the number of pages, at least 1.

        Raises a ScanFault if the file cannot be split: it is damaged, encrypted, or has too many pages; Blocked if the
        process cannot start, or EnvironmentFault.
        """
        self._count = await self._start()
        return self._count

    async def page(self, number: int) -> SplitPage:
        """Write the image of a page, from 1, in any order; an earlier one of its number is replaced.

        Raises a ScanFault if there is no image of this page, :class:`FileFailed` if there will be none of any further
        page, or what :meth:`open` raises if the environment refuses, after which it can be called again.
        """
        if not 0 < number <= self._count:
            raise ValueError(f"the file has {self._count} pages, and no page {number}")
        begun = time.monotonic()
        try:
            page = await self._page(number)
        except ScanFault as fault:
            self._lost(fault, time.monotonic() - begun)
            raise
        self._in_a_row = 0
        return page

    async def close(self) -> None:
        """End the process, if it runs: without this, it ends with the daemon only. Images stay."""
        await self._end()

    async def _page(self, number: int) -> SplitPage:
        """Have the image of a page written, by a fresh process if one dies that may have been damaged before."""
        await self._ready()
        if self._is_fresh:
            return await self._written(number)
        try:
            return await self._written(number)
        except WorkerDied:
            await self._ready()
            return await self._written(number)

    async def _written(self, number: int) -> SplitPage:
        self._is_fresh = False
        answer = await self._ask(Ask(number), f"taking page {number} out of its file", self.limits.timeout)
        if isinstance(answer, Written) and answer.ending in ENDINGS:
            name = f"{self._name}-{number}.{answer.ending}"
            return SplitPage(number, name, answer.size, answer.sha256, answer.packed, answer.notes, answer.keeps_page)
        raise await self._invalid()

    def _lost(self, fault: ScanFault, seconds: float) -> None:
        """Count a page without an image; give the file up if these are too many in a row, or have taken too long."""
        # A page that is damaged or too large, and says so, tells nothing of others.
        told = self._process is not None or isinstance(fault, OutOfMemory)
        self._in_a_row = 0 if told else self._in_a_row + 1
        self._lost_s += seconds
        if self._in_a_row >= _MOST_IN_A_ROW or self._lost_s > _MOST_LOST * self.limits.timeout:
            self._given_up = fault

    async def _ready(self) -> None:
        """Start another process if the last one ended, unless that was so too often."""
        if self._given_up is not None:
            raise FileFailed(self._given_up)
        if self._process is not None:
            return
        try:
            count = await self._start()
        except ScanFault as fault:
            if fault.retryable:
                raise
            # It could be opened before.
            raise FileFailed(fault) from fault
        if count != self._count:
            raise await self._invalid()

    async def _start(self) -> int:
        try:
            async with asyncio.timeout(_STARTING):
                self._process = await SplitProcess.start(self.source, self._folder)
        except TimeoutError:
            raise Blocked(
                "the process that splits files into pages did not start in time",
                "see whether the disk of the state folder answers, and whether the machine is overloaded",
            ) from None
        self._is_fresh = True
        limits = self.limits
        setup = Setup(self._name, limits.max_memory, limits.max_pixels, limits.max_pages)
        answer = await self._ask(setup, "opening it", _STARTING + limits.timeout)
        if isinstance(answer, Opened) and 0 < answer.pages <= limits.max_pages:
            return answer.pages
        raise await self._invalid()

    async def _ask(self, message: Request, phase: str, timeout: float) -> Answer:  # noqa: ASYNC109 - shown in the fault
        """Return the answer of the process; raises what it reports, and what befalls it."""
        process = self._process
        assert process is not None  # noqa: S101 - for the type checker; both callers have started it
        try:
            async with asyncio.timeout(timeout):
                line = await process.ask(encode(message))
            answer = decode_answer(line) if line else None
        except TimeoutError:
            await self._end()
            raise TimedOut(f"{phase} took longer than {timeout:g} s", _TIMEOUT_REMEDY) from None
        except ValueError:
            raise await self._invalid() from None
        except BaseException:
            # The answer to this would be taken for the answer to the next.
            process.kill()
            self._process = None
            raise
        if answer is None:
            raise await self._died(process, phase)
        if isinstance(answer, Refused):
            raise self._refused(answer)
        if isinstance(answer, Faulty):
            fault = fault_of(answer)
            if isinstance(fault, OutOfMemory):
                # The behaviour of native code after a failed allocation is unknown.
                await self._end()
            raise fault
        return answer

    async def _died(self, process: SplitProcess, phase: str) -> Exception:
        self._process = None
        ended = await process.ended(LAST_MOMENT)
        fault = classify_exit(ended.how, phase, starved=ended.starved)
        if not isinstance(fault, ScanFault):
            return fault
        return WorkerDied(f"the process that splits the file was {ended.how} while {phase}", _DIED_REMEDY)

    async def _invalid(self) -> Exception:
        """End a process that answered what it cannot: a bug, or a file has taken it over."""
        await self._end()
        return InternalFault("the process that splits the file sent invalid data", "please report it, with the file")

    def _refused(self, answer: Refused) -> OcrwatchError:
        if not answer.errno:
            return Blocked(
                f"the process that splits files cannot do its work ({answer.message})", "run ocrwatch doctor"
            )
        what = (
            f"cannot write the images of pages to {self._folder}" if answer.is_writing else f"cannot read {self.source}"
        )
        return environment_fault(OSError(answer.errno, answer.message), what)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end()
