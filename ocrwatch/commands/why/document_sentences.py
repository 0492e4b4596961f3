"""Says of which document a scan is a page, and explains the files of documents of several pages."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ocrwatch.commands.why.explanation import Answer, Sources
from ocrwatch.commands.why.lookup import documents_meant
from ocrwatch.commands.why.result_files import files_of_document, with_presence
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.documents.arrangement import SEPARATOR
from ocrwatch.documents.plan import (
    BLOCKED_PAGE,
    INCOMPLETE_PAGE,
    PART_LOST,
    DocumentPlan,
    PlannedPage,
    missing_notes,
)
from ocrwatch.documents.stack import StackFacts, facts_of
from ocrwatch.ledger import DocumentEntry, DocumentState, Entry, LedgerReader, StackEntry, StackState
from ocrwatch.log import printable
from ocrwatch.observe.status import isoformat
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings
from ocrwatch.settings.types import format_duration
from ocrwatch.storage.files import display_path, split

_MOST_NAMED = 10
_ON_ITS_WAY = frozenset({"reading", "retrying", "blocked", "queued", "incomplete", "settling"})
_ENDED = frozenset({"delivered", "quarantined", "delivering"})


def with_document(sources: Sources, found: Answer, path: str, row: Entry | None, ledger: LedgerReader) -> Answer:
    """Add of which document the scan at ``path`` is a page; ``row`` is its last one in the ledger."""
    if found.state in _ENDED and row is not None and row.stack is not None:
        says = _of_ended(sources, row, row.stack, ledger)
    elif found.state in _ON_ITS_WAY:
        says = _of_waiting(sources.settings, path)
    else:
        says = ""
    return replace(found, says=f"{found.says} {says}") if says else found


def document_answers(sources: Sources, file: Path, ledger: LedgerReader) -> list[Answer]:
    """Return the answers for a document, or a file of it in the outbox, the newest document first."""
    found = documents_meant(sources.settings, file, ledger)
    return [_explained(sources, entry, plan, ledger) for entry, plan in found]


def _of_waiting(settings: Settings, path: str) -> str:
    """Say which document a scan that was not read yet will be a page of."""
    options = settings.for_path(path)
    if not options.group.by:
        return ""
    facts = facts_of(path, options, (), None)
    # A pile of backs becomes a part of another document.
    return f"It will be a page of {'a document' if facts.duplex else _named(facts)}."


def _of_ended(sources: Sources, row: Entry, stack: int, ledger: LedgerReader) -> str:
    entry = ledger.stack(stack)
    if entry is None:
        return ""
    if entry.state in {StackState.GATHERING, StackState.WAITING}:
        return _gathered(entry, row, ledger)
    for document in reversed(ledger.documents(entry.owner)):
        plan = DocumentPlan.from_json(document.plan)
        for number, page in enumerate(plan.pages, 1):
            if page.scan == row.id:
                return _of_page(sources, document, plan, number, page, row)
        left_out = next((page for page in plan.dropped if page.scan == row.id), None)
        if left_out is not None:
            why = "it separates documents" if left_out.code == SEPARATOR else "it is blank"
            return f"It was left out of the document {_path_of(plan)}, because {why}."
    return ""


def _gathered(entry: StackEntry, row: Entry, ledger: LedgerReader) -> str:
    facts = StackFacts.from_json(entry.facts)
    others = len({page.path for page in ledger.pages(entry.id)} - {row.path})
    company = f" with {others:,} other{'' if others == 1 else 's'}" if others else ""
    verb = "is missing in" if row.state is ScanState.QUARANTINED else "is gathered in"
    fronts = _fronts_of(entry, ledger)
    side = "" if fronts is None else "the backs of "
    what = _named(facts if fronts is None else StackFacts.from_json(fronts.facts))
    return f"It {verb} {side}{what}{company}; {_until(entry, facts, fronts)}.{_fate_of_original(row)}"


def _fronts_of(entry: StackEntry, ledger: LedgerReader) -> StackEntry | None:
    """Return the pile of which a pile will be the backs, as it seems now; None if it has fronts, or is no pile."""
    piles = ledger.open_piles(entry.feed) if entry.feed else []
    number = next((number for number, pile in enumerate(piles) if pile.id == entry.id), 0)
    return piles[number - 1] if number % 2 else None


def _until(entry: StackEntry, facts: StackFacts, fronts: StackEntry | None) -> str:
    """Say until when a document is gathered."""
    if entry.state is StackState.WAITING and fronts is None:
        name = f"the backs of {printable(facts.name)}" if facts.by in {"name", "folder"} else "its backs"
        return f"it waits for {name}, for at most {format_duration(facts.duplex_wait)}"
    if entry.state is StackState.WAITING:
        return "they wait until the fronts are complete"
    complete = f"complete when no page has come for {facts.quiet:g} s"
    if fronts is not None:
        return f"they are {complete}"
    return f"its fronts are {complete}" if facts.duplex else f"it is {complete}"


def _of_page(
    sources: Sources, document: DocumentEntry, plan: DocumentPlan, number: int, page: PlannedPage, row: Entry
) -> str:
    what = f"page {number} of {len(plan.pages)}"
    if page.code:
        place = f"It is missing in the document {_path_of(plan)} ({what})"
    else:
        place = f"It is {what} of the document {_path_of(plan)}"
    if document.state is not DocumentState.DELIVERED:
        return f"{place}, which is being written.{_fate_of_original(row)}"
    return f"{place}: {with_presence(files_of_document(sources.settings, plan))}."


def _fate_of_original(row: Entry) -> str:
    """Say so if the original waits in the archive until the document is durable."""
    waits = row.plan is not None and Plan.from_json(row.plan).waits_for_document
    return " Its original is deleted when the document is written." if waits else ""


def _explained(sources: Sources, entry: DocumentEntry, plan: DocumentPlan, ledger: LedgerReader) -> Answer:
    """Explain a document by its plan."""
    at, pages = isoformat(entry.updated_at), [printable(page.path) for page in plan.pages if not page.code]
    count = f"{len(plan.pages)} page{'' if len(plan.pages) == 1 else 's'}"
    if entry.state is DocumentState.DELIVERED:
        says = f"is a document of {count}, which was written at {sources.at(at)}: {_some(pages)}."
    else:
        says = f"is a document of {count}, which is being written: {_some(pages)}."
    if plan.missing:
        says += f" Missing: {_some(_missing(plan))}."
    newer = _replaced_by(plan, entry, ledger)
    review = entry.review or plan.review
    if entry.reviewed_at is not None:
        says += (
            f" It was marked for review ({_reasons(review)}), "
            f"and was reviewed at {sources.at(isoformat(entry.reviewed_at))}."
        )
    elif review and newer is None:
        # Which pages are missing has just been said.
        others = _reasons([each for each in review if each not in missing_notes(plan.pages)])
        says += f" It should be reviewed{f': {others}' if others else ''}."
    if plan.dropped:
        says += f" Left out: {_some([printable(page.path) for page in plan.dropped])}."
    if plan.after:
        says += f" Its pages came late: the document {_beside(plan, plan.after)} was complete before."
    if plan.replaces:
        says += f" It replaces the document {_beside(plan, plan.replaces)}, which lacked pages."
    if newer is not None:
        says += f" The document {_path_of(newer)} replaces it, which has more of its pages."
    place = display_path(plan.below(plan.stem))
    return Answer(
        place,
        "document",
        says,
        remedy=_remedies(sources.settings, entry, plan) if newer is None else "",
        since=at,
        files=files_of_document(sources.settings, plan),
        review=list(review),
        reviewed_at=None if entry.reviewed_at is None else isoformat(entry.reviewed_at),
        replaced_by=None if newer is None else display_path(newer.below(newer.stem)),
    )


def _remedies(settings: Settings, entry: DocumentEntry, plan: DocumentPlan) -> str:
    """Return what to do about a document that lacks a page, or waits for review; empty if there is nothing to do."""
    mark = ""
    if entry.waits_for_review:
        text = shlex.quote(printable(files_of_document(settings, plan)[-1]))
        mark = f"look at the text, then mark it as reviewed: ocrwatch review --done {text}"
    return "; or ".join(filter(None, (_remedy(plan) if plan.missing else "", mark)))


def _remedy(plan: DocumentPlan) -> str:
    """Return how the first missing page gets into the document."""
    page = plan.missing[0]
    name, path = printable(split(page.path)[1]), printable(page.path)
    if page.code == INCOMPLETE_PAGE:
        return f"copy {path} into the inbox again; the document is written anew when it is read"
    if page.code == BLOCKED_PAGE:
        return f"see what keeps {path} in the inbox: ocrwatch why {path}; the document is written anew when it is moved"
    if page.code == PART_LOST:
        return "its text and its original are in outbox and archive; put all pages into the inbox again"
    return (
        f"scan {name} again, save it in the quarantine in the place of {path}, and run: ocrwatch retry {path}; the "
        "document is written anew when it is read"
    )


def _replaced_by(plan: DocumentPlan, entry: DocumentEntry, ledger: LedgerReader) -> DocumentPlan | None:
    """Return the last document that was written instead of this one."""
    later = [DocumentPlan.from_json(each.plan) for each in ledger.documents(entry.stack) if each.id > entry.id]
    return next((each for each in reversed(later) if each.is_instead_of(plan)), None)


def _missing(plan: DocumentPlan) -> list[str]:
    return [
        f"page {number} ({printable(page.path)}: {printable(page.reason)})"
        for number, page in enumerate(plan.pages, 1)
        if page.code
    ]


def _path_of(plan: DocumentPlan) -> str:
    return _beside(plan, plan.stem or plan.name)


def _beside(plan: DocumentPlan, name: str) -> str:
    """Return the path of a document in the folder of another one."""
    return printable(f"{plan.inbox_folder}/{name}".strip("/"))


def _reasons(review: Sequence[str]) -> str:
    return _some([printable(each) for each in review])


def _named(facts: StackFacts) -> str:
    if facts.by not in {"name", "folder"}:
        # Its first page gives it its name.
        return "a document"
    return f"the document {printable(f'{facts.folder}/{facts.name}'.strip('/'))}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
