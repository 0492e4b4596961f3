"""Protocol of what reads scans: worker processes here, later services and other machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ocrwatch.document import Page
from ocrwatch.executors.ipc import Job


@dataclass(frozen=True, slots=True)
class Reading:
    """A scan that was read."""

    page: Page
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

    def withdraw(self) -> int:
        """Withdraw the scans that have not been begun; return how many."""

    def close(self) -> None:
        """End at once, even during a reading. May block, and is called when the event loop has ended."""
