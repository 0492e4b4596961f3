"""Events of documents with several pages. Paths are relative to the folder in question."""

from __future__ import annotations

from ocrwatch.events.base import Event


class DocumentDelivered(Event, frozen=True, kw_only=True):
    """The pages of a feeder became a document, and it is in the outbox."""

    name = "document.delivered"
    level = "info"

    id: int
    """Its row in the ledger."""
    document: str
    """Its name, the stem of its files."""
    folder: str
    """Folder of its pages in the inbox."""
    pages: int
    sidecars: tuple[str, ...]
    """Relative to the outbox."""
    grouped_by: str
    closed_by: str
    """``quiet`` (no further page came), ``next`` (the next document has begun), ``counter`` (a name came again),
    ``restart`` (ocrwatch was restarted, and pages of the same name had begun the next one), ``end`` (the run ended), or
    ``retry`` (a page that was missing was read)."""
    profile: str | None = None
    """The profile that its separator sheet names, or else that of its pages."""
    dropped: int | None = None
    """How many pages were left out; they are archived."""
    missing: tuple[str, ...] | None = None
    """Scans that are missing in it, as paths in the inbox."""
    review: bool | None = None
    """True if it needs review."""
    review_reasons: tuple[str, ...] | None = None
    replaces: str | None = None
    """Name of the earlier document that lacked pages which this one has."""
    after: str | None = None
    """Name of the document that was complete already when the pages of this one came."""


class DocumentLate(Event, frozen=True, kw_only=True):
    """Pages came after their document was complete: they are a document of their own."""

    name = "document.late"
    level = "warning"

    path: str
    """The first of them."""
    pages: int
    after: str
    """Name of the document that was complete already."""
    document: str
    """Name of their own document."""
    remedy: str


class DocumentWaiting(Event, frozen=True, kw_only=True):
    """The environment refuses a document; it is tried again.

    It is logged when the reason changes. Its pages are delivered already.
    """

    name = "document.waiting"
    level = "warning"

    document: str
    reason: str
    next_step: str


class DocumentFailed(Event, frozen=True, kw_only=True):
    """A bug in ocrwatch: a document could not be made.

    Its pages are delivered. It is tried again after a restart.
    """

    name = "document.failed"
    level = "error"

    document: str
    reason: str | None = None
    trace: str | None = None
    """Traceback of the process that writes documents."""
    exception: BaseException | None = None


class DocumentForgotten(Event, frozen=True, kw_only=True):
    """Pages of documents that were not complete were found, and the ledger that knew the documents was lost.

    The pages are delivered, each by itself.
    """

    name = "document.forgotten"
    level = "warning"

    parts: int
    """How many copies of their sidecars were removed."""
    remedy: str
