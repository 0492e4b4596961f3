"""Plans the documents of a closed stack, and records them before anything is written.

The pages of a stack may be those that a document of an earlier stack lacks, such as pages that were in the quarantine
and are retried: then that document is written anew, under the next name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.documents.arrangement import FRONTS, SEPARATOR, Arranged, StackedPage, arranged, current
from ocrwatch.documents.contents import Contents, contents_of, own_contents, pages_of_pair, plans_of
from ocrwatch.documents.grouping import RESTART
from ocrwatch.documents.plan import INCOMPLETE_PAGE, DocumentPlan, PlannedPage, missing_notes
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
    retried = taken_from(quarantine, ledger, stack)
    with ledger.transaction():
        entry = ledger.stacks.find(stack)
        if entry is None or entry.state is not StackState.GATHERING:
            # Planned by a call whose answer was lost.
            return [stack] if entry is not None and entry.state is StackState.CLOSED else []
        planned = take_pages_of_others(ledger, entry, retried)
        if ledger.stacks.pages(stack):
            close_stack(ledger, entry, closed_by, waited_for(ledger, stack, absent))
            planned.append(stack)
        else:
            ledger.stacks.forget(stack)
    return planned


def plan_again(ledger: Ledger, stack: int) -> int | None:
    """Plan the documents of a stack that has ended again; return the row of the stack that has some to write, or None.

    That is the pile of fronts if the stack is in a pair.
    """
    with ledger.transaction():
        entry = ledger.stacks.find(stack)
        owner = None if entry is None else ledger.stacks.find(entry.owner)
        if owner is None or owner.state in {StackState.GATHERING, StackState.WAITING}:
            return None
        return owner.id if close_stack(ledger, owner, REPAIRED) else None


def plan_with(ledger: Ledger, scan: int) -> int | None:
    """Plan the document of a page that has ended after it was written; return the row of its stack, or None."""
    stack = ledger.get(scan).stack
    return None if stack is None else plan_again(ledger, stack)


def take_pages_of_others(ledger: Ledger, entry: StackEntry, retried: Collection[int]) -> list[int]:
    """Give earlier stacks the pages that they lack; return the rows of those with a document to be written again."""
    pages = ledger.stacks.pages(entry.id)
    read = [each for each in pages if each.state is ScanState.DELIVERED]
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
    if entry.feed is not None and not read:
        _take_failed_retries(ledger, entry, pages)
    for stack, rows in moved.items():
        ledger.stacks.move(rows, stack)
    return [row for stack in moved if (row := plan_again(ledger, stack)) is not None]


def _take_failed_retries(ledger: Ledger, entry: StackEntry, pages: Sequence[Entry]) -> None:
    """Give earlier stacks pages that were retried, and could not be read again: they are no pile."""
    for page in pages:
        stack = _stack_that_lacks(ledger, entry, page, {})
        if stack is not None and page.path in {each.path for each in ledger.stacks.pages(stack)}:
            ledger.stacks.move([page.id], stack)


def _stack_that_lacks(
    ledger: Ledger, entry: StackEntry, page: Entry, lacking: dict[int, set[str | None]]
) -> int | None:
    """Return the stack that lacks a page with these bytes: whatever its name, it is retried.

    ``lacking`` keeps which bytes each stack lacks, for the next page.
    """
    folder = StackFacts.from_json(entry.facts).folder
    for stack in ledger.stacks.lacking(page.sha256 or ""):
        if stack.id == entry.id or StackFacts.from_json(stack.facts).folder != folder:
            continue
        if stack.id not in lacking:
            missing = (each for each in current(own_contents(ledger, stack).pages) if each.is_missing)
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
    latest = ledger.stacks.last_incomplete(entry.key, entry.id)
    if latest is None:
        return None
    paths = {page.path for page in pages}
    pair = (ledger.stacks.find(latest.owner), ledger.stacks.backs_of(latest.owner))
    piles = [each for each in pair if each is not None and each.key == entry.key]
    found = [each.id for each in piles if paths <= _lacking_names(ledger, each, retried)]
    # Fronts and backs may have the same names: it is not guessed which of the two a page is.
    return found[0] if len(found) == 1 else None


def _lacking_names(ledger: Ledger, entry: StackEntry, retried: Collection[int]) -> set[str]:
    """Return the paths of the pages that a stack lacks, without a first page that was not ``retried``."""
    facts = replace(StackFacts.from_json(entry.facts), duplex="")
    return {
        page.path
        for document in arranged(own_contents(ledger, entry).pages, facts)
        for number, page in enumerate(document.pages)
        if page.is_missing and (number > 0 or not page.scan or page.scan in retried)
    }


def taken_from(quarantine: Path | None, ledger: Ledger, stack: int) -> frozenset[int]:
    """Return the rows of pages that the last document of this name lacks, and that are in the quarantine no longer."""
    entry = ledger.stacks.find(stack)
    earlier = None if entry is None else ledger.stacks.last_incomplete(entry.key, stack)
    pages = [] if earlier is None else pages_of_pair(ledger, earlier.owner)
    plans = {page.id: Plan.from_json(page.plan) for page in pages if page.state is ScanState.QUARANTINED and page.plan}
    if quarantine is None:
        return frozenset()
    try:
        return frozenset(row for row, plan in plans.items() if look(quarantine, plan.folder, plan.original) is None)
    except OSError:
        # The quarantine is away.
        return frozenset()


def waited_for(ledger: Ledger, stack: int, absent: Mapping[str, str], pile: int = FRONTS) -> list[StackedPage]:
    """Return the pages of a stack that were waited for in vain; ``absent`` has their paths, with the reason."""
    known = {page.path for page in ledger.stacks.pages(stack)}
    return [
        StackedPage(0, path, None, INCOMPLETE_PAGE, why, pile=pile) for path, why in absent.items() if path not in known
    ]


def close_stack(ledger: Ledger, entry: StackEntry, closed_by: str, waited_for: Sequence[StackedPage] = ()) -> bool:
    """Record the documents of a stack that have no plan yet; return whether there are some to write.

    If it has the fronts of a pair, they have the backs as well.
    """
    facts = StackFacts.from_json(entry.facts)
    contents = contents_of(ledger, entry)
    identities = {plan.identity for plan in contents.plans}
    after = "" if contents.plans else _late_after(ledger, entry, contents.entries)
    doubts = () if entry.doubt is None else (entry.doubt,)
    plans = [
        _plan(document, facts, contents, closed_by, after, doubts)
        for document in arranged([*contents.pages, *waited_for], facts)
        if not all(page.is_missing for page in document.pages)
    ]
    new = [plan.to_json() for plan in plans if plan.identity not in identities]
    if new or entry.state in {StackState.GATHERING, StackState.WAITING}:
        ledger.stacks.close(entry.id, closed_by, new)
    return bool(new) or any(each.state is not DocumentState.DELIVERED for each in ledger.stacks.documents(entry.id))


def _plan(
    document: Arranged, facts: StackFacts, contents: Contents, closed_by: str, after: str, doubts: tuple[str, ...]
) -> DocumentPlan:
    pages = tuple(_planned(page, page.code, page.reason) for page in document.pages)
    own = {page.place for page in pages}
    replaced = [plan for plan in contents.plans if not own.isdisjoint(page.place for page in plan.pages)]
    restarted = (_RESTARTED,) if closed_by == RESTART else ()
    sheet = document.sheet if document.sheet is not None and document.sheet.name else None
    formats = _common_formats(facts.formats, contents, pages)
    named_formats = formats if sheet is None else tuple(name for name in sheet.formats if name in formats)
    return DocumentPlan(
        document.name,
        facts.folder,
        facts.by,
        closed_by,
        named_formats or formats,
        pages,
        tuple(_planned(page, why, "") for page, why in document.dropped),
        (
            *doubts,
            *_sheet_notes(document, has_formats=bool(named_formats)),
            *missing_notes(pages),
            *_notes(pages, contents),
            *restarted,
        ),
        facts.mode if sheet is None else sheet.mode,
        facts.group if sheet is None else sheet.group,
        replaces=replaced[-1].stem if replaced else "",
        after=after,
        profile=facts.profile if sheet is None else sheet.name,
    )


def _common_formats(formats: tuple[str, ...], contents: Contents, pages: Iterable[PlannedPage]) -> tuple[str, ...]:
    """Return the formats that all pages have; a reload may have changed them meanwhile."""
    places = [place for page in pages if not page.code and (place := contents.places.get(page.scan)) is not None]
    common = tuple(name for name in formats if all(load(name).ending in place.endings for place in places))
    # If there is none, pages without the wanted formats are missing: their text is in their own sidecars.
    return common or formats


def _notes(pages: Sequence[PlannedPage], contents: Contents) -> tuple[str, ...]:
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
        if not page.code and contents.damaged.get(page.place, page.sha256) != page.sha256:
            notes.append(f"{what} was read from another file of the same name")
    return tuple(notes)


def _sheet_notes(document: Arranged, *, has_formats: bool) -> Iterator[str]:
    """Yield why the document needs review for its separator sheets."""
    sheet = document.sheet
    if sheet is not None:
        what = f"the separator sheet {split(document.sheet_path)[1]}"
        if sheet.problem:
            yield f"{what} {sheet.problem}"
        elif not has_formats:
            yield f"{what} names a profile with none of the formats that its pages have"
    for page, why in document.dropped:
        if why == SEPARATOR and not page.is_separator and not page.is_blank:
            name = split(page.path)[1]
            yield f"{name}, the other side of a separator sheet, {'is missing' if page.is_missing else 'is not blank'}"


def _late_after(ledger: Ledger, entry: StackEntry, entries: Sequence[Entry]) -> str:
    """Return the document whose further pages these are; empty if they are no latecomers.

    If it has pages of the same names, the scanner has restarted its counter, and these are another document.
    """
    facts = StackFacts.from_json(entry.facts)
    earlier = ledger.stacks.before(entry.id, entry.key)
    if (
        earlier is None
        or facts.by in {"time", "separator"}
        or facts.duplex
        or entry.opened_at - earlier.updated_at > _LATE * facts.quiet
    ):
        return ""
    plans = plans_of(ledger, earlier.id)
    paths = {page.path for plan in plans for page in (*plan.pages, *plan.dropped)}
    if not plans or paths & {each.path for each in entries}:
        return ""
    return plans[-1].stem or plans[-1].name


def _planned(page: StackedPage, code: str, reason: str) -> PlannedPage:
    return PlannedPage(page.scan, page.path, page.sha256, code, reason, page.pile)


def has_missing(ledger: Ledger, stack: int) -> bool:
    """Return whether a document of a stack lacks a page, or a page of it is still being delivered."""
    latest: list[DocumentPlan] = []
    for plan in plans_of(ledger, stack):
        own = {page.place for page in plan.pages}
        # One that is written anew has pages of the one before.
        latest = [other for other in latest if not own & {page.place for page in other.pages}] + [plan]
    open_states = {ScanState.PLANNED, ScanState.PUBLISHED}
    return any(plan.missing for plan in latest) or any(
        entry.state in open_states for entry in pages_of_pair(ledger, stack)
    )
