"""The reason file beside a quarantined original: why it was not read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from ocrwatch.errors import ScanFault
from ocrwatch.log import encodable
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import folder, open_regular

REASON_ENDING: Final = "reason.json"

REASON: Final = f".{REASON_ENDING}"
"""Ending of the reason's name, after the whole name of its original."""

BEGUN: Final = ".retry.json"
"""Ending of the reason's name while its scan may be in the inbox as well as in the quarantine."""

REASON_SCHEMA: Final = "ocrwatch.reason/1"
"""Name and version of the reason file; the number grows when a field changes its meaning or is removed."""

_LARGEST: Final = 1 << 20
"""Bytes of a reason file that are read: ours have some hundreds, and anyone may put another in its place."""


class Past(Protocol):
    """An earlier result of the same bytes, such as an entry of the ledger."""

    @property
    def updated_at(self) -> float:
        """When that was, in seconds since 1970."""

    @property
    def state(self) -> str:
        """How it ended: ``delivered`` or ``quarantined``."""

    @property
    def code(self) -> str | None:
        """Why it failed, if it did."""

    @property
    def reason(self) -> str | None:
        """The same in words."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Contents of a reason file; None stands for a missing or unexpected value."""

    path: str | None
    """Where the scan was in the inbox; bytes that are not UTF-8 as ``\\xNN``."""
    code: str | None
    reason: str | None
    remedy: str | None
    attempts: int | None
    sha256: str | None
    quarantined_at: str | None
    """A time in ISO 8601."""


def render_reason(
    path: str,
    facts: FileFacts,
    sha256: str | None,
    fault: ScanFault,
    attempts: int,
    earlier: Sequence[Past],
    earlier_count: int = 0,
) -> bytes:
    """Render the reason why the scan at ``path`` in the inbox is quarantined now.

    ``earlier`` are earlier results of the same bytes: the newest of ``earlier_count``, if that is more.
    """
    reason: dict[str, Any] = {
        "schema": REASON_SCHEMA,
        "path": os.fsencode(path).decode("utf-8", "backslashreplace"),
        "code": fault.code,
        "reason": encodable(fault.message),
        "remedy": encodable(fault.remedy),
        "to_retry": "put the scan back into the inbox, or run ocrwatch retry",
        "attempts": attempts,
        "bytes": facts.size,
        "sha256": sha256,
        "modified_at": _isoformat(facts.mtime_ns / 1e9),
        "quarantined_at": _isoformat(time.time()),
        "earlier": [
            {
                "ended_at": _isoformat(past.updated_at),
                "state": past.state,
                "code": past.code,
                "reason": None if past.reason is None else encodable(past.reason),
            }
            for past in earlier
        ],
    }
    if earlier_count > len(earlier):
        reason["earlier_not_listed"] = earlier_count - len(earlier)
    return (json.dumps(reason, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def reason_beside(original: Path) -> Reason | None:
    """Return the reason beside an original, None if it says nothing."""
    try:
        with folder(original.parent) as directory:
            return read_reason(directory, original.name)
    except OSError:
        return None


def read_reason(directory: int, name: str) -> Reason | None:
    """Return the reason beside ``name`` in an open folder.

    Includes that of an interrupted retry. None if there is no reason, or it says nothing.
    """
    said = _content(directory, name + REASON) or _content(directory, name + BEGUN)
    if not said:
        return None
    attempts = said.get("attempts")
    return Reason(
        path=_text(said, "path"),
        code=_text(said, "code"),
        reason=_text(said, "reason"),
        remedy=_text(said, "remedy"),
        attempts=attempts if isinstance(attempts, int) else None,
        sha256=_text(said, "sha256"),
        quarantined_at=_text(said, "quarantined_at"),
    )


def _content(directory: int, name: str) -> dict[str, Any]:
    """Return the JSON object in a file, an empty one if none can be read."""
    try:
        descriptor = open_regular(directory, name)
        try:
            said = json.loads(os.pread(descriptor, _LARGEST, 0))
        finally:
            os.close(descriptor)
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: dict[str, Any], field: str) -> str | None:
    value = said.get(field)
    return value if isinstance(value, str) else None


def _isoformat(seconds: float) -> str | None:
    """Render a time, None if no calendar has it, which is possible for a file's time."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return None
