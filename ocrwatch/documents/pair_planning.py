"""Plans the documents of piles of fronts and backs, which a scanner without a duplex unit scans one after the other.

Only two piles with the same number of pages are put together. All others stay apart, and are marked for review.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocrwatch.documents.arrangement import BACKS, FRONTS, StackedPage, in_order
from ocrwatch.documents.contents import own_contents
from ocrwatch.documents.grouping import RESTART
from ocrwatch.documents.planning import close_stack, take_pages_of_others, taken_from, waited_for
from ocrwatch.documents.stack import StackFacts
from ocrwatch.ledger import Ledger, StackEntry, StackState

_UNSURE: Final = "duplex: it came shortly after a pile that is in no pair, so one of its sides may be of other sheets"


@dataclass(frozen=True, slots=True)
class Pile:
    """A pile that is complete."""

    row: int
    """Of its stack in the ledger."""
    absent: Mapping[str, str]
    """Paths of the pages that were waited for in vain, with the reason."""


def take_repairs(ledger: Ledger, stack: int, quarantine: Path | None) -> tuple[list[int], bool]:
    """Give earlier documents the pages of a waiting pile that they lack, such as pages that were retried.

    Returns the rows of the stacks that have documents to write, and whether pages are left in the pile. It can be
    repeated. Raises :class:`EnvironmentFault`.
    """
    # Before the transaction, for which others wait: a share may not answer.
    retried = taken_from(quarantine, ledger, stack)
    with ledger.transaction():
        entry = ledger.stacks.find(stack)
        if entry is None or entry.state is not StackState.WAITING:
            return [], entry is not None
        rows = take_pages_of_others(ledger, entry, retried)
        if ledger.stacks.pages(stack):
            return rows, True
        ledger.stacks.forget(stack)
    return rows, False


def plan_piles(ledger: Ledger, fronts: Pile, backs: Pile | None, doubt: str = "") -> list[int]:
    """Plan the documents of two piles, or of one that waited in vain; return the rows of the stacks with documents.

    ``doubt`` says why it is not sure that they are a pair; empty if it is. It can be repeated. Raises
    :class:`EnvironmentFault`.
    """
    with ledger.transaction():
        piles = [fronts] if backs is None else [fronts, backs]
        found = [(pile, entry) for pile in piles if (entry := ledger.stacks.find(pile.row)) is not None]
        waiting = [(pile, entry) for pile, entry in found if entry.state is StackState.WAITING]
        if len(waiting) < len(piles):
            # Planned by a call whose answer was lost.
            return [entry.id for _, entry in found if entry.state is StackState.CLOSED and entry.fronts is None]
        absent = [
            waited_for(ledger, pile.row, pile.absent, side) for pile, side in zip(piles, (FRONTS, BACKS), strict=False)
        ]
        counts = [_count(ledger, entry, missing) for (_, entry), missing in zip(waiting, absent, strict=True)]
        apart = doubt or _why_apart(counts)
        first = waiting[0][1]
        if backs is not None and not apart:
            _close_pair(ledger, first, waiting[1][1], [page for pages in absent for page in pages])
            return [first.id]
        for pile, entry in waiting:
            ledger.stacks.set_doubt(entry.id, apart)
            _close(ledger, entry.id, entry.closed_by or "", waited_for(ledger, pile.row, pile.absent))
    return [entry.id for _, entry in waiting]


def _close_pair(ledger: Ledger, fronts: StackEntry, backs: StackEntry, absent: list[StackedPage]) -> None:
    """Record the documents of two piles, which have the closing of the later one."""
    if _is_unsure(ledger, fronts, backs):
        for entry in (fronts, backs):
            ledger.stacks.set_doubt(entry.id, _UNSURE)
    ledger.stacks.pair(fronts.id, backs.id)
    closed_by = RESTART if RESTART in {fronts.closed_by, backs.closed_by} else backs.closed_by
    _close(ledger, fronts.id, closed_by or "", absent)


def _close(ledger: Ledger, stack: int, closed_by: str, absent: list[StackedPage]) -> None:
    entry = ledger.stacks.find(stack)
    assert entry is not None  # noqa: S101 - for the type checker
    close_stack(ledger, entry, closed_by, absent)


def _count(ledger: Ledger, entry: StackEntry, absent: list[StackedPage]) -> int:
    """Return how many pages a pile has; missing ones count."""
    return len(in_order([*own_contents(ledger, entry).pages, *absent]))


def _why_apart(counts: list[int]) -> str:
    """Return why piles with these numbers of pages stay apart; empty if they are a pair."""
    fronts, backs = counts if len(counts) > 1 else (counts[0], 0)
    if fronts == backs:
        return ""
    return f"duplex: {_counted(fronts, 'front')} and {_counted(backs, 'back') if backs else 'no backs'}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _is_unsure(ledger: Ledger, fronts: StackEntry, backs: StackEntry) -> bool:
    """Return whether the pile before a pair was in none, or in an unsure one, and was not long before.

    A page that was fed twice, or a pause in the middle of a pile, would make fronts of the next backs, and so on.
    """
    before = ledger.stacks.pile_before(min(fronts.id, backs.id), fronts.feed or "")
    wait = StackFacts.from_json(fronts.facts).duplex_wait
    return before is not None and before.doubt is not None and fronts.opened_at - before.updated_at < wait
