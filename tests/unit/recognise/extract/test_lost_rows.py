"""Rows of which the engine read nothing: their cells are there, so that they are read once more."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from ocrwatch.document import Table
from tests.table_images import DrawnCell, DrawnTable, Rules, draw_table, simple
from tests.unit.recognise.extract.sheets import PORTS, PROSE, Sheet, cells_of, find, header_rows, the_table, truth_of

OPEN: Final[tuple[Rules, ...]] = ("rows", "frame", "header", "none")
"""Tables whose rows are known by their texts. In a grid, rules show them."""

WIDE = (
    ("Port", "Ships", "Cargo", "Fees"),
    ("Bergen", "12", "1,340", "88.20"),
    ("Stavanger and\nthe western coast", "19", "2,705", "64.10"),
    ("Oslo", "7", "905", "41.75"),
    ("Malmo", "31", "2,218", "102.10"),
    ("Riga", "4", "77", "9.50"),
    ("Turku", "26", "1,118", "70.05"),
)


def without_rows(drawn: DrawnTable, rows: set[int]) -> DrawnTable:
    """Return a table as if no word of some rows had been read: the words are drawn row by row."""
    texts = [word for cell in drawn.cells if cell.row in rows for word in cell.text.split()]
    words = list(drawn.words)
    for text in texts:
        words.remove(next(word for word in words if word[0] == text))
    return replace(drawn, words=words)


def assert_lost(table: Table, cells: tuple[DrawnCell, ...], rows: set[int]) -> None:
    """Check that all rows are there, and that the cells of some are unread."""
    assert table.rows == 1 + max(cell.row for cell in cells)
    assert cells_of(table) == truth_of(cell for cell in cells if cell.row not in rows)
    assert {(cell.row, cell.column) for cell in table.cells if cell.is_unread} == {
        (cell.row, cell.column) for cell in cells if cell.row in rows
    }
    assert header_rows(table) == {0}


@pytest.mark.parametrize("rules", OPEN)
@pytest.mark.parametrize("lost", [{1}, {3}, {4}])
def test_a_row_without_words_is_there(rules: Rules, lost: set[int]) -> None:
    """The rows below it keep their numbers."""
    cells = simple(WIDE)
    assert_lost(the_table(without_rows(draw_table(cells, rules=rules), lost)), cells, lost)


@pytest.mark.parametrize("rules", OPEN)
def test_a_lost_row_of_two_lines_is_one(rules: Rules) -> None:
    """Numbers stand in the middle of its height, beside both lines."""
    cells = simple(WIDE)
    assert_lost(the_table(without_rows(draw_table(cells, rules=rules), {2})), cells, {2})


@pytest.mark.parametrize("rules", OPEN)
def test_two_lost_rows_are_two(rules: Rules) -> None:
    """As far apart as rows are."""
    cells = simple(WIDE)
    assert_lost(the_table(without_rows(draw_table(cells, rules=rules), {3, 4})), cells, {3, 4})


def test_blank_space_is_no_row() -> None:
    """Groups of rows stand apart, with a short rule between them."""
    sheet = Sheet(900, 700)
    for number, row in enumerate(PORTS):
        top = 100 + 44 * number + (90 if number > 2 else 0)
        for column, text in enumerate(row):
            sheet.write(text, 100 + 190 * column, top)
    sheet.rule(100, 265, 190, 265)
    table = the_table(sheet.drawn)
    assert (table.rows, table.columns) == (5, 4)
    assert not any(cell.is_unread for cell in table.cells)


def test_a_line_beside_one_column_only_is_no_row() -> None:
    """A stamp, or the line of a label that was lost, is in one column."""
    sheet = Sheet(900, 700)
    for number, row in enumerate(PORTS):
        top = 100 + 44 * number + (60 if number > 2 else 0)
        for column, text in enumerate(row):
            sheet.write(text, 100 + 190 * column, top)
    sheet.image.paste(draw_table(simple([("Stamped",)]), rules="none").image.crop((120, 130, 300, 175)), (100, 238))
    assert the_table(sheet.drawn).rows == 5


@pytest.mark.parametrize("rules", OPEN)
def test_text_below_a_table_is_no_row_of_it(rules: Rules) -> None:
    """Whether its words were read or not."""
    drawn = draw_table(simple(PORTS), rules=rules, above=PROSE[:2], below=PROSE[2:4])
    prose = {word for line in PROSE[:4] for word in line.split()}
    (table,) = find(replace(drawn, words=[word for word in drawn.words if word[0] not in prose]))
    assert cells_of(table) == truth_of(simple(PORTS))
