"""Finds the direction and the baseline of a line of text from the boxes of its words.

Engines return boxes; few return baselines. Letters with descenders reach below the baseline, so only words without them
are used if there are any.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from statistics import median
from typing import Final, NamedTuple

from ocrwatch.document import Box, Line, Word

RIGHT, DOWN, LEFT, UP = range(4)
"""Directions of a line in an image, in clockwise quarter turns from the usual one."""

_DESCENDING: Final = frozenset("gjpqyJQç,;()[]{}|/\\@$§_µþ" + "βγζηθλμξρφχψςηΞ" + "рудцщфДЦЩ")
"""Characters that reach below the baseline in most typefaces: Latin, punctuation, Greek and Cyrillic."""

_DESCENT_WITH_ASCENDER: Final = 0.22
"""Depth of a descender as a share of a word's height, if the word also has a tall letter.

Proportions of common text typefaces: ascenders .73 em, x-height .53 em, descenders .21 em.
"""

_DESCENT_OF_SMALL: Final = 0.28
"""The same for a word of small letters alone."""

_TALL: Final = frozenset("bdfhiklt")
_FEWEST: Final = 3
"""Number of words without descenders from which a line's slope is its own."""

_MOST: Final = 12
"""Maximum number of words whose pairs are compared."""

_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_LONG_WORD: Final = 3
"""Characters from which a word is wider than tall if it is horizontal."""


_Point = tuple[float, float]


class Fitted(NamedTuple):
    """A baseline in the image that was read, from left to right in the line's own direction."""

    x0: float
    y0: float
    x1: float
    y1: float


def direction_of(lines: Iterable[Line]) -> int:
    """Return the direction of most letters of lines, as a number of clockwise quarter turns."""
    letters: Counter[int] = Counter()
    for line in lines:
        letters[direction(line)] += sum(len(word.text) for word in line.words)
    return max(letters, key=letters.__getitem__, default=RIGHT)


def direction(line: Line) -> int:
    """Return the direction in which a line runs in the image, as a number of clockwise quarter turns.

    Engines read some lines that run vertically or upside down, and return their words in reading order.
    """
    first, last = line.words[0].box, line.words[-1].box
    across = (last.left + last.right - first.left - first.right) / 2
    down = (last.top + last.bottom - first.top - first.bottom) / 2
    if _is_vertical(line.words, across, down):
        return UP if down < 0 or len(line.words) == 1 else DOWN
    if across < -abs(down) and not _is_right_to_left(line.words):
        return LEFT
    return RIGHT


def usual_slope(lines: Iterable[Line]) -> float:
    """Return the median slope of the baselines of lines that show it; 0 if there are none."""
    slopes = [slope for line in lines if (slope := _slope(_standing(_turned_words(line, direction(line))))) is not None]
    return median(slopes) if slopes else 0.0


def baseline(line: Line, turns: int, usual: float = 0.0) -> Fitted:
    """Fit the baseline of a line that runs in the direction ``turns``, in pixels of the image that was read.

    A line with too few words that show its slope gets the ``usual`` one.
    """
    words = _turned_words(line, turns)
    left, right = min(box.left for _, box in words), max(box.right for _, box in words)
    points = _standing(words) or _estimated(words) or [((box.left + box.right) / 2, box.bottom) for _, box in words]
    slope = _slope(points)
    if slope is None:
        slope = usual
    level = median(y - slope * x for x, y in points)
    begin, end = (left, level + slope * left), (right, level + slope * right)
    return Fitted(*_turned_back(*begin, turns), *_turned_back(*end, turns))


def _turned_words(line: Line, turns: int) -> list[tuple[str, Box]]:
    """Return texts and boxes of words after the image was turned so that the line runs to the right."""
    return [(word.text, _turned(word.box, turns)) for word in line.words]


def _standing(words: Iterable[tuple[str, Box]]) -> list[_Point]:
    """Return where the words without descenders stand, by the middle of each."""
    return [
        ((box.left + box.right) / 2, float(box.bottom))
        for text, box in words
        if _DESCENDING.isdisjoint(text) and any(map(str.isalnum, text))
    ]


def _estimated(words: Iterable[tuple[str, Box]]) -> list[_Point]:
    """Return where words with descenders stand by the proportions of common typefaces."""
    return [
        ((box.left + box.right) / 2, box.bottom - _descent(text) * (box.bottom - box.top))
        for text, box in words
        if any(map(str.isalnum, text))
    ]


def _descent(text: str) -> float:
    tall = any(char in _TALL or char.isupper() or char.isdigit() for char in text)
    return _DESCENT_WITH_ASCENDER if tall else _DESCENT_OF_SMALL


def _slope(points: Sequence[_Point]) -> float | None:
    """Return the median slope of all pairs of points (Theil and Sen); None if there are fewer than three."""
    if len(points) < _FEWEST:
        return None
    some = points[:: math.ceil(len(points) / _MOST)]
    slopes = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in combinations(some, 2) if x1 - x0 >= 1.0]
    return median(slopes) if slopes else None


def _is_vertical(words: Sequence[Word], across: float, down: float) -> bool:
    if any(len(word.text) >= _LONG_WORD for word in words):
        long = [word for word in words if len(word.text) >= _LONG_WORD]
        upright = sum(word.box.bottom - word.box.top > word.box.right - word.box.left for word in long)
        return 2 * upright > len(long)
    return len(words) > 1 and abs(down) > abs(across)


def _is_right_to_left(words: Iterable[Word]) -> bool:
    letters = Counter(unicodedata.bidirectional(char) for word in words for char in word.text)
    return sum(letters[each] for each in _RIGHT_TO_LEFT) > letters["L"]


def _turned(box: Box, turns: int) -> Box:
    """Return a box after the image was turned so that the line runs to the right, about its origin."""
    if turns == DOWN:
        return Box(box.top, -box.right, box.bottom, -box.left)
    if turns == LEFT:
        return Box(-box.right, -box.bottom, -box.left, -box.top)
    if turns == UP:
        return Box(-box.bottom, box.left, -box.top, box.right)
    return box


def _turned_back(x: float, y: float, turns: int) -> tuple[float, float]:
    return ((x, y), (-y, x), (-x, -y), (y, -x))[turns]
