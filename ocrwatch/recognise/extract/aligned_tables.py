"""Finds tables by the alignment of their texts: lines with gaps at the same places.

They may have rules between some of their rows, but no grid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from ocrwatch.recognise.extract.columns import Columns, Gap, count_on_both_sides, find_gaps
from ocrwatch.recognise.extract.extents import Extent, extent
from ocrwatch.recognise.extract.found import FoundTable, TablePage
from ocrwatch.recognise.extract.header_rows import MOST_SPANNED, OFF_CENTRE
from ocrwatch.recognise.extract.rules import Rule
from ocrwatch.recognise.extract.table_rows import table_of
from ocrwatch.recognise.extract.table_words import (
    LEADING,
    Line,
    TableWord,
    is_number,
    lines_of,
    middle,
    spans_of,
    split_at_gaps,
)

_LINES_ON: Final = 5
_FARTHEST: Final = 6.0
"""How many lines on, and how far below, a line of the same table may be."""

_COMMON: Final = 0.7
"""Width that two gaps have in common if they are of the same columns, at least."""

_ACROSS: Final = 0.6
"""Share of a table's width that a rule above or below it covers, at least."""

_MARK: Final = re.compile(r"[^\w\s]{1,2}|\(?(\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})[.)]|[oe\u00a9]")
"""What stands before the items of a list; bullets are read as letters, too."""

_FRAME: Final = 2.0
"""Distance of a rule from the text it frames, at most."""

_EDGE: Final = 0.3
"""Space around the text of a table without rules there."""


@dataclass(frozen=True, slots=True)
class _TextLine:
    """A line of a page, divided at its gaps."""

    y: float
    words: Line
    pieces: Sequence[Line]
    gaps: Sequence[Gap]


def aligned_tables(page: TablePage) -> list[FoundTable]:
    """Return the tables of a page that no grid shows."""
    lines = [_text_line(line, page) for line in lines_of(page.words)]
    tables: list[FoundTable] = []
    used: set[int] = set()
    for group in _joined(_groups(lines), lines):
        table = _table(group, lines, page, used) if len(group) > 1 else None
        if table is not None:
            tables.append(table)
            used |= {word.index for cell in table.cells for word in cell.words}
    return tables


def _text_line(line: Line, page: TablePage) -> _TextLine:
    pieces = split_at_gaps(line, page.spacing.gap, page.vertical)
    gaps = [Gap(end, begin) for (_, end), (begin, _) in pairwise(spans_of(pieces))]
    return _TextLine(middle(line), line, pieces, gaps)


def _groups(lines: Sequence[_TextLine]) -> list[list[int]]:
    """Group the lines with gaps by the gaps that they have in common with lines close by."""
    group_of = {at: [at] for at, line in enumerate(lines) if line.gaps}
    for at in list(group_of):
        for other in range(at + 1, min(len(lines), at + _LINES_ON + 1)):
            if lines[other].y - lines[at].y > _FARTHEST:
                break
            if group_of.get(other, group_of[at]) is not group_of[at] and _have_common_gap(lines[at], lines[other]):
                group_of[at].extend(group_of[other])
                for each in group_of[other]:
                    group_of[each] = group_of[at]
    different = {id(group): group for group in group_of.values()}
    return sorted((sorted(group) for group in different.values()), key=min)


def _have_common_gap(one: _TextLine, other: _TextLine) -> bool:
    return any(min(gap.right, its.right) - max(gap.left, its.left) >= _COMMON for gap in one.gaps for its in other.gaps)


def _joined(groups: Sequence[list[int]], lines: Sequence[_TextLine]) -> list[list[int]]:
    """Join groups that are parts of one table."""
    joined: list[list[int]] = []
    for group in groups:
        if joined and _are_one_table(joined[-1], group, lines):
            joined[-1] = joined[-1] + group
        else:
            joined.append(group)
    return joined


def _are_one_table(above: Sequence[int], below: Sequence[int], lines: Sequence[_TextLine]) -> bool:
    """Return whether two groups have at least two gaps in common, and only short lines between them."""
    last, first = max(above), min(below)
    between = range(last + 1, first)
    if first <= last or len(between) > 4 or lines[first].y - lines[last].y > 9:  # noqa: PLR2004
        return False
    if any(len(lines[at].pieces) == 1 and len(lines[at].words) > 4 for at in between):  # noqa: PLR2004
        return False
    gaps, others = _filled_gaps_of(above, lines), _filled_gaps_of(below, lines)
    common = sum(any(min(gap.right, its.right) - max(gap.left, its.left) > 0.4 for its in others) for gap in gaps)  # noqa: PLR2004
    return common >= max(2, 0.6 * min(len(gaps), len(others)))


def _gaps_of(group: Sequence[int], lines: Sequence[_TextLine]) -> list[Gap]:
    texts = [lines[at].pieces for at in group]
    spans = [spans_of(pieces) for pieces in texts]
    return find_gaps(texts, min(line[0][0] for line in spans), max(line[-1][1] for line in spans))


def _filled_gaps_of(group: Sequence[int], lines: Sequence[_TextLine]) -> list[Gap]:
    """Return the gaps with text on both sides in at least half of the lines."""
    spans = [spans_of(lines[at].pieces) for at in group]
    return [gap for gap in _gaps_of(group, lines) if 2 * count_on_both_sides(gap, spans) >= len(spans)]


def _table(group: Sequence[int], lines: Sequence[_TextLine], page: TablePage, used: set[int]) -> FoundTable | None:
    """Return the table of a group of lines; None if it is none. ``used`` are the words of other tables."""
    gaps = _gaps_of(group, lines)
    if not gaps:
        return None
    core = extent(word for at in group for word in lines[at].words)
    columns = Columns(tuple(gaps), core.left, core.right)
    first, last = _reach(group, lines, core, page.horizontal, columns)
    words = tuple(
        word
        for line in lines[first : last + 1]
        for word in line.words
        if core.left - 2 <= word.x <= core.right + 2 and word.index not in used
    )
    if not words:
        return None
    place = _framed(extent(words), page.horizontal)
    part = TablePage(words, _beside(page.horizontal, place), _within(page.vertical, place), page.spacing)
    rules = sum(rule.length >= _ACROSS * place.width for rule in part.horizontal)
    table = table_of(part, columns, place, "rules" if rules else "aligned")
    return table if _is_table(table, rules) else None


def _with_headings(first: int, lines: Sequence[_TextLine], columns: Columns) -> int:
    """Return the first line of a table, of which ``first`` is known: headings of several columns may be above."""
    while (
        first > 0
        and lines[first].y - lines[first - 1].y < LEADING
        and _is_of_headings(lines[first - 1], lines[first : first + _LINES_ON], columns)
    ):
        first -= 1
    return first


def _is_of_headings(line: _TextLine, below: Iterable[_TextLine], columns: Columns) -> bool:
    """Return whether each text of a line is in the middle of several columns, but not of all, as a title is.

    It may also be in the middle of the headings of these columns in the lines below: the numbers need not be.
    """
    headings: dict[int, tuple[float, float]] = {}
    for other in below:
        if other.y - line.y < 2 * LEADING:
            for left, right in spans_of(other.pieces):
                headings.setdefault(columns.at((left + right) / 2), (left, right))
    return all(
        any(
            set(columns.overlapped(left, right)) <= set(range(first, last + 1))
            and _is_in_middle(left + right, first, last, columns, headings)
            for first in range(1, len(columns))
            for last in range(first + 1, min(len(columns), first + MOST_SPANNED))
        )
        for left, right in spans_of(line.pieces)
    )


def _is_in_middle(
    ends: float, first: int, last: int, columns: Columns, headings: Mapping[int, tuple[float, float]]
) -> bool:
    """Return whether the sum of both ends of a text is that of columns, or of their headings."""
    if abs(ends - sum(columns.extent(first, last))) / 2 <= OFF_CENTRE:
        return True
    has_headings = all(column in headings for column in range(first, last + 1))
    return has_headings and abs(ends - headings[first][0] - headings[last][1]) / 2 <= OFF_CENTRE


def _framed(place: Extent, horizontal: Sequence[Rule]) -> Extent:
    """Return the place of a table with the rules above and below it; without them, with some space around the text."""
    wide = [rule for rule in horizontal if rule.covered(place.left, place.right) >= _ACROSS * place.width]
    above = [rule for rule in wide if 0 <= place.top - rule.at + _EDGE <= _FRAME]
    below = [rule for rule in wide if 0 <= rule.at - place.bottom + _EDGE <= _FRAME]
    near = [rule for rule in (*above, *below) if rule.length <= place.width + 2 * _FRAME]
    return Extent(
        min((place.left - _EDGE, *(rule.begin for rule in near))),
        max((rule.at for rule in above), default=place.top - _EDGE),
        max((place.right + _EDGE, *(rule.end for rule in near))),
        min((rule.at for rule in below), default=place.bottom + _EDGE),
    )


def _reach(
    group: Sequence[int], lines: Sequence[_TextLine], core: Extent, horizontal: Sequence[Rule], columns: Columns
) -> tuple[int, int]:
    """Return the first and last line of a table: lines without gaps between it and a rule across it belong to it."""
    first, last = min(group), max(group)
    top = min(word.top for word in lines[first].words)
    bottom = max(word.bottom for word in lines[last].words)
    wide = [
        rule.at
        for rule in horizontal
        if rule.covered(core.left, core.right) >= _ACROSS * core.width and rule.length <= 1.4 * core.width + 2
    ]
    above = [y for y in wide if y <= top + 0.3 and top - y < 7]  # noqa: PLR2004
    if above:
        while first > 0 and lines[first - 1].y > max(above):
            first -= 1
    else:
        first = _with_headings(first, lines, columns)
    below = [y for y in wide if y >= bottom - 0.3 and y - bottom < 4]  # noqa: PLR2004
    if below:
        while last + 1 < len(lines) and lines[last + 1].y < min(below):
            last += 1
    return first, last


def _beside(horizontal: Sequence[Rule], place: Extent) -> tuple[Rule, ...]:
    return tuple(
        rule
        for rule in horizontal
        if place.top - 1 <= rule.at <= place.bottom + 1 and rule.covered(place.left, place.right) > 0
    )


def _within(vertical: Sequence[Rule], place: Extent) -> tuple[Rule, ...]:
    return tuple(
        rule for rule in vertical if rule.covered(place.top, place.bottom) > 0 and place.left < rule.at < place.right
    )


def _is_list(table: FoundTable) -> bool:
    """Return whether a table of two columns is a list: each text has a mark or a number before it."""
    marks = ["".join(word.text for word in cell.words) for cell in table.cells if cell.column == cell.last_column == 0]
    return table.columns == 2 and bool(marks) and all(_MARK.fullmatch(mark) for mark in marks)  # noqa: PLR2004


def _is_table(table: FoundTable, rules: int) -> bool:
    """Return whether aligned text is a table, and no list, address or running text in columns.

    With two rules, a third of the rows must have several cells. Without, half of them, with short texts of which some
    are numbers.
    """
    single = [cell for cell in table.cells if cell.is_single]
    if table.rows < 2 or table.columns < 2 or len(single) < 4:  # noqa: PLR2004
        return False
    numbers = sum(is_number(cell.words) for cell in single) / len(single)
    usual = median(len(cell.words) for cell in single)
    by_row: dict[int, list[tuple[TableWord, ...]]] = {}
    for cell in single:
        by_row.setdefault(cell.row, []).append(cell.words)
    several = sum(len(cells) > 1 for cells in by_row.values())
    if several < (2 if rules else 3) or _is_list(table):
        return False
    if rules > 1:
        return several >= 0.35 * table.rows and usual <= 6  # noqa: PLR2004
    return several >= 0.5 * table.rows and numbers >= 0.3 and usual <= 3  # noqa: PLR2004
