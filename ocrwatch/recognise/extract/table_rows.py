"""Makes a table from words and columns: its rows of headings, its rows of data, and its cells."""

from __future__ import annotations

from dataclasses import replace

from ocrwatch.document import TableKind
from ocrwatch.recognise.extract.body_rows import number_rows
from ocrwatch.recognise.extract.columns import Columns, pieces_of
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.found import FoundCell, FoundTable, TablePage, column_edges, row_edges
from ocrwatch.recognise.extract.header_rows import count_header_lines, header_cells
from ocrwatch.recognise.extract.table_words import lines_of, middle


def table_of(page: TablePage, columns: Columns, place: Extent, kind: TableKind) -> FoundTable:
    """Return the table with these words and columns. ``page`` has only the words of the table."""
    lines = lines_of(page.words)
    rows = [
        pieces_of(line, columns, page.spacing, vertical=page.vertical, horizontal=page.horizontal) for line in lines
    ]
    head = count_header_lines(rows, lines, page, place)
    headings = [piece for row in rows[:head] for piece in row]
    cells, depth = header_cells(headings, columns, page.horizontal)
    numbers = number_rows(rows[head:], [middle(line) for line in lines[head:]], page.horizontal, place)
    body: dict[int, list[FoundCell]] = {}
    for number, row in zip(numbers, rows[head:], strict=True):
        for piece in row:
            cell = FoundCell(depth + number, depth + number, piece.first, piece.last, tuple(piece.words))
            _add(body.setdefault(number, []), cell)
    cells += [cell for row_cells in body.values() for cell in row_cells]
    count = depth + max(numbers, default=-1) + 1
    xs = column_edges(columns, place.left, place.right)
    return FoundTable(kind, place, tuple(cells), xs, row_edges(cells, count, place.top, place.bottom), depth)


def _add(cells: list[FoundCell], cell: FoundCell) -> None:
    """Add a cell to those of its row; its words go to the one of its columns if there is one."""
    for at, other in enumerate(cells):
        if other.column <= cell.last_column and other.last_column >= cell.column:
            cells[at] = replace(
                other,
                column=min(other.column, cell.column),
                last_column=max(other.last_column, cell.last_column),
                words=(*other.words, *cell.words),
            )
            return
    cells.append(cell)
