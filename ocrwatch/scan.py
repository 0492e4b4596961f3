"""Defines a scan: the facts of its file, its arrival, and its state."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from ocrwatch.errors import OcrwatchError, ScanFault
from ocrwatch.events import BatchFinished, publish
from ocrwatch.recipe import REMOTE, Recipe
from ocrwatch.scan_state import CLOSED, ScanState
from ocrwatch.settings import Effective
from ocrwatch.storage.file_facts import FileFacts

__all__ = [
    "CLOSED", "LOCAL_LANE", "Arrival", "Batch", "Scan", "ScanState", "Scans", "Settled", "SettledFile", "Source",
    "lane_of",
]  # fmt: skip


Settled = Literal["closed", "moved", "found"]
"""How an arrival was detected: closed after writing, moved in, or found by a rescan."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A path in the inbox that may be a new scan. Duplicates are harmless."""

    path: str
    """Relative to the inbox, ``/`` between parts; bytes that are not UTF-8 as surrogate escapes (PEP 383)."""
    how: Settled = "found"
    fresh: bool = True
    """False for scans that were there at the first rescan: the backlog."""


@dataclass(frozen=True, slots=True)
class SettledFile:
    """A complete file, ready to be read."""

    path: str
    facts: FileFacts
    fresh: bool
    ready_at: float
    """Monotonic seconds at which the file was found complete."""
    changed_at: float = float("-inf")
    """Monotonic seconds of its last change: when that was first seen, or earlier if the file's times can be trusted."""
    has_pages: bool = False
    """Whether it is split into its pages: a PDF, or a TIFF with more than one page."""


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one scan, as read once from the inbox."""

    content: bytes
    sha256: str
    facts: FileFacts
    """State of the file after reading."""


LOCAL_LANE: Final = ""
"""The lane of scans that this machine's workers read. Those of a remote service have the name of the engine."""


def lane_of(engine: str) -> str:
    """Return the lane of scans that an engine reads."""
    return engine if engine.startswith(REMOTE) else LOCAL_LANE


@dataclass(slots=True, eq=False)
class FilePage:
    """What a scan has besides if it stands for one page of a file."""

    whole: Scan
    """The scan that the file is."""
    number: int
    """From 1."""
    image: Path
    """In the state folder."""
    packed: bytes = b""
    """Its own text as a packed page; empty if the image must be read."""
    notes: tuple[str, ...] = ()
    """Why its text should be reviewed."""
    keeps_page: bool = False
    """Whether a searchable PDF gets the page itself."""


@dataclass(slots=True)
class FileProgress:
    """How far a file of several pages has been read."""

    pages: int
    """How many it has."""
    done: int = 0
    """Pages that were read, or cannot be."""
    _last: int = 0
    _open: set[int] = field(default_factory=set)

    def begin(self, number: int) -> None:
        """Record that a page is taken out of the file, to be read; they come in their order."""
        self._last = number
        self._open.add(number)

    def end(self, number: int) -> None:
        """Record that a page was read, or cannot be."""
        self._open.discard(number)
        self.done += 1

    @property
    def in_order(self) -> int:
        """How many pages are done from the first one on, without a gap."""
        return min(self._open, default=self._last + 1) - 1


_numbers = itertools.count()


@dataclass(slots=True)
class Batch:
    """Scans of one batch."""

    id: int
    """0 for scans that are given up before they get one."""
    size: int
    started: float = field(default_factory=time.monotonic)
    ends: Counter[ScanState] = field(default_factory=Counter)

    def ended(self, state: ScanState) -> None:
        """Count one closed scan; publish the end of the batch after the last one."""
        self.ends[state] += 1
        if self.id and self.ends.total() == self.size:
            seconds = round(time.monotonic() - self.started, 3)
            counts = {str(end): count for end, count in self.ends.items()}
            publish(BatchFinished(batch=self.id, scans=self.size, seconds=seconds, **counts))


@dataclass(slots=True, eq=False)
class Scan:
    """One scan in the pipeline; filled in as it proceeds. Times are monotonic seconds."""

    file: SettledFile
    batch: Batch
    options: Effective
    recipe: Recipe
    state: ScanState = ScanState.QUEUED
    order: int = field(default_factory=_numbers.__next__)
    """Order within its kind: the lowest goes first. It stays while the environment refuses the scan."""
    id: int = 0
    """Its row in the ledger, 0 while there is none."""
    sha256: str | None = None
    content: bytes = b""
    """Held from its loading until the executor gets it."""
    attempt: int = 0
    worker: int = 0
    """Process id of its worker, 0 if it has none."""
    begun_at: float = 0.0
    """When that worker got it."""
    queued_ms: float = 0.0
    read_ms: float = 0.0
    fault: ScanFault | None = None
    """Why it goes to the quarantine."""
    code: str = ""
    """Code of why its last attempt failed, or why it waits, with ``reason`` and ``remedy``."""
    reason: str = ""
    remedy: str = ""
    until: float = 0.0
    """When it is tried again, if it waits for a time."""
    has_waited: bool = False
    """Whether it had to wait before another attempt. A delay recorded by an earlier run is waited for once only."""
    isolated: bool = False
    """Whether it must be in work alone: it was in work when ocrwatch was killed."""
    engine: str = ""
    """The engine of its profile that reads it; empty before one is chosen."""
    lane: str = LOCAL_LANE
    """What it waits for: the workers of this machine, or a remote service."""
    other_lanes: tuple[str, ...] = ()
    """The lanes of the further engines that could read it instead."""
    failed_engines: frozenset[str] = frozenset()
    """Engines that could not read it, while there are others."""
    refusing_engines: frozenset[str] = frozenset()
    """Engines whose service was not available when it was sent there: others are tried first."""
    reduced: bool = False
    """Whether it is read without enhancement, and after all others, since it took too long to read."""
    cached: bool = False
    """Whether its page came from the cache."""
    unrendered: bytes = b""
    """The cached page that could not be rendered: it is not tried again."""
    stays: bool = False
    """Whether it was copied to the quarantine and stays in the inbox."""
    stands_in: bool = False
    """Whether it only stands for the plan of an earlier run, and counts for nothing in this one."""
    file_page: FilePage | None = None
    """Which page of a file it stands for; it has no row in the ledger then, and a number below 0 instead."""
    progress: FileProgress | None = None
    """Of a file whose pages are being read."""

    @property
    def path(self) -> str:
        """Its path relative to the inbox."""
        return self.file.path

    @property
    def row(self) -> int:
        """Its row in the ledger, or that of its file."""
        return self.id if self.file_page is None else self.file_page.whole.id

    @property
    def is_closed(self) -> bool:
        """Whether it has left the pipeline."""
        return self.state in CLOSED

    def goes_last_of_its_kind(self) -> None:
        """Put it behind those of its kind that wait already."""
        self.order = next(_numbers)

    def note_failure(self, error: OcrwatchError, code: str) -> bool:
        """Record why it waits; return whether that is new."""
        news = self.reason != error.message
        self.code, self.reason, self.remedy = code, error.message, error.remedy
        return news

    def begin(self, worker: int, attempt: int, now: float) -> None:
        """Record that a worker reads it from ``now`` on; a page that gets another worker is still in its attempt."""
        if self.file_page is None:
            self.attempt = attempt
        elif not self.begun_at:
            self.attempt += 1
        self.worker, self.begun_at = worker, now

    def is_free_again(self) -> None:
        """Clear what blocked it."""
        if self.code == ScanState.BLOCKED:
            self.code = self.reason = self.remedy = ""


class Scans:
    """All open scans, and the one place that sets a state."""

    def __init__(self) -> None:
        self._open: dict[int, Scan] = {}
        self._pages = 0
        """How many of them are pages of files."""
        self._by_row: dict[int, Scan] = {}
        self._counts: Counter[ScanState] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, scan: Scan) -> None:
        """Take a scan of a new batch."""
        self._open[id(scan)] = scan
        if scan.file_page is not None:
            self._pages += 1
        self._counts[scan.state] += 1

    def change(self, scan: Scan, state: ScanState) -> None:
        """Set a scan's state; a closed one is no longer open."""
        if state == scan.state:
            return
        self._counts[scan.state] -= 1
        scan.state = state
        if state in CLOSED:
            if self._open.pop(id(scan), None) is not None and scan.file_page is not None:
                self._pages -= 1
            self._by_row.pop(scan.id, None)
        else:
            self._counts[state] += 1

    def has_row(self, scan: Scan) -> None:
        """Record that a scan has its row in the ledger now."""
        self._by_row[scan.id] = scan

    def of_row(self, row: int) -> Scan | None:
        """Return the open scan with this row in the ledger."""
        return self._by_row.get(row)

    def count(self, *states: ScanState) -> int:
        """Return how many scans are in any of these states."""
        return sum(self._counts[state] for state in states)

    def of(self, *states: ScanState) -> Iterator[Scan]:
        """Yield the scans in any of these states, in the order of their arrival."""
        return (scan for scan in self._open.values() if scan.state in states)

    @property
    def blocked(self) -> dict[str, str]:
        """Paths of the scans that the environment refuses while it serves others, with the reason."""
        return {scan.path: "; ".join(filter(None, (scan.reason, scan.remedy))) for scan in self.of(ScanState.BLOCKED)}

    @property
    def in_work(self) -> list[str]:
        """Paths of the scans that the executor has; a file that is split is one of them if it has a page of it."""
        return list(dict.fromkeys(scan.path for scan in self.of(ScanState.READING) if not scan.file.has_pages))

    @property
    def files(self) -> int:
        """How many files are open: a page of a file is not counted besides it."""
        return len(self._open) - self._pages
