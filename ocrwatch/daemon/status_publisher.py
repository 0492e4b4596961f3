"""Publishes the status: status file, STATUS.txt, HTTP and the service manager."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ocrwatch.backoff import wait_until
from ocrwatch.daemon.assembly import Assembly
from ocrwatch.daemon.document_status import open_documents
from ocrwatch.intake.rescan import Ignored
from ocrwatch.observe.activity import MOST_SHOWN, Activity, Calendar
from ocrwatch.observe.status import BeingRead, Incomplete, NotReadFile, Resting, Status, blocked_groups, write
from ocrwatch.observe.status_documents import FileBeingRead
from ocrwatch.observe.status_outputs import StatusOutputs
from ocrwatch.observe.systemd import notify, watchdog_interval
from ocrwatch.recipe import REMOTE
from ocrwatch.scan import Scans, ScanState
from ocrwatch.storage.files import display_path
from ocrwatch.storage.threads import run_in

_INTERVAL: Final = 1.0
"""Seconds between two checks for a changed status, while scans are open."""

_LONGEST_SIGN: Final = 5.0


class StatusPublisher:
    """Publishes the status. Lives on the event loop; writes on a thread."""

    def __init__(self, assembly: Assembly, outputs: StatusOutputs) -> None:
        self._assembly = assembly
        self._outputs = outputs
        self._calendar = Calendar()
        self._told = ""
        self._state = "starting"
        self._wake = asyncio.Event()
        assembly.report.subscribe(self._wake)
        assembly.watcher.subscribe(self._wake)
        assembly.backoff.subscribe(self._wake)

    @property
    def state(self) -> str:
        """What the daemon does: starting, watching, working, paused, stopping or stopped."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._wake.set()

    async def run(self) -> None:
        """Write the status on every change and heartbeat, until cancelled."""
        report = self._assembly.report
        while True:
            self._wake.clear()
            await self.publish()
            # While scans are open, their displayed times change.
            is_busy = self._assembly.open_scans or self._assembly.backoff or not self._assembly.documents.is_idle
            due = time.monotonic() + _INTERVAL if is_busy else float("inf")
            await wait_until(self._wake, min(due, report.next_wake()))

    async def give_signs(self) -> None:
        """Report to the service manager and HTTP clients that the event loop runs, until cancelled."""
        interval = watchdog_interval()
        while True:
            self._outputs.turned(time.monotonic())
            if interval:
                notify("WATCHDOG=1")
            await asyncio.sleep(min(interval or _LONGEST_SIGN, _LONGEST_SIGN))

    async def publish(self, *, at_once: bool = False) -> None:
        """Write the status if it has changed, or ``at_once``."""
        self._tell_service_manager()
        status = self._status(at_once=at_once)
        if status is not None:
            threads = self._assembly.threads
            await run_in(threads.state, write, self._assembly.settings.state, status)
            self._outputs.publish(status)
            # In time for the next one.
            await self._assembly.reviews.look()

    def publish_last(self) -> None:
        """Write the final status. Blocks; called when the event loop has ended."""
        self._tell_service_manager()
        status = self._status(at_once=True)
        if status is not None:
            write(self._assembly.settings.state, status)
            self._outputs.publish(status)

    def _status(self, *, at_once: bool) -> Status | None:
        assembly, watcher = self._assembly, self._assembly.watcher
        if watcher.ignored.take_news() or assembly.has_new_pauses():
            assembly.report.changed()
        in_work = assembly.scans.in_work
        return assembly.report.status(
            time.monotonic(),
            state=self._state,
            watch=watcher.mode,
            waiting=assembly.open_scans - len(in_work),
            more=watcher.more,
            oldest=watcher.oldest,
            in_work=in_work,
            backoff=assembly.backoff,
            reviews=assembly.reviews.found,
            documents=open_documents(assembly.documents, watcher, self._calendar),
            activity=lambda: activity_of(assembly, self._calendar),
            at_once=at_once,
        )

    def _tell_service_manager(self) -> None:
        if (sentence := self._sentence(self.state)) != self._told:
            self._told = sentence
            notify(f"STATUS={sentence}")

    def _sentence(self, state: str) -> str:
        """Return the state in one line for the service manager."""
        # A pause of all comes before one of a service, which may stop few scans.
        pauses = self._assembly.backoff.active.items()
        for _, pause in sorted(pauses, key=lambda each: each[0].startswith(REMOTE)):
            since = time.strftime(" since %Y-%m-%d %H:%M %Z", time.localtime(pause.since)) if state == "paused" else ""
            return f"{state}{since}: {pause.message}; {pause.remedy}".replace("\n", " ")
        if self._assembly.report.refused_settings is not None:
            return f"{state}; new settings refused: {self._assembly.report.refused_settings.reason}".replace("\n", " ")
        return state


def files_being_read(scans: Scans, at: Callable[[float], str]) -> Iterator[FileBeingRead]:
    """Yield the files of several pages that are being read."""
    for scan in scans.of(ScanState.READING):
        if (progress := scan.progress) is not None:
            yield FileBeingRead(display_path(scan.path), progress.pages, progress.done, at(scan.begun_at))


def not_read_files(ignored: Iterable[Ignored]) -> list[NotReadFile]:
    """Return unread files in the form of the status."""
    return [NotReadFile(display_path(item.path), item.reason, item.remedy) for item in ignored]


def activity_of(assembly: Assembly, calendar: Calendar) -> Activity:
    """Collect the activity of all stages."""
    watcher, scans = assembly.watcher, assembly.scans
    at = calendar.at
    oldest = watcher.oldest
    delivering = (scan.path for scan in scans.of(ScanState.DELIVERING))
    waits = [
        Resting(display_path(scan.path), scan.attempt, scan.code, scan.reason, at(scan.until), scan.remedy)
        for scan in sorted(scans.of(ScanState.RETRYING, ScanState.BLOCKED), key=lambda scan: scan.until)
    ]
    # A long blocked scan must not hide one with a retry in a moment.
    waits.sort(key=lambda one: one.is_blocked)
    counts = assembly.cache.counts
    return Activity(
        oldest=None if watcher.oldest_path is None else display_path(watcher.oldest_path),
        oldest_since=None if oldest is None else at(oldest),
        workers_ready=assembly.executor.ready,
        being_read=[
            BeingRead(
                display_path(scan.path),
                scan.worker,
                scan.attempt,
                at(scan.begun_at),
                None if scan.file_page is None else scan.file_page.number,
            )
            for scan in sorted(scans.of(ScanState.READING), key=lambda scan: scan.begun_at)
            if scan.begun_at and not scan.file.has_pages
        ],
        files=list(itertools.islice(files_being_read(assembly.scans, at), MOST_SHOWN)),
        queue=[display_path(path) for path in itertools.islice(assembly.queue(), MOST_SHOWN)],
        queued=assembly.queued,
        delivering=[display_path(path) for path in itertools.islice(delivering, MOST_SHOWN)],
        incomplete=[
            Incomplete(
                display_path(one.path),
                one.reason,
                at(one.changed_at),
                one.detail,
                None if one.until is None else at(one.until),
                one.has_pages,
            )
            for one in itertools.islice(watcher.incomplete(), MOST_SHOWN)
        ],
        resting=waits[:MOST_SHOWN],
        blocked=blocked_groups(waits)[:MOST_SHOWN],
        in_flight=assembly.in_flight,
        not_read=watcher.ignored.count,
        not_read_files=not_read_files(watcher.ignored.named),
        cache_level_hits=dict(counts.hits),
        cache_dropped=counts.dropped,
    )
