"""The core of a run: all between a batch and the folders, with real folders and a real ledger, and a fake executor."""

# ruff: noqa: ARG002 - an intake does not need all that it is told

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from ocrwatch.backoff import Backoff
from ocrwatch.cache.key import PageCache
from ocrwatch.daemon.attempts import ScanAttempts
from ocrwatch.daemon.documents import Documents
from ocrwatch.daemon.pipeline import Pipeline
from ocrwatch.delivery.chosen_names import Places
from ocrwatch.delivery.deliveries import Deliveries, LeftoverItem
from ocrwatch.delivery.duplicates import FATES, Duplicates
from ocrwatch.delivery.step_order import Deliverer
from ocrwatch.documents.delivery import DocumentDelivery
from ocrwatch.documents.file_joining import FileJoining
from ocrwatch.documents.joiner import Joiner
from ocrwatch.errors import EnvironmentFault, ScanFault
from ocrwatch.events import (
    BatchFinished,
    Event,
    ScanDelivered,
    ScanQuarantined,
    ScanRecovered,
    ScanRetrying,
    subscribe,
)
from ocrwatch.executors.events import Begun
from ocrwatch.hooks.payload import notification_of
from ocrwatch.housekeeping.ledger_rebuild import restore_forgotten
from ocrwatch.intake.loading import Loading
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.render.registry import endings
from ocrwatch.scan import Scan, Scans, ScanState, SettledFile
from ocrwatch.settings import Settings
from ocrwatch.storage.files import facts_of
from ocrwatch.storage.threads import Threads
from tests.eventually import eventually
from tests.fake_executor import Act, FakeExecutor, echo

PLACES: Final = ("inbox", "outbox", "archive", "quarantine", "state")


class Folders:
    """The folders of a daemon, which outlive its runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in PLACES:
            (root / name).mkdir(exist_ok=True)
        self.inbox, self.outbox, self.archive, self.quarantine, self.state = (root / name for name in PLACES)

    def settings(self, **changes: object) -> Settings:
        """Return settings with these folders, under which nothing is waited for long."""
        places = {name: self.root / name for name in PLACES}
        retry = {"attempts": 3, "first_delay": 0.01, "max_delay": 0.05}
        return Settings.model_validate({**places, "workers": {"count": 1}, "retry": retry, **changes})

    def put(self, path: str, data: str = "") -> Path:
        """Write a scan whose bytes are ``data``, or its path."""
        place = self.inbox / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(data or path)
        return place

    def files(self) -> dict[str, str]:
        """Return all files outside the state folder, with what is in them."""
        found = {}
        for place in sorted(self.root.rglob("*")):
            name = str(place.relative_to(self.root))
            if place.is_file() and not name.startswith("state/"):
                found[name] = place.read_text()
        return found


class Heard:
    """An intake that remembers what came back, and a listener that remembers what was published."""

    def __init__(self) -> None:
        self.ends: defaultdict[str, list[ScanState]] = defaultdict(list)
        """By path, in their order."""
        self.texts: dict[str, str] = {}
        self.events: list[tuple[str, str]] = []
        """What other programs are told."""
        self.retries = 0
        self.doubted: set[str] = set()
        """Codes of faults that are not believed yet."""
        self.last: Scan | None = None
        self._unsubscribe = subscribe(self.heard, Event)

    def heard(self, event: Event) -> None:
        """Remember it."""
        if isinstance(event, ScanDelivered):
            self.texts[event.path] = event.beginning.strip()
        self.retries += isinstance(event, ScanRetrying)
        if isinstance(event, ScanDelivered | ScanQuarantined | ScanRecovered | BatchFinished):
            notification = notification_of(event, Settings(), "")
            self.events += [] if notification is None else [(notification.event, notification.subject)]

    def closed(self, scan: Scan) -> None:
        """Remember how it ended."""
        self.ends[scan.path].append(scan.state)
        self.last = scan

    def is_doubtful(self, scan: SettledFile, fault: ScanFault) -> bool:
        """Doubt what the test says."""
        return fault.code in self.doubted

    def end(self) -> None:
        """Hear nothing more."""
        self._unsubscribe()


class Core:
    """One run of it. The test brings the files that the inbox would; see :func:`running`."""

    def __init__(
        self,
        folders: Folders,
        settings: Settings,
        *,
        act: Act = echo,
        cache: PageCache | None = None,
        lanes: Mapping[str, int] | None = None,
    ) -> None:
        """``lanes`` has how many scans each remote service reads at once; ``act`` reads in their place."""
        self.folders = folders
        self.settings = settings
        self.ledger = Ledger(folders.state)
        self.cache = cache or PageCache(None, [])
        self.threads = Threads()
        self.backoff = Backoff()
        self.scans = Scans()
        self.heard = Heard()
        self.executor = FakeExecutor(
            settings.workers.count,
            act,
            count_attempt=self._count_attempt,
            heard=self._begun,
        )
        keeps = settings.on_success == "keep"
        fate = FATES.get(settings.intake.duplicates)
        self.duplicates = None if fate is None else Duplicates(self.ledger, folders.outbox, folders.archive, fate)
        self.loading = Loading(
            self.threads.loading,
            folders.inbox,
            self.ledger,
            self.cache,
            max_bytes=settings.settle.max_bytes,
            keeps_originals=keeps,
        )
        places = Places(
            folders.inbox,
            folders.outbox,
            folders.archive,
            folders.quarantine,
            keeps=keeps,
            parts=folders.state / "documents",
        )
        known = self.ledger.remember_endings(endings())
        self.deliverer = Deliverer(places, self.ledger, known)
        self.joiner = Joiner()
        documents = DocumentDelivery(places, self.ledger, known, self.joiner)
        self.documents = Documents(settings, self.ledger, self.threads, self.backoff, documents)
        self.services: Any = None if lanes is None else SimpleNamespace(lanes=lanes)
        self.deliveries = Deliveries(self.threads.delivery, self.deliverer, self.ledger, self.backoff, self.duplicates)
        self.pipeline = self.pipeline_of(Pipeline)
        self._services: list[asyncio.Task[None]] = []

    def _count_attempt(self, row: int) -> int:
        return ScanAttempts(self.ledger).count_attempt(row)

    def _begun(self, event: Begun) -> None:
        self.pipeline.begun(event)

    def pipeline_of(self, kind: Callable[..., Pipeline]) -> Pipeline:
        """Put a pipeline together; what an earlier run has left of files with pages is removed, as at a start."""
        joining = FileJoining(self.folders.state / "pages", self.joiner)
        joining.discard_all()
        return kind(
            self.settings,
            {},
            self.ledger,
            self.cache,
            self.threads,
            self.backoff,
            self.scans,
            self.executor,
            self.loading,
            self.deliveries,
            self.duplicates,
            self.heard,
            self.documents,
            joining,
            self.services,
        )

    def serve(self) -> None:
        """Begin to work."""
        self._services = [asyncio.ensure_future(service) for service in self.pipeline.services()]

    def file(self, path: str, *, fresh: bool = True) -> SettledFile:
        """Return a file of the inbox as intake does when it is complete."""
        facts = facts_of((self.folders.inbox / path).lstat())
        has_pages = path.endswith((".tif", ".pdf"))
        return SettledFile(path, facts, fresh=fresh, ready_at=time.monotonic(), has_pages=has_pages)

    def bring(self, *paths: str, data: str = "") -> None:
        """Have new scans come into the inbox, and into a batch."""
        for path in paths:
            self.folders.put(path, data)
        self.take(*paths)

    def take(self, *paths: str) -> None:
        """Have scans that lie in the inbox come into a batch."""
        self.pipeline.begin([self.file(path) for path in paths])

    def recover(self) -> None:
        """Go on where an earlier run was ended, and take what lies in the inbox, as a start does."""
        restore_forgotten(self.settings, self.ledger)
        self.ledger.record_unclean_end(0.01, 0.01)
        for entry in self.ledger.unfinished():
            if entry.state in {ScanState.PLANNED, ScanState.PUBLISHED}:
                self.pipeline.recover(entry)
            else:
                self.pipeline.clear(LeftoverItem(entry), entry.path)
        if waiting := sorted(path.name for path in self.folders.inbox.glob("[!.]*")):
            self.pipeline.begin([self.file(path) for path in waiting])

    async def idle(self) -> None:
        """Wait until nothing is on its way but what is blocked."""
        await eventually(lambda: self.pipeline.is_idle, "idle")

    async def closed(self, path: str) -> ScanState:
        """Wait for a scan's only end."""
        await eventually(lambda: self.heard.ends[path], f"the end of {path}")
        (end,) = self.heard.ends[path]
        return end

    async def in_state(self, state: ScanState, path: str = "a.jpg") -> Scan:
        """Wait until an open scan is in a state."""
        return await eventually(
            lambda: next((scan for scan in self.scans.of(state) if scan.path == path), None), f"{path} {state}"
        )

    def row(self, path: str = "a.jpg") -> Entry:
        """Return the only row of a path."""
        ids = [row[0] for row in self.ledger.db.execute("SELECT id FROM scans WHERE path = ?", (os.fsencode(path),))]
        (found,) = ids
        return self.ledger.get(found)

    async def end(self, *, clean: bool = True) -> None:
        """End as the daemon does, or without what a killed one cannot do any more."""
        self.documents.stop()
        await self.pipeline.cancel()
        self.joiner.close()
        await self.documents.writing.cancel()
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        self.executor.close()
        self.threads.close()
        if clean:
            self.pipeline.close()
            with contextlib.suppress(EnvironmentFault):
                self.ledger.record_clean_end()
        self.ledger.close()
        self.heard.end()


@asynccontextmanager
async def running(
    root: Path,
    *,
    act: Act = echo,
    cache: PageCache | None = None,
    lanes: Mapping[str, int] | None = None,
    **settings: object,
) -> AsyncIterator[Core]:
    """Run a core on the folders below ``root``, and end it."""
    folders = Folders(root)
    core = Core(folders, folders.settings(**settings), act=act, cache=cache, lanes=lanes)
    core.serve()
    try:
        yield core
    finally:
        await core.end()


def sha256(text: str) -> str:
    """Return the hash of a scan's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()
