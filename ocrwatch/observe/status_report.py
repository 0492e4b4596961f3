"""Collects the daemon's counters, and writes the status."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path

import ocrwatch
from ocrwatch.backoff import Backoff
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.delivery.work import result
from ocrwatch.errors import OcrwatchError
from ocrwatch.events import (
    DocumentDelivered,
    RemoteAnswered,
    RemoteRefused,
    ScanClosed,
    ScanDelivered,
    ScanQuarantined,
    ScanRetrying,
    ScanReturned,
    WorkerDied,
    WorkerStarted,
)
from ocrwatch.ledger import Ledger
from ocrwatch.observe import status
from ocrwatch.observe.activity import Activity
from ocrwatch.observe.counters import Tally
from ocrwatch.observe.service_status import ServiceCounters
from ocrwatch.observe.status_documents import OpenDocuments, WrittenDocument
from ocrwatch.recipe import REMOTE
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings
from ocrwatch.storage.files import display_path

_LAST_SHOWN = 10
_DELIVERIES_SHOWN = 5
_SHORTEST_INTERVAL = 1.0


def deliveries_of(ledger: Ledger) -> list[status.Delivery]:
    """Return the latest deliveries, of earlier runs too, oldest first."""
    found = []
    for entry in ledger.delivered_last(_DELIVERIES_SHOWN):
        plan = None if entry.plan is None else Plan.from_json(entry.plan)
        # A rebuilt ledger knows scans, but not their sidecars.
        if plan is not None and plan.sidecars:
            shown = [display_path(name) for name in result(entry.id, plan, None).sidecars]
            found.append(status.Delivery(display_path(entry.path), shown, status.isoformat(entry.updated_at)))
    return found


def status_at_start(
    settings: Settings,
    deliveries: list[status.Delivery],
    documents: list[WrittenDocument],
    failure: OcrwatchError | None = None,
) -> status.Status:
    """Return the status before the start, or after a ``failure`` that prevented it."""
    now = status.isoformat(time.time())
    lacking = [] if failure is None else [status.PauseStatus("start", failure.message, failure.remedy, now)]
    return status.Status(
        state="starting" if failure is None else "stopped",
        since=now,
        written=now,
        pid=os.getpid(),
        version=ocrwatch.__version__,
        inbox=_shown(settings.inbox),
        outbox=_shown(settings.outbox),
        quarantine=_shown(settings.quarantine),
        watch="",
        workers=0,
        engine="",
        started=now,
        waiting=0,
        more=False,
        oldest_waiting_s=None,
        in_work=[],
        delivered=0,
        quarantined=0,
        scans_last_minute=0,
        scans_last_hour=0,
        deliveries=deliveries,
        document_deliveries=documents,
        paused=lacking,
    )


class Report:
    """Collects counts, and writes the status file after changes and at heartbeats."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings = settings
        self._workers = workers
        self._heartbeat = settings.status.heartbeat
        self._state = "starting"
        self._since = self._started = time.time()
        self._failures: deque[status.Failure] = deque(maxlen=_LAST_SHOWN)
        self._reviews = status.Reviews()
        self._deliveries: deque[status.Delivery] = deque(maxlen=_DELIVERIES_SHOWN)
        self._documents = OpenDocuments()
        self._written_documents: deque[WrittenDocument] = deque(maxlen=_DELIVERIES_SHOWN)
        self._documents_delivered = 0
        self._load = (0, 0)
        self._written = 0.0
        self._is_dirty = True
        self._subscribers: list[asyncio.Event] = []
        self.ends: Counter[ScanState] = Counter()
        self.cached = 0
        """Delivered scans with a cached text."""
        self.to_review = 0
        """Delivered scans with a text that needs review."""
        self.refused_settings: status.Refusal | None = None
        self.tally = Tally()
        self._services = ServiceCounters(settings.remote)
        self.engine = ""

    def subscribe(self, event: asyncio.Event) -> None:
        """Set ``event`` when there is something new to write."""
        self._subscribers.append(event)

    @property
    def _dirty(self) -> bool:
        return self._is_dirty

    @_dirty.setter
    def _dirty(self, dirty: bool) -> None:
        self._is_dirty = dirty
        if dirty:
            for event in self._subscribers:
                event.set()

    def remember(self, deliveries: Iterable[status.Delivery], documents: Iterable[WrittenDocument] = ()) -> None:
        """Add the latest deliveries of an earlier run, oldest first."""
        self._deliveries.extend(deliveries)
        self._written_documents.extend(documents)

    def totals(self) -> dict[str, int]:
        """Return how many scans ended in which way."""
        return {str(end): count for end, count in self.ends.items()}

    def change(self, heartbeat: float, workers: int) -> None:
        """Use another interval (seconds) and another number of workers."""
        self._heartbeat, self._workers, self._dirty = heartbeat, workers, True

    def settings_refused(self, error: OcrwatchError | None) -> None:
        """Record what is wrong with new settings, or None if they were accepted."""
        self._dirty = True
        since = status.isoformat(time.time())
        self.refused_settings = None if error is None else status.Refusal(error.message, error.remedy, since)

    def changed(self) -> None:
        """Request that the status is written soon."""
        self._dirty = True

    def next_wake(self) -> float:
        """Return when the status must be written next (monotonic seconds)."""
        return self._written + (_SHORTEST_INTERVAL if self._dirty else self._heartbeat)

    def status(
        self,
        now: float,
        *,
        state: str,
        watch: str,
        waiting: int,
        more: bool,
        oldest: float | None,
        in_work: list[str],
        backoff: Backoff,
        reviews: status.Reviews,
        documents: OpenDocuments,
        activity: Callable[[], Activity],
        at_once: bool = False,
    ) -> status.Status | None:
        """Return the status if it must be written, or ``at_once``."""
        # A program that is notified that it is ready may ask for the status at once.
        is_ready_now = self._state == "starting" != state
        if state != self._state:
            self._state, self._since, self._dirty = state, time.time(), True
        if (waiting, len(in_work)) != self._load:
            self._load, self._dirty = (waiting, len(in_work)), True
        if reviews != self._reviews:
            self._reviews, self._dirty = reviews, True
        if documents != self._documents:
            self._documents, self._dirty = documents, True
        if not (at_once or is_ready_now) and now < self.next_wake():
            return None
        self._written, self._dirty = now, False
        doing = activity()
        return status.Status(
            state=state,
            since=status.isoformat(self._since),
            written=status.isoformat(time.time()),
            pid=os.getpid(),
            version=ocrwatch.__version__,
            inbox=_shown(self._settings.inbox),
            outbox=_shown(self._settings.outbox),
            quarantine=_shown(self._settings.quarantine),
            watch=watch,
            workers=self._workers,
            engine=self.engine,
            started=status.isoformat(self._started),
            waiting=waiting,
            more=more,
            oldest_waiting_s=None if oldest is None else round(now - oldest, 1),
            in_work=[_shown(path) for path in in_work],
            delivered=self.ends[ScanState.DELIVERED],
            quarantined=self.ends[ScanState.QUARANTINED],
            scans_last_minute=self.tally.last_minute(now),
            scans_last_hour=self.tally.last_minutes(now, 60),
            scans_last_day=self.tally.last_minutes(now, 24 * 60),
            oldest_waiting=doing.oldest,
            oldest_waiting_since=doing.oldest_since,
            ends=self.totals(),
            workers_ready=doing.workers_ready,
            worker_deaths=self.tally.worker_deaths,
            retries=self.tally.retries,
            being_read=doing.being_read,
            files=doing.files,
            queue=doing.queue,
            queued=doing.queued,
            delivering=doing.delivering,
            incomplete=doing.incomplete,
            resting=doing.resting,
            blocked=doing.blocked,
            profiles=self.tally.profiles(),
            deliveries=list(self._deliveries),
            queue_seconds=self.tally.queue_seconds.snapshot(),
            reading_seconds=self.tally.reading_seconds.snapshot(),
            paused=[
                status.PauseStatus(str(cause), pause.message, pause.remedy, status.isoformat(pause.since))
                for cause, pause in backoff.active.items()
                if state == "paused" or not cause.startswith(REMOTE)
            ],
            services=self._services.snapshot(backoff.active, doing.in_flight),
            failures=list(self._failures),
            cached=self.cached,
            cache_level_hits=doing.cache_level_hits,
            cache_dropped=doing.cache_dropped,
            to_review=self.to_review,
            review_waiting=reviews.count,
            reviews=reviews.newest,
            refused_settings=self.refused_settings,
            not_read=doing.not_read,
            not_read_files=doing.not_read_files,
            documents=documents.first,
            documents_open=documents.count,
            documents_delivered=self._documents_delivered,
            document_deliveries=list(self._written_documents),
        )

    # Events.

    def scan_closed(self, event: ScanClosed) -> None:
        """Count the end of a scan."""
        self.ends[event.state] += 1
        self._dirty = True
        self.tally.ended(event.state, event.profile, time.monotonic())

    def scan_delivered(self, event: ScanDelivered) -> None:
        """Record a scan that was read, and count how long it waited and was read."""
        shown = [display_path(sidecar) for sidecar in event.sidecars]
        self.to_review += event.review is not None
        self.cached += event.cached is not None
        self._deliveries.append(status.Delivery(display_path(event.path), shown, status.isoformat(time.time())))
        self.tally.delivered(event.queued_ms / 1000, event.read_ms / 1000)

    def document_delivered(self, event: DocumentDelivered) -> None:
        """Record a document of several pages that is in the outbox."""
        self._documents_delivered += 1
        replaced = (display_path(event.folder), display_path(event.replaces or ""))
        for earlier in [each for each in self._written_documents if (each.folder, each.name) == replaced]:
            self._written_documents.remove(earlier)
        self._written_documents.append(
            WrittenDocument(
                display_path(event.document),
                display_path(event.folder),
                [display_path(sidecar) for sidecar in event.sidecars],
                event.pages,
                status.isoformat(time.time()),
                [display_path(path) for path in event.missing or ()],
                display_path(event.replaces or ""),
            )
        )
        self._dirty = True

    def scan_retrying(self, _event: ScanRetrying) -> None:
        """Count an attempt that failed."""
        self.tally.retries += 1
        self._dirty = True

    def remote_answered(self, event: RemoteAnswered) -> None:
        """Count an answer of a remote service."""
        self._services.answered(event.service, event.ms / 1000)

    def remote_refused(self, event: RemoteRefused) -> None:
        """Count a refusal of a remote service, or a request without an answer."""
        self._services.refused(event.service, event.status)
        self._dirty = True

    def worker_started(self, event: WorkerStarted) -> None:
        """Record that a worker can read."""
        self.engine, self._dirty = event.engine, True

    def worker_died(self, _event: WorkerDied) -> None:
        """Count a worker that ended unexpectedly."""
        self.tally.worker_deaths += 1
        self._dirty = True

    def scan_quarantined(self, event: ScanQuarantined) -> None:
        """Record a quarantined scan."""
        failure = status.Failure(_shown(event.path), event.code, event.reason, status.isoformat(time.time()))
        self._failures.append(failure)

    def scan_returned(self, event: ScanReturned) -> None:
        """Forget a quarantined scan that is in the inbox again."""
        kept = [failure for failure in self._failures if failure.path != _shown(event.earlier_path)]
        self._failures.clear()
        self._failures.extend(kept)
        self._dirty = True


def _shown(path: str | Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
