"""A table as it is found, before its cells are completed and placed on the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocrwatch.document import TableKind
from ocrwatch.recognise.extract.columns import Columns
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.rules import Rule
from ocrwatch.recognise.extract.table_words import Spacing, TableWord


@dataclass(frozen=True, slots=True)
class FoundCell:
    """A cell, which may be empty if it spans several rows or columns. Rows and columns include the last."""

    row: int
    last_row: int
    column: int
    last_column: int
    words: tuple[TableWord, ...]

    @property
    def is_single(self) -> bool:
        """Whether it is in one column."""
        return self.column == self.last_column


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table with the edges of its rows and columns."""

    kind: TableKind
    place: Extent
    cells: tuple[FoundCell, ...]
    """In any order. Two may claim the same place."""
    xs: tuple[float, ...]
    """Edges of the columns, one more than there are columns."""
    ys: tuple[float, ...]
    """Edges of the rows, one more than there are rows."""
    headers: int
    """Number of rows with headings."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.ys) - 1

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.xs) - 1


@dataclass(frozen=True, slots=True)
class TablePage:
    """Words and rules of a page, or of a part of it, from which tables are made."""

    words: tuple[TableWord, ...]
    horizontal: tuple[Rule, ...]
    vertical: tuple[Rule, ...]
    spacing: Spacing


def column_edges(columns: Columns, left: float, right: float) -> tuple[float, ...]:
    """Return the edges of columns, halfway between their texts."""
    return (left, *(gap.middle for gap in columns.gaps), right)


def row_edges(cells: Sequence[FoundCell], rows: int, top: float, bottom: float) -> tuple[float, ...]:
    """Return the edges of rows, halfway between their texts.

    Texts that span several rows do not count. An edge is never above the one before.
    """
    tops: list[float] = [bottom] * rows
    bottoms: list[float] = [top] * rows
    for cell in cells:
        if cell.row == cell.last_row:
            tops[cell.row] = min((tops[cell.row], *(word.top for word in cell.words)))
            bottoms[cell.row] = max((bottoms[cell.row], *(word.bottom for word in cell.words)))
    edges = [top]
    for row in range(1, rows):
        edges.append(min(bottom, max(edges[-1], (bottoms[row - 1] + tops[row]) / 2)))
    return (*edges, bottom)
