"""Cells with print and no text: marked, and read again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageDraw

from ocrwatch.document import Block, Box, Line, Page, Word, bounding_box
from ocrwatch.errors import EnvironmentFault
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.extract.tables import with_tables
from ocrwatch.recognise.extract.unread_cells import CellSheet, sheet_of, with_cells_read
from ocrwatch.recognise.page import recognise
from ocrwatch.render.review import review_reasons
from tests.rendering import encode
from tests.table_images import DrawnTable, Rules, draw_table, simple

ROWS = (("Harbour", "Summer", "Winter"), ("North", "120", "95"), ("South", "310", "88"), ("Total", "430", "183"))


def _without(page: Page, *texts: str) -> Page:
    """Return a page as if words had not been read."""
    return replace(page, blocks=tuple(block for block in page.blocks if block.lines[0].text not in texts))


def _table() -> DrawnTable:
    return draw_table(simple(ROWS))


def _wrapped(rules: Rules = "header") -> DrawnTable:
    """Return a table with a label of two lines beside numbers that stand halfway between them."""
    return draw_table(simple((*ROWS[:3], ("Mean of\nall years", "215", "91"), ROWS[3])), rules=rules)


def _read_as_one(drawn: DrawnTable) -> Page:
    """Return its page as if both lines of the label had been read as one word."""
    page = _without(drawn.page(), "of", "all", "years")
    (above,) = (block for block in page.blocks if block.lines[0].text == "Mean")
    box = bounding_box(box for text, box in drawn.words if text in {"Mean", "of", "all", "years"})
    word = Word("Meayeors", box, 40.0, box.right - box.left, box.bottom - box.top)
    return replace(
        page, blocks=tuple(Block((Line((word,), box),), box) if block is above else block for block in page.blocks)
    )


def _sheet_of(page: Page, drawn: DrawnTable) -> tuple[CellSheet, Box]:
    """Return the sheet, and the box of the print on it."""
    sheet = sheet_of(page, drawn.gray, 1)
    assert sheet is not None
    rows, columns = np.nonzero(sheet.sheet.image < 128)
    return sheet, Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def _two_lines(box: Box, first: str, second: str, confidence: float) -> Block:
    """Return a block with two words, one below the other."""
    middle = (box.top + box.bottom) // 2
    words = [
        Word(first, replace(box, bottom=middle - 4), confidence),
        Word(second, replace(box, top=middle + 4), confidence),
    ]
    return Block(tuple(Line((word,), word.box) for word in words), box)


def test_cell_with_print_and_no_text_is_unread() -> None:
    """An empty cell is not."""
    drawn = draw_table(simple((*ROWS, ("Mean", "215", ""))))
    page = with_tables(drawn.gray, 1, _without(drawn.page(), "310"))
    assert page.tables is not None
    (table,) = page.tables
    assert [(cell.row, cell.column) for cell in table.cells if cell.is_unread] == [(2, 1)]
    assert not next(cell for cell in table.cells if (cell.row, cell.column) == (4, 2)).is_unread
    assert table.confidence < 100


def test_unread_cell_marks_the_page_for_review() -> None:
    """The reason counts the cells."""
    drawn = _table()
    page = with_tables(drawn.gray, 1, _without(drawn.page(), "310", "183"))
    assert review_reasons(page, 75.0) == ("2 cells of tables unread",)
    assert review_reasons(with_tables(drawn.gray, 1, drawn.page()), 75.0) == ()


def test_sheet_shows_the_unread_cells_black_on_white() -> None:
    """Print that is lighter than its cell becomes black, too."""
    drawn = _table()
    gray = 255 - (drawn.gray // 2)
    page = with_tables(drawn.gray, 1, _without(drawn.page(), "310"))
    for image in (drawn.gray, gray):
        sheet = sheet_of(page, image, 1)
        assert sheet is not None
        assert [cell.text for cell in sheet.cells] == [""]
        assert np.median(sheet.sheet.image) == 255
        assert sheet.sheet.image.min() < 20


@pytest.mark.parametrize("rules", ["grid", "rows", "frame", "header", "none"])
def test_two_lines_that_were_read_as_one_are_unread(rules: Rules) -> None:
    """So is a cell of which one line was read. If both were, it is not."""
    drawn = _wrapped(rules)
    for page in (_read_as_one(drawn), _without(drawn.page(), "Mean", "of"), _without(drawn.page(), "all", "years")):
        found = with_tables(drawn.gray, 1, page)
        assert found.tables is not None
        assert [(cell.row, cell.column) for cell in found.tables[0].cells if cell.is_unread] == [(3, 0)]
        assert review_reasons(found, 75.0) == ("1 cell of tables unread",)
    found = with_tables(drawn.gray, 1, drawn.page())
    assert found.tables is not None
    assert not any(cell.is_unread for cell in found.tables[0].cells)


def test_tall_box_around_one_line_is_no_second_line() -> None:
    """Tesseract's boxes may be as tall as their cell."""
    drawn = _wrapped()
    page = drawn.page()
    blocks = []
    for block in page.blocks:
        (word,) = block.lines[0].words
        if word.text == "215":
            word = replace(word, box=replace(word.box, top=word.box.top - 20), height=word.height + 20)
        blocks.append(Block((Line((word,), word.box),), word.box))
    found = with_tables(drawn.gray, 1, replace(page, blocks=tuple(blocks)))
    assert found.tables is not None
    assert not any(cell.is_unread for cell in found.tables[0].cells)


def test_what_is_read_again_replaces_the_wrong_text() -> None:
    """In the table and in the text of the page."""
    drawn = _wrapped()
    page = with_tables(drawn.gray, 1, _read_as_one(drawn))
    sheet, box = _sheet_of(page, drawn)
    again = with_cells_read(page, sheet, [_two_lines(box, "Mean_of", "all_years", 91.0)])
    assert " ".join(again.text.split()).endswith("Mean_of all_years 215 91 Total 430 183")
    assert "Meayeors" not in again.text
    tables = with_tables(drawn.gray, 1, again).tables
    assert tables is not None
    assert [(cell.text, cell.is_unread) for cell in tables[0].cells if (cell.row, cell.column) == (3, 0)] == [
        ("Mean_of all_years", False)
    ]


def test_text_stays_if_it_is_read_no_better() -> None:
    """Fewer letters replace nothing, however sure the engine is of them; as many do if it is as sure of them."""
    drawn = _wrapped()
    page = with_tables(drawn.gray, 1, _without(drawn.page(), "all", "years"))
    sheet, box = _sheet_of(page, drawn)
    assert with_cells_read(page, sheet, []).blocks == page.blocks
    assert with_cells_read(page, sheet, [_two_lines(box, "Mn", "a", 99.0)]).blocks == page.blocks
    assert with_cells_read(page, sheet, [_two_lines(box, "Moan", "of", 80.0)]).blocks == page.blocks
    surer = with_cells_read(page, sheet, [_two_lines(box, "Moan", "of", 96.0)])
    assert " ".join(surer.text.split()).endswith("Moan of 215 91 Total 430 183")


def _read_again_on_one_line(*order: int) -> tuple[Page, tuple[Word, ...]]:
    """Return a page that has the label, 0, and its numbers, 1 and 2, on one line, after the label was read again.

    Also returns the words of that line before.
    """
    drawn = _wrapped()
    page = _read_as_one(drawn)
    *blocks, label, first, second = page.blocks[:-3]
    cells = (label, first, second)
    words = tuple(word for number in order for word in cells[number].lines[0].words)
    line = Line(words, bounding_box(word.box for word in words))
    page = with_tables(drawn.gray, 1, replace(page, blocks=(*blocks, Block((line,), line.box), *page.blocks[-3:])))
    sheet, box = _sheet_of(page, drawn)
    return with_cells_read(page, sheet, [_two_lines(box, "Mean_of", "all_years", 91.0)]), words


def test_other_words_of_a_line_stay() -> None:
    """Numbers that are on one line with the wrong text are after the new one, as on the page."""
    again, words = _read_again_on_one_line(0, 1, 2)
    assert [line.text for line in again.blocks[-4].lines] == ["Mean_of", "all_years", "215 91"]
    assert again.blocks[-4].lines[-1].box == bounding_box(word.box for word in words[1:])


def test_a_line_is_divided_where_a_cell_in_its_middle_is_replaced() -> None:
    """Otherwise the text of the page would have the columns in another order."""
    again, _ = _read_again_on_one_line(1, 0, 2)
    assert [line.text for line in again.blocks[-4].lines] == ["215", "Mean_of", "all_years", "91"]


def test_words_that_were_read_well_stay() -> None:
    """More letters of which the engine is less sure replace them only if they are among them."""
    drawn = _wrapped()
    page = with_tables(drawn.gray, 1, _without(drawn.page(), "all", "years"))
    sheet, box = _sheet_of(page, drawn)
    assert with_cells_read(page, sheet, [_two_lines(box, "Moan of", "aII years", 50.0)]).blocks == page.blocks
    again = with_cells_read(page, sheet, [_two_lines(box, "Mean of", "aII years", 50.0)])
    assert " ".join(again.text.split()).endswith("Mean of aII years 215 91 Total 430 183")


def test_page_without_unread_cells_has_no_sheet() -> None:
    """Nothing is read again then."""
    drawn = _table()
    assert sheet_of(with_tables(drawn.gray, 1, drawn.page()), drawn.gray, 1) is None
    assert sheet_of(drawn.page(), drawn.gray, 1) is None


def test_what_is_read_on_the_sheet_is_placed_in_its_cell() -> None:
    """The new line follows the text of the cell before it, and lies where it is printed."""
    drawn = _table()
    missing = dict(drawn.words)["310"]
    page = with_tables(drawn.gray, 1, _without(drawn.page(), "310"))
    sheet = sheet_of(page, drawn.gray, 1)
    assert sheet is not None
    rows, columns = np.nonzero(sheet.sheet.image < 128)
    box = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    unsure = Word("x", Box(1, 1, 5, 5), 20.0)
    read = Block((Line((Word("310", box, 91.0), unsure), box),), box)
    page = with_cells_read(page, sheet, [read])
    assert " ".join(page.text.split()) == "Harbour Summer Winter North 120 95 South 310 88 Total 430 183"
    word = next(word for word in page.words if word.text == "310")
    assert max(abs(word.box.left - missing.left), abs(word.box.top - missing.top)) <= 3
    assert abs(word.width - (missing.right - missing.left)) <= 4
    again = with_tables(drawn.gray, 1, page)
    assert again.tables is not None
    assert [cell.text for cell in again.tables[0].cells] == [text for row in ROWS for text in row]


def test_white_print_in_shaded_cells_is_read() -> None:
    """Headings in white on mid grey, which Tesseract leaves out, are in the table and in the text."""
    drawn = draw_table(simple(ROWS), size=34)
    gray = drawn.gray.copy()
    (_, box) = drawn.words[0]
    rows = slice(box.top - 16, box.bottom + 16)
    inside = gray[rows, 124:-124]
    gray[rows, 124:-124] = 150 + (255 - inside.astype(np.int32)) * 105 // 255
    page = recognise(encode(drawn.with_pixels(gray).image), Recipe(tables=True))
    assert page.tables is not None
    assert [cell.text for cell in page.tables[0].cells[:3]] == ["Harbour", "Summer", "Winter"]
    assert {"Harbour", "Summer", "Winter"} <= set(page.text.split())


def test_bug_in_finding_tables_costs_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has its text, no tables, and a warning that says where the bug is, without the text of a cell."""

    def fail(*_: object) -> Page:
        raise ValueError("no such column")

    monkeypatch.setattr("ocrwatch.recognise.tables_and_fields.with_tables", fail)
    page = recognise(encode(_table().image), Recipe(tables=True))
    assert "Harbour" in page.text
    assert page.tables == ()
    (warning,) = page.warnings
    place = "ValueError in recognise/tables_and_fields.py, line "
    begin = f"tables could not be found: a bug in ocrwatch, please report it: {place}"
    assert warning.startswith(begin)
    assert warning.removeprefix(begin).isdecimal()


@pytest.mark.parametrize("error", [OSError(5, "no such disk"), EnvironmentFault("no room"), MemoryError()])
def test_what_the_environment_fails_at_is_no_bug_in_finding_tables(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan is read again later, when it can have its tables."""

    def fail(*_: object) -> Page:
        raise error

    monkeypatch.setattr("ocrwatch.recognise.tables_and_fields.with_tables", fail)
    with pytest.raises(type(error)):
        recognise(encode(_table().image), Recipe(tables=True))


def test_box_to_tick_is_not_unread() -> None:
    """It was read as brackets, which no cell has; the page's text has them."""
    drawn = draw_table(simple((("Fragile", "[ ]"), ("Heavy", "[ ]"), ("Cold", "[ ]"))))
    page = with_tables(drawn.gray, 1, drawn.page())
    assert page.tables is not None
    assert not any(each.is_unread for found in page.tables for each in found.cells)


def test_tall_cells_and_many_cells_are_not_read_again() -> None:
    """Pictures, stamps and signatures are no text, and take no time."""
    drawn = draw_table(simple((*ROWS, ("Mean\n\n\n\n\n\n\n\n\n\n\n\n", "215", "7"))))
    page = with_tables(drawn.gray, 1, _without(drawn.page(), "215"))
    assert page.tables is not None
    assert sum(each.is_unread for found in page.tables for each in found.cells) == 1
    assert sheet_of(page, drawn.gray, 1) is None


def test_word_that_reaches_into_an_empty_cell_is_not_read_again() -> None:
    """It would be on the page twice."""
    drawn = draw_table(simple((*ROWS, ("Mean", "", "7"))))
    box = dict(drawn.words)["Mean"]
    word = Word("Mean", replace(box, right=box.right + 160), 95.0, box.right + 160 - box.left, box.bottom - box.top)
    ImageDraw.Draw(drawn.image).text((box.right + 100, box.top - 6), "of all", fill=0, font_size=30)
    page = drawn.page()
    blocks = [
        replace(block, lines=(Line((word,), word.box),)) if block.lines[0].text == "Mean" else block
        for block in page.blocks
    ]
    found = with_tables(drawn.gray, 1, replace(page, blocks=tuple(blocks)))
    assert found.tables is not None
    assert not any(each.is_unread for table in found.tables for each in table.cells)
