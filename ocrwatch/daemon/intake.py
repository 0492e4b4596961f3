"""Defines what reading needs of intake."""

from __future__ import annotations

from typing import Protocol

from ocrwatch.errors import ScanFault
from ocrwatch.scan import Scan, SettledFile


class Intake(Protocol):
    """Where scans come from, and go back to. Called on the event loop."""

    def closed(self, scan: Scan) -> None:
        """Take back the path of a closed scan."""

    def is_doubtful(self, scan: SettledFile, fault: ScanFault) -> bool:
        """Return whether a scan may be damaged only because its writer is not done."""
