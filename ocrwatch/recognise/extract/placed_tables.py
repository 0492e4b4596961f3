"""Completes the cells of a table, so that they cover it, and places them on the original."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ocrwatch.document import UNPLACED, Box, Cell, Line, Page, Quad, Table, Word
from ocrwatch.recognise.affine import box_of
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.found import FoundCell, FoundTable
from ocrwatch.recognise.extract.printed_lines import has_unread_line
from ocrwatch.recognise.extract.straight_page import StraightPage
from ocrwatch.recognise.extract.table_words import TableWord, lines_of
from ocrwatch.recognise.extract.word_ink import has_print

_Place = tuple[int, int]
"""Row and column."""

_REACHES_IN: Final = 0.2
"""By how much a word reaches into a cell that it is not in, at least; boxes of words are larger than their print."""


@dataclass(slots=True)
class _Slot:
    """A cell while places are shared out."""

    row: int
    column: int
    rows: int
    columns: int
    words: list[TableWord]


def placed_table(table: FoundTable, straight: StraightPage, page: Page) -> Table:
    """Return a table on the original, with empty cells for places without text."""
    words = page.words
    slots = _shared_out(table)
    unread = [_is_unread(slot, table, straight) for slot in slots]
    corners, *quads = straight.corners([table.place, *(_place(slot, table) for slot in slots)])
    cells = (
        _cell(slot, table, quad, page, words, is_unread=is_unread)
        for slot, quad, is_unread in zip(slots, quads, unread, strict=True)
    )
    return Table(
        table.kind,
        table.rows,
        table.columns,
        _box(corners, page),
        corners,
        tuple(cells),
        round(100 * _confidence(slots, table, unread), 1),
    )


def _shared_out(table: FoundTable) -> list[_Slot]:
    """Return cells that cover each row and column once, row by row.

    If several claim the same place, those of one row and column come first. A larger one keeps the rows and columns
    beside its first that are free; if its first place is taken, its words go to the cell there.
    """
    slots: list[_Slot] = []
    taken: dict[_Place, _Slot] = {}
    for cell in sorted(table.cells, key=_size):
        if (there := taken.get((cell.row, cell.column))) is not None:
            there.words.extend(cell.words)
            continue
        slot = _Slot(cell.row, cell.column, *_free(cell, taken), list(cell.words))
        slots.append(slot)
        taken.update(dict.fromkeys(_places(slot), slot))
    free = ((row, column) for row in range(table.rows) for column in range(table.columns) if (row, column) not in taken)
    slots += [_Slot(row, column, 1, 1, []) for row, column in free]
    return sorted(slots, key=lambda slot: (slot.row, slot.column))


def _size(cell: FoundCell) -> tuple[int, int, int]:
    return (cell.last_row - cell.row + 1) * (cell.last_column - cell.column + 1), cell.row, cell.column


def _free(cell: FoundCell, taken: Mapping[_Place, _Slot]) -> tuple[int, int]:
    """Return how many rows and columns from its first ones a cell can take."""
    columns = 1
    while cell.column + columns <= cell.last_column and (cell.row, cell.column + columns) not in taken:
        columns += 1
    rows = 1
    while cell.row + rows <= cell.last_row and not any(
        (cell.row + rows, cell.column + column) in taken for column in range(columns)
    ):
        rows += 1
    return rows, columns


def _places(slot: _Slot) -> Iterator[_Place]:
    for row in range(slot.row, slot.row + slot.rows):
        for column in range(slot.column, slot.column + slot.columns):
            yield row, column


def _cell(slot: _Slot, table: FoundTable, corners: Quad, page: Page, words: Sequence[Word], *, is_unread: bool) -> Cell:
    lines = lines_of(slot.words)
    # With the spaces of a line of text: there are none between Chinese characters. Rules beside words are left out.
    read = ((replace(words[word.index], text=word.text) for word in line) for line in lines)
    texts = (Line(tuple(line), UNPLACED) for line in read)
    return Cell(
        slot.row,
        slot.column,
        slot.rows,
        slot.columns,
        " ".join(line.text for line in texts),
        _box(corners, page),
        corners,
        tuple(word.index for line in lines for word in line),
        Line(tuple(words[word.index] for word in slot.words), UNPLACED).confidence,
        slot.row < table.headers,
        is_unread,
    )


def _place(slot: _Slot, table: FoundTable) -> Extent:
    return Extent(
        table.xs[slot.column],
        table.ys[slot.row],
        table.xs[slot.column + slot.columns],
        table.ys[slot.row + slot.rows],
    )


def _box(corners: Quad, page: Page) -> Box:
    """Return the bounding box on the page: the rules of a table may reach a little beyond it."""
    return box_of(corners[::2], corners[1::2], width=page.width, height=page.height)


def _is_unread(slot: _Slot, table: FoundTable, straight: StraightPage) -> bool:
    """Return whether a cell has print that no word has: all of it, or a line.

    Print of a word that reaches into it from the next cell does not count, nor what was read from a rule or a box to
    tick.
    """
    place = _place(slot, table)
    if slot.words:
        return has_unread_line(place, slot.words, straight)
    if not has_print(place, straight):
        return False
    return not any(place.overlaps(word, _REACHES_IN) for word in straight.words)


def _confidence(slots: Sequence[_Slot], table: FoundTable, unread: Sequence[bool]) -> float:
    """Return the share of the words, by width, that lie within their cells, times that of the cells that were read."""
    inside = whole = 0.0
    read = 0
    for slot, is_unread in zip(slots, unread, strict=True):
        place = _place(slot, table)
        read += bool(slot.words) and not is_unread
        for word in slot.words:
            whole += word.width
            inside += max(0.0, min(word.right, place.right) - max(word.left, place.left))
    return inside / whole * read / (read + sum(unread)) if whole and read else 0.0
