"""Continues what an earlier run has left. ``housekeeping/ledger_rebuild`` has rebuilt a damaged ledger before."""

from __future__ import annotations

import asyncio
import os

from ocrwatch.backoff import BLOCKED_DELAY
from ocrwatch.daemon.documents import Documents
from ocrwatch.daemon.pipeline import Pipeline
from ocrwatch.delivery.deliveries import ClearingItem, LeftoverItem
from ocrwatch.events import DaemonKilled, publish
from ocrwatch.intake.watcher import Watcher
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings
from ocrwatch.storage.threads import Threads, run_in

_PLANNED = frozenset({ScanState.PLANNED, ScanState.PUBLISHED})


class Recovery:
    """Carries out planned deliveries, and removes what was only begun. Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        threads: Threads,
        pipeline: Pipeline,
        watcher: Watcher,
        documents: Documents,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._threads = threads
        self._pipeline = pipeline
        self._watcher = watcher
        self._documents = documents

    async def run(self) -> None:
        """Begin all of it. Scans that were being read are in the inbox, and are read one at a time."""
        await self._documents.restore()
        for entry in await run_in(self._threads.state, self._left_by_earlier_run):
            if entry.state in _PLANNED:
                self._watcher.claim(entry.path)
                self._pipeline.recover(entry)
            else:
                self._pipeline.clear(LeftoverItem(entry), entry.path)

    async def clear_away(self) -> None:
        """Remove staged files from folders that were missing before, until cancelled."""
        while True:
            await asyncio.sleep(BLOCKED_DELAY)
            if self._pipeline.may_clear:
                self._pipeline.clear(ClearingItem())

    def _left_by_earlier_run(self) -> list[Entry]:
        ledger, retry = self._ledger, self._settings.retry
        if interrupted := ledger.record_unclean_end(retry.first_delay, retry.max_delay):
            publish(DaemonKilled(in_work=tuple(entry.path for entry in interrupted)))
        unfinished = ledger.unfinished()
        for entry in unfinished:
            if entry.state not in _PLANNED and not os.path.lexists(self._settings.inbox / entry.path):
                reason = "it was taken out of the inbox"
                ledger.close_scan(entry.id, ScanState.CHANGED, code=entry.code, reason=reason)
        return unfinished
