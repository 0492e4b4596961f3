"""Events of workers, remote services, hooks, ledger and cache."""

from __future__ import annotations

from ocrwatch.events.base import Event, Level


class WorkerStarted(Event, frozen=True, kw_only=True):
    """A worker process has loaded its engine."""

    name = "worker.started"
    level = "info"

    pid: int
    engine: str
    """Name and version."""
    start_ms: int


class WorkerDied(Event, frozen=True, kw_only=True):
    """A worker process ended unexpectedly; `stderr` has the end of its error output."""

    name = "worker.died"
    level = "warning"

    pid: int
    how: str
    """Exit status, such as ``killed by SIGSEGV``."""
    phase: str
    """``starting``, ``idle``, ``reading`` or ``rendering``."""
    id: int | None
    """Row of the scan that it was reading."""
    stderr: str


class RemoteAnswered(Event, frozen=True, kw_only=True):
    """A remote OCR service answered a request."""

    name = "remote.answered"
    level = "debug"

    service: str
    """Its name."""
    status: int
    """The HTTP status, 200 to 299."""
    ms: int
    """From the request to the whole answer."""
    bytes: int
    """Size of the answer."""


class RemoteRefused(Event, frozen=True, kw_only=True):
    """A remote OCR service refused a request, or did not answer: then there is no `status`.

    If it reads no scan at present, `daemon.paused` follows, with its name as the cause: `remote:NAME`.
    """

    name = "remote.refused"
    level = "info"

    service: str
    reason: str
    remedy: str
    ms: int
    status: int | None = None


class HookTold(Event, frozen=True, kw_only=True):
    """A program was run, or the webhook accepted the notification."""

    name = "hook.told"
    level = "debug"

    hook: str
    """``delivered``, ``quarantined`` or ``batch``."""
    subject: str
    """The scan's path, or the batch's number."""
    target: str
    """The program, or the webhook's address."""
    took_ms: int


class HookRetrying(Event, frozen=True, kw_only=True):
    """The webhook did not accept the notification; it is retried."""

    name = "hook.retrying"
    level = "info"

    hook: str
    reason: str
    retry_in_s: float


class HookFailed(Event, frozen=True, kw_only=True):
    """A notification was not accepted, and is not sent again.

    A program failed or could not be run, or the webhook refused. A bug in ocrwatch has its exception, and is an error.
    """

    name = "hook.failed"
    level = "warning"

    hook: str
    subject: str
    target: str | None = None
    reason: str
    stderr: str | None = None
    exception: BaseException | None = None

    @property
    def log_level(self) -> Level:
        """An error if it is a bug."""
        return self.level if self.exception is None else "error"


class HookDropped(Event, frozen=True, kw_only=True):
    """Notifications were dropped because too many were waiting, the oldest first."""

    name = "hook.dropped"
    level = "warning"

    target: str
    count: int
    reason: str
    remedy: str


class LedgerDamaged(Event, frozen=True, kw_only=True):
    """The ledger was damaged; it was renamed, not deleted, and a new one is created."""

    name = "ledger.damaged"
    level = "error"

    reason: str
    set_aside: str
    """The new name of the damaged one."""


class LedgerRebuilt(Event, frozen=True, kw_only=True):
    """A new ledger was filled from the folders.

    Originals were moved back to the inbox to be read again, unfinished files removed, and originals in the inbox
    recognised as read. What failed is retried at the next start.
    """

    name = "ledger.rebuilt"
    level = "warning"

    restored: tuple[str, ...]
    removed: int
    known: int
    refused: tuple[str, ...]


class LedgerPruned(Event, frozen=True, kw_only=True):
    """Entries older than history.max_age were deleted from the ledger."""

    name = "ledger.pruned"
    level = "info"

    rows: int


class CacheDamaged(Event, frozen=True, kw_only=True):
    """The cache of texts was damaged; it was renamed, and a new one is created."""

    name = "cache.damaged"
    level = "warning"

    reason: str
    set_aside: str
    """The new name of the damaged one."""


class CacheFailed(Event, frozen=True, kw_only=True):
    """The cache cannot be read or written; scans are read without it."""

    name = "cache.failed"
    level = "warning"

    reason: str
    remedy: str


class CacheRecovered(Event, frozen=True, kw_only=True):
    """A server that the cache uses, and that failed, works again."""

    name = "cache.recovered"
    level = "info"

    what: str
    """The server."""
