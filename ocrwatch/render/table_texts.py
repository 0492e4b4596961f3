"""A table as rows of texts, and the number of its rows of headings."""

from __future__ import annotations

import re
from typing import Final

from ocrwatch.document import Table

_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def one_line(text: str) -> str:
    """Return a text with single spaces, without line breaks and other control characters."""
    return _SPACE.sub(" ", text).strip()


def count_heading_rows(table: Table) -> int:
    """Return how many rows of headings a table has above its data."""
    return max((cell.row + cell.rows for cell in table.cells if cell.is_header), default=0)


def rows_of(table: Table) -> list[list[str]]:
    """Return the texts, row by row, each on one line.

    The text of a cell that takes several rows or columns is in the first of them; the others are empty.
    """
    rows = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        rows[cell.row][cell.column] = one_line(cell.text)
    return rows


def heading_texts(table: Table, rows: int) -> list[str]:
    """Return the texts in the first ``rows`` of each column, joined.

    A heading that takes several columns is in each of them; other text is in the first one.
    """
    texts: list[list[str]] = [[] for _ in range(table.columns)]
    for cell in table.cells:
        if cell.row >= rows or not cell.text:
            continue
        for column in range(cell.column, cell.column + (cell.columns if cell.is_header else 1)):
            texts[column].append(one_line(cell.text))
    return [" ".join(filter(None, column)) for column in texts]
