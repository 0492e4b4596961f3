"""What is delivered, what became of it, and what delivery needs of the ledger."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Protocol

from ocrwatch.delivery.chosen_names import Fate, Plan, StackPage
from ocrwatch.delivery.field_lists import ListedFields
from ocrwatch.document import Review
from ocrwatch.render.base import StoredSidecar
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts


class Journal(Protocol):
    """What delivery needs of the ledger."""

    token: str

    def plan_of(self, scan: int) -> str | None:
        """Return the plan recorded for a scan."""

    def is_published(self, scan: int) -> bool:
        """Return whether the sidecars are recorded as published."""

    def planned(self, scan: int, plan: str, *, code: str | None, reason: str | None, stack: int | None = None) -> None:
        """Record a plan, with the reason if it is for the quarantine, and the stack of which the scan is a page."""

    def forget_plan(self, scan: int) -> None:
        """Record that a plan cannot be carried out."""

    def published(self, scan: int) -> None:
        """Record that the sidecars are durable."""

    def close_scan(
        self,
        scan: int,
        state: ScanState,
        *,
        code: str | None,
        reason: str | None,
        review: Review | None = None,
    ) -> None:
        """Record the final state, and why the text needs review."""

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Make the records within durable together on exit: all or none."""


@dataclass(frozen=True, slots=True)
class Work:
    """A scan's result, rendered and ready to be delivered."""

    scan: int
    """Its row in the ledger."""
    path: str
    facts: FileFacts
    sha256: str | None
    fate: Fate
    contents: tuple[tuple[str, bytes | StoredSidecar], ...]
    """Ending and content of each file, in the order of publishing. Stored ones must stay until the scan is closed."""
    mode: int | None = None
    group: int | None = None
    code: str | None = None
    """Why it is quarantined."""
    reason: str | None = None
    review: Review | None = None
    """Why its text needs review."""
    made_by: str | None = None
    """What distinguishes its text from that of the same bytes under other options."""
    fields: ListedFields | None = None
    """Its line for the list of fields."""
    page: StackPage | None = None
    """Its place in a stack of pages."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where all files of a scan went."""

    scan: int
    path: str
    sidecars: tuple[str, ...]
    """Relative to the outbox, or to the quarantine."""
    original: str | None
    """Relative to the archive or quarantine; None if it stayed, was deleted, or was no longer the file read."""
    fate: Fate
    review: Review | None = None
    """Why the text needs review."""
    stays: bool = False
    """Whether the original is in the inbox as well as in the quarantine."""


def result(scan: int, plan: Plan, original: str | None) -> Delivered:
    """Return where all files of a scan went."""
    return Delivered(
        scan,
        plan.path,
        tuple(plan.below(sidecar.final) for sidecar in plan.sidecars),
        None if original is None else plan.below(original),
        plan.fate,
        plan.review,
        plan.stays,
    )
