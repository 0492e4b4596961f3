"""Sizes and directions of printed lines, from the boxes of their words.

A word's box is as tall as its letters: "on" and "Hill" of one size have boxes of different heights. So the size is
computed from which letters a word has, by the proportions of common text typefaces.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Final

from ocrwatch.document import Box, Line, Word

TALL: Final = 0.72
"""Height of capitals, digits and ascenders over the baseline, in em."""

SMALL: Final = 0.53
"""Height of small letters, in em."""

DEEP: Final = 0.21
"""Depth of descenders below the baseline, in em."""

_SMALL_LETTERS: Final = frozenset("acegmnopqrsuvwxyz" + "αγεηικμνοπρσςτυχω" + "агеийкмнопрстуцшщъыьэю")
_LOW_SIGNS: Final = frozenset(".,:;-\u2010\u2011\u2013\u2014=+~_\u2026\u00b7\u2022\u00ab\u00bb")
_DESCENDING: Final = frozenset("gjpqyQç,;()[]{}|§" + "βγζηµξρφχψς" + "рудцщф")


def line_size(line: Line) -> float | None:
    """Return the size of a line's type in pixels of the original, which is 1 em; None if it is unknown."""
    sizes = [size for word in line.words if (size := _size(word)) is not None]
    return median(sizes) if sizes else None


def usual_size(lines: Sequence[Line]) -> float | None:
    """Return the size of the type of the letter in the middle, if all are sorted by size; None if it is unknown."""
    sizes = sorted((size, len(line.text)) for line in lines if (size := line_size(line)) is not None)
    left = sum(length for _, length in sizes) / 2
    for size, length in sizes:
        left -= length
        if left <= 0:
            return size
    return None


def quarter_turns(line: Line) -> int:
    """Return the direction of a line on the original: 0 right, 1 down, 2 left, 3 up; 0 if it is unknown."""
    return round(direction(line) / 90) % 4


def direction(line: Line) -> float:
    """Return by how many degrees a line is turned clockwise on the original; 0 if it is unknown."""
    if line.baseline is None:
        return 0.0
    return math.degrees(math.atan2(line.baseline.y1 - line.baseline.y0, line.baseline.x1 - line.baseline.x0))


def is_small(char: str) -> bool:
    """Return whether a character is only as tall as an x."""
    return char in _SMALL_LETTERS or char in _LOW_SIGNS


def is_deep(char: str) -> bool:
    """Return whether a character reaches below the baseline."""
    return char in _DESCENDING


def _size(word: Word) -> float | None:
    letters = [char for char in word.text if char.isalnum()]
    if not word.height or not letters:
        return None
    over = SMALL if _SMALL_LETTERS.issuperset(letters) else TALL
    below = 0.0 if _DESCENDING.isdisjoint(word.text) else DEEP
    return word.height / (over + below)


def extent(line: Line, box: Box) -> tuple[int, int]:
    """Return where a box within a line begins and ends, in pixels along the line in the direction of reading."""
    begin, end = (
        (box.left, box.right),
        (box.top, box.bottom),
        (-box.right, -box.left),
        (-box.bottom, -box.top),
    )[quarter_turns(line)]
    return (-end, -begin) if is_right_to_left(line) else (begin, end)


def is_right_to_left(line: Line) -> bool:
    """Return whether most letters of a line are of a script that is written from right to left."""
    return _is_backwards("".join(word.text for word in line.words))


def in_visual_order(word: str) -> str:
    """Return a word's characters as they are seen from left to right."""
    return word[::-1] if _is_backwards(word) else word


def _is_backwards(text: str) -> bool:
    if text.isascii():
        return False
    letters = Counter(map(unicodedata.bidirectional, text))
    return letters["R"] + letters["AL"] > letters["L"]
