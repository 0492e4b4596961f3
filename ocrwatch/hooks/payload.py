"""What a notification contains, made from the fields of a log event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocrwatch.settings import Settings

_SCHEMA: Final = "ocrwatch.hook/1"
"""Name and version of the body; the number grows when a field changes its meaning or is removed."""
_LOG_ONLY: Final = frozenset({"preview"})
_FOLDER_OF: Final = {"sidecars": "outbox", "archived": "archive", "quarantined": "quarantine"}
"""Fields that are paths, with the folder's setting that they are relative to."""


@dataclass(frozen=True, slots=True)
class Notification:
    """An event to notify of."""

    event: str
    """``delivered``, ``quarantined`` or ``batch``."""
    subject: str
    """The scan's path, or the batch's number: for the log."""
    body: bytes
    """One line of JSON."""


def notification(settings: Settings, event: str, subject: str, fields: Mapping[str, object], time: str) -> Notification:
    """Return the notification of an event: its fields, with absolute paths and without those for the log only."""
    told = {name: value for name, value in fields.items() if name not in _LOG_ONLY}
    for name, setting in _FOLDER_OF.items():
        # In a batch's fields, quarantined is a number.
        if isinstance(value := told.get(name), str | list):
            told[name] = _absolute(getattr(settings, setting), value)
    body = {"schema": _SCHEMA, "event": event, "time": time, "inbox": str(settings.inbox), **told}
    # ASCII: names that are not UTF-8 are sent as their escapes (PEP 383), as in the log.
    return Notification(event, subject, json.dumps(body).encode("ascii") + b"\n")


def _absolute(folder: Path, value: str | list[str]) -> str | list[str]:
    return [str(folder / name) for name in value] if isinstance(value, list) else str(folder / value)
