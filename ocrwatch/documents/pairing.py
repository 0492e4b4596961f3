"""Decides which piles are the fronts and the backs of the same sheets. The clock is passed in.

The piles of one folder and profile are taken in the order in which they came: the first one has fronts, the next one
their backs. The order is sure if they have the same name, since the second one began when the first one was closed.
Piles with different names may be found at once, in the order of their names: then the times of their files decide.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cmp_to_key
from typing import Final, Protocol

from ocrwatch.documents.stack import Check, Feed, Stack

_IN_TURNS: Final = "duplex: it is not sure which of two piles came first"

_TURNING: Final = 5.0
"""Seconds that it takes to turn a pile over, at least: files that come within them may be found in any order."""


class ComingPiles(Protocol):
    """What is known of piles that have not ended."""

    def all_known(self, at: float) -> bool:
        """Return whether all files are known that came to the inbox before a time (monotonic seconds)."""

    def must_wait(self, stack: Stack) -> bool:
        """Return whether a closed stack must wait for its pages."""

    def may_begin(self, stack: Stack, stems: Collection[str]) -> bool:
        """Return whether a file in the inbox may begin another pile in the folder of a stack.

        ``stems`` are the common names of the piles that have begun.
        """


def note_page(stack: Stack, written_at: float, came_at: float | None) -> None:
    """Record when a page of a pile was written, and when it came (monotonic seconds; None if that is not known)."""
    stack.written.add(written_at)
    if came_at is not None:
        stack.came.add(came_at)


def piles_due(feed: Feed, now: float, pages: ComingPiles, *, is_ending: bool) -> list[Stack]:
    """Return the fronts whose documents can be made now, with their backs if they got some.

    ``is_ending`` says that no further pile comes.
    """
    due = []
    piles = in_order(feed)
    while piles and _is_complete(piles[0], pages):
        fronts, *rest = piles
        if rest and not (_is_complete(rest[0], pages) and _is_order_known(piles, pages)):
            break
        if not rest and not is_ending and not _gives_up(fronts, now, pages):
            break
        fronts.backs = rest[0] if rest else None
        fronts.doubt = "" if all(map(_comes_first, piles[:2], piles[1:3])) else _IN_TURNS
        due.append(fronts)
        piles = rest[1:]
    left = set(piles)
    feed.piles = [pile for pile in feed.piles if pile in left]
    return due


def in_order(feed: Feed) -> list[Stack]:
    """Return the piles of a feed in the order in which they came, as far as that is known."""
    return sorted((pile for pile in feed.piles if pile.check is not Check.EMPTY), key=cmp_to_key(_compared))


def next_pair(feed: Feed) -> float:
    """Return when complete piles of a feed may be due: 0 for at once, infinity if only an event matters to them."""
    if len(feed.piles) == 1:
        return feed.piles[0].gives_up_at if feed.piles[0].check is Check.DONE else math.inf
    return 0.0 if sum(pile.check is Check.DONE for pile in feed.piles) > 1 else math.inf


def _is_complete(stack: Stack, pages: ComingPiles) -> bool:
    return stack.check is Check.DONE and not pages.must_wait(stack)


def _gives_up(stack: Stack, now: float, pages: ComingPiles) -> bool:
    return now >= stack.gives_up_at and pages.all_known(stack.gives_up_at) and not pages.may_begin(stack, ())


def _is_order_known(piles: list[Stack], pages: ComingPiles) -> bool:
    """Return whether no file in the inbox may be of a pile that came before one of these."""
    facts = piles[0].facts
    return facts.by != "name" or not pages.may_begin(piles[0], {pile.facts.stem for pile in piles})


def _compared(one: Stack, other: Stack) -> int:
    return -_order(one, other)


def _comes_first(one: Stack, other: Stack) -> bool:
    """Return whether it is sure that one pile came before another."""
    return _order(one, other) > 0


def _order(one: Stack, other: Stack) -> int:
    """Return 1 if one pile came before another, -1 if it came after it, 0 if that is not sure."""
    if one.facts.key == other.facts.key:
        piles = one.feed.piles
        return 1 if piles.index(one) < piles.index(other) else -1
    by_files = one.written.is_before(other.written) - other.written.is_before(one.written)
    by_arrival = one.came.is_before(other.came, _TURNING) - other.came.is_before(one.came, _TURNING)
    return 0 if by_files * by_arrival < 0 else by_files or by_arrival
