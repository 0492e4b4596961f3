"""Tells whether the text of a page comes in an order in which it can be read.

A PDF may draw its text in any order. Most programs draw headings, columns and cells one after the other, as they are
read; a few draw lines from the bottom to the top, or words and letters anywhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_FEWEST: Final = 4
_MOST_WRONG: Final = 0.4
"""Share of the lines that may be in the wrong place, if they are not just a few. A short letter with a chart, whose ten
figures along an axis go upwards, has 0.38; a page of 40 lines in random order 0.46 to 0.51, its words more than 1.
"""

_SAME: Final = 0.5
"""Distance of baselines, in heights of the font, of one line."""

_WORD_SPACE: Final = 0.9
"""Widest space between two words of a line, in heights of the font: Courier has 0.7. Columns are further apart."""

_NARROWEST: Final = 0.1
"""Of such a space; letters of a word are closer."""

_LEFTWARD: Final = frozenset({"R", "AL"})
"""Classes of letters that are written from the right to the left (Unicode, annex 9)."""


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A line of text on a page, or a part of one, such as a word; places are in pixels."""

    left: float
    right: float
    baseline: float
    height: float
    is_leftward: bool
    """Whether it has letters that are written from the right to the left."""


def is_leftward(text: str) -> bool:
    """Return whether a text has letters that are written from the right to the left."""
    return any(unicodedata.bidirectional(letter) in _LEFTWARD for letter in text)


def is_readable(lines: Sequence[PlacedText]) -> bool:
    """Return whether lines come in reading order, but for a few."""
    wrong = _torn(lines) + sum(_is_backward(last, this) for last, this in pairwise(lines))
    return wrong < _FEWEST or wrong <= _MOST_WRONG * (len(lines) - 1)


def rows_of(words: Sequence[PlacedText]) -> list[list[int]] | None:
    """Return the words of each line from the top to the bottom, by their numbers; None if that may be no reading order.

    It is one if there is nothing but a space between the words of a line: then there are no columns. Parts of words,
    and words that are written from the right to the left, have no such order.
    """
    rows: list[list[int]] = []
    for index in sorted(range(len(words)), key=lambda index: words[index].baseline):
        if rows and _is_on_line(words[rows[-1][-1]], words[index]):
            rows[-1].append(index)
        else:
            rows.append([index])
    for row in rows:
        row.sort(key=lambda index: words[index].left)
    spaces = [(words[one], words[other]) for row in rows for one, other in pairwise(row)]
    if any(word.is_leftward for word in words) or not all(_has_space_between(*each) for each in spaces):
        return None
    return rows


def _is_on_line(last: PlacedText, this: PlacedText) -> bool:
    return abs(this.baseline - last.baseline) <= _SAME * max(last.height, this.height)


def _has_space_between(one: PlacedText, other: PlacedText) -> bool:
    height = max(one.height, other.height)
    return _NARROWEST * height <= other.left - one.right <= _WORD_SPACE * height


def _torn(lines: Sequence[PlacedText]) -> int:
    """Count parts of lines between which there is only a space, but which do not follow each other."""
    rows: dict[int, list[int]] = {}
    for index, line in enumerate(lines):
        rows.setdefault(round(line.baseline), []).append(index)
    torn = 0
    for row in rows.values():
        row.sort(key=lambda index: lines[index].left)
        for one, other in pairwise(row):
            space = lines[other].left - lines[one].right
            is_near = abs(space) <= _WORD_SPACE * max(lines[one].height, lines[other].height)
            torn += is_near and abs(one - other) != 1
    return torn


def _is_backward(last: PlacedText, this: PlacedText) -> bool:
    """Return whether a line is before the last one, and does not begin another column or cell."""
    if _is_on_line(last, this):
        return not (last.is_leftward or this.is_leftward) and this.left < last.left
    is_beside = this.right <= last.left if this.is_leftward else this.left >= last.right
    return this.baseline < last.baseline and not is_beside
