"""Adds rows to a table where there is print between two of its rows that the engine did not read.

Tesseract loses whole rows, mostly those with a text of two lines beside a number that stands halfway between them.
Without these rows, all rows below have wrong numbers; with them, their cells are unread, and are read once more.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Final

from ocrwatch.recognise.extract.extents import Extent, extent
from ocrwatch.recognise.extract.found import FoundCell, FoundTable
from ocrwatch.recognise.extract.printed_lines import lines_of_letters
from ocrwatch.recognise.extract.straight_page import StraightPage
from ocrwatch.recognise.extract.word_ink import letters_in

_FEWEST_COLUMNS: Final = 2
"""Columns with text in a lost row, at least. In one only, it is a line of the text above, a stamp, or dirt."""

_BESIDE: Final = 0.15
"""How far the letters of a lost row are from the words above and below, at least: boxes of words may be too small."""

_ONE_ROW: Final = 0.6
"""Blank space between two lines of one row, at most, as a share of that between rows."""

_TALLEST: Final = 1.6
"""Height of a line of print, at most: from a capital's accent to the end of a descender. Dirt is at any height."""

_GAP: Final = 1.0
"""Gap between two letters that are not of one text, at least."""

_Band = tuple[float, float]
"""Top and bottom of print."""


def with_lost_rows(table: FoundTable, page: StraightPage) -> FoundTable:
    """Return a table with empty rows where letters lie between two rows of data, or below the headings.

    In a grid, rules show the rows already.
    """
    if table.kind == "grid":
        return table
    extents = _row_extents(table)
    spaces = [space for (_, end), (begin, _) in pairwise(extents) if (space := begin - end) > 0]
    usual = median(spaces) if spaces else 0.0
    # From the bottom, so that the numbers of the rows above stay.
    for row in range(table.rows - 1, max(1, table.headers) - 1, -1):
        (_, end), (begin, _) = extents[row - 1], extents[row]
        bands = _lost_bands(table, page, end + _BESIDE, begin - _BESIDE, _ONE_ROW * usual)
        if bands:
            table = _with_rows(table, row, [(table.place.top, end), *bands, (begin, table.place.bottom)])
    return table


def _row_extents(table: FoundTable) -> list[_Band]:
    """Return top and bottom of the words in each row; of a row without any, its edges."""
    words: list[list[FoundCell]] = [[] for _ in range(table.rows)]
    for cell in table.cells:
        if cell.row == cell.last_row and cell.words:
            words[cell.row].append(cell)
    return [
        (min(word.top for cell in row for word in cell.words), max(word.bottom for cell in row for word in cell.words))
        if row
        else edges
        for row, edges in zip(words, pairwise(table.ys), strict=True)
    ]


def _lost_bands(table: FoundTable, page: StraightPage, top: float, bottom: float, within: float) -> list[_Band]:
    """Return top and bottom of each row of letters between ``top`` and ``bottom``.

    Lines that are not more than ``within`` apart are one row.
    """
    letters = letters_in(Extent(table.place.left, top, table.place.right, bottom), page)
    by_column: dict[int, list[Extent]] = {}
    for letter in letters:
        by_column.setdefault(_column_at(letter.x, table), []).append(letter)
    lines = [line for column in by_column.values() for line in lines_of_letters(column) if _is_line(line)]
    return [
        (min(letter.top for letter in row), max(letter.bottom for letter in row))
        for row in lines_of_letters(itertools.chain(*lines), within)
        if len(_columns_of(row, table)) >= _FEWEST_COLUMNS
    ]


def _is_line(letters: Sequence[Extent]) -> bool:
    place = extent(letters)
    return place.bottom - place.top < _TALLEST


def _columns_of(letters: Iterable[Extent], table: FoundTable) -> set[int]:
    """Return the columns in which texts are; a text that runs on over several columns is in one."""
    texts: list[tuple[float, float]] = []
    for letter in sorted(letters, key=lambda letter: letter.left):
        if texts and letter.left - texts[-1][1] < _GAP:
            texts[-1] = (texts[-1][0], max(texts[-1][1], letter.right))
        else:
            texts.append((letter.left, letter.right))
    return {_column_at((left + right) / 2, table) for left, right in texts}


def _column_at(x: float, table: FoundTable) -> int:
    return bisect_left(table.xs[1:-1], x)


def _with_rows(table: FoundTable, row: int, bands: Sequence[_Band]) -> FoundTable:
    """Return a table with rows before ``row``: as many as there are bands between the first and the last one."""
    count = len(bands) - 2
    cells = (
        replace(
            cell,
            row=cell.row + count * (cell.row >= row),
            last_row=cell.last_row + count * (cell.last_row >= row),
        )
        for cell in table.cells
    )
    edges = ((end + begin) / 2 for (_, end), (begin, _) in pairwise(bands))
    return replace(table, cells=tuple(cells), ys=(*table.ys[:row], *edges, *table.ys[row + 1 :]))
