"""Plans the documents of a closed stack, and records them before anything is written.

The pages of a stack may be those that a document of an earlier stack lacks, such as pages that were in the quarantine
and are retried: then that document is written anew, under the next name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ocrwatch.delivery.chosen_names import Plan, StackPage
from ocrwatch.documents.arrangement import Arranged, StackedPage, arranged, current
from ocrwatch.documents.grouping import RESTART
from ocrwatch.documents.plan import BLOCKED_PAGE, INCOMPLETE_PAGE, DocumentPlan, PlannedPage, missing_notes
from ocrwatch.documents.stack import StackFacts
from ocrwatch.ledger import DocumentState, Entry, Ledger, StackEntry, StackState
from ocrwatch.render.registry import load
from ocrwatch.scan import ScanState
from ocrwatch.storage.files import split
from ocrwatch.storage.free_names import look

REPAIRED: Final = "retry"
"""A document is written again because a page that it lacked was read."""

_RESTARTED: Final = "ocrwatch was restarted while further pages were waited for: they may be in the next document"

_LATE: Final = 10
"""Quiet times after its document within which a page counts as late; afterwards it begins another pile."""

_NONE_ABSENT: Final[Mapping[str, str]] = MappingProxyType({})


def plan_documents(
    ledger: Ledger,
    stack: int,
    closed_by: str,
    absent: Mapping[str, str] = _NONE_ABSENT,
    quarantine: Path | None = None,
) -> list[int]:
    """Close a stack, and record the plans of its documents; return the rows of the stacks that have some to write.

    ``absent`` has the paths of pages that were waited for in vain, with the reason. ``quarantine`` is the folder that
    shows which missing pages were taken from it. It can be repeated. Raises :class:`EnvironmentFault`.
    """
    # Before the transaction, for which others wait: a share may not answer.
    retried = frozenset() if quarantine is None else _taken_from(quarantine, ledger, stack)
    with ledger.transaction():
        entry = ledger.stacks.find(stack)
        if entry is None or entry.state is not StackState.GATHERING:
            # Planned by a call whose answer was lost.
            return [stack] if entry is not None and entry.state is StackState.CLOSED else []
        planned = _repaired(ledger, entry, retried)
        if ledger.stacks.pages(stack):
            _close(ledger, entry, closed_by, absent)
            planned.append(stack)
        else:
            ledger.stacks.forget(stack)
    return planned


def plan_again(ledger: Ledger, stack: int) -> bool:
    """Plan the documents of a stack that has ended again; return whether there are some to write."""
    with ledger.transaction():
        entry = ledger.stacks.find(stack)
        if entry is None or entry.state is StackState.GATHERING:
            return False
        return _close(ledger, entry, REPAIRED)


def plan_with(ledger: Ledger, scan: int) -> int | None:
    """Plan the document of a page that has ended after it was written; return the row of its stack, or None."""
    stack = ledger.get(scan).stack
    return stack if stack is not None and plan_again(ledger, stack) else None


def _repaired(ledger: Ledger, entry: StackEntry, retried: Collection[int]) -> list[int]:
    """Give earlier stacks the pages that they lack; return the rows of those with a document to be written again."""
    read = [each for each in ledger.stacks.pages(entry.id) if each.state is ScanState.DELIVERED]
    moved: dict[int, list[int]] = {}
    rest = []
    lacking: dict[int, set[str | None]] = {}
    for page in read:
        stack = _stack_that_lacks(ledger, entry, page, lacking)
        if stack is None:
            rest.append(page)
        else:
            moved.setdefault(stack, []).append(page.id)
    if rest and (stack := _stack_that_lacks_names(ledger, entry, rest, retried)) is not None:
        moved.setdefault(stack, []).extend(page.id for page in rest)
    for stack, pages in moved.items():
        ledger.stacks.move(pages, stack)
    return [stack for stack in moved if plan_again(ledger, stack)]


def _stack_that_lacks(
    ledger: Ledger, entry: StackEntry, page: Entry, lacking: dict[int, set[str | None]]
) -> int | None:
    """Return the stack that lacks a page with these bytes: whatever its name, it is retried.

    ``lacking`` keeps which bytes each stack lacks, for the next page.
    """
    folder = StackFacts.from_json(entry.facts).folder
    for stack in ledger.stacks.lacking(page.sha256 or ""):
        if StackFacts.from_json(stack.facts).folder != folder:
            continue
        if stack.id not in lacking:
            missing = (each for each in current(_contents(ledger, stack.id).pages) if each.is_missing)
            lacking[stack.id] = {each.sha256 for each in missing}
        if page.sha256 in lacking[stack.id]:
            return stack.id
    return None


def _stack_that_lacks_names(
    ledger: Ledger, entry: StackEntry, pages: Sequence[Entry], retried: Collection[int]
) -> int | None:
    """Return the stack that lacks pages with just these names, such as files that were repaired.

    A page of the first name is of another pile, as the scanner restarted its counter, unless the missing one is among
    those that were ``retried``. So are these if others have come with them.
    """
    if len(pages) < len(ledger.stacks.pages(entry.id)):
        return None
    stack = ledger.stacks.last_incomplete(entry.key)
    if stack is None:
        return None
    facts = StackFacts.from_json(stack.facts)
    lacking = {
        page.path
        for document in arranged(_contents(ledger, stack.id).pages, facts)
        for number, page in enumerate(document.pages)
        if page.is_missing and (number > 0 or not page.scan or page.scan in retried)
    }
    return stack.id if {page.path for page in pages} <= lacking else None


def _taken_from(quarantine: Path, ledger: Ledger, stack: int) -> frozenset[int]:
    """Return the rows of pages that the last document of this name lacks, and that are in the quarantine no longer."""
    entry = ledger.stacks.find(stack)
    earlier = None if entry is None else ledger.stacks.last_incomplete(entry.key)
    pages = [] if earlier is None else ledger.stacks.pages(earlier.id)
    plans = {page.id: Plan.from_json(page.plan) for page in pages if page.state is ScanState.QUARANTINED and page.plan}
    try:
        return frozenset(row for row, plan in plans.items() if look(quarantine, plan.folder, plan.original) is None)
    except OSError:
        # The quarantine is away.
        return frozenset()


def _close(ledger: Ledger, entry: StackEntry, closed_by: str, absent: Mapping[str, str] = _NONE_ABSENT) -> bool:
    """Record the documents of a stack that have no plan yet; return whether there are some to write."""
    facts = StackFacts.from_json(entry.facts)
    contents = _contents(ledger, entry.id)
    known = {page.path for page in contents.entries}
    waited_for = [StackedPage(0, path, None, INCOMPLETE_PAGE, why) for path, why in absent.items() if path not in known]
    identities = {plan.identity for plan in contents.plans}
    after = "" if contents.plans else _late_after(ledger, entry, contents.entries)
    plans = [
        _plan(document, facts, contents, closed_by, after)
        for document in arranged([*contents.pages, *waited_for], facts)
        if not all(page.is_missing for page in document.pages)
    ]
    new = [plan.to_json() for plan in plans if plan.identity not in identities]
    if new or entry.state is StackState.GATHERING:
        ledger.stacks.close(entry.id, closed_by, new)
    return bool(new) or any(each.state is not DocumentState.DELIVERED for each in ledger.stacks.documents(entry.id))


def _plan(document: Arranged, facts: StackFacts, contents: _Contents, closed_by: str, after: str) -> DocumentPlan:
    pages = tuple(_planned(page, page.code, page.reason) for page in document.pages)
    own = {page.path for page in pages}
    replaced = [plan for plan in contents.plans if not own.isdisjoint(page.path for page in plan.pages)]
    return DocumentPlan(
        document.name,
        facts.folder,
        facts.by,
        closed_by,
        _common_formats(facts.formats, contents, pages),
        pages,
        tuple(_planned(page, why, "") for page, why in document.dropped),
        (*missing_notes(pages), *_notes(pages, contents), *((_RESTARTED,) if closed_by == RESTART else ())),
        facts.mode,
        facts.group,
        replaces=replaced[-1].stem if replaced else "",
        after=after,
    )


def _common_formats(formats: tuple[str, ...], contents: _Contents, pages: Iterable[PlannedPage]) -> tuple[str, ...]:
    """Return the formats that all pages have; a reload may have changed them meanwhile."""
    places = [place for page in pages if not page.code and (place := contents.places.get(page.scan)) is not None]
    common = tuple(name for name in formats if all(load(name).ending in place.endings for place in places))
    # If there is none, pages without the wanted formats are missing: their text is in their own sidecars.
    return common or formats


def _notes(pages: Sequence[PlannedPage], contents: _Contents) -> tuple[str, ...]:
    """Return why the text of pages needs review."""
    notes = []
    for number, page in enumerate(pages, 1):
        what = f"page {number} of {len(pages)} ({split(page.path)[1]})"
        place = contents.places.get(page.scan)
        if page.scan in contents.marked:
            notes.append(f"{what} needs review")
        if place is not None and place.was_late:
            notes.append(f"{what} was written long after the others")
        if place is not None and place.lacks_codes:
            notes.append(f"{what} may be a separator sheet: codes were not looked for")
        if not page.code and contents.damaged.get(page.path, page.sha256) != page.sha256:
            notes.append(f"{what} was read from another file of the same name")
    return tuple(notes)


def _late_after(ledger: Ledger, entry: StackEntry, entries: Sequence[Entry]) -> str:
    """Return the document whose further pages these are; empty if they are no latecomers.

    If it has pages of the same names, the scanner has restarted its counter, and these are another document.
    """
    facts = StackFacts.from_json(entry.facts)
    earlier = ledger.stacks.before(entry.id, entry.key)
    if (
        earlier is None
        or facts.by in {"time", "separator"}
        or entry.opened_at - earlier.updated_at > _LATE * facts.quiet
    ):
        return ""
    plans = _plans(ledger, earlier.id)
    paths = {page.path for plan in plans for page in (*plan.pages, *plan.dropped)}
    if not plans or paths & {each.path for each in entries}:
        return ""
    return plans[-1].stem or plans[-1].name


def _plans(ledger: Ledger, stack: int) -> list[DocumentPlan]:
    return [DocumentPlan.from_json(document.plan) for document in ledger.stacks.documents(stack)]


@dataclass(frozen=True, slots=True)
class _Contents:
    """All that the ledger has of a stack, read once: it may have thousands of pages."""

    entries: list[Entry]
    plans: list[DocumentPlan]
    places: dict[int, StackPage | None]
    """By the row of the scan."""
    marked: set[int]
    """Rows of the scans whose text needs review."""
    damaged: dict[str, str | None]
    """SHA-256 of the scans in the quarantine, by their paths."""

    @property
    def pages(self) -> list[StackedPage]:
        """The pages, and those that the documents had to do without."""
        absent = {page.path: page for plan in self.plans for page in plan.pages if not page.scan}
        return [
            *(_page(entry, self.places[entry.id]) for entry in self.entries),
            *(StackedPage(0, page.path, None, page.code, page.reason) for page in absent.values()),
        ]


def _contents(ledger: Ledger, stack: int) -> _Contents:
    entries = ledger.stacks.pages(stack)
    return _Contents(
        entries,
        _plans(ledger, stack),
        {entry.id: None if entry.plan is None else Plan.from_json(entry.plan).page for entry in entries},
        {entry.id for entry in entries if entry.review is not None},
        {entry.path: entry.sha256 for entry in entries if entry.state is ScanState.QUARANTINED},
    )


def _page(entry: Entry, place: StackPage | None) -> StackedPage:
    if entry.state is ScanState.DELIVERED and place is not None:
        return StackedPage(entry.id, entry.path, entry.sha256, is_blank=place.is_blank, is_separator=place.is_separator)
    if entry.state is ScanState.QUARANTINED:
        return StackedPage(entry.id, entry.path, entry.sha256, entry.code or "unreadable", entry.reason or "unknown")
    reason = "it was read, but could not be moved out of the inbox in time"
    return StackedPage(entry.id, entry.path, entry.sha256, BLOCKED_PAGE, reason)


def _planned(page: StackedPage, code: str, reason: str) -> PlannedPage:
    return PlannedPage(page.scan, page.path, page.sha256, code, reason)


def has_missing(ledger: Ledger, stack: int) -> bool:
    """Return whether a document of a stack lacks a page, or a page of it is still being delivered."""
    latest: list[DocumentPlan] = []
    for plan in _plans(ledger, stack):
        paths = {page.path for page in plan.pages}
        # One that is written anew has pages of the one before.
        latest = [other for other in latest if not paths & {page.path for page in other.pages}] + [plan]
    open_states = {ScanState.PLANNED, ScanState.PUBLISHED}
    return any(plan.missing for plan in latest) or any(
        entry.state in open_states for entry in ledger.stacks.pages(stack)
    )
