"""Publishes the end of scans, with the fields that all statistics need."""

from __future__ import annotations

from collections import Counter

from ocrwatch.delivery.duplicates import CODE, Earlier
from ocrwatch.delivery.step_order import Delivered
from ocrwatch.document import BEGINNING, FieldSummary, Standing
from ocrwatch.errors import ScanFault
from ocrwatch.events import ScanDelivered, ScanDuplicate, ScanQuarantined, ScanRecovered, publish
from ocrwatch.ledger import Entry
from ocrwatch.render.base import RenderedPage
from ocrwatch.scan import Scan, ScanState


def publish_quarantined(scan: Scan, fault: ScanFault, delivered: Delivered | None) -> None:
    """Publish that a scan cannot be read, and why."""
    event = ScanQuarantined(
        id=scan.id,
        path=scan.path,
        batch=scan.batch.id,
        attempt=scan.attempt,
        code=fault.code,
        reason=fault.message,
        remedy=fault.remedy,
        quarantined=None if delivered is None else delivered.original,
    )
    publish(event)


def publish_delivered(scan: Scan, rendered: RenderedPage, delivered: Delivered, *, preview_chars: int) -> None:
    """Publish that a scan was read, in the one event for all statistics."""
    page = rendered.summary
    second, review = page.second, delivered.review
    event = ScanDelivered(
        id=scan.id,
        path=scan.path,
        bytes=scan.file.facts.size,
        sha256=scan.sha256,
        batch=scan.batch.id,
        attempt=scan.attempt,
        engine=f"{page.engine.name} {page.engine.version}",
        words=page.words,
        confidence=None if page.confidence is None else round(page.confidence, 1),
        queued_ms=round(scan.queued_ms),
        read_ms=round(scan.read_ms),
        sidecars=delivered.sidecars,
        archived=delivered.original,
        second=None if second is None else f"{second.name} {second.version}",
        second_lines=None if second is None else second.lines,
        cached=scan.cached or None,
        review=None if review is None else True,
        review_reasons=None if review is None else review.reasons,
        profile=scan.options.profile_name,
        warnings=page.warnings or None,
        preview=page.preview[:preview_chars] if preview_chars else None,
        beginning=page.preview[:BEGINNING],
        field_standings=_standings(rendered.fields),
        found_fields=rendered.fields,
    )
    publish(event)


def _standings(fields: tuple[FieldSummary, ...] | None) -> str | None:
    """Return how many fields have which standing, without their values; None if none were looked for."""
    counts = Counter(field.standing for field in fields or ())
    return ", ".join(f"{counts[standing]} {standing}" for standing in Standing if counts[standing]) or None


def publish_duplicate(scan: Scan, earlier: Earlier, delivered: Delivered) -> None:
    """Publish that a scan was not delivered, since its text is in the outbox already."""
    event = ScanDuplicate(
        id=scan.id,
        path=scan.path,
        sha256=scan.sha256,
        batch=scan.batch.id,
        same_as=earlier.path,
        sidecars=earlier.sidecars,
        fate=delivered.fate,
        archived=delivered.original,
    )
    publish(event)


def publish_recovered(entry: Entry, delivered: Delivered | None) -> None:
    """Publish the end of a scan whose run was killed before it could publish it."""
    review = None if delivered is None else delivered.review
    event = ScanRecovered(
        id=entry.id,
        path=entry.path,
        fate=None if delivered is None else delivered.fate,
        sidecars=() if delivered is None else delivered.sidecars,
        state=_end_of(entry, delivered),
        sha256=entry.sha256,
        code=entry.code,
        explanation=entry.reason,
        original=None if delivered is None else delivered.original,
        review_reasons=None if review is None else review.reasons,
    )
    publish(event)


def _end_of(entry: Entry, delivered: Delivered | None) -> ScanState:
    if delivered is None:
        return ScanState.CHANGED
    if entry.code == CODE:
        return ScanState.DUPLICATE
    return ScanState.QUARANTINED if delivered.fate == "quarantine" else ScanState.DELIVERED
