"""Finds archived originals that were changed after they were read: their texts may be of a partial page.

A writer that has a scan open goes on in the archive. Until the original is archived, delivery detects a change;
afterwards one check does, when ``settle.give_up_after`` has passed since the delivery. It costs a row of the ledger and
the file's status for each scan. The page is marked for review.
"""

from __future__ import annotations

import asyncio
import errno
import time
from pathlib import Path
from typing import Final

from ocrwatch.backoff import Backoff, Cause, wait_until
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.errors import EnvironmentFault
from ocrwatch.events import ScanDelivered, ScanRecovered, ScanRewritten, publish
from ocrwatch.ledger import Ledger
from ocrwatch.observe.review_list import ReviewList
from ocrwatch.scan import ScanState
from ocrwatch.storage.files import folder, has_content, status_of
from ocrwatch.storage.threads import Threads, run_in

_MOST_AT_ONCE: Final = 500
_ROUNDS: Final = 10
"""Rounds within the patience: a check is late by a tenth of it at most."""

_ONE_FILE: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EACCES, errno.EPERM, errno.EIO}

REWRITTEN: Final = "its original was changed after it was read"
"""Why the page needs review."""

REMEDY: Final = "put the original back into the inbox to have it read again"


class ArchiveCheck:
    """Checks each archived original once. Lives on the event loop."""

    def __init__(
        self, threads: Threads, backoff: Backoff, ledger: Ledger, reviews: ReviewList, archive: Path, patience: float
    ) -> None:
        self._threads = threads
        self._wake = asyncio.Event()
        backoff.subscribe(self._wake)
        self._backoff = backoff
        self._ledger = ledger
        self._reviews = reviews
        self._archive = archive
        self.patience = patience
        """Seconds after the delivery until the check."""
        self._checked_until = time.time() - 2 * patience
        """Wall clock: deliveries until then have been checked."""
        self._next_round = 0.0
        self._last_delivery = time.monotonic()

    def delivered(self, event: ScanDelivered | ScanRecovered) -> None:
        """Record that a scan was delivered."""
        if isinstance(event, ScanRecovered) and event.state is not ScanState.DELIVERED:
            return
        self._last_delivery = time.monotonic()
        if self._last_delivery + self.patience < self._next_round:
            self._next_round = self._last_delivery + self.patience
            self._wake.set()

    async def run(self) -> None:
        """Check whenever it is due, until cancelled."""
        while True:
            self._wake.clear()
            # Files on a hung mount cannot be checked.
            due = float("inf") if Cause.MOUNT in self._backoff else self._next_round
            now = time.monotonic()
            if now < due:
                await wait_until(self._wake, due)
                continue
            since, until = self._checked_until, time.time() - self.patience
            self._next_round = now + self.patience / _ROUNDS
            try:
                self._checked_until, has_marked = await run_in(self._threads.io, self._check, since, until)
            except (EnvironmentFault, OSError):
                # A disk that refuses this also refuses important writes, which report it.
                continue
            # No check is due after the last delivery before it.
            if self._checked_until >= until and now > self._last_delivery + self.patience:
                self._next_round = float("inf")
            if has_marked:
                await self._reviews.look()

    def _check(self, since: float, until: float) -> tuple[float, bool]:
        """Check what was delivered between two times, and mark and log changed files.

        Returns until when that was done, and whether any was marked. Called on an I/O thread.
        """
        entries = self._ledger.delivered_between(since, until, _MOST_AT_ONCE)
        plans = {entry.id: Plan.from_json(entry.plan) for entry in entries if entry.plan is not None}
        rewritten = [scan for scan, plan in plans.items() if _is_checked(plan) and self._is_rewritten(plan)]
        with self._ledger.transaction():
            # Marks of an earlier run were logged by it.
            marked = [plans[scan] for scan in rewritten if self._ledger.mark_for_review(scan, REWRITTEN)]
        for plan in marked:
            publish(
                ScanRewritten(
                    path=plan.path,
                    archived=plan.below(plan.original),
                    sidecars=tuple(plan.below(each.final) for each in plan.sidecars),
                    reason=REWRITTEN,
                    remedy=REMEDY,
                )
            )
        return (entries[-1].updated_at if len(entries) == _MOST_AT_ONCE else until), bool(marked)

    def _is_rewritten(self, plan: Plan) -> bool:
        """Return whether the archived file is the one that was read, with other content; not a copy or another."""
        try:
            with folder(self._archive, plan.folder) as directory:
                status = status_of(directory, plan.original)
                if status is None or status.st_ino != plan.facts.inode or plan.sha256 is None:
                    return False
                if (status.st_size, status.st_mtime_ns) == (plan.facts.size, plan.facts.mtime_ns):
                    return False
                return not has_content(directory, plan.original, plan.facts.size, plan.sha256)
        except OSError as error:
            # One file or folder that is gone, closed or on a bad sector must not keep the others from being checked.
            if error.errno in _ONE_FILE:
                return False
            raise


def _is_checked(plan: Plan) -> bool:
    """Return whether an original stays in the archive.

    One that is deleted when its document is written leaves its name, and perhaps its inode, to another scan.
    """
    return plan.fate == "archive" and not plan.waits_for_document
