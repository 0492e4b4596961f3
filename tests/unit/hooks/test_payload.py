"""What programs are told: the fields of the event, with absolute paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.document import FieldSummary, Standing
from ocrwatch.events import BatchFinished, DocumentDelivered, ScanDelivered, ScanQuarantined, ScanRecovered
from ocrwatch.hooks.payload import Notification, notification_of
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings

Event = ScanDelivered | ScanQuarantined | ScanRecovered | BatchFinished | DocumentDelivered

SETTINGS = Settings(inbox=Path("/i"), outbox=Path("/o"), archive=Path("/a"), quarantine=Path("/q"))
TIME = "2026-01-02T03:04:05+00:00"


def sent(event: Event) -> Notification | None:
    """Return the notification of an event."""
    return notification_of(event, SETTINGS, TIME)


def told(event: Event) -> tuple[str, str, dict[str, Any]]:
    """Return kind, subject and fields of a notification, without what all have."""
    notification = sent(event)
    assert notification is not None
    assert notification.body.count(b"\n") == 1
    assert notification.body.endswith(b"\n")
    fields = json.loads(notification.body)
    common = {"schema": "ocrwatch.hook/1", "event": notification.event, "time": TIME, "inbox": "/i"}
    assert {name: fields.pop(name) for name in common} == common
    return notification.event, notification.subject, fields


def recovered(state: ScanState, **fields: object) -> ScanRecovered:
    """Return the end of a scan that a killed run had planned."""
    all_fields = {
        "id": 1,
        "path": "in/a.jpg",
        "fate": "archive",
        "sidecars": ("in/a.txt",),
        "state": state,
        "sha256": "ab",
        "code": None,
        "explanation": None,
        "original": "in/a.jpg",
        "review_reasons": None,
    }
    return ScanRecovered(**all_fields | fields)  # type: ignore[arg-type]


def test_a_delivered_scan() -> None:
    """Without its text; what has no value is null, or not there at all."""
    event = ScanDelivered(
        id=1,
        path="in/a.jpg",
        bytes=10,
        sha256="ab",
        batch=2,
        attempt=1,
        engine="tesserocr 5.5.4",
        words=0,
        confidence=None,
        queued_ms=3,
        read_ms=4,
        sidecars=("in/a.json", "in/a.txt"),
        archived=None,
        preview="secret",
        beginning="secret",
    )
    assert told(event) == (
        "delivered",
        "in/a.jpg",
        {
            "id": 1,
            "path": "in/a.jpg",
            "bytes": 10,
            "sha256": "ab",
            "batch": 2,
            "attempt": 1,
            "engine": "tesserocr 5.5.4",
            "words": 0,
            "confidence": None,
            "queued_ms": 3,
            "read_ms": 4,
            "sidecars": ["/o/in/a.json", "/o/in/a.txt"],
            "archived": None,
        },
    )


FIELDS = (
    FieldSummary("date", Standing.VERIFIED, required=False, value="2026-11-27"),
    FieldSummary("total", Standing.MISSING, required=True, value=""),
)


def with_fields(fields: tuple[FieldSummary, ...] | None) -> ScanDelivered:
    """Return the delivery of a scan with these fields."""
    return ScanDelivered(
        id=1,
        path="a.jpg",
        bytes=10,
        sha256="ab",
        batch=2,
        attempt=1,
        engine="tesserocr 5.5.4",
        words=0,
        confidence=None,
        queued_ms=3,
        read_ms=4,
        sidecars=("a.txt",),
        archived=None,
        field_standings="1 verified, 1 missing",
        found_fields=fields,
    )


def test_fields_are_told_without_their_values() -> None:
    """Unless the values are wanted (hooks.field_values)."""
    _, _, fields = told(with_fields(FIELDS))
    assert fields["fields"] == [
        {"name": "date", "standing": "verified", "required": False},
        {"name": "total", "standing": "missing", "required": True},
    ]
    assert "field_standings" not in fields
    assert "fields" not in told(with_fields(None))[2]


def test_values_of_fields_are_told_if_they_are_wanted() -> None:
    """One that is missing is null."""
    hooks = SETTINGS.hooks.model_copy(update={"field_values": True})
    notification = notification_of(with_fields(FIELDS), SETTINGS.model_copy(update={"hooks": hooks}), TIME)
    assert notification is not None
    assert [each["value"] for each in json.loads(notification.body)["fields"]] == ["2026-11-27", None]


def test_a_quarantined_scan() -> None:
    """With the reason, and where it is now."""
    event = ScanQuarantined(
        id=1, path="a.jpg", batch=1, attempt=3, code="damaged", reason="grey", remedy="scan again", quarantined="a.jpg"
    )
    assert told(event) == ("quarantined", "a.jpg", {**event.fields(), "quarantined": "/q/a.jpg"})


def test_a_batch() -> None:
    """Its counts, of which those of nothing are left out; quarantined is a number."""
    assert told(BatchFinished(batch=7, scans=3, seconds=1.5, delivered=2, quarantined=1)) == (
        "batch",
        "7",
        {
            "batch": 7,
            "scans": 3,
            "seconds": 1.5,
            "delivered": 2,
            "quarantined": 1,
        },
    )


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (recovered(ScanState.DELIVERED), {"sidecars": ["/o/in/a.txt"], "archived": "/a/in/a.jpg"}),
        (
            recovered(ScanState.DELIVERED, review_reasons=("confidence 40",)),
            {
                "sidecars": ["/o/in/a.txt"],
                "archived": "/a/in/a.jpg",
                "review": True,
                "review_reasons": ["confidence 40"],
            },
        ),
        (
            recovered(ScanState.QUARANTINED, code="damaged", explanation="grey"),
            {"code": "damaged", "reason": "grey", "quarantined": "/q/in/a.jpg"},
        ),
    ],
)
def test_a_recovered_scan(event: ScanRecovered, fields: dict[str, object]) -> None:
    """What the killed run would have told, as far as it is known."""
    common = {"id": 1, "path": "in/a.jpg", "sha256": "ab", "recovered": True}
    assert told(event) == (str(event.state), "in/a.jpg", common | fields)


@pytest.mark.parametrize("state", [ScanState.DUPLICATE, ScanState.CHANGED])
def test_a_recovered_scan_that_programs_are_not_told_of(state: ScanState) -> None:
    """A duplicate was told of when it was first delivered, and a void plan is no end."""
    assert sent(recovered(state)) is None


def test_a_document() -> None:
    """Its files are absolute paths; its pages that could not be read are paths in the inbox, as in the log."""
    event = DocumentDelivered(
        id=3,
        document="scan-2",
        folder="feeder",
        pages=12,
        sidecars=("feeder/scan-2.pdf", "feeder/scan-2.txt"),
        grouped_by="name",
        closed_by="retry",
        missing=("feeder/scan_007.jpg",),
        review=True,
        review_reasons=("page 7 of 12 (scan_007.jpg) is missing: it ends early",),
        replaces="scan",
    )
    assert told(event) == (
        "document",
        "scan-2",
        {
            "id": 3,
            "document": "scan-2",
            "folder": "feeder",
            "pages": 12,
            "sidecars": ["/o/feeder/scan-2.pdf", "/o/feeder/scan-2.txt"],
            "grouped_by": "name",
            "closed_by": "retry",
            "missing": ["feeder/scan_007.jpg"],
            "review": True,
            "review_reasons": ["page 7 of 12 (scan_007.jpg) is missing: it ends early"],
            "replaces": "scan",
        },
    )


def test_a_document_of_all_its_pages() -> None:
    """What it has none of is left out."""
    event = DocumentDelivered(
        id=1, document="a", folder="", pages=2, sidecars=("a.txt",), grouped_by="folder", closed_by="quiet"
    )
    assert set(told(event)[2]) == {"id", "document", "folder", "pages", "sidecars", "grouped_by", "closed_by"}


def test_a_document_of_late_pages() -> None:
    """It names the document that was complete before: these pages may belong to it."""
    event = DocumentDelivered(
        id=2, document="a-2", folder="", pages=1, sidecars=("a-2.txt",), grouped_by="name", closed_by="quiet", after="a"
    )
    assert told(event)[2]["after"] == "a"
