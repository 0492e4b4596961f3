"""Columns of text: the gaps between them, and which of them a text is in."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from ocrwatch.recognise.extract.extents import extent
from ocrwatch.recognise.extract.rules import Rule
from ocrwatch.recognise.extract.table_words import Line, Spacing, TableWord, are_values, spans_of, split_at_gaps

_STEP: Final = 1 / 8
"""Resolution at which gaps are looked for."""

_NARROWEST: Final = 0.45
"""Width of a gap between two columns, at least."""

_CROSSING: Final = 0.12
"""Share of the lines that may cross a gap: a long text, or a heading above several columns."""

_MOST_HEADINGS: Final = 4
_LINES_TO_A_HEADING: Final = 4
"""How many of the first lines may be headings above several columns: at most 4, and one in 4 if no line has numbers."""

_WIDER: Final = 1.4
_WIDE: Final = 0.36
"""Space between two words at a gap between columns that divides them: relative to the other spaces, and absolute."""

ALIGNED: Final = 0.35
"""Distance of two ends or middles that are aligned, at most."""

_OVERLAP: Final = 0.3
"""By how much a text overlaps the column that it is in, at least."""


class Gap(NamedTuple):
    """White space between two columns."""

    left: float
    right: float

    @property
    def middle(self) -> float:
        """Halfway between the columns."""
        return (self.left + self.right) / 2


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns by the gaps between them, from left to right."""

    gaps: tuple[Gap, ...]
    left: float
    """Where the first column begins."""
    right: float
    """Where the last column ends."""

    def __len__(self) -> int:
        """One more than there are gaps."""
        return len(self.gaps) + 1

    def at(self, x: float) -> int:
        """Return the column at a place."""
        return bisect_left([gap.middle for gap in self.gaps], x)

    def extent(self, first: int, last: int) -> tuple[float, float]:
        """Return where the text of columns begins and ends."""
        left = self.gaps[first - 1].right if first else self.left
        return left, self.gaps[last].left if last < len(self.gaps) else self.right

    def is_aligned(self, column: int, left: float, right: float) -> bool:
        """Return whether the left end, the right end or the middle of a text is that of a column."""
        begin, end = self.extent(column, column)
        return min(abs(left - begin), abs(right - end), abs(left + right - begin - end) / 2) <= ALIGNED

    def overlapped(self, left: float, right: float) -> list[int]:
        """Return the columns whose text would be above or below what is between ``left`` and ``right``."""
        begins = [-np.inf, *(gap.right for gap in self.gaps)]
        ends = [*(gap.left for gap in self.gaps), np.inf]
        return [
            number
            for number, (begin, end) in enumerate(zip(begins, ends, strict=True))
            if min(right, end) - max(left, begin) >= _OVERLAP
        ]

    def spanned(self, piece: Line) -> tuple[int, int]:
        """Return the first and the last column of a text."""
        left, right = piece[0].left, max(word.right for word in piece)
        found = self.overlapped(left, right) or [self.at((left + right) / 2)]
        return found[0], found[-1]


class Piece(NamedTuple):
    """A text on one line, and the columns it spans."""

    first: int
    last: int
    words: Line


def find_gaps(lines: Sequence[Sequence[Line]], left: float, right: float, narrowest: float = _NARROWEST) -> list[Gap]:
    """Return the gaps between ``left`` and ``right`` that nearly no line crosses.

    ``lines`` has the texts of each line, from top to bottom. The first ones may be headings of several columns: they
    may cross gaps.
    """
    spans = [spans_of(texts) for texts in lines]
    count = int((right - left) / _STEP) + 2
    taken = np.zeros((len(lines), count), bool)
    for number, its in enumerate(spans):
        for begin, end in its:
            taken[number, max(0, round((begin - left) / _STEP)) : max(0, round((end - left) / _STEP))] = True
    headings = _count_headings(lines)
    is_free = np.zeros(count + 2, bool)
    for part in (taken, taken[headings:]):
        is_free[1:-1] |= np.count_nonzero(part, axis=0) <= _CROSSING * len(part)
    edges = np.flatnonzero(is_free[1:] != is_free[:-1]).tolist()
    # What is free at the left or right end is no gap.
    runs = [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if begin > 0 and end < count]
    gaps = (Gap(left + begin * _STEP, left + end * _STEP) for begin, end in runs)
    return _with_text_between([gap for gap in gaps if gap.right - gap.left >= narrowest], spans)


def _count_headings(lines: Sequence[Sequence[Line]]) -> int:
    """Return how many of the first lines may be headings: those above the first one of numbers."""
    data = next((at for at, texts in enumerate(lines) if are_values(texts)), None)
    if data is None:
        return min(_MOST_HEADINGS, len(lines) // _LINES_TO_A_HEADING)
    return min(_MOST_HEADINGS, data, len(lines) // 2)


def _with_text_between(gaps: Sequence[Gap], lines: Sequence[Sequence[tuple[float, float]]]) -> list[Gap]:
    """Join gaps if no text lies between them: only parts of headings that belong to the columns beside."""
    joined: list[Gap] = []
    for gap in gaps:
        if joined and not any(
            begin >= joined[-1].left - _STEP and end <= gap.right + _STEP for spans in lines for begin, end in spans
        ):
            joined[-1] = Gap(joined[-1].left, gap.right)
        else:
            joined.append(gap)
    return joined


def count_on_both_sides(gap: Gap, lines: Iterable[Sequence[tuple[float, float]]]) -> int:
    """Return how many lines have text on both sides of a gap."""
    return sum(
        any(end <= gap.left + 0.1 for _, end in line) and any(begin >= gap.right - 0.1 for begin, _ in line)
        for line in lines
    )


def pieces_of(
    line: Line, columns: Columns, spacing: Spacing, *, vertical: Sequence[Rule] = (), horizontal: Sequence[Rule] = ()
) -> list[Piece]:
    """Divide a line into texts of columns.

    A text that runs over the gap between two columns is divided there if the space at that place is wider than its
    others. It is one text if a rule runs below it, as under a heading of several columns.
    """
    pieces = []
    for text in split_at_gaps(line, spacing.gap, vertical):
        spaces = [word.left - last.right for last, word in pairwise(text)]
        width = extent(text).width
        parts = [[text[0]]]
        for at, (last, word) in enumerate(pairwise(text)):
            others = sorted(spaces[:at] + spaces[at + 1 :])
            usual = others[len(others) // 2] if len(others) > 1 else spacing.space
            is_wide = spaces[at] >= max(_WIDER * usual, _WIDE) or _are_aligned(text[: at + 1], text[at + 1 :], columns)
            if is_wide and _has_gap_between(columns, last, word) and not _is_underlined(last, word, width, horizontal):
                parts.append([word])
            else:
                parts[-1].append(word)
        pieces += [Piece(*columns.spanned(part), part) for part in parts]
    return pieces


def _are_aligned(text: Line, following: Line, columns: Columns) -> bool:
    """Return whether the parts of a text are aligned with two neighbouring columns, each with its own."""
    (left, right), (begin, end) = (text[0].left, text[-1].right), (following[0].left, following[-1].right)
    column, other = columns.at((left + right) / 2), columns.at((begin + end) / 2)
    return column + 1 == other and columns.is_aligned(column, left, right) and columns.is_aligned(other, begin, end)


def _has_gap_between(columns: Columns, last: TableWord, word: TableWord) -> bool:
    return any(
        min(word.left, gap.right) - max(last.right, gap.left) >= _OVERLAP and last.x < gap.right and word.x > gap.left
        for gap in columns.gaps
    )


def _is_underlined(last: TableWord, word: TableWord, width: float, horizontal: Iterable[Rule]) -> bool:
    """Return whether a rule that is not much longer than the text runs below both words."""
    return any(
        rule.begin < last.x and rule.end > word.x and 0 < rule.at - word.y < 1.3 and rule.length < 8 + width  # noqa: PLR2004
        for rule in horizontal
    )
