"""Defines the daemon's status, and its file in the state folder."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ocrwatch.observe.status_documents import FileBeingRead, OpenDocument, WrittenDocument

STATUS_NAME = "status.json"
STATUS_SCHEMA = "ocrwatch.status/1"

BLOCKED: Final = "blocked"
"""Code of a scan that is blocked while others are processed."""


@dataclass(frozen=True, slots=True)
class PauseStatus:
    """One cause that keeps the daemon from working."""

    cause: str
    reason: str
    remedy: str
    since: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """New settings that are invalid: the earlier ones are still in force."""

    reason: str
    remedy: str
    since: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One scan that was quarantined."""

    path: str
    code: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class ToReview:
    """One scan, or one document of several pages, with a text that needs review."""

    path: str
    """Of a document, in the outbox without an ending."""
    confidence: float | None
    """0 to 100, None if nothing was read."""
    at: str
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reviews:
    """The scans and documents that wait for review, also those of earlier runs."""

    count: int = 0
    newest: list[ToReview] = field(default_factory=list)
    """The last of them, the newest last."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One scan that was read."""

    path: str
    sidecars: list[str]
    """Relative to the outbox."""
    at: str


@dataclass(frozen=True, slots=True)
class BeingRead:
    """One scan that a worker is reading."""

    path: str
    worker: int
    """The worker's process id."""
    attempt: int
    since: str
    page: int | None = None
    """Number of the page, if the file has several."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """One file that is incomplete, still grows, or may not be read."""

    path: str
    reason: str
    since: str
    """When it last changed, as far as this run knows."""
    detail: str = ""
    """What reading found in a damaged one."""
    until: str | None = None
    """When a damaged one is quarantined, or read as it is, unless it changes."""
    has_pages: bool = False
    """Whether it may have several pages: it is read as it is."""

    @property
    def end(self) -> str:
        """What becomes of a damaged one that does not change."""
        return "read as it is" if self.has_pages else "quarantined"

    def says(self, at: Callable[[str], str]) -> str:
        """Return why it waits, unescaped; ``at`` renders times."""
        meaning = INCOMPLETE.get(self.reason, self.reason)
        if self.until is None:
            return meaning
        return f"{meaning}: {self.detail}; {self.end} at {at(self.until)} unless it changes"


@dataclass(frozen=True, slots=True)
class NotReadFile:
    """One file, or folder, in the inbox that is not read."""

    path: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Resting:
    """One scan that is retried, or is blocked (``code`` is ``blocked``)."""

    path: str
    attempts: int
    code: str
    reason: str
    next_try: str
    remedy: str = ""
    """The remedy."""

    @property
    def is_blocked(self) -> bool:
        """Whether this scan is blocked while others are processed."""
        return self.code == BLOCKED


@dataclass(frozen=True, slots=True)
class BlockedGroup:
    """Scans that are blocked by the same cause."""

    path: str
    """The first of them."""
    count: int
    reason: str
    remedy: str

    @property
    def names(self) -> str:
        """The first path and how many more there are."""
        return self.path if self.count == 1 else f"{self.path} and {self.count - 1:,} more"


def blocked_groups(resting: Iterable[Resting]) -> list[BlockedGroup]:
    """Return what blocks scans, each reason once."""
    together: dict[tuple[str, str], BlockedGroup] = {}
    for one in resting:
        if one.is_blocked:
            key = (one.reason, one.remedy)
            before = together.get(key, BlockedGroup(one.path, 0, *key))
            together[key] = replace(before, count=before.count + 1)
    return list(together.values())


@dataclass(frozen=True, slots=True)
class ProfileCounts:
    """How many scans of one profile ended since the start."""

    name: str
    """Empty for scans that no profile matches."""
    delivered: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Histogram of durations, of the scans delivered since the start."""

    bounds: list[float]
    """Upper bounds in seconds, inclusive."""
    counts: list[int]
    """Scans up to each bound and above the one before; the last are above all bounds."""
    total: float
    """Seconds of all scans together."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One remote OCR service, since the start."""

    name: str
    host: str
    """Scheme, host and port of its address."""
    answered: int = 0
    refused: int = 0
    failed: int = 0
    """Requests without an answer."""
    in_flight: int = 0
    """Requests that wait for their answer now."""
    median_s: float | None = None
    """Median of the seconds of the last hundred answers."""
    seconds: Distribution | None = None
    """Of all answers."""
    paused_since: str | None = None
    """Since when it gets no scans; None while it is available. The following fields say why."""
    reason: str = ""
    remedy: str = ""
    next_try: str | None = None

    @property
    def requests(self) -> int:
        """All requests that have ended."""
        return self.answered + self.refused + self.failed


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the daemon when it wrote this. Times are ISO 8601, UTC."""

    state: str
    """``starting``, ``watching``, ``working``, ``paused``, ``stopping`` or ``stopped``."""
    since: str
    written: str
    pid: int
    version: str
    inbox: str
    outbox: str
    quarantine: str
    watch: str
    """``inotify`` or ``poll``."""
    workers: int
    engine: str
    started: str
    waiting: int
    """Scans that are not stable yet, are batched, wait for a worker, are blocked, or wait for delivery."""
    more: bool
    """Whether the inbox holds more than are counted in ``waiting``."""
    oldest_waiting_s: float | None
    in_work: list[str]
    delivered: int
    quarantined: int
    scans_last_minute: int
    scans_last_hour: int
    scans_last_day: int = 0
    """These three also count scans of earlier runs."""
    oldest_waiting: str | None = None
    oldest_waiting_since: str | None = None
    ends: dict[str, int] = field(default_factory=dict)
    """Scans since the start by their final state: delivered, quarantined, changed, duplicate, cancelled, incomplete."""
    workers_ready: int = 0
    worker_deaths: int = 0
    retries: int = 0
    being_read: list[BeingRead] = field(default_factory=list)
    files: list[FileBeingRead] = field(default_factory=list)
    queue: list[str] = field(default_factory=list)
    """The first of those that are complete and wait for a worker, in the order of reading."""
    queued: int = 0
    """How many of them there are in all."""
    delivering: list[str] = field(default_factory=list)
    """The first of those that were read and are being delivered."""
    incomplete: list[Incomplete] = field(default_factory=list)
    """The first of those that are not stable yet."""
    resting: list[Resting] = field(default_factory=list)
    blocked: list[BlockedGroup] = field(default_factory=list)
    """The causes that block scans, with the number of scans: :attr:`resting` has only the first hundred scans."""
    profiles: list[ProfileCounts] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    """The last of them, the newest last, as in ``failures``."""
    queue_seconds: Distribution | None = None
    """Seconds from being complete to the start of the successful attempt."""
    reading_seconds: Distribution | None = None
    paused: list[PauseStatus] = field(default_factory=list)
    """What keeps the daemon from reading any scan."""
    services: list[ServiceStatus] = field(default_factory=list)
    """The remote services. One that is not available delays only the scans that need it."""
    failures: list[Failure] = field(default_factory=list)
    cached: int = 0
    """Scans delivered since the start with a cached text."""
    cache_level_hits: dict[str, int] = field(default_factory=dict)
    """Texts found in the cache since the start, by the level that had them."""
    cache_dropped: int = 0
    """Texts since the start that were not sent to Redis."""
    to_review: int = 0
    """Pages since the start that were marked for review when they were delivered."""
    review_waiting: int = 0
    """Pages that wait for review now, also of earlier runs: marked and not reviewed yet."""
    reviews: list[ToReview] = field(default_factory=list)
    """The last of those that wait."""
    refused_settings: Refusal | None = None
    """Why the last reload changed nothing; None after one that did."""
    not_read: int = 0
    """How many files and folders in the inbox are not read, such as PDFs and names without an ending."""
    not_read_files: list[NotReadFile] = field(default_factory=list)
    """The first of them by name."""
    documents: list[OpenDocument] = field(default_factory=list)
    """The first of those that are being gathered or written."""
    documents_open: int = 0
    """How many of them there are in all."""
    documents_delivered: int = 0
    """Since the start."""
    document_deliveries: list[WrittenDocument] = field(default_factory=list)
    """The last of them, the newest last, also of earlier runs."""
    schema: str = STATUS_SCHEMA


INCOMPLETE = {
    "incomplete": "it ends early",
    "growing": "it is still being written",
    "empty": "it is empty",
    "another kind of file": "it is no JPEG, PNG or TIFF image, and no PDF",
    "unreadable": "ocrwatch's user may not read it; it is read as soon as that user may",
    "damaged": "it is damaged, but may still be written",
}
"""Descriptions of the reasons in ``incomplete``."""


def _service(seconds: dict[str, Any] | None = None, **values: Any) -> ServiceStatus:
    return ServiceStatus(**values, seconds=None if seconds is None else Distribution(**seconds))


_LISTS: Final[dict[str, Callable[..., object]]] = {
    "paused": PauseStatus,
    "failures": Failure,
    "deliveries": Delivery,
    "being_read": BeingRead,
    "files": FileBeingRead,
    "incomplete": Incomplete,
    "resting": Resting,
    "blocked": BlockedGroup,
    "profiles": ProfileCounts,
    "services": _service,
    "reviews": ToReview,
    "not_read_files": NotReadFile,
    "documents": OpenDocument,
    "document_deliveries": WrittenDocument,
}

_OBJECTS = {"queue_seconds": Distribution, "reading_seconds": Distribution, "refused_settings": Refusal}
_FIELDS = frozenset(field.name for field in fields(Status))


def isoformat(seconds: float) -> str:
    """Render seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def write(folder: Path, status: Status) -> None:
    """Replace the status file atomically.

    A disk error is ignored here; more important writes report it.
    """
    temporary = folder / f".{STATUS_NAME}.tmp"
    with contextlib.suppress(OSError):
        with open(temporary, "w", opener=_private) as file:
            json.dump(asdict(status), file, indent=1)
        os.replace(temporary, folder / STATUS_NAME)  # noqa: PTH105 - atomic replacement of our own file


def _private(path: str, flags: int) -> int:
    """Open for owner and group only: the status holds the names of scans."""
    return os.open(path, flags, 0o640)


def read(folder: Path) -> Status | None:
    """Return the latest status of the daemon, or None if there is none (readable)."""
    try:
        values: dict[str, Any] = json.loads((folder / STATUS_NAME).read_text())
        values |= {name: [kind(**item) for item in values.get(name, [])] for name, kind in _LISTS.items()}
        values |= {name: values.get(name) and kind(**values[name]) for name, kind in _OBJECTS.items()}
        # A newer daemon may write more fields.
        return Status(**{name: value for name, value in values.items() if name in _FIELDS})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
