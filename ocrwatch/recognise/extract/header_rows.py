"""Rows of headings: where they end, and how headings that span columns are stacked.

A heading belongs to the columns that its text is above, or that the rule below it spans. Headings are stacked from
below, as far as each column's reach: the lowest ones are next to the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ocrwatch.recognise.extract.body_rows import OVERLAPPING
from ocrwatch.recognise.extract.columns import ALIGNED, Columns, Piece
from ocrwatch.recognise.extract.extents import Extent, extent
from ocrwatch.recognise.extract.found import FoundCell, TablePage
from ocrwatch.recognise.extract.rules import Rule
from ocrwatch.recognise.extract.table_words import LEADING, Line, TableWord, are_values, middle

_WIDE_RULE: Final = 0.85
"""Share of the table's width that the rule below its headings covers."""

_MOST_LINES: Final = 7
"""Lines of headings, at most."""

_SAME_LINE: Final = 0.5
"""Distance of the middles of two texts on one line, at most."""

OFF_CENTRE: Final = 0.75
"""Distance of a heading's middle from that of its columns, at most."""

MOST_SPANNED: Final = 5
"""Columns that a heading spans beside the one it is in, at most."""


@dataclass(slots=True)
class _Heading:
    """A heading, of one or more lines."""

    first: int
    last: int
    words: list[TableWord]
    level: int
    """0 is next to the data."""
    top: float
    """Middle of its first line."""
    bottom: float
    """Middle of its last line."""


def count_header_lines(rows: Sequence[Sequence[Piece]], lines: Sequence[Line], page: TablePage, place: Extent) -> int:
    """Return how many of the lines are headings.

    They end at the first rule across the table, or above the first line of numbers.
    """
    data = next((at for at, row in enumerate(rows) if _is_data(row)), None)
    wide = [rule for rule in page.horizontal if rule.covered(place.left, place.right) >= _WIDE_RULE * place.width]
    middles = [middle(line) for line in lines]
    while data and _overlap(rows, middles, data):
        data -= 1
    ruled = next(
        (
            at
            for at in range(1, min(len(rows), _MOST_LINES + 1))
            if any(middles[at - 1] < rule.at < middles[at] for rule in wide)
        ),
        None,
    )
    if ruled is not None and (data is None or ruled <= data + 2):
        return ruled
    if data is None:
        return 1 if ruled is None else ruled
    return data if data <= _MOST_LINES else 0


def _overlap(rows: Sequence[Sequence[Piece]], middles: Sequence[float], at: int) -> bool:
    """Return whether a line and the one above are of one row: the first line of a label that is wrapped.

    They overlap, or the label's next line is just below: the line of the numbers is halfway between both.
    """
    columns, above = _columns_of(rows[at]), _columns_of(rows[at - 1])
    if columns & above:
        return False
    if middles[at] - middles[at - 1] < OVERLAPPING:
        return True
    below = _columns_of(rows[at + 1]) if at + 1 < len(rows) else set()
    return bool(below & above) and not below & columns and middles[at + 1] - middles[at - 1] < LEADING


def _columns_of(row: Iterable[Piece]) -> set[int]:
    return {column for piece in row for column in range(piece.first, piece.last + 1)}


def _is_data(row: Sequence[Piece]) -> bool:
    """Return whether at least half of the texts after the first column are numbers, and none spans columns."""
    is_single = all(piece.first == piece.last for piece in row)
    several = len({piece.first for piece in row}) > 1
    return is_single and several and are_values(piece.words for piece in row if piece.first > 0)


def header_cells(pieces: Sequence[Piece], columns: Columns, horizontal: Sequence[Rule]) -> tuple[list[FoundCell], int]:
    """Return the cells of headings, and the number of their rows."""
    headings = _stacked(pieces, columns, horizontal)
    depth = max((heading.level for heading in headings), default=-1) + 1
    return [_cell(heading, headings, depth) for heading in headings], depth


def _cell(heading: _Heading, headings: Sequence[_Heading], depth: int) -> FoundCell:
    """Return a heading as a cell that takes the free rows above and below it."""
    others = [other.level for other in headings if other.first <= heading.last and other.last >= heading.first]
    below = max((level for level in others if level < heading.level), default=-1)
    above = min((level for level in others if level > heading.level), default=depth)
    bottom, top = depth - 1 - (below + 1), depth - above
    return FoundCell(min(top, bottom), bottom, heading.first, heading.last, tuple(heading.words))


def _stacked(pieces: Sequence[Piece], columns: Columns, horizontal: Sequence[Rule]) -> list[_Heading]:
    headings: list[_Heading] = []
    for piece in sorted(pieces, key=lambda piece: -middle(piece.words)):
        first, last = _spanned(piece, pieces, columns, horizontal, headings)
        y = middle(piece.words)
        below = [heading for heading in headings if heading.first <= last and heading.last >= first]
        if not below:
            headings.append(_Heading(first, last, list(piece.words), 0, y, y))
            continue
        level = max(heading.level for heading in below)
        nearest = [heading for heading in below if heading.level == level]
        following = min(nearest, key=lambda heading: heading.top)
        is_within = len(nearest) == 1 and following.first <= first and following.last >= last
        is_close = following.top - y < LEADING and not _is_ruled(piece.words, y, following.top, horizontal)
        if is_within and is_close:
            following.words.extend(piece.words)
            following.top = y
        else:
            headings.append(_Heading(first, last, list(piece.words), level + 1, y, y))
    return headings


def _spanned(
    piece: Piece,
    pieces: Sequence[Piece],
    columns: Columns,
    horizontal: Sequence[Rule],
    below: Sequence[_Heading],
) -> tuple[int, int]:
    """Return the columns of a heading: of its text, of the rule below it, or those of which it is in the middle.

    A rule does not count if it also underlines another text beside it, or all columns. ``below`` are the headings
    under it.
    """
    place = extent(piece.words)
    rules = [
        rule
        for rule in horizontal
        if place.bottom - 0.4 <= rule.at <= place.bottom + 1
        and rule.begin <= place.left + 0.5
        and rule.end >= place.right - 0.5
    ]
    free = _free_columns(piece, pieces, len(columns))
    if rules:
        rule = min(rules, key=lambda rule: rule.length)
        spanned = columns.overlapped(rule.begin, rule.end)
        if spanned and len(spanned) < len(columns) and free.issuperset(spanned):
            return min(piece.first, spanned[0]), max(piece.last, spanned[-1])
    return _centred(piece, place, free, columns, below)


def _free_columns(piece: Piece, pieces: Iterable[Piece], count: int) -> set[int]:
    """Return the columns without another text on the same line."""
    y = middle(piece.words)
    others = (other for other in pieces if other is not piece and abs(middle(other.words) - y) < _SAME_LINE)
    taken = {column for other in others for column in range(other.first, other.last + 1)}
    return set(range(count)) - taken


def _centred(
    piece: Piece, place: Extent, free: set[int], columns: Columns, below: Sequence[_Heading]
) -> tuple[int, int]:
    """Return the columns in whose middle a heading is, those of its text among them, if other headings are below."""
    best, distance = (piece.first, piece.last), OFF_CENTRE
    if piece.first != piece.last:
        return best
    own = [word for heading in below if heading.first == heading.last == piece.first for word in heading.words]
    left, right = (extent(own).left, extent(own).right) if own else columns.extent(piece.first, piece.last)
    if (
        abs(place.x - (left + right) / 2) <= distance
        or min(abs(place.left - left), abs(place.right - right)) <= ALIGNED
    ):
        return best
    for first in range(max(1, piece.first - MOST_SPANNED), piece.first + 1):
        for last in range(piece.last, min(len(columns), piece.last + MOST_SPANNED + 1)):
            spanned = range(first, last + 1)
            if len(spanned) < 2 or not free.issuperset(spanned):  # noqa: PLR2004
                continue
            parts = [heading for heading in below if heading.first in spanned and heading.last in spanned]
            if not _are_of_one_row(parts, spanned):
                continue
            whole = extent(word for part in parts for word in part.words)
            off = min(abs(place.x - whole.x), abs(place.x - sum(columns.extent(first, last)) / 2))
            if off < distance:
                best, distance = (first, last), off
    return best


def _are_of_one_row(headings: Sequence[_Heading], columns: Iterable[int]) -> bool:
    """Return whether headings fill columns, and those of each column are beside those of the others.

    A heading that is above the others is not below a further one that spans these columns: it is beside it, in the
    middle of both rows.
    """
    tops, bottoms = [], []
    for column in columns:
        its = [heading for heading in headings if heading.first <= column <= heading.last]
        if not its:
            return False
        tops.append(min(heading.top for heading in its))
        bottoms.append(max(heading.bottom for heading in its))
    return max(tops) - min(bottoms) < _SAME_LINE


def _is_ruled(words: Line, top: float, bottom: float, horizontal: Sequence[Rule]) -> bool:
    place = extent(words)
    return any(
        top < rule.at < bottom and rule.covered(place.left, place.right) >= 0.6 * place.width for rule in horizontal
    )
