"""Connects the parts of one run: each gets its own options, and the events that it needs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, Final

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.cache.key import PageCache
from ocrwatch.checks import startup
from ocrwatch.daemon.attempts import ScanAttempts
from ocrwatch.daemon.document_status import written_documents
from ocrwatch.daemon.documents import Documents
from ocrwatch.daemon.pipeline import Pipeline
from ocrwatch.daemon.recovery import Recovery
from ocrwatch.delivery.chosen_names import Places
from ocrwatch.delivery.deliveries import Deliveries
from ocrwatch.delivery.duplicates import FATES, Duplicates
from ocrwatch.delivery.step_order import Deliverer
from ocrwatch.documents.delivery import DocumentDelivery
from ocrwatch.documents.file_joining import FileJoining
from ocrwatch.documents.joiner import Joiner
from ocrwatch.errors import ScanFault
from ocrwatch.events import (
    BatchFinished,
    DocumentDelivered,
    RemoteAnswered,
    RemoteRefused,
    ScanClosed,
    ScanDelivered,
    ScanQuarantined,
    ScanRecovered,
    ScanRetrying,
    ScanReturned,
    WorkerDied,
    WorkerStarted,
    subscribe,
)
from ocrwatch.executors.base import Executor, WorkerOptions, open_executor
from ocrwatch.executors.events import Begun, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.hooks.dispatcher import Dispatcher
from ocrwatch.hooks.payload import notification_of
from ocrwatch.hooks.targets import HookOptions, hook_options
from ocrwatch.housekeeping.archive_check import ArchiveCheck
from ocrwatch.housekeeping.empty_folders import Tidying
from ocrwatch.housekeeping.late_writers import QuarantineWatch
from ocrwatch.housekeeping.pruning import Pruning
from ocrwatch.intake.batcher import Batcher
from ocrwatch.intake.kept_originals import KeptOriginals
from ocrwatch.intake.loading import Loading
from ocrwatch.intake.readiness import ReadinessTracker
from ocrwatch.intake.watcher import Refused, Watcher
from ocrwatch.ledger import Ledger
from ocrwatch.observe import status
from ocrwatch.observe.review_list import ReviewList
from ocrwatch.observe.status_report import Report, deliveries_of
from ocrwatch.observe.status_txt import NOTE_STEM
from ocrwatch.render.registry import endings
from ocrwatch.render.registry import load as load_format
from ocrwatch.scan import Scan, Scans, ScanState, SettledFile
from ocrwatch.settings import Settings
from ocrwatch.storage.files import display_path
from ocrwatch.storage.threads import Threads

_DAY: Final = 86_400.0
PARTS: Final = "documents"
"""Folder in the state folder for copies of the sidecars of pages whose document is not complete yet."""
_TIDIED_AT_START: Final = 1000
"""Scans of earlier runs that may have left their folders empty."""


class Assembly:
    """All parts of one run. Lives on the event loop's thread."""

    def __init__(self, settings: Settings, ledger: Ledger, cache: PageCache, *, once: bool) -> None:
        self._ledger = ledger
        self.cache = cache
        self._scratch = startup.fresh_folder(settings, "tmp")
        groups = startup.group_ids(settings)
        self.hooks = Dispatcher(hook_options(settings))
        self.threads = Threads()
        self.backoff = Backoff()
        self.scans = Scans()
        attempts = ScanAttempts(ledger)
        workers = open_executor(settings.workers.executor, self.worker_options(settings), attempts, self)
        services = startup.open_services(settings, workers, self.backoff)
        self.executor: Executor = services or workers
        self._services = services
        self.report = Report(settings, self.executor.capacity)
        self.report.tally.remember(ledger.ended_by_minute(time.time() - _DAY), time.monotonic())
        self.report.remember(deliveries_of(ledger), written_documents(ledger))
        self.reviews = ReviewList(self.threads, ledger)
        self.worker_events: asyncio.Queue[WorkerReady | WorkerLost | WorkerUnfit] = asyncio.Queue()
        self.changed = asyncio.Event()
        """Set when a scan is closed."""
        self._quarantine_watch = QuarantineWatch(
            self.threads, self.backoff, ledger, settings.inbox, settings.quarantine, settings.settle
        )
        self._archive_check = ArchiveCheck(
            self.threads, self.backoff, ledger, self.reviews, settings.archive, settings.settle.give_up_after
        )
        self._looks_after = not once
        """Whether quarantine and archive are checked afterwards: ``once`` has no time for that."""
        self._tidying = None
        if settings.intake.remove_empty_folders and not once:
            self._tidying = Tidying(self.threads, settings.inbox)
            # Folders that an earlier run did not get to.
            self._tidying.took((entry.path for entry in ledger.delivered_last(_TIDIED_AT_START)), time.monotonic())
        kept = dict(ledger.kept(duplicates=settings.intake.duplicates == "skip"))
        self._kept = KeptOriginals(settings.inbox, kept)
        duplicates = self._duplicates(settings, ledger)
        known_endings = ledger.remember_endings(endings())
        self._deliverer = Deliverer(self._places(settings), ledger, known_endings)
        self._joiner = Joiner()
        documents = DocumentDelivery(self._places(settings), ledger, known_endings, self._joiner)
        self.documents = Documents(settings, ledger, self.threads, self.backoff, documents)
        self.pruning = Pruning(
            self.threads, ledger, cache, self._kept, settings.inbox, documents, lambda: self.settings.history.max_age
        )
        keeps = settings.on_success == "keep"
        self.pipeline = Pipeline(
            settings,
            groups,
            ledger,
            cache,
            self.threads,
            self.backoff,
            self.scans,
            self.executor,
            Loading(
                self.threads.loading,
                settings.inbox,
                ledger,
                cache,
                max_bytes=settings.settle.max_bytes,
                keeps_originals=keeps,
            ),
            Deliveries(
                self.threads.delivery,
                self._deliverer,
                ledger,
                self.backoff,
                duplicates,
            ),
            duplicates,
            self,
            self.documents,
            FileJoining(startup.fresh_folder(settings, "pages"), self._joiner),
            services,
        )
        self.watcher = self._watcher(settings, once=once)
        self.documents.inbox = self.watcher
        self.recovery = Recovery(settings, ledger, self.threads, self.pipeline, self.watcher, self.documents)
        self._remember_told()
        self._shown_changes = 0
        self._subscriptions = self._subscribe()

    @property
    def settings(self) -> Settings:
        """The current settings."""
        return self.pipeline.settings

    @property
    def open_scans(self) -> int:
        """How many scans are known and not closed; a file of several pages is one."""
        return self.watcher.waiting + self.scans.files

    def queue(self) -> Iterator[str]:
        """Yield the complete paths that wait for a worker, in the order of reading."""
        handed_over = (scan for scan in self.scans.of(ScanState.READING) if not scan.begun_at)
        waiting = itertools.chain(handed_over, self.scans.of(ScanState.LOADING), self.pipeline.scheduler.queue())
        seen = dict.fromkeys(scan.path for scan in waiting)
        return itertools.chain(seen, self.watcher.queue())

    @property
    def queued(self) -> int:
        """How many paths :meth:`queue` has."""
        handed_over = sum(not scan.begun_at for scan in self.scans.of(ScanState.READING))
        waiting = self.scans.count(ScanState.LOADING, ScanState.QUEUED)
        return handed_over + waiting + self.watcher.queued

    @property
    def in_flight(self) -> dict[str, int]:
        """How many requests wait for their answer, by the name of the service."""
        return self._services.in_flight if self._services is not None else {}

    async def take_in(self, *, events: bool) -> None:
        """Process new scans in the inbox until the watcher is stopped."""
        async for batch in self.watcher.batches(events=events):
            if isinstance(batch, Refused):
                self.pipeline.give_up(batch.path, batch.given_up.facts, batch.given_up.fault)
            else:
                self.pipeline.begin(batch)

    def look_after(self) -> list[Coroutine[Any, Any, None]]:
        """Return the coroutines that check archived and quarantined files, to be run beside the others."""
        services: list[Coroutine[Any, Any, None]] = [self.recovery.clear_away()]
        if self._services is not None:
            services.append(self._services.run())
        if self._looks_after:
            services += [self._quarantine_watch.run(), self._archive_check.run()]
        if self._tidying is not None:
            services.append(self._tidying.run())
        return services

    def has_new_pauses(self) -> bool:
        """Return whether a pause has begun or ended since the last call."""
        shown, self._shown_changes = self._shown_changes, self.backoff.changes
        return shown != self.backoff.changes

    def worker_options(self, settings: Settings) -> WorkerOptions:
        """Return how scans are read under ``settings``."""
        return startup.worker_options(settings, self._scratch)

    def learn_endings(self, settings: Settings) -> None:
        """Record the endings of formats that have become usable. Blocks; called on a thread."""
        self._deliverer.learn(
            self._ledger.remember_endings(each.ending for each in map(load_format, startup.formats(settings)))
        )

    def change(self, settings: Settings, groups: Mapping[str, int], hooks: HookOptions) -> None:
        """Apply other settings from here on.

        Jobs that workers have or are about to get keep theirs. ``groups`` are the numbers of all groups in
        ``settings``, ``hooks`` the notifications to other programs. Folders and other options of the start stay.
        """
        self.executor.change(self.worker_options(settings))
        self.pipeline.change(settings, groups)
        self.watcher.change(settings.watch, settings.settle, settings.batch)
        self._quarantine_watch.change(settings.settle)
        self._archive_check.patience = settings.settle.give_up_after
        self.documents.settings, self.documents.groups = settings, self.pipeline.groups
        self.hooks.change(hooks)
        self.report.change(settings.status.heartbeat, self.executor.capacity)
        # The worker that could not start may no longer be wanted; another one reports the same.
        self.backoff.resolve(Cause.WORKERS)

    def close(self) -> None:
        """Pass no more events to the parts."""
        self._subscriptions.close()

    def stop_joining(self) -> None:
        """End the process that writes a document; the next start writes it."""
        self._joiner.close()

    def _subscribe(self) -> contextlib.ExitStack:
        """Subscribe the parts to events; all of these are published on the event loop."""
        report, archive_check, quarantine_watch = self.report, self._archive_check, self._quarantine_watch
        subscriptions = [
            subscribe(report.scan_delivered, ScanDelivered),
            subscribe(report.scan_quarantined, ScanQuarantined),
            subscribe(report.scan_retrying, ScanRetrying),
            subscribe(report.scan_returned, ScanReturned),
            subscribe(report.scan_closed, ScanClosed),
            subscribe(report.document_delivered, DocumentDelivered),
            subscribe(report.worker_started, WorkerStarted),
            subscribe(report.worker_died, WorkerDied),
            subscribe(report.remote_answered, RemoteAnswered),
            subscribe(report.remote_refused, RemoteRefused),
            subscribe(archive_check.delivered, ScanDelivered),
            subscribe(archive_check.delivered, ScanRecovered),
            subscribe(quarantine_watch.quarantined, ScanQuarantined),
            subscribe(quarantine_watch.quarantined, ScanRecovered),
            subscribe(self._notify, ScanDelivered),
            subscribe(self._notify, ScanQuarantined),
            subscribe(self._notify, ScanRecovered),
            subscribe(self._notify, BatchFinished),
            subscribe(self._notify, DocumentDelivered),
        ]
        if self._tidying is not None:
            subscriptions.append(subscribe(self._tidying.closed, ScanClosed))
        stack = contextlib.ExitStack()
        for unsubscribe in subscriptions:
            stack.callback(unsubscribe)
        return stack

    def _notify(
        self, event: ScanDelivered | ScanQuarantined | ScanRecovered | BatchFinished | DocumentDelivered
    ) -> None:
        """Notify other programs."""
        notification = notification_of(event, self.settings, status.isoformat(time.time()))
        if notification is not None:
            self.hooks.notify(notification)

    # Intake of the pipeline.

    def is_doubtful(self, scan: SettledFile, fault: ScanFault) -> bool:
        """Return whether a scan may be damaged only because its writer is not done."""
        return self.watcher.is_doubtful(scan, fault)

    def closed(self, scan: Scan) -> None:
        """Let intake see the path of a closed scan again."""
        state, settings = scan.state, self.settings
        stays = settings.on_success == "keep" and state in {ScanState.DELIVERED, ScanState.DUPLICATE}
        if stays or scan.stays or (state is ScanState.DUPLICATE and settings.intake.duplicates == "skip"):
            self._kept.add(scan.path, scan.file.facts)
        if state is ScanState.INCOMPLETE and scan.fault is not None:
            self.watcher.await_writer(scan.file, scan.fault)
        else:
            self.watcher.release(scan.path, again=state is ScanState.CHANGED)
        self.changed.set()

    def heard(self, event: WorkerReady | WorkerLost | WorkerUnfit | Begun) -> None:
        """Pass on what happens to workers."""
        if isinstance(event, WorkerReady | WorkerLost | WorkerUnfit):
            self.worker_events.put_nowait(event)
        else:
            self.pipeline.begun(event)

    def _duplicates(self, settings: Settings, ledger: Ledger) -> Duplicates | None:
        fate = FATES.get(settings.intake.duplicates)
        return None if fate is None else Duplicates(ledger, settings.outbox, settings.archive, fate)

    @staticmethod
    def _places(settings: Settings) -> Places:
        return Places(
            settings.inbox,
            settings.outbox,
            settings.archive,
            settings.quarantine,
            reserved=NOTE_STEM if settings.status.share_file else "",
            keeps=settings.on_success == "keep",
            parts=settings.state / PARTS,
        )

    def _watcher(self, settings: Settings, *, once: bool) -> Watcher:
        settle, batch = settings.settle, settings.batch
        # The user of `once` says that the scans are there. Two rescans are made all the same, while the workers load
        # their engines.
        stable_for = min(settle.stable_for, settle.stable_for_closed) if once else settle.stable_for
        return Watcher(
            self.threads,
            self.backoff,
            settings.inbox,
            settings.watch,
            ReadinessTracker(stable_for, settle.stable_for_closed, settle.give_up_after),
            Batcher(batch.max_scans, batch.quiet, batch.max_wait),
            kept=self._kept,
            demand=self.pipeline.scheduler,
        )

    def _remember_told(self) -> None:
        """Record which unread files an earlier run on this inbox has logged: its status names the first."""
        before = status.read(self.settings.state)
        if before is not None and before.inbox == display_path(self.settings.inbox):
            self.watcher.ignored.told_before({file.path: file.reason for file in before.not_read_files})
