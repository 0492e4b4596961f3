"""What a notification contains, made from an event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocrwatch.document import FieldSummary
from ocrwatch.events import BatchFinished, DocumentDelivered, ScanDelivered, ScanQuarantined, ScanRecovered
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings

_SCHEMA: Final = "ocrwatch.hook/1"
"""Name and version of the body; the number grows when a field changes its meaning or is removed."""
_LOG_ONLY: Final = frozenset({"preview", "field_standings"})
_FOLDER_OF: Final = {"sidecars": "outbox", "archived": "archive", "quarantined": "quarantine"}
"""Fields that are paths, with the folder's setting that they are relative to."""


@dataclass(frozen=True, slots=True)
class Notification:
    """An event to notify of."""

    event: str
    """``delivered``, ``quarantined``, ``batch`` or ``document``."""
    subject: str
    """The scan's path, the batch's number or the document's name: for the log."""
    body: bytes
    """One line of JSON."""


def notification_of(
    event: ScanDelivered | ScanQuarantined | ScanRecovered | BatchFinished | DocumentDelivered,
    settings: Settings,
    time: str,
) -> Notification | None:
    """Return the notification of an event.

    None if other programs are not notified of it.
    """
    match event:
        case ScanDelivered():
            fields = {**event.fields(), **_fields(event.found_fields, with_values=settings.hooks.field_values)}
            return _notification("delivered", event.path, fields, settings, time)
        case ScanQuarantined():
            return _notification("quarantined", event.path, event.fields(), settings, time)
        case BatchFinished():
            return _notification("batch", str(event.batch), event.fields(), settings, time)
        case DocumentDelivered():
            return _notification("document", event.document, event.fields(), settings, time)
        case ScanRecovered(state=ScanState.DELIVERED | ScanState.QUARANTINED):
            return _notification(str(event.state), event.path, _of_recovered(event), settings, time)
        case ScanRecovered():
            return None


def _fields(found: tuple[FieldSummary, ...] | None, *, with_values: bool) -> dict[str, object]:
    """Return the fields of the document; nothing if none were looked for."""
    if found is None:
        return {}
    return {"fields": [_field(field, with_value=with_values) for field in found]}


def _field(field: FieldSummary, *, with_value: bool) -> dict[str, object]:
    told: dict[str, object] = {"name": field.name, "standing": field.standing.value, "required": field.required}
    return {**told, "value": field.value or None} if with_value else told


def _of_recovered(event: ScanRecovered) -> dict[str, object]:
    """Return the fields that the killed run would have sent, as far as they are known."""
    fields: dict[str, object] = {"id": event.id, "path": event.path, "sha256": event.sha256, "recovered": True}
    if event.state is ScanState.QUARANTINED:
        return {**fields, "code": event.code, "reason": event.explanation, "quarantined": event.original}
    fields |= {"sidecars": event.sidecars, "archived": event.original}
    if event.review_reasons is not None:
        fields |= {"review": True, "review_reasons": event.review_reasons}
    return fields


def _notification(
    event: str, subject: str, fields: Mapping[str, object], settings: Settings, time: str
) -> Notification:
    """Return a notification with absolute paths, and without fields for the log only."""
    told = {name: value for name, value in fields.items() if name not in _LOG_ONLY}
    for name, setting in _FOLDER_OF.items():
        # In a batch's fields, quarantined is a number.
        if isinstance(value := told.get(name), str | tuple):
            told[name] = _absolute(getattr(settings, setting), value)
    body = {"schema": _SCHEMA, "event": event, "time": time, "inbox": str(settings.inbox), **told}
    # ASCII: names that are not UTF-8 are sent as their escapes (PEP 383), as in the log.
    return Notification(event, subject, json.dumps(body).encode("ascii") + b"\n")


def _absolute(folder: Path, value: str | tuple[str, ...]) -> str | list[str]:
    return [str(folder / name) for name in value] if isinstance(value, tuple) else str(folder / value)
