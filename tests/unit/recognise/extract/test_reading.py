"""Tables of scans that are really read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocrwatch.document import Page, Table
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.page import recognise
from tests.bench.rendered_tables import rendered_tables
from tests.bench.table_scoring import normalised
from tests.rendering import encode
from tests.table_images import draw_table, simple, skewed
from tests.unit.recognise.extract.sheets import PORTS, PROSE, Sheet, cells_of, header_rows, truth_of
from tests.unit.recognise.extract.test_any_page import assert_well_formed

PLAIN = simple(PORTS)
WITH_TABLES = Recipe(tables=True, second="none")
WITHOUT = Recipe(second="none")


def assert_has_ports(table: Table) -> None:
    """Check that all texts are in their places, whatever signs were read from the rules beside them."""
    found, wanted = (
        [replace(cell, text=normalised(cell.text)) for cell in cells] for cells in (cells_of(table), truth_of(PLAIN))
    )
    assert found == wanted


def untimed(page: Page) -> Page:
    """Return a page without its tables, and without what differs each time."""
    return replace(page, tables=None, timings=())


@pytest.mark.parametrize("degrees", [0.0, 2.0])
def test_tables_are_found_if_they_are_wanted(degrees: float) -> None:
    """All else on the page is the same; without the option it is not known whether there are tables."""
    drawn = draw_table(PLAIN, above=PROSE[:2], below=PROSE[2:4])
    scan = encode(skewed(drawn, degrees).image, quality=92)
    page, bare = recognise(scan, WITH_TABLES), recognise(scan, WITHOUT)
    assert page.tables is not None
    (table,) = page.tables
    assert_has_ports(table)
    assert (table.kind, header_rows(table)) == ("grid", {0})
    assert_well_formed(page.tables, page)
    assert bare.tables is None
    assert untimed(page) == untimed(bare)
    assert [name for name, _ in page.timings] == ["decode", "enhance", "engine", "tables"]
    assert [name for name, _ in bare.timings] == ["decode", "enhance", "engine"]


@pytest.mark.parametrize("recipe", [WITH_TABLES, replace(WITH_TABLES, second="auto")])
def test_a_page_without_print_has_no_tables(recipe: Recipe) -> None:
    """It was looked for them all the same: that is not the same as unknown."""
    page = recognise(encode(Sheet(800, 600).image), recipe)
    assert page.is_blank
    assert page.tables == ()
    assert "tables" in dict(page.timings)


def test_a_page_of_prose_has_no_tables() -> None:
    """Read as it is printed."""
    sheet = Sheet(1300, 500)
    for number, line in enumerate(PROSE):
        sheet.write(line, 80, 80 + 40 * number)
    assert recognise(encode(sheet.image), WITH_TABLES).tables == ()


def test_a_table_on_its_side_has_its_place_there() -> None:
    """The page is turned to be read, and its table is not higher than wide on the straight page only."""
    drawn = draw_table(PLAIN, above=PROSE[:3], below=PROSE[3:6])
    turned = drawn.image.rotate(90, expand=True)
    page = recognise(encode(turned, quality=92), WITH_TABLES)
    assert page.upright is not None
    assert page.upright.turns == 1
    assert page.tables is not None
    (table,) = page.tables
    assert_has_ports(table)
    assert table.box.bottom - table.box.top > table.box.right - table.box.left


def test_a_row_that_tesseract_loses_is_read() -> None:
    """It has a label of two lines, and one number halfway between them. Of another row, both lines are read as one."""
    *_, table = rendered_tables(3, seed=13)
    page = recognise(encode(table.drawn.image, quality=90), WITH_TABLES)
    assert page.tables is not None
    found, wanted = cells_of(page.tables[0]), truth_of(table.drawn.cells)
    assert "District passenger material number" in [cell.text for cell in wanted]
    assert [(cell.row, cell.column) for cell in found] == [(cell.row, cell.column) for cell in wanted]
    # A figure that is read wrongly is no matter of the table.
    assert [cell.text for cell in found if cell.column == 0] == [cell.text for cell in wanted if cell.column == 0]
