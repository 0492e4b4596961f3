"""Rows of data: which lines belong to one row, because a text is wrapped or stands lower than the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from ocrwatch.recognise.extract.columns import Piece
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.rules import Rule
from ocrwatch.recognise.extract.table_words import LEADING, is_number

_FULL: Final = 0.5
"""Share of the fullest line's columns with text that make a line the anchor of a row."""

_NEAR: Final = 0.7
_NEAREST: Final = 1.7
"""Distance of a line from the anchor of its row, at most: as a share of the usual distance of rows, and absolute."""

_BESIDE: Final = 0.6
"""Distance from the anchor up to which a line belongs to its row, whatever columns it has text in."""

OVERLAPPING: Final = 0.9
"""Distance of two lines with text in different columns that are of one row in any case."""

_TIGHT: Final = 1.2
"""Distance of two lines of one text, at most, as a share of the usual distance of rows."""

_RULED: Final = 0.5
"""Share of the table's width that a rule between two rows covers, at least."""


@dataclass(slots=True)
class _Lines:
    """The lines of data, and which of them are of one row."""

    texts: Sequence[Sequence[Piece]]
    ys: Sequence[float]
    horizontal: Sequence[Rule]
    """The rules between rows."""
    filled: list[set[int]]
    """The columns with text, by line."""
    other: list[int]
    """For each line another one of its row, or itself."""

    def row(self, line: int) -> int:
        """Return the line that stands for the row of a line."""
        while self.other[line] != line:
            self.other[line] = line = self.other[self.other[line]]
        return line

    def join(self, line: int, with_line: int) -> None:
        """Put two lines into one row, and all that are in a row with one of them."""
        self.other[self.row(line)] = self.row(with_line)

    def are_divided(self, one: int, other: int) -> bool:
        """Return whether a rule runs between two lines."""
        top, bottom = sorted((self.ys[one], self.ys[other]))
        return any(top <= rule.at <= bottom for rule in self.horizontal)


def number_rows(
    rows: Sequence[Sequence[Piece]], ys: Sequence[float], horizontal: Sequence[Rule], place: Extent
) -> list[int]:
    """Return the number of the row for each line of data, from 0. ``ys`` are the middles of the lines.

    Lines with text in several columns are anchors; another line belongs to the nearest anchor if it is nearer to it
    than rows are to each other. A line also belongs to the row of the line above if both overlap, or if its texts go on
    with those above.
    """
    wide = [rule for rule in horizontal if rule.covered(place.left, place.right) >= _RULED * place.width]
    filled = [{column for piece in row for column in range(piece.first, piece.last + 1)} for row in rows]
    lines = _Lines(rows, ys, wide, filled, list(range(len(rows))))
    most = max(map(len, filled), default=0)
    anchors = [line for line, columns in enumerate(filled) if len(columns) >= max(2, _FULL * most)]
    usual = _usual_spacing([ys[line] for line in anchors])
    if usual is not None:
        _join_anchors(lines, anchors, usual)
    _join_lines_above(lines, usual)
    in_rows = [lines.row(line) for line in range(len(rows))]
    # From top to bottom, by the first line of each.
    numbers = {row: number for number, row in enumerate(dict.fromkeys(in_rows))}
    return [numbers[row] for row in in_rows]


def _join_anchors(lines: _Lines, anchors: Sequence[int], usual: float) -> None:
    """Put lines that are no anchors into the row of the nearest one. ``usual`` is the distance of anchors."""
    for line in sorted(set(range(len(lines.texts))).difference(anchors)):
        near = [(abs(lines.ys[anchor] - lines.ys[line]), anchor) for anchor in anchors]
        near = [(distance, anchor) for distance, anchor in near if not lines.are_divided(anchor, line)]
        if not near:
            continue
        distance, anchor = min(near)
        columns = lines.filled[line]
        is_part = columns <= lines.filled[anchor] or distance < _BESIDE or len(columns) == 1
        if distance < min(_NEAR * usual, _NEAREST) and is_part:
            lines.join(line, anchor)


def _join_lines_above(lines: _Lines, usual: float | None) -> None:
    """Put lines into the row of the line above if both overlap, or if the text above goes on.

    A number may stand halfway between the two lines of its label.
    """
    for line in range(1, len(lines.texts)):
        distance = lines.ys[line] - lines.ys[line - 1]
        if distance < OVERLAPPING and not lines.filled[line] & lines.filled[line - 1]:
            lines.join(line, line - 1)
        elif distance < LEADING and (usual is None or distance <= _TIGHT * usual) and lines.row(line) == line:
            row = lines.row(line - 1)
            above = {column for each, its in enumerate(lines.filled) if lines.row(each) == row for column in its}
            goes_on = _goes_on(lines.texts[line]) and lines.filled[line] <= above
            if goes_on and not lines.are_divided(line - 1, line):
                lines.join(line, line - 1)


def _goes_on(row: Sequence[Piece]) -> bool:
    """Return whether all texts of a line begin in lower case, or in parentheses: they go on with texts above."""
    return all(
        (piece.words[0].text[:1].islower() or piece.words[0].text[:1] in ("(", "&")) and not is_number(piece.words)
        for piece in row
    )


def _usual_spacing(places: Sequence[float]) -> float | None:
    """Return the median distance between neighbours; None if there are fewer than two."""
    return median(later - earlier for earlier, later in pairwise(places)) if len(places) > 1 else None
