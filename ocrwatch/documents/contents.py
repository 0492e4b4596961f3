"""Reads from the ledger what pages a stack has, and those of the other pile if it is in a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocrwatch.delivery.chosen_names import Plan, StackPage
from ocrwatch.documents.arrangement import BACKS, FRONTS, StackedPage, current
from ocrwatch.documents.plan import BLOCKED_PAGE, DocumentPlan
from ocrwatch.ledger import Entry, Ledger, StackEntry
from ocrwatch.scan import ScanState


@dataclass(frozen=True, slots=True)
class Contents:
    """All that the ledger has of a stack, read once: it may have thousands of pages."""

    entries: list[Entry]
    plans: list[DocumentPlan]
    piles: dict[int, int]
    """By the row of a stack: whether it has the fronts or the backs."""
    places: dict[int, StackPage | None]
    """By the row of the scan."""
    marked: set[int]
    """Rows of the scans whose text needs review."""
    damaged: dict[tuple[int, str], str | None]
    """SHA-256 of the scans in the quarantine, by their pile and path."""

    @property
    def pages(self) -> list[StackedPage]:
        """The pages, and those that the documents had to do without."""
        absent = {page.place: page for plan in self.plans for page in plan.pages if not page.scan}
        return [
            *(_page(entry, self.places[entry.id], self.pile_of(entry)) for entry in self.entries),
            *(
                StackedPage(0, page.path, None, page.code, page.reason, pile=page.pile)
                for page in absent.values()
                if page.pile in self.piles.values()
            ),
        ]

    def pile_of(self, entry: Entry) -> int:
        """Return of which pile a scan is a page."""
        return self.piles.get(entry.stack or 0, FRONTS)


def contents_of(ledger: Ledger, entry: StackEntry) -> Contents:
    """Return the pages of a stack; those of both piles if it is in a pair."""
    backs = ledger.stacks.backs_of(entry.owner)
    return _contents(ledger, entry.owner, {entry.owner: FRONTS} | ({} if backs is None else {backs.id: BACKS}))


def own_contents(ledger: Ledger, entry: StackEntry) -> Contents:
    """Return the pages of a stack alone, whatever pair it is in."""
    return _contents(ledger, entry.owner, {entry.id: FRONTS if entry.fronts is None else BACKS})


def current_pages(contents: Contents) -> list[StackedPage]:
    """Return the pages without those that were missing and have been read since."""
    return [
        page
        for pile in sorted(set(contents.piles.values()))
        for page in current(page for page in contents.pages if page.pile == pile)
    ]


def plans_of(ledger: Ledger, stack: int) -> list[DocumentPlan]:
    """Return the plans of the documents of a stack."""
    return [DocumentPlan.from_json(document.plan) for document in ledger.stacks.documents(stack)]


def pages_of_pair(ledger: Ledger, stack: int) -> list[Entry]:
    """Return the scans of a stack and, if that has the fronts of a pair, of the pile of backs."""
    backs = ledger.stacks.backs_of(stack)
    return [*ledger.stacks.pages(stack), *([] if backs is None else ledger.stacks.pages(backs.id))]


def _contents(ledger: Ledger, owner: int, piles: dict[int, int]) -> Contents:
    entries = [entry for stack in piles for entry in ledger.stacks.pages(stack)]
    return Contents(
        entries,
        plans_of(ledger, owner),
        piles,
        {entry.id: None if entry.plan is None else Plan.from_json(entry.plan).page for entry in entries},
        {entry.id for entry in entries if entry.review is not None},
        _damaged(entries, piles),
    )


def _damaged(entries: Sequence[Entry], piles: dict[int, int]) -> dict[tuple[int, str], str | None]:
    return {
        (piles[entry.stack or 0], entry.path): entry.sha256 for entry in entries if entry.state is ScanState.QUARANTINED
    }


def _page(entry: Entry, place: StackPage | None, pile: int) -> StackedPage:
    if entry.state is ScanState.DELIVERED and place is not None:
        return StackedPage(
            entry.id,
            entry.path,
            entry.sha256,
            is_blank=place.is_blank,
            is_separator=place.is_separator,
            pile=pile,
            sheet=place.sheet,
        )
    if entry.state is ScanState.QUARANTINED:
        code, reason = entry.code or "unreadable", entry.reason or "unknown"
    else:
        code, reason = BLOCKED_PAGE, "it was read, but could not be moved out of the inbox in time"
    return StackedPage(entry.id, entry.path, entry.sha256, code, reason, pile=pile)
