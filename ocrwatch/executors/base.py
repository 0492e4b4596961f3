"""Protocol of executors, which read scans: worker processes, or other machines.

An executor is one module here, or in another package. It is found by its name (``workers.executor``) in the entry point
group ``ocrwatch.executors``, and called with its :class:`WorkerOptions`, :class:`Attempts` and :class:`WorkerListener`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Final, Protocol

from ocrwatch.document import BEGINNING
from ocrwatch.errors import InternalFault, UsageError
from ocrwatch.executors.events import Begun, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.plugins import find, installed, origin
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.render.joining.job import joinable
from ocrwatch.render.registry import flaw_of
from ocrwatch.scan import Scan

GROUP: Final = "ocrwatch.executors"

LOCAL: Final = "local"
"""Name of the executor that reads with worker processes of this machine."""

_BUILT_IN: Final = {LOCAL: "ocrwatch.executors.local:LocalExecutor"}

_REMEDY: Final = "please report it; if workers.executor is another package's, to its authors"

REDUCED: Final = "read without enhancement, since reading it took too long"
"""Why such a text needs review."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How scans are read.

    An executor that has no workers of its own uses what applies to it.
    """

    workers: int
    """How many scans are read at once."""
    recipes: tuple[Recipe, ...]
    """Recipes that a new worker warms up for, the most frequent last; none if it only renders."""
    formats: tuple[str, ...]
    """Names of the sidecar formats that it loads."""
    timeout: float
    """Seconds for one scan."""
    max_memory: int
    """Bytes of address space of a worker, 0 for no limit."""
    max_scans: int
    """Scans after which a worker is replaced, 0 for never."""
    scratch: Path | None = None
    """Folder for the workers' temporary files, None for the system's."""
    helpers: int = 1
    """How many further workers do what takes a moment, so that it never waits for a scan that is being read: they
    render cached pages, and work for remote services."""


class Attempts(Protocol):
    """Counts the attempts to read a scan; the ledger.

    May be used from any thread, and waits for a disk.
    """

    def count_attempt(self, scan: int) -> int:
        """Count an attempt just before it is begun, and return its number.

        Raises :class:`EnvironmentFault` if it cannot be recorded: the scan must not be read then.
        """

    def refund_attempt(self, scan: int) -> None:
        """Take back an attempt that ended before it proved anything."""

    def record_sent(self, scan: int) -> None:
        """Record that a scan goes to a remote service: if ocrwatch is killed from here on, the scan is not suspected.

        Raises :class:`EnvironmentFault` if it cannot be recorded.
        """

    def record_answered(self, scan: int) -> None:
        """Record that a worker gets a scan again, with the answer of a service; raises like :meth:`record_sent`."""


class WorkerListener(Protocol):
    """Receives the events of workers. Called on the event loop."""

    def heard(self, event: WorkerReady | WorkerLost | WorkerUnfit | Begun) -> None:
        """Handle an event.

        Until the first :class:`WorkerReady` the daemon counts as starting.
        """


@dataclass(frozen=True, slots=True)
class Reading:
    """A scan that was read."""

    page: RenderedPage
    read_ms: float
    """Milliseconds with the worker."""


class Executor(Protocol):
    """Reads scans. All methods but :meth:`prove` and :meth:`close` are called on the event loop, and none blocks it."""

    @property
    def capacity(self) -> int:
        """How many scans it reads at once."""

    @property
    def ready(self) -> int:
        """How many it could read at once now."""

    def start(self) -> None:
        """Start it. It reports to the listener when it is ready."""

    def prove(self, options: WorkerOptions) -> None:
        """Check whether scans could be read with other options; blocks, and is called on a thread.

        Raises :class:`OcrwatchError` if not.
        """

    def change(self, options: WorkerOptions) -> None:
        """Use other options from the next scans on. Readings that were begun end with the old ones."""

    async def read(self, job: Job) -> Reading:
        """Read one scan; its attempt is counted just before it is begun.

        Raises :class:`ScanFault` if the scan is to blame, :class:`Blocked` if only this scan cannot be read now,
        :class:`EnvironmentFault` or :class:`UsageError` if no scan can be read this way, and :class:`Stopping` if it
        was withdrawn before it was begun.
        """

    async def render(self, job: RenderJob) -> RenderedPage:
        """Render a cached page, without waiting for a scan that is being read.

        Raises :class:`ScanFault` if it cannot be rendered, :class:`EnvironmentFault` if no page can be rendered now:
        then its scan must be read. No attempt is counted.
        """

    def withdraw(self) -> int:
        """Withdraw the scans whose reading has not been begun; return how many."""

    def close(self) -> None:
        """End at once, even during a reading.

        May block, and is called when the event loop has ended.
        """


def find_executor(name: str) -> EntryPoint:
    """Return the executor of this name, without importing it. Raises :class:`UsageError` if there is none."""
    if (found := find(GROUP, _BUILT_IN, name)) is None:
        raise UsageError(
            f"there is no executor named {name!r}",
            f"set workers.executor to one of: {', '.join(sorted(installed(GROUP, _BUILT_IN)))}",
        )
    return found


def open_executor(name: str, options: WorkerOptions, attempts: Attempts, listener: WorkerListener) -> Executor:
    """Return the executor of this name.

    Raises :class:`UsageError` if there is none, or it cannot be made.
    """
    found = find_executor(name)
    try:
        executor: Executor = found.load()(options, attempts, listener)
    except (Exception, SystemExit) as error:  # another package's code may raise anything
        raise UsageError(
            f"the executor {name}{origin(found)} cannot be used ({type(error).__name__}: {error})",
            "install a version of its package that works, or set workers.executor to local",
        ) from error
    return executor


async def read_checked(executor: Executor, job: Job) -> Reading:
    """Read a scan with any executor; raises like it.

    Raises :class:`InternalFault`, too, if its answer is not what was requested: without its sidecars a text is lost.
    """
    try:
        reading = await executor.read(job)
    except SystemExit as error:
        # It would end the event loop.
        raise InternalFault(f"the executor ended itself ({error!r})", _REMEDY) from error
    _check(reading.page, job.request)
    return reading


async def render_checked(executor: Executor, job: RenderJob) -> RenderedPage:
    """Render a cached page with any executor; raises like it, and like :func:`read_checked`."""
    try:
        page = await executor.render(job)
    except SystemExit as error:
        raise InternalFault(f"the executor ended itself ({error!r})", _REMEDY) from error
    _check(page, job.request)
    return page


def _check(page: RenderedPage, request: RenderRequest) -> None:
    if flaw := flaw_of(page, request):
        raise InternalFault(f"the executor returned an invalid page ({flaw})", _REMEDY)


def texts_of(name: str) -> str:
    """Return what distinguishes the texts of an executor: its name and version; empty for this machine's workers."""
    found = None if name == LOCAL else find(GROUP, _BUILT_IN, name)
    return "" if found is None else f"{found.value} {found.dist.version if found.dist is not None else ''}"


class Uncounted:
    """An :class:`Attempts` of readings that are no scan's."""

    def count_attempt(self, scan: int) -> int:  # noqa: ARG002 - the protocol's
        """Return the first."""
        return 1

    def refund_attempt(self, scan: int) -> None:
        """Do nothing."""

    def record_sent(self, scan: int) -> None:
        """Do nothing."""

    def record_answered(self, scan: int) -> None:
        """Do nothing."""


class Unheard:
    """A :class:`WorkerListener` that does nothing."""

    def heard(self, event: WorkerReady | WorkerLost | WorkerUnfit | Begun) -> None:
        """Do nothing."""


def request_for(scan: Scan, *, preview_chars: int, packs: bool) -> RenderRequest:
    """Return what is to be made of a loaded scan's page.

    ``preview_chars`` is the length of the text's beginning in the log; ``packs``: whether the page is for the cache.
    What is made of a page of a file can be joined, and names the file.
    """
    output, page = scan.options.output, scan.file_page
    original = scan if page is None else page.whole
    return RenderRequest(
        output.formats if page is None else joinable(output.formats),
        os.fsencode(original.path),
        original.file.facts.size,
        original.sha256 or "",
        output.review_below,
        (*((REDUCED,) if scan.reduced else ()), *(() if page is None else page.notes)),
        max(preview_chars, BEGINNING),
        packs,
        scan.options.pdf.straighten,
        scan.options.fields,
        0 if page is None else page.number,
        page is not None and page.keeps_page,
    )
