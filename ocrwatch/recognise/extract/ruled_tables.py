"""Finds tables within rules that cross: full grids, and frames with a table of fewer rules inside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ocrwatch.recognise.extract.columns import Columns, Gap, count_on_both_sides, find_gaps
from ocrwatch.recognise.extract.found import FoundCell, FoundTable, TablePage
from ocrwatch.recognise.extract.ruled_grid import Lattice, count_headings, find_lattices, grid_cells
from ocrwatch.recognise.extract.rules import Rules
from ocrwatch.recognise.extract.table_rows import table_of
from ocrwatch.recognise.extract.table_words import TableWord, is_number, lines_of, spans_of, split_at_gaps, strips_of

_FEWEST_CELLS: Final = 4
_FEWEST_ROWS: Final = 3
"""Rows of several texts that show that a place of the grid holds a table of its own."""

_NUMBERS: Final = 0.6
"""Share of such rows whose values are mostly numbers, at least, if only the rules between rows are missing."""

_SUB_GAP: Final = 0.6
"""Width of a gap between columns within one column of the grid, at least."""


def ruled_tables(page: TablePage, rules: Rules) -> tuple[list[FoundTable], tuple[TableWord, ...]]:
    """Return the tables within rules, and the words that are in none of them."""
    tables: list[FoundTable] = []
    rest = page.words
    for lattice in find_lattices(rules, page.words):
        inside = tuple(word for word in rest if lattice.place.holds(word))
        if len(inside) < _FEWEST_CELLS or (lattice.columns < 2 and lattice.rows < _FEWEST_ROWS):  # noqa: PLR2004
            continue
        table = _table(lattice, TablePage(inside, lattice.horizontal, lattice.vertical, page.spacing))
        if table is not None and _is_table(table.cells):
            tables.append(table)
            used = {word.index for word in inside}
            rest = tuple(word for word in rest if word.index not in used)
    return tables, rest


def _table(lattice: Lattice, page: TablePage) -> FoundTable | None:
    """Return the table of a lattice; None if nothing divides its texts into columns.

    A frame is not taken for the grid: what is in it has columns and rows of its own.
    """
    within = [gap for column in range(lattice.columns) for gap in _gaps_within(lattice, column, page)]
    columns = Columns(tuple(sorted((*lattice.gaps, *within))), lattice.xs[0], lattice.xs[-1])
    if not columns.gaps:
        return None
    bands = (_band(lattice, row, page.words) for row in range(lattice.rows))
    if within or any(_has_rows(band, columns) for band in bands):
        return table_of(page, columns, lattice.place, "rules")
    cells, ys = grid_cells(lattice, page.words, page.spacing)
    headers = count_headings(cells, len(ys) - 1)
    return FoundTable("grid", lattice.place, tuple(cells), lattice.xs, ys, headers)


def _gaps_within(lattice: Lattice, column: int, page: TablePage) -> list[Gap]:
    """Return the gaps of a table inside one column of the lattice; empty if there is none."""
    left, right = lattice.xs[column], lattice.xs[column + 1]
    words = [word for word in page.words if left < word.x < right]
    lines = [split_at_gaps(line, page.spacing.gap) for line in lines_of(words)]
    several = [line for line in lines if len(line) > 1]
    if len(several) < max(_FEWEST_ROWS, 0.5 * len(lines)):
        return []
    gaps = find_gaps(several, left, right, _SUB_GAP)
    spans = [spans_of(line) for line in several]
    return [gap for gap in gaps if count_on_both_sides(gap, spans) >= max(_FEWEST_ROWS, 0.6 * len(several))]


def _band(lattice: Lattice, row: int, words: Iterable[TableWord]) -> list[TableWord]:
    return [word for word in words if lattice.ys[row] <= word.y < lattice.ys[row + 1]]


def _has_rows(band: Iterable[TableWord], columns: Columns) -> bool:
    """Return whether what is between two rules has several rows: of numbers in several columns."""
    strips = [words for _, _, words in strips_of(band)]
    several = numbers = 0
    for words in strips:
        by_column: dict[int, list[TableWord]] = {}
        for word in words:
            by_column.setdefault(columns.at(word.x), []).append(word)
        if len(by_column) > 1:
            several += 1
            values = [is_number(text) for column, text in by_column.items() if column > 0]
            numbers += 2 * sum(values) >= max(1, len(values))
    return several >= _FEWEST_ROWS and numbers >= _NUMBERS * len(strips)


def _is_table(cells: Iterable[FoundCell]) -> bool:
    cells = [cell for cell in cells if cell.words]
    several = len({cell.column for cell in cells}) > 1 and len({cell.row for cell in cells}) > 1
    return several and len(cells) >= _FEWEST_CELLS
