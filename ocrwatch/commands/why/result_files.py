"""The result files of a scan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.documents.plan import DocumentPlan
from ocrwatch.ledger import Entry
from ocrwatch.log import printable
from ocrwatch.settings import Settings


def files_of(settings: Settings, row: Entry) -> list[str]:
    """Return the absolute paths of the result files in a scan's plan."""
    if row.plan is None:
        return []
    plan = Plan.from_json(row.plan)
    root = settings.quarantine if plan.fate == "quarantine" else settings.outbox
    files = [root / plan.folder / sidecar.final for sidecar in plan.sidecars]
    if plan.fate in {"archive", "quarantine"}:
        original = (settings.archive if plan.fate == "archive" else root) / plan.folder / plan.original
        if not plan.waits_for_document or os.path.lexists(original):
            files.append(original)
    return [os.fspath(file) for file in files]


def files_of_document(settings: Settings, plan: DocumentPlan) -> list[str]:
    """Return the absolute paths of the files of a document, its text last."""
    return [os.fspath(settings.outbox / plan.below(file.final)) for file in plan.files]


def text_of(settings: Settings, row: Entry) -> str | None:
    """Return the absolute path of a scan's text for people; None if there is none."""
    texts = [name for name in files_of(settings, row) if Path(name).is_relative_to(settings.outbox)]
    # The text is published last.
    return texts[-1] if texts else None


def with_presence(files: Sequence[str]) -> str:
    """Name files, and mark each that is missing there."""
    if not files:
        return "where it was put (not known any more)"
    named = [f"{printable(name)}{'' if os.path.lexists(name) else ' (not there any more)'}" for name in files]
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
