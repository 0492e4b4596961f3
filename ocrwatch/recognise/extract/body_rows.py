"""Rows of data: which lines belong to one row, because a text is wrapped or stands lower than the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ocrwatch.recognise.extract.columns import Piece, usual_spacing
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.rules import Rule
from ocrwatch.recognise.extract.table_words import is_number

_FULL: Final = 0.5
"""Share of the fullest line's columns with text that make a line the anchor of a row."""

_NEAR: Final = 0.7
_NEAREST: Final = 1.7
"""Distance of a line from the anchor of its row, at most: as a share of the usual distance of rows, and absolute."""

OVERLAPPING: Final = 0.9
"""Distance of two lines with text in different columns that are of one row in any case."""

_LEADING: Final = 1.9
"""Distance of two lines of one text, at most."""

_TIGHT: Final = 1.2
"""The same as a share of the usual distance of rows."""

_RULED: Final = 0.5
"""Share of the table's width that a rule between two rows covers, at least."""


def number_rows(
    rows: Sequence[Sequence[Piece]], ys: Sequence[float], horizontal: Sequence[Rule], place: Extent
) -> list[int]:
    """Return the number of the row for each line of data, from 0.

    ``ys`` are the middles of the lines. Lines with text in several columns are anchors; another line belongs to the
    nearest anchor if it is nearer to it than rows are to each other, or goes on with the text above it.
    """
    filled = [{column for piece in row for column in range(piece.first, piece.last + 1)} for row in rows]
    most = max(map(len, filled), default=0)
    anchors = [at for at, columns in enumerate(filled) if len(columns) >= max(2, _FULL * most)]
    usual = usual_spacing([ys[at] for at in anchors])
    group = list(range(len(rows)))

    def is_ruled(one: int, other: int) -> bool:
        top, bottom = sorted((ys[one], ys[other]))
        return any(
            top <= rule.at <= bottom and rule.covered(place.left, place.right) >= _RULED * place.width
            for rule in horizontal
        )

    if usual is not None:
        for at in set(range(len(rows))).difference(anchors):
            near = [(abs(ys[anchor] - ys[at]), anchor) for anchor in anchors if not is_ruled(anchor, at)]
            distance, anchor = min(near, default=(usual, at))
            is_part = filled[at] <= filled[anchor] or distance < 0.6 or len(filled[at]) == 1  # noqa: PLR2004
            if distance < min(_NEAR * usual, _NEAREST) and is_part:
                group[at] = anchor
    for at in range(1, len(rows)):
        # Lines that overlap are of one row: a number stands halfway between the two lines of its label.
        if group[at] == at and ys[at] - ys[at - 1] < OVERLAPPING and not filled[at] & filled[at - 1]:
            group[at] = group[at - 1]
    for at in range(1, len(rows)):
        distance = ys[at] - ys[at - 1]
        if group[at] != at or distance >= _LEADING or (usual is not None and distance > _TIGHT * usual):
            continue
        above = {column for line, its in zip(filled, group, strict=True) if its == group[at - 1] for column in line}
        if _goes_on(rows[at]) and filled[at] <= above and not is_ruled(at - 1, at):
            group[at] = group[at - 1]
    return _numbered(group, ys)


def _goes_on(row: Sequence[Piece]) -> bool:
    """Return whether all texts of a line begin in lower case, or in parentheses: they go on with texts above."""
    return all(
        (piece.words[0].text[:1].islower() or piece.words[0].text[:1] in ("(", "&")) and not is_number(piece.words)
        for piece in row
    )


def _numbered(group: list[int], ys: Sequence[float]) -> list[int]:
    """Return the number of each line's row. ``group`` has for each line one of its row, which may be in another's."""
    for at, other in enumerate(group):
        while group[other] != other:
            other = group[other]  # noqa: PLW2901
        group[at] = other
    numbers = {line: number for number, line in enumerate(sorted(set(group), key=lambda line: ys[line]))}
    return [numbers[line] for line in group]
