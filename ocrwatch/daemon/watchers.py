"""What `ocrwatch once` shows while it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ocrwatch.daemon.scans import Scan
    from ocrwatch.delivery.transaction import Delivered
    from ocrwatch.document import Page


class Watchers(Protocol):
    """Told what happens, on the event loop."""

    def delivered(self, scan: Scan, page: Page, delivered: Delivered) -> None:
        """Take note of a scan that was read."""

    def progress(self, done: int, total: int) -> None:
        """Take note of how many scans have come to their end."""


class NoWatchers:
    """Shows nothing."""

    def delivered(self, scan: Scan, page: Page, delivered: Delivered) -> None:
        """Show nothing."""

    def progress(self, done: int, total: int) -> None:
        """Show nothing."""
