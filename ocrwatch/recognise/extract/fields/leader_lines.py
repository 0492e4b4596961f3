"""Puts the texts beside dotted leaders, read without the dots, in the place of what the engine read there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ocrwatch.document import Line, Page
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.straight_page import StraightText, placed_words

_COMMON: Final = 0.1
"""What a word and a text have in common, at least, if the word is read again with the text: half of a dot."""

_EDGE: Final = 0.3
"""Share of the height of a text, above and below its core."""

_ABOVE: Final = 0.3
"""How far above its dots a leader's line is, at least: the middle of small letters."""

_NEAR: Final = 1.5
"""Distance of a leader and a text that it leads to, at most. All lengths are in heights of a word."""


@dataclass(frozen=True, slots=True)
class BesideLeaders:
    """What was read beside the leaders of a page."""

    leaders: Sequence[Extent]
    """The place of each leader on the straight page, in heights of a word."""
    lines: Mapping[Extent, Sequence[Line]]
    """What was read at the place of each text; empty if nothing was."""


class LeaderReader(Protocol):
    """Reads texts beside leaders: :class:`ocrwatch.recognise.strip_reader.StripReader`."""

    def read_beside_leaders(self) -> BesideLeaders | None:
        """Return what is read beside the leaders of the page without their dots; None if there are none."""


def with_texts(straight: StraightText, beside: BesideLeaders, page: Page) -> StraightText:
    """Return the words of a page with those beside its leaders in the place of all that was read there before.

    The indices of new words are greater than those of the page's.
    """
    if page.upright is None:
        return straight
    texts = [text for text, lines in beside.lines.items() if lines]
    leaders = (each for each in beside.leaders if any(_leads_to(each, text) for text in texts))
    covered = [*map(_core, texts), *map(_as_line, leaders)]
    unread = [_core(text) for text, lines in beside.lines.items() if not lines]
    kept = [word for word in straight.words if _is_part(word, unread) or not _is_part(word, covered)]
    read = [word for lines in beside.lines.values() for line in lines for word in line.words]
    new = placed_words(read, page.upright, straight.height, len(page.words))
    return replace(straight, words=(*kept, *new))


def _is_part(word: Extent, places: Sequence[Extent]) -> bool:
    return any(place.overlaps(word, _COMMON) for place in places)


def _leads_to(leader: Extent, text: Extent) -> bool:
    return text.top < leader.y < text.bottom and max(leader.left - text.right, text.left - leader.right) < _NEAR


def _core(text: Extent) -> Extent:
    """Return a text without its upper and lower edge, into which the lines above and below may reach."""
    edge = _EDGE * (text.bottom - text.top)
    return Extent(text.left, text.top + edge, text.right, text.bottom - edge)


def _as_line(leader: Extent) -> Extent:
    """Return the place of text on a leader's line, whose dots are lower than that."""
    return Extent(leader.left, leader.top - _ABOVE, leader.right, leader.bottom)
