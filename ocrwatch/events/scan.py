"""Events of scans and batches. Paths are relative to the folder in question."""

from __future__ import annotations

from ocrwatch.document import FieldSummary
from ocrwatch.events.base import Event, Level
from ocrwatch.scan_state import ScanState


class ScanSeen(Event, frozen=True, kw_only=True):
    """A file that may be a scan was found."""

    name = "scan.seen"
    level = "debug"

    path: str
    how: str
    """How it was found: ``closed``, ``moved`` or ``found``."""


class ScanWaiting(Event, frozen=True, kw_only=True):
    """A scan is not complete yet, or the environment refuses it.

    Also a scan that was found damaged soon after its last change: its writer may still be at work. It is logged once
    for each reason, as a warning if the environment refuses the scan.
    """

    name = "scan.waiting"
    level = "info"
    unlogged = frozenset({"blocked"})

    path: str
    reason: str
    next_step: str
    blocked: bool = False
    """Whether the environment refuses it."""

    @property
    def log_level(self) -> Level:
        """A warning if a person has to act."""
        return "warning" if self.blocked else self.level


class ScanIgnored(Event, frozen=True, kw_only=True):
    """An entry of the inbox is not read.

    A file of another kind, a link, an excluded name, or a folder without permission. It is logged once for each.
    """

    name = "scan.ignored"
    level = "warning"

    path: str
    reason: str
    remedy: str | None = None


class ScanReady(Event, frozen=True, kw_only=True):
    """A scan is complete."""

    name = "scan.ready"
    level = "debug"

    path: str
    bytes: int


class ScanSplit(Event, frozen=True, kw_only=True):
    """A file was split into its pages, which are read now."""

    name = "scan.split"
    level = "info"

    id: int
    path: str
    pages: int


class BatchStarted(Event, frozen=True, kw_only=True):
    """Scans that arrived together are passed to the workers."""

    name = "batch.started"
    level = "info"

    batch: int
    scans: int
    fresh: bool
    """Whether they arrived after the start."""


class ScanDelivered(Event, frozen=True, kw_only=True):
    """A scan was read, and its text is in the outbox."""

    name = "scan.delivered"
    level = "info"
    unlogged = frozenset({"beginning", "found_fields"})

    id: int
    """Its row in the ledger."""
    path: str
    bytes: int
    sha256: str | None
    batch: int
    attempt: int
    engine: str
    """Name and version."""
    words: int
    confidence: float | None
    """0 to 100; None if nothing was read."""
    queued_ms: int
    """From complete to read."""
    read_ms: int
    sidecars: tuple[str, ...]
    """Relative to the outbox."""
    archived: str | None
    """Path in the archive; None if the original stays or was deleted."""
    second: str | None = None
    """Name and version of the engine that read again what the first one was unsure of."""
    second_lines: int | None = None
    """How many lines have its text."""
    cached: bool | None = None
    """True if the text was in the cache."""
    review: bool | None = None
    """True if the text needs review."""
    review_reasons: tuple[str, ...] | None = None
    profile: str | None = None
    warnings: tuple[str, ...] | None = None
    preview: str | None = None
    """The first characters of its text (log.preview_chars)."""
    beginning: str = ""
    """The first characters of its text, for a listener that shows them."""
    field_standings: str | None = None
    """How many fields of the profile have which standing, such as ``5 verified, 1 missing``."""
    found_fields: tuple[FieldSummary, ...] | None = None
    """The fields with their values, for hooks and listeners; None if the profile has none, or they were not looked
    for."""


class ScanDuplicate(Event, frozen=True, kw_only=True):
    """A scan was not delivered, as one with the same bytes was delivered before.

    See intake.duplicates.
    """

    name = "scan.duplicate"
    level = "info"

    id: int
    path: str
    sha256: str | None
    batch: int
    same_as: str
    """Path of the earlier scan in the inbox."""
    sidecars: tuple[str, ...]
    """The earlier scan's, relative to the outbox."""
    fate: str
    """What became of the original: ``keep``, ``archive`` or ``delete``."""
    archived: str | None


class ScanRetrying(Event, frozen=True, kw_only=True):
    """Reading a scan failed; it is retried."""

    name = "scan.retrying"
    level = "warning"

    id: int
    path: str
    attempt: int
    code: str
    reason: str
    retry_in_s: float
    page: int | None
    """Number of the page that was not read, if its file has several."""


class ScanQuarantined(Event, frozen=True, kw_only=True):
    """A scan cannot be read, and was moved to the quarantine."""

    name = "scan.quarantined"
    level = "warning"

    id: int
    path: str
    batch: int
    attempt: int
    code: str
    reason: str
    remedy: str
    quarantined: str | None
    """Path in the quarantine; None if it was no longer the file that was read."""


class ScanChanged(Event, frozen=True, kw_only=True):
    """A scan was changed or removed while it was read; the result was discarded."""

    name = "scan.changed"
    level = "info"

    path: str
    reason: str


class ScanClosed(Event, frozen=True, kw_only=True):
    """A scan has left the pipeline; `state` is its end.

    It is delivered, quarantined, changed, duplicate, cancelled (ocrwatch was stopped before the scan was read) or
    incomplete (it was found damaged soon after its last change, and is waited for).
    """

    name = "scan.closed"
    level = "debug"

    path: str
    state: ScanState
    batch: int
    profile: str | None = None


class ScanRecovered(Event, frozen=True, kw_only=True):
    """The plan of a killed run for a scan was carried out after the restart: delivered, quarantined or a duplicate."""

    name = "scan.recovered"
    level = "info"
    unlogged = frozenset({"state", "sha256", "code", "explanation", "original", "review_reasons"})

    id: int
    path: str
    fate: str | None
    """What became of the original: ``archive``, ``keep``, ``delete`` or ``quarantine``; None if the plan was void."""
    sidecars: tuple[str, ...]
    state: ScanState
    """Its end: delivered, quarantined, duplicate, or changed if the plan was void."""
    sha256: str | None
    code: str | None
    """Why it was quarantined, with ``explanation``."""
    explanation: str | None
    original: str | None
    """Path of the original in the archive or the quarantine."""
    review_reasons: tuple[str, ...] | None
    """Why the text needs review; None if it does not."""


class ScanRestored(Event, frozen=True, kw_only=True):
    """An original whose folder had been missing is back, and is read again."""

    name = "scan.restored"
    level = "warning"

    path: str


class ScanReturned(Event, frozen=True, kw_only=True):
    """A quarantined scan was completed by its writer, and moved back to the inbox.

    It is read again.
    """

    name = "scan.returned"
    level = "warning"
    unlogged = frozenset({"earlier_path"})

    path: str
    quarantined: str
    """Path in the quarantine."""
    earlier_path: str
    """Path in the inbox when it was quarantined."""


class ScanRewritten(Event, frozen=True, kw_only=True):
    """An archived original was changed after it was read.

    Its writer still had it open. The text may be incomplete, and is marked for review.
    """

    name = "scan.rewritten"
    level = "warning"

    path: str
    archived: str
    sidecars: tuple[str, ...]
    reason: str
    remedy: str


class ScanFailed(Event, frozen=True, kw_only=True):
    """A bug in ocrwatch, with its traceback; the scan is quarantined, or checked again if only its check failed."""

    name = "scan.failed"
    level = "error"

    path: str
    reason: str | None = None
    trace: str | None = None
    """Traceback of a worker."""
    exception: BaseException | None = None


class BatchFinished(Event, frozen=True, kw_only=True):
    """All scans of a batch are finished; counts as in daemon.stopped."""

    name = "batch.finished"
    level = "info"

    batch: int
    scans: int
    seconds: float
    delivered: int | None = None
    quarantined: int | None = None
    changed: int | None = None
    duplicate: int | None = None
    cancelled: int | None = None
    incomplete: int | None = None
