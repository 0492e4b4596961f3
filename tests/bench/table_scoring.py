"""Scores tables against the truth: relations between neighbouring cells, and cells in their place.

Relations are those of the table competition of ICDAR 2013 (Goebel, Hassan, Oro, Orsi: A Methodology for Evaluating
Algorithms for Table Understanding in PDF Documents, DocEng 2012): a pair of cells with nothing but empty cells between
them, side by side or one above the other.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ocrwatch.document import Box, Table


@dataclass(frozen=True, slots=True)
class TrueCell:
    """A cell with text. Rows and columns include the last."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    text: str
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class TableScore:
    """What was found of the tables of pages; scores of several pages can be added."""

    true_relations: int = 0
    found_relations: int = 0
    right_relations: int = 0
    true_cells: int = 0
    right_cells: int = 0
    """Cells with the right text in the right rows and columns."""
    placed_cells: int = 0
    """Cells in the right rows and columns, whatever their text."""

    def __add__(self, other: TableScore) -> TableScore:
        """Return the score of both."""
        return TableScore(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall of the relations, 0 to 1."""
        return 2 * self.right_relations / max(1, self.true_relations + self.found_relations)

    @property
    def cells(self) -> float:
        """Share of the cells with text and place right."""
        return self.right_cells / max(1, self.true_cells)

    @property
    def placed(self) -> float:
        """Share of the cells with the place right."""
        return self.placed_cells / max(1, self.true_cells)


def read_truth(path: Path) -> list[list[TrueCell]]:
    """Return the tables of a file ``NAME.tables.json``."""
    return [
        [
            TrueCell(tuple(cell["rows"]), tuple(cell["columns"]), cell["text"], Box(*cell["box"]))
            for cell in table["cells"]
        ]
        for table in json.loads(path.read_bytes())["tables"]
    ]


def found_cells(table: Table) -> list[TrueCell]:
    """Return the cells of a table that have text."""
    return [
        TrueCell(
            (cell.row, cell.row + cell.rows - 1), (cell.column, cell.column + cell.columns - 1), cell.text, cell.box
        )
        for cell in table.cells
        if cell.text
    ]


def score(truth: Sequence[Sequence[TrueCell]], found: Sequence[Sequence[TrueCell]]) -> TableScore:
    """Score the tables of one page."""
    true = Counter(relation for table in truth for relation in relations(table))
    read = Counter(relation for table in found for relation in relations(table))
    right = placed = 0
    for table in truth:
        in_place = [_in_place(table, other) for other in found]
        right += max((both[0] for both in in_place), default=0)
        placed += max((both[1] for both in in_place), default=0)
    return TableScore(true.total(), read.total(), (true & read).total(), sum(map(len, truth)), right, placed)


def normalised(text: str) -> str:
    """Return letters and digits in lower case; of a text without them, its signs."""
    return re.sub(r"[\W_]", "", text).lower() or re.sub(r"\s", "", text)


def relations(cells: Sequence[TrueCell]) -> list[tuple[str, str, str]]:
    """Return the pairs of neighbours: both texts, and ``right`` or ``below``."""
    grid = {
        (row, column): number
        for number, cell in enumerate(cells)
        if normalised(cell.text)
        for row in range(cell.rows[0], cell.rows[1] + 1)
        for column in range(cell.columns[0], cell.columns[1] + 1)
    }
    found = set()
    for direction, order in (("right", sorted(grid)), ("below", sorted(grid, key=lambda place: place[::-1]))):
        axis = 0 if direction == "right" else 1
        for one, other in pairwise(order):
            if one[axis] == other[axis] and grid[one] != grid[other]:
                found.add((grid[one], grid[other], direction))
    return [(normalised(cells[one].text), normalised(cells[other].text), way) for one, other, way in sorted(found)]


def _in_place(truth: Sequence[TrueCell], found: Sequence[TrueCell]) -> tuple[int, int]:
    """Return how many cells are right, and in place.

    The truth begins with the first row and column that belong to the table; a title above, or a note beside it, that
    was taken for part of it shifts the numbers of all cells by the same amount.
    """
    by_place = {(cell.rows, cell.columns): normalised(cell.text) for cell in found}
    best = (0, 0)
    for down in range(-3, 4):
        for across in range(-1, 2):
            texts = [
                (normalised(cell.text), by_place.get((_moved(cell.rows, down), _moved(cell.columns, across))))
                for cell in truth
            ]
            right = sum(true == read for true, read in texts)
            best = max(best, (right, sum(read is not None for _, read in texts)))
    return best


def _moved(span: tuple[int, int], by: int) -> tuple[int, int]:
    return span[0] + by, span[1] + by
