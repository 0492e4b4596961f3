"""Words on the straight page, and how they form lines and pieces of lines.

All lengths are in heights of a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.rules import Rule

_SAME_LINE: Final = 0.45
"""Distance of the middles of two words on one line, at most. Lines of a table are at least 1 apart."""

LEADING: Final = 1.9
"""Distance of two lines of one text, at most."""

_LINES_BACK: Final = 4
"""With how many of the last lines a word is compared: words are taken from top to bottom."""

_GAP: Final = 1.0
_GAP_IN_LETTERS: Final = 1.9
"""Gap between two words that are not of one text: the larger of these. In wide type, spaces are wider than a word is
tall."""

_GAP_OF_NUMBERS: Final = 0.5
"""Gap between two numbers that are not one."""

_FEWEST_LETTERS: Final = 3
_SPACE: Final = 0.3
"""Space between two words of one text, on a page without any."""

_NUMBER: Final = re.compile(
    r"[^A-Za-z]*\d[\d.,%$\u20ac\u00a3()*+\-\u2013\u2014:/ ]*[^A-Za-z]{0,3}|[-\u2013\u2014.:*]+|n\.?a\.?"
)
"""A number with signs and currencies around it, or what stands for a missing one."""

_YEAR: Final = re.compile(r"(1[89]|20)\d\d")


@dataclass(frozen=True, slots=True)
class TableWord(Extent):
    """A word on the straight page."""

    text: str
    index: int
    """Index into the page's words."""
    confidence: float | None


Line = list[TableWord]
"""Words of one line from left to right. A piece of a line is one, too."""


def middle(words: Sequence[TableWord]) -> float:
    """Return the mean of the words' middles, from the top of the page."""
    return sum(word.y for word in words) / len(words)


def lines_of(words: Iterable[TableWord]) -> list[Line]:
    """Group words by their height on the page; return lines from top to bottom."""
    lines: list[Line] = []
    sums: list[float] = []
    for word in sorted(words, key=lambda word: word.y):
        for at in range(len(lines) - 1, max(-1, len(lines) - 1 - _LINES_BACK), -1):
            if abs(word.y - sums[at] / len(lines[at])) < _SAME_LINE:
                lines[at].append(word)
                sums[at] += word.y
                break
        else:
            lines.append([word])
            sums.append(word.y)
    for line in lines:
        line.sort(key=lambda word: word.left)
    return sorted(lines, key=middle)


def is_number(words: Iterable[TableWord]) -> bool:
    """Return whether a text is a number, or stands for a missing one."""
    return _NUMBER.fullmatch("".join(word.text for word in words)) is not None


def are_values(texts: Iterable[Sequence[TableWord]]) -> bool:
    """Return whether at least half of the texts of a row are numbers: it has data, and no headings.

    Years do not count: they are headings as often.
    """
    numbers = [is_number(text) for text in texts if not _is_year(text)]
    return bool(numbers) and 2 * sum(numbers) >= len(numbers)


def _is_year(words: Sequence[TableWord]) -> bool:
    return len(words) == 1 and _YEAR.fullmatch(words[0].text) is not None


class Spacing(NamedTuple):
    """How far apart words are on a page."""

    gap: float
    """Gap between two words from which on they are not of one text."""
    space: float
    """Median space between two words of one text."""


def spacing_of(words: Iterable[TableWord]) -> Spacing:
    """Measure how far apart words are."""
    return spacing_of_lines(lines_of(words))


def spacing_of_lines(lines: Iterable[Sequence[TableWord]]) -> Spacing:
    """Measure how far apart words are on these lines."""
    lines = list(lines)
    words = [word for line in lines for word in line]
    letters = [word.width / len(word.text) for word in words if len(word.text) >= _FEWEST_LETTERS]
    gap = max(_GAP, _GAP_IN_LETTERS * median(letters)) if letters else _GAP
    spaces = [word.left - last.right for line in lines for last, word in pairwise(line)]
    within = [space for space in spaces if 0 < space < gap]
    return Spacing(gap, median(within) if within else _SPACE)


def split_at_gaps(
    line: Sequence[TableWord], gap: float, vertical: Sequence[Rule] = (), *, numbers_are_apart: bool = True
) -> list[Line]:
    """Divide a line into texts: at gaps of at least ``gap``, and at vertical rules.

    If ``numbers_are_apart``, a smaller gap divides two numbers.
    """
    pieces = [[line[0]]]
    end = line[0].right
    for last, word in pairwise(line):
        space = word.left - end
        numbers = numbers_are_apart and space > _GAP_OF_NUMBERS and is_number([last]) and is_number([word])
        if space > gap or numbers or any(_stands_between(rule, end, word) for rule in vertical):
            pieces.append([word])
            end = word.right
        else:
            pieces[-1].append(word)
            end = max(end, word.right)
    return pieces


def _stands_between(rule: Rule, end: float, word: TableWord) -> bool:
    return end - 0.1 <= rule.at <= word.left + 0.1 and rule.begin <= word.y <= rule.end


def spans_of(pieces: Iterable[Line]) -> list[tuple[float, float]]:
    """Return left and right end of each piece."""
    return [(piece[0].left, max(word.right for word in piece)) for piece in pieces]


def strips_of(words: Iterable[TableWord]) -> Iterator[tuple[float, float, list[TableWord]]]:
    """Yield top, bottom and words of each strip across the page that words take without a gap.

    A word takes its middle three fifths: its ascenders and descenders reach into other lines.
    """
    strip: list[TableWord] = []
    top = bottom = 0.0
    for word in sorted(words, key=lambda word: word.y):
        if strip and word.y - 0.3 > bottom:
            yield top, bottom, strip
            strip = []
        if not strip:
            top = word.y - 0.3
        bottom = word.y + 0.3
        strip.append(word)
    if strip:
        yield top, bottom, strip
