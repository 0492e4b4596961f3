"""Describes the documents of several pages for the status: those that are gathered, and those that were delivered."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from ocrwatch.daemon.documents import Documents
from ocrwatch.documents.pairing import in_order
from ocrwatch.documents.plan import DocumentPlan
from ocrwatch.documents.stack import Stack
from ocrwatch.intake.readiness import Unsettled
from ocrwatch.ledger import Ledger
from ocrwatch.observe.activity import MOST_SHOWN, Calendar
from ocrwatch.observe.status import INCOMPLETE, isoformat
from ocrwatch.observe.status_documents import OpenDocument, OpenDocuments, WrittenDocument
from ocrwatch.storage.files import display_path

_SHOWN: Final = 5
"""Documents of each kind that the status names."""


class Incoming(Protocol):
    """What the status needs of the inbox."""

    def incomplete(self) -> Iterable[Unsettled]:
        """Yield unstable files with a problem."""


def written_documents(ledger: Ledger) -> list[WrittenDocument]:
    """Return the documents that were delivered last, of earlier runs too, oldest first."""
    return [
        written_document(DocumentPlan.from_json(entry.plan), entry.updated_at)
        for entry in ledger.stacks.delivered_last(_SHOWN)
    ]


def written_document(plan: DocumentPlan, at: float) -> WrittenDocument:
    """Return a document that was delivered at a time, in seconds since 1970."""
    return WrittenDocument(
        display_path(plan.stem),
        display_path(plan.inbox_folder),
        [display_path(plan.below(file.final)) for file in plan.files],
        len(plan.pages),
        isoformat(at),
        [display_path(page.path) for page in plan.missing],
        display_path(plan.replaces),
    )


def open_documents(documents: Documents, incoming: Incoming, calendar: Calendar) -> OpenDocuments:
    """Return the documents that are being gathered or written."""
    if documents.is_idle:
        return OpenDocuments()
    stacks = list(documents)
    now = time.monotonic()
    # A refused one may wait for long: many others must not hide it.
    first = heapq.nsmallest(
        _SHOWN, stacks, key=lambda stack: (stack not in documents.writing.refusals, stack.closes_at)
    )
    incomplete = {one.path: one.reason for one in itertools.islice(incoming.incomplete(), MOST_SHOWN)}
    return OpenDocuments(len(stacks), [_open(stack, documents, incomplete, calendar, now) for stack in first])


def _open(
    stack: Stack, documents: Documents, incomplete: Mapping[str, str], calendar: Calendar, now: float
) -> OpenDocument:
    refusal = documents.writing.refusals.get(stack)
    if refusal is not None:
        waits_for, remedy = f"waits: {refusal.fault.message}", refusal.fault.remedy
    else:
        waits_for, remedy = _waits_for(stack, documents, incomplete, now), ""
    gathers = not (stack.closed_by or stack.is_written)
    return OpenDocument(
        display_path(stack.facts.name) if stack.facts.by in {"name", "folder"} else "",
        display_path(stack.facts.folder),
        stack.pages,
        len(stack.open),
        len(stack.missing),
        calendar.at(stack.closes_at) if gathers and not (waits_for or stack.open) else None,
        waits_for,
        remedy,
    )


def _waits_for(stack: Stack, documents: Documents, incomplete: Mapping[str, str], now: float) -> str:
    """Return what a document waits for, other than the time that is left for further pages; empty if for nothing."""
    if stack.is_written:
        return ""
    broken = next((path for path in incomplete if path in stack.expected or _is_next(path, stack)), None)
    if broken is not None:
        return f"waits for {display_path(broken)}: {INCOMPLETE.get(incomplete[broken], incomplete[broken])}"
    if not stack.closed_by and now < stack.closes_at:
        return _side(stack) if stack.is_pile else ""
    if stack.open:
        path, count = display_path(min(stack.open)), len(stack.open)
        return f"waits for {path}" if count == 1 else f"waits for {count:,} pages, such as {path}"
    inbox = documents.inbox
    if not stack.closed_by and inbox is not None and inbox.known_until < stack.closes_at:
        return "waits until the whole inbox has been looked through"
    return _side(stack) if stack.is_pile else ""


def _side(stack: Stack) -> str:
    """Return what a pile of fronts or backs waits for if nothing is wrong with its pages."""
    piles = in_order(stack.feed)
    is_front = stack not in piles or piles.index(stack) % 2 == 0
    if not stack.closed_by:
        return f"waits for further {'fronts' if is_front else 'backs'}"
    if not is_front:
        return "waits until its fronts are complete"
    name = display_path(stack.facts.name) if stack.facts.by in {"name", "folder"} else ""
    return f"waits for the backs of {name}" if name else "waits for its backs"


def _is_next(path: str, stack: Stack) -> bool:
    """Return whether a file that is not complete will be a page of a stack that still gathers."""
    return not stack.closed_by and path not in stack.open and stack.facts.takes(path)
