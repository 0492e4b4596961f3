"""The stages, put together: each gets its own options, and what one hands to the next."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from ocrwatch.daemon import startup
from ocrwatch.daemon.delivering import Delivering
from ocrwatch.daemon.known import Known
from ocrwatch.daemon.loader import Loader
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.pauses import Pauses
from ocrwatch.daemon.reading import Callbacks, Reading
from ocrwatch.daemon.reception import Reception
from ocrwatch.daemon.report import Report
from ocrwatch.daemon.tickets import Batch, End, Ticket
from ocrwatch.deliver.delivery import Delivered, Deliverer
from ocrwatch.deliver.formats import FORMATS
from ocrwatch.deliver.plan import Places
from ocrwatch.dispatch.pool import Pool
from ocrwatch.dispatch.slot import SlotEvent, SlotOptions
from ocrwatch.errors import ScanFault
from ocrwatch.files import facts_of
from ocrwatch.intake.batch import Batcher
from ocrwatch.intake.settle import Settle
from ocrwatch.ledger import Entry, Ledger, facts_key
from ocrwatch.log import get_logger
from ocrwatch.settings import Settings, recipe
from ocrwatch.values import FileFacts, Page, Scan

_IO_THREADS = 4

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what happens; both are called on the loop's thread, except ``worker``, on a slot's."""

    delivered: Callable[[Ticket, Page, Delivered], None]
    worker: Callable[[SlotEvent], None]


class Pipeline:
    """From the inbox to the archive. Everything here runs on the loop's thread."""

    def __init__(self, settings: Settings, ledger: Ledger, known: Known, listeners: Listeners, *, once: bool) -> None:
        self._settings = settings
        self._batches = 0
        self.began_at: float | None = None
        """When the first batch was taken (monotonic seconds)."""
        workers = settings.workers.count or startup.usable_cores()
        groups = startup.group_ids(settings)
        self.loop = Loop(io_threads=_IO_THREADS)
        self.report = Report(settings, workers)
        self.pauses = Pauses(self.report.changed)
        self.pool = self._pool(workers, ledger, listeners)
        self._kept = dict(ledger.kept())
        self.reception = self._reception(once=once)
        places = Places(settings.inbox, settings.outbox, settings.archive, settings.quarantine)
        deliverer = Deliverer(places, ledger, tuple(FORMATS))
        self.delivering = Delivering(
            self.loop,
            self.pauses,
            ledger,
            deliverer,
            fate=settings.on_success,
            group_id=groups.__getitem__,
            preview_chars=settings.log.preview_chars,
            end=self._end,
            delivered=listeners.delivered,
            doubtful=self.report.doubtful,
        )
        self.reading = Reading(
            self.loop,
            self.pauses,
            ledger,
            self.pool,
            Loader(
                settings.inbox,
                ledger,
                known,
                max_bytes=settings.settle.max_bytes,
                keeps_originals=settings.on_success == "keep",
            ),
            known,
            retry=settings.retry,
            callbacks=Callbacks(
                self.delivering.deliver,
                self._quarantine,
                self._resume,
                self._end,
                undelivered=self.delivering.__len__,
                more_to_come=lambda: bool(self.reception.waiting or self.reception.more),
            ),
        )

    @property
    def open_scans(self) -> int:
        """How many scans are known and not at their end."""
        return self.reception.waiting + self.reading.waiting + len(self.reading.in_work) + len(self.delivering)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way behind the batches."""
        return not (self.reading.waiting or self.reading.in_work or len(self.delivering))

    def recover(self, ledger: Ledger) -> None:
        """Finish what an earlier run had planned, and clear away what it had only begun, before anything new.

        Scans that were being read are still in the inbox, with their attempts counted, and take the usual road.
        """
        for entry in ledger.unfinished():
            if entry.state in {"planned", "published"}:
                self.reception.claim(entry.path)
                self.delivering.resume(entry, lambda path=entry.path: self.reception.release(path, again=True))  # type: ignore[misc]
            else:
                self.delivering.clear_away(entry)
                if not os.path.lexists(self._settings.inbox / entry.path):
                    ledger.close_scan(entry.id, "gone", code=entry.code, reason="it was taken out of the inbox")

    def tick(self, now: float, *, receiving: bool) -> None:
        """Let each stage do what is due, in the order of the data's flow; without ``receiving`` nothing new begins."""
        if receiving:
            self.reception.tick(now)
            while scans := self.reception.take(now, backlog=self.reading.wants_backlog):
                self._begin(scans)
        self.reading.tick(now)
        self.delivering.tick(now)

    def next_wake(self) -> float:
        """Return when :meth:`tick` has something to do (monotonic seconds)."""
        return min(
            self.reception.next_wake(backlog=self.reading.wants_backlog),
            self.reading.next_wake(),
            self.delivering.next_wake(),
        )

    def _pool(self, workers: int, ledger: Ledger, listeners: Listeners) -> Pool:
        options = self._settings.workers
        return Pool(
            workers,
            SlotOptions(
                startup.recipes(self._settings),
                options.timeout,
                options.max_memory,
                options.recycle_after,
                startup.fresh_scratch(self._settings),
            ),
            count_attempt=ledger.count_attempt,
            refund_attempt=ledger.refund_attempt,
            report=listeners.worker,
        )

    def _reception(self, *, once: bool) -> Reception:
        settle, batch = self._settings.settle, self._settings.batch
        # Who runs `once` says that the scans are there. Two looks are taken all the same, in the time that the
        # workers need to load their engines.
        quiet = min(settle.quiet, settle.closed_quiet) if once else settle.quiet
        return Reception(
            self.loop,
            self.pauses,
            self._settings.inbox,
            self._settings.watch,
            Settle(quiet, settle.closed_quiet, settle.patience),
            Batcher(batch.max_scans, batch.quiet, batch.max_wait),
            kept=self._is_kept,
            given_up=self._give_up,
        )

    def _begin(self, scans: list[Scan]) -> None:
        self._batches += 1
        self.began_at = self.began_at or time.monotonic()
        batch = Batch(self._batches, len(scans))
        _log.info("batch.started", batch=batch.id, scans=len(scans), fresh=scans[0].fresh)
        for scan in scans:
            self.reading.add(self._ticket(scan, batch))

    def _ticket(self, scan: Scan, batch: Batch) -> Ticket:
        options = self._settings.for_path(scan.path)
        return Ticket(scan, batch, options, recipe(options.ocr, options.enhance))

    def _give_up(self, path: str, facts: FileFacts, fault: ScanFault) -> None:
        scan = Scan(path, facts, fresh=True, ready_at=time.monotonic())
        self.reading.give_up(self._ticket(scan, Batch(0, 1)), fault)

    def _quarantine(self, ticket: Ticket, fault: ScanFault) -> None:
        self.report.failed(ticket.path, fault.code, fault.message)
        self.delivering.quarantine(ticket, fault)

    def _resume(self, ticket: Ticket, entry: Entry) -> None:
        self.delivering.resume(entry, lambda: self._end(ticket, "changed"))

    def _end(self, ticket: Ticket, end: End) -> None:
        ticket.batch.ended(end)
        self.report.cached += ticket.cached and end == "delivered"
        self.report.count(end)
        if self._settings.on_success == "keep" and end in {"delivered", "known"}:
            self._kept[ticket.path] = facts_key(ticket.scan.facts)
        self.reception.release(ticket.path, again=end == "changed")

    def _is_kept(self, path: str) -> bool:
        """Tell whether an original that stays in the inbox is done; called on an I/O thread."""
        facts = self._kept.get(path)
        if facts is None:
            return False
        try:
            return facts == facts_key(facts_of((self._settings.inbox / path).lstat()))
        except OSError:
            return False
