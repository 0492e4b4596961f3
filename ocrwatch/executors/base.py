"""Protocol of what reads scans: worker processes here, later services and other machines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Protocol

from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.scan import Scan

REDUCED: Final = "read without enhancement, since reading it took too long"
"""Why such a text needs review."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A scan that was read."""

    page: RenderedPage
    read_ms: float
    """Milliseconds with the worker."""


class Executor(Protocol):
    """Reads scans. All methods are called on the event loop, and none blocks it."""

    @property
    def capacity(self) -> int:
        """How many scans it reads at once."""

    @property
    def ready(self) -> int:
        """How many it could read at once now."""

    def start(self) -> None:
        """Start it; its events say when it is ready."""

    async def read(self, job: Job) -> Reading:
        """Read one scan; its attempt is counted just before it is begun.

        Raises :class:`ScanFault` if the scan is to blame, :class:`Blocked` if only this scan cannot be read now,
        :class:`EnvironmentFault` or :class:`UsageError` if no scan can be read this way, and :class:`Stopping` if it
        was withdrawn before it was begun.
        """

    async def render(self, job: RenderJob) -> RenderedPage:
        """Render a cached page, without waiting for a scan that is being read.

        Raises :class:`ScanFault` if it cannot be rendered: then its scan must be read. Raises :class:`EnvironmentFault`
        if no page can be rendered now. No attempt is counted.
        """

    def withdraw(self) -> int:
        """Withdraw the scans whose reading has not been begun; return how many."""

    def close(self) -> None:
        """End at once, even during a reading. May block, and is called when the event loop has ended."""


def request_for(scan: Scan, *, preview_chars: int, packs: bool) -> RenderRequest:
    """Return what is to be made of a loaded scan's page.

    ``preview_chars`` is the length of the text's beginning for log and terminal; ``packs`` says whether the page is
    wanted for the cache.
    """
    output = scan.options.output
    return RenderRequest(
        output.formats,
        os.fsencode(scan.path),
        scan.file.facts.size,
        scan.sha256 or "",
        output.review_below,
        (REDUCED,) if scan.reduced else (),
        preview_chars,
        packs,
    )
