"""What came of a scan, as files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocrwatch.delivery.plan import Plan
from ocrwatch.delivery.transaction import REASON_ENDING
from ocrwatch.ledger import Entry
from ocrwatch.log import printable
from ocrwatch.settings import Settings
from ocrwatch.storage.files import folder, open_regular

_LARGEST_REASON = 1 << 20


def files_of(settings: Settings, row: Entry) -> list[str]:
    """Return the absolute paths of what a scan's plan says came of it."""
    if row.plan is None:
        return []
    plan = Plan.from_json(row.plan)
    root = settings.quarantine if plan.fate == "quarantine" else settings.outbox
    files = [root / plan.folder / sidecar.final for sidecar in plan.sidecars]
    if plan.fate in {"archive", "quarantine"}:
        files.append((settings.archive if plan.fate == "archive" else root) / plan.folder / plan.original)
    return [os.fspath(file) for file in files]


def text_of(settings: Settings, row: Entry) -> str | None:
    """Return the absolute path of what a person reads of a scan that was read; None if nothing was put anywhere."""
    texts = [name for name in files_of(settings, row) if Path(name).is_relative_to(settings.outbox)]
    # The text is published last.
    return texts[-1] if texts else None


def reason_beside(original: Path) -> dict[str, Any]:
    """Return what the reason beside a quarantined original says; empty where there is none, or an odd one."""
    try:
        with folder(original.parent) as directory:
            descriptor = open_regular(directory, f"{original.name}.{REASON_ENDING}")
            try:
                reason = json.loads(os.pread(descriptor, _LARGEST_REASON, 0))
            finally:
                os.close(descriptor)
    except (OSError, ValueError, RecursionError):
        return {}
    return reason if isinstance(reason, dict) else {}


def with_presence(files: Sequence[str]) -> str:
    """Name files, and say of each that is not where it was put."""
    if not files:
        return "where it was put (not known any more)"
    return " and ".join(
        f"{printable(name)}{'' if os.path.lexists(name) else ' (not there any more)'}" for name in files
    )
