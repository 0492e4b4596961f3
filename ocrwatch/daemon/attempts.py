"""Records what becomes of attempts to read scans. Those of a page of a file are not in the ledger."""

from __future__ import annotations

import contextlib
import time

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.errors import EnvironmentFault, ScanFault
from ocrwatch.ledger import Ledger
from ocrwatch.scan import Scan
from ocrwatch.storage.threads import Threads, run_in


class ScanAttempts:
    """Counts attempts in the ledger for executors; those of pages, whose numbers are below 0, are not counted."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def count_attempt(self, scan: int) -> int:
        """Count an attempt, and return its number; 0 for a page."""
        return self._ledger.count_attempt(scan) if scan >= 0 else 0

    def refund_attempt(self, scan: int) -> None:
        """Take back an attempt."""
        if scan >= 0:
            self._ledger.refund_attempt(scan)

    def record_sent(self, scan: int) -> None:
        """Record that a scan goes to a remote service."""
        if scan >= 0:
            self._ledger.record_sent(scan)

    def record_answered(self, scan: int) -> None:
        """Record that a worker gets a scan again, with the answer of a service."""
        if scan >= 0:
            self._ledger.record_answered(scan)


class AttemptRecords:
    """Records attempts. Lives on the event loop."""

    def __init__(self, ledger: Ledger, threads: Threads, backoff: Backoff) -> None:
        self._ledger = ledger
        self._threads = threads
        self._backoff = backoff

    async def refund(self, scan: Scan) -> None:
        """Take back an attempt that proved nothing; a ledger that refuses is reported by a more important call."""
        if scan.file_page is not None:
            scan.attempt -= 1
            return
        with contextlib.suppress(EnvironmentFault):
            await run_in(self._threads.state, self._ledger.refund_attempt, scan.id)

    async def refund_doubtful(self, scan: Scan, fault: ScanFault) -> None:
        """Take back an attempt that found a fault of which it is in doubt whether it lasts."""
        # On the delivery thread, which is waited for at the end: attempts that stay counted would add up.
        with contextlib.suppress(EnvironmentFault):
            await run_in(
                self._threads.delivery, self._ledger.refund_attempt, scan.id, code=fault.code, reason=fault.message
            )

    async def forget_deaths(self, scan: Scan, pages: int) -> bool:
        """Forget the deaths of ocrwatch with a file whose first ``pages`` are done; return whether that is recorded."""
        try:
            await run_in(self._threads.state, self._ledger.record_progress, scan.id, pages)
        except EnvironmentFault:
            # The next page tries it again.
            return False
        return True

    async def wait(self, scan: Scan, fault: ScanFault, delay: float) -> None:
        """Record a failed attempt, and the seconds until the next one."""
        if scan.file_page is not None:
            return
        try:
            await run_in(
                self._threads.state, self._ledger.wait, scan.id, time.time() + delay, fault.code, fault.message
            )
        except EnvironmentFault as error:
            self._backoff.record(Cause.READING, error, time.monotonic())
