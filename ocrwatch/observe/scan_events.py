"""Logs the end of scans, with the fields from which all statistics can be counted."""

from __future__ import annotations

from ocrwatch.delivery.duplicates import Earlier
from ocrwatch.delivery.transaction import Delivered
from ocrwatch.document import PageSummary
from ocrwatch.errors import ScanFault
from ocrwatch.ledger import Entry
from ocrwatch.log import get_logger
from ocrwatch.scan import Scan

_log = get_logger()


def log_quarantined(scan: Scan, fault: ScanFault, delivered: Delivered | None) -> dict[str, object]:
    """Log that a scan cannot be read, and why; return the event."""
    fields: dict[str, object] = {
        "id": scan.id,
        "path": scan.path,
        "batch": scan.batch.id,
        "attempt": scan.attempt,
        "code": fault.code,
        "reason": fault.message,
        "remedy": fault.remedy,
        "quarantined": delivered and delivered.original,
    }
    _log.warning("scan.quarantined", **fields)
    return fields


def log_delivered(scan: Scan, page: PageSummary, delivered: Delivered, *, preview_chars: int) -> dict[str, object]:
    """Log that a scan was read, in the one line for all statistics; return the event."""
    fields: dict[str, object] = {
        "id": scan.id,
        "path": scan.path,
        "bytes": scan.file.facts.size,
        "sha256": scan.sha256,
        "batch": scan.batch.id,
        "attempt": scan.attempt,
        "engine": f"{page.engine.name} {page.engine.version}",
        "words": page.words,
        "confidence": None if page.confidence is None else round(page.confidence, 1),
        "queued_ms": round(scan.queued_ms),
        "read_ms": round(scan.read_ms),
        "sidecars": list(delivered.sidecars),
        "archived": delivered.original,
    }
    if page.second is not None:
        fields["second"] = f"{page.second.name} {page.second.version}"
        fields["second_lines"] = page.second.lines
    if scan.cached:
        fields["cached"] = True
    fields |= _review(delivered)
    if scan.options.profile_name is not None:
        fields["profile"] = scan.options.profile_name
    if page.warnings:
        fields["warnings"] = list(page.warnings)
    if preview_chars:
        fields["preview"] = page.preview[:preview_chars]
    _log.info("scan.delivered", **fields)
    return fields


def log_duplicate(scan: Scan, earlier: Earlier, delivered: Delivered) -> None:
    """Log that a scan was not delivered, since its text is in the outbox already."""
    _log.info(
        "scan.duplicate",
        id=scan.id,
        path=scan.path,
        sha256=scan.sha256,
        batch=scan.batch.id,
        same_as=earlier.path,
        sidecars=list(earlier.sidecars),
        fate=delivered.fate,
        archived=delivered.original,
    )


def log_recovered(entry: Entry, delivered: Delivered | None) -> dict[str, object]:
    """Log the end of a scan with a plan of a killed run.

    Returns the event that the run did not log: it closes a scan before it logs that.
    """
    fate = delivered and delivered.fate
    sidecars = list(delivered.sidecars) if delivered else []
    _log.info("scan.recovered", id=entry.id, path=entry.path, fate=fate, sidecars=sidecars)
    fields: dict[str, object] = {"id": entry.id, "path": entry.path, "sha256": entry.sha256, "recovered": True}
    original = delivered and delivered.original
    if fate == "quarantine":
        return {**fields, "code": entry.code, "reason": entry.reason, "quarantined": original}
    return {**fields, "sidecars": sidecars, "archived": original, **(_review(delivered) if delivered else {})}


def _review(delivered: Delivered) -> dict[str, object]:
    """Return the fields of a page marked for review; none for others."""
    return {} if delivered.review is None else {"review": True, "review_reasons": list(delivered.review.reasons)}
