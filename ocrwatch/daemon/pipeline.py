"""The stages, put together: each gets its own options, and what one hands to the next."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ocrwatch.backoff import Backoff
from ocrwatch.cache.key import PageCache
from ocrwatch.checks import startup
from ocrwatch.daemon.archive_check import ArchiveCheck
from ocrwatch.daemon.delivering import Delivering
from ocrwatch.daemon.duplicates import Duplicates
from ocrwatch.daemon.loader import Loader
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.quarantine_watch import QuarantineWatch
from ocrwatch.daemon.reading import Callbacks, Reading
from ocrwatch.daemon.reception import Reception
from ocrwatch.daemon.report import Report, deliveries_of
from ocrwatch.daemon.review_list import ReviewList
from ocrwatch.daemon.tickets import Batch, End, Ticket
from ocrwatch.daemon.tidying import Tidying
from ocrwatch.delivery.plan import Fate, Places
from ocrwatch.delivery.transaction import Delivered, Deliverer
from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault, OutOfMemory, ScanFault, WorkerDied
from ocrwatch.executors.events import SlotEvent
from ocrwatch.executors.process_pool import Pool
from ocrwatch.executors.worker_lifecycle import SlotOptions
from ocrwatch.hooks.hooks import HookOptions, Hooks
from ocrwatch.hooks.payload import facts, hook_options
from ocrwatch.intake.batcher import Batcher
from ocrwatch.intake.readiness import ReadinessTracker
from ocrwatch.ledger import Entry, Ledger, facts_key
from ocrwatch.log import get_logger
from ocrwatch.observe import status
from ocrwatch.observe.status_txt import NOTE_STEM
from ocrwatch.render.registry import endings
from ocrwatch.scan import FileFacts, SettledFile
from ocrwatch.settings import Settings, recipe
from ocrwatch.storage.files import facts_of

_IO_THREADS = 4
_DAY = 86_400.0
_TIDIED_AT_START = 1000
_OF_WORKERS = frozenset({OutOfMemory.code, WorkerDied.code})
"""Scans of earlier runs whose folders may be empty still."""

_FATES: Final[dict[str, Fate]] = {"skip": "keep", "archive": "archive", "delete": "delete"}
"""What becomes of a duplicate's original, by ``intake.duplicates``."""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what happens; both are called on the loop's thread, except ``worker``, on a slot's."""

    delivered: Callable[[Ticket, Page, Delivered], None]
    worker: Callable[[SlotEvent], None]


class Pipeline:
    """From the inbox to the archive. Everything here runs on the loop's thread."""

    def __init__(
        self, settings: Settings, ledger: Ledger, known: PageCache, listeners: Listeners, *, once: bool
    ) -> None:
        self.settings = settings
        """What is in force."""
        self._ledger = ledger
        self.known = known
        self.began_at: float | None = None
        """When the first batch was taken (monotonic seconds)."""
        self._batches = 0
        self._noting = 0
        self._groups = startup.group_ids(settings)
        self._scratch = startup.fresh_scratch(settings)
        self.hooks = Hooks(hook_options(settings), lambda: status.isoformat(time.time()))
        workers = startup.worker_count(settings)
        self.loop = Loop(io_threads=_IO_THREADS)
        self.report = Report(settings, workers)
        self.report.tally.remember(ledger.ended_by_minute(time.time() - _DAY), time.monotonic())
        self.report.remember(deliveries_of(ledger))
        self.reviews = ReviewList(self.loop, ledger)
        self.pauses = Backoff(self.report.changed)
        self.pool = self._pool(workers, ledger, listeners)
        self._quarantine_watch = QuarantineWatch(
            self.loop, self.pauses, ledger, settings.inbox, settings.quarantine, settings.settle
        )
        self._archive_check = ArchiveCheck(
            self.loop, self.pauses, ledger, self.reviews, settings.archive, settings.settle.give_up_after
        )
        self._looks_after = not once
        """Whether quarantine and archive are looked at afterwards: there is no time for that in ``once``."""
        self._tidying = self._tidying_of(ledger) if settings.intake.remove_empty_folders and not once else None
        self._kept = dict(ledger.kept(duplicates=settings.intake.duplicates == "skip"))
        self.reception = self._reception(once=once)
        self._remember_told()
        reserved = NOTE_STEM if settings.status.share_file else ""
        places = Places(
            settings.inbox,
            settings.outbox,
            settings.archive,
            settings.quarantine,
            reserved=reserved,
            keeps=settings.on_success == "keep",
        )
        deliverer = Deliverer(places, ledger, ledger.remember_endings(endings()))
        self.delivering = Delivering(
            self.loop,
            self.pauses,
            ledger,
            deliverer,
            fate=settings.on_success,
            group_id=lambda name: self._groups[name],
            preview_chars=settings.log.preview_chars,
            end=self._end,
            delivered=lambda ticket, page, delivered: self._delivered(listeners, ticket, page, delivered),
            tell=self._tell,
            duplicates=self._duplicates(ledger),
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
                self._renew,
                self._retrying,
                undelivered=self.delivering.__len__,
                more_to_come=lambda: bool(self.reception.waiting or self.reception.more),
            ),
        )

    def _remember_told(self) -> None:
        """Note what an earlier run on this inbox has told of files that are not read: its status names the first."""
        before = status.read(self.settings.state)
        if before is not None and before.inbox == status.display_path(self.settings.inbox):
            self.reception.not_read.told_before(before.not_read_files)

    @property
    def open_scans(self) -> int:
        """How many scans are known and not at their end."""
        on_their_way = self.reading.waiting + len(self.reading.in_work) + self.delivering.scans + self._noting
        return self.reception.waiting + on_their_way + len(self.delivering.blocked)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way behind the batches but what is blocked."""
        waiting = self.reading.waiting > len(self.reading.blocked)
        return not (waiting or self.reading.in_work or len(self.delivering) or self._noting)

    @property
    def blocked(self) -> dict[str, str]:
        """Paths of the scans that the environment refuses while it serves the others, with the reason."""
        return {**self.reading.blocked, **self.delivering.blocked}

    def queue(self) -> Iterator[str]:
        """Yield the paths that are complete and wait for a worker, in the order in which they will be read."""
        return itertools.chain(self.reading.queue(), self.reception.queue())

    @property
    def queued(self) -> int:
        """How many paths :meth:`queue` has."""
        return self.reading.queued + self.reception.queued

    def recover(self, ledger: Ledger) -> None:
        """Finish what an earlier run had planned, and clear away what it had only begun, before anything new.

        Scans that were being read are still in the inbox and take the usual road, one at a time before the others.
        """
        if interrupted := ledger.record_unclean_end(self.settings.retry.first_delay, self.settings.retry.max_delay):
            _log.warning("daemon.killed", in_work=[entry.path for entry in interrupted])
        for entry in ledger.unfinished():
            if entry.state in {"planned", "published"}:
                self.reception.claim(entry.path)
                self.delivering.resume(entry, lambda path=entry.path: self.reception.release(path, again=True))  # type: ignore[misc]
            else:
                self.delivering.clear_away(entry)
                if not os.path.lexists(self.settings.inbox / entry.path):
                    ledger.close_scan(entry.id, "gone", code=entry.code, reason="it was taken out of the inbox")

    def record_clean_end(self) -> None:
        """Leave no scan in the ledger as in work: what waits for a folder or its writer was not killed."""
        self._ledger.record_clean_end()

    def tick(self, now: float, *, receiving: bool) -> None:
        """Let each stage do what is due, in the order of the data's flow; without ``receiving`` nothing new begins."""
        if receiving:
            self._look_after(now)
            self.reception.tick(now)
            while scans := self.reception.take(now, backlog=self.reading.wants_backlog):
                self._begin(scans)
        self.reading.tick(now)
        self.delivering.tick(now)
        if self._tidying is not None:
            self._tidying.tick(now)

    def next_wake(self) -> float:
        """Return when :meth:`tick` has something to do (monotonic seconds)."""
        return min(
            *((self._quarantine_watch.next_wake(), self._archive_check.next_wake()) if self._looks_after else ()),
            self.reception.next_wake(backlog=self.reading.wants_backlog),
            self.reading.next_wake(),
            self.delivering.next_wake(),
            float("inf") if self._tidying is None else self._tidying.next_wake(),
        )

    def slot_options(self, settings: Settings) -> SlotOptions:
        """Return how workers are to be treated under ``settings``."""
        options = settings.workers
        return SlotOptions(
            startup.recipes(settings), options.timeout, options.max_memory, options.max_scans, self._scratch
        )

    def change(self, settings: Settings, groups: dict[str, int], hooks: HookOptions) -> None:
        """Work by other settings from here on. What workers have in hand or are about to get keeps its own.

        ``groups`` are the numbers of all groups in ``settings``, ``hooks`` what is to be told to whom. Folders and the
        like are those of the start.
        """
        self.settings = settings
        # Added to, since what is on its way may still be for the old ones.
        self._groups = {**self._groups, **groups}
        self.pool.change(startup.worker_count(settings), self.slot_options(settings))
        self.reception.change(settings.watch, settings.settle, settings.batch)
        self._quarantine_watch.change(settings.settle)
        self._archive_check.patience = settings.settle.give_up_after
        self.reading.change(settings.retry, settings.settle.max_bytes)
        self.delivering.preview_chars = settings.log.preview_chars
        self.hooks.change(hooks)
        self.report.change(settings.status.heartbeat, len(self.pool))

    def _pool(self, workers: int, ledger: Ledger, listeners: Listeners) -> Pool:
        return Pool(
            workers,
            self.slot_options(self.settings),
            count_attempt=ledger.count_attempt,
            refund_attempt=ledger.refund_attempt,
            report=listeners.worker,
        )

    def _tidying_of(self, ledger: Ledger) -> Tidying:
        tidying = Tidying(self.loop, self.settings.inbox)
        # What an earlier run did not come to.
        tidying.took((entry.path for entry in ledger.delivered_last(_TIDIED_AT_START)), time.monotonic())
        return tidying

    def _duplicates(self, ledger: Ledger) -> Duplicates | None:
        fate = _FATES.get(self.settings.intake.duplicates)
        return None if fate is None else Duplicates(ledger, self.settings.outbox, self.settings.archive, fate)

    def _reception(self, *, once: bool) -> Reception:
        settle, batch = self.settings.settle, self.settings.batch
        # Who runs `once` says that the scans are there. Two looks are taken all the same, in the time that the
        # workers need to load their engines.
        quiet = min(settle.stable_for, settle.stable_for_closed) if once else settle.stable_for
        return Reception(
            self.loop,
            self.pauses,
            self.settings.inbox,
            self.settings.watch,
            ReadinessTracker(quiet, settle.stable_for_closed, settle.give_up_after),
            Batcher(batch.max_scans, batch.quiet, batch.max_wait),
            kept=self._is_kept,
            given_up=self._give_up,
            blocked=lambda: self.reading.count_blocked + len(self.delivering.blocked),
        )

    def _begin(self, scans: list[SettledFile]) -> None:
        self._batches += 1
        self.began_at = self.began_at or time.monotonic()
        batch = Batch(self._batches, len(scans))
        _log.info("batch.started", batch=batch.id, scans=len(scans), fresh=scans[0].fresh)
        for scan in scans:
            self.reading.add(self._ticket(scan, batch))

    def _ticket(self, scan: SettledFile, batch: Batch) -> Ticket:
        options = self.settings.for_path(scan.path)
        return Ticket(scan, batch, options, recipe(options.ocr, options.enhance))

    def _renew(self, ticket: Ticket) -> None:
        """Give a scan the options that are in force: it may have waited through a change."""
        ticket.options = self.settings.for_path(ticket.path)
        ticket.recipe = recipe(ticket.options.ocr, ticket.options.enhance)
        if ticket.code in _OF_WORKERS:
            # What is read with less is less likely to end a worker again.
            ticket.recipe = replace(
                ticket.recipe, second="none", enhance=replace(ticket.recipe.enhance, perspective=False)
            )
        if ticket.plain:
            ticket.recipe = replace(ticket.recipe, second="none", enhance=replace(ticket.recipe.enhance, enabled=False))

    def _give_up(self, path: str, facts: FileFacts, fault: ScanFault) -> None:
        scan = SettledFile(path, facts, fresh=True, ready_at=time.monotonic())
        self.reading.give_up(self._ticket(scan, Batch(0, 1)), fault)

    def _quarantine(self, ticket: Ticket, fault: ScanFault) -> None:
        if self.reception.is_doubtful(ticket.scan, fault):
            self._await_writer(ticket, fault)
            return
        ticket.code, ticket.reason = fault.code, fault.message
        self.delivering.quarantine(ticket, fault)

    def _await_writer(self, ticket: Ticket, fault: ScanFault) -> None:
        """Wait for the writer of a scan that was found damaged; the attempt is taken back, as it says nothing yet."""

        def noted(_: object) -> None:
            self._noting -= 1
            self._end(ticket, "unfinished", fault)

        def failed(error: BaseException) -> None:
            # Without it the scan has one attempt fewer; a ledger that refuses is reported for what matters more.
            if not isinstance(error, EnvironmentFault):
                raise error
            noted(None)

        self._noting += 1
        # On the delivery thread, which is waited for at the end: an attempt that stays counted would add up.
        self.loop.deliver(
            lambda: self._ledger.refund_attempt(ticket.id, code=fault.code, reason=fault.message), noted, failed
        )

    def _resume(self, ticket: Ticket, entry: Entry) -> None:
        self.delivering.resume(entry, lambda: self._end(ticket, "changed"))

    def _delivered(self, listeners: Listeners, ticket: Ticket, page: Page, delivered: Delivered) -> None:
        self.report.delivered(ticket, delivered)
        listeners.delivered(ticket, page, delivered)

    def _retrying(self) -> None:
        self.report.tally.retries += 1
        self.report.changed()

    def _end(self, ticket: Ticket, end: End, fault: ScanFault | None = None) -> None:
        if (fields := ticket.batch.ended(end)) is not None:
            self._tell("batch", str(ticket.batch.id), fields)
        self.report.cached += ticket.cached and end == "delivered"
        self.report.count(end, ticket.options.profile_name)
        if end == "quarantined":
            self.report.failed(ticket.path, ticket.code, ticket.reason)
        if self._tidying is not None and end in {"delivered", "quarantined", "duplicate"}:
            self._tidying.took([ticket.path], time.monotonic())
        stays = self.settings.on_success == "keep" and end in {"delivered", "known"}
        if stays or ticket.stays or (end == "duplicate" and self.settings.intake.duplicates == "skip"):
            self._kept[ticket.path] = facts_key(ticket.scan.facts)
        if end == "unfinished" and fault is not None:
            self.reception.await_writer(ticket.scan, fault)
        else:
            self.reception.release(ticket.path, again=end == "changed")

    def _look_after(self, now: float) -> None:
        """Look whether writers have changed what was put away."""
        if self._looks_after:
            for path in self._quarantine_watch.tick(now):
                self.report.took_back(path)
            self._archive_check.tick(now)

    def _tell(self, event: str, subject: str, fields: Mapping[str, object]) -> None:
        if event == "quarantined":
            self._quarantine_watch.look_for_more()
        elif event == "delivered":
            self._archive_check.delivered()
        self.hooks.tell(event, subject, facts(self.settings, fields))

    def _is_kept(self, path: str) -> bool:
        """Tell whether an original that stays in the inbox is done; called on an I/O thread."""
        facts = self._kept.get(path)
        if facts is None:
            return False
        try:
            return facts == facts_key(facts_of((self.settings.inbox / path).lstat()))
        except OSError:
            return False
