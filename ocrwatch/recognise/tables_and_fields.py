"""Finds the tables and the fields of a page that was read, by whichever engine."""

from __future__ import annotations

from dataclasses import replace

from ocrwatch.document import Page
from ocrwatch.errors import EngineFailed
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Decoded
from ocrwatch.recognise.extract.failures import bug_warning, is_of_environment
from ocrwatch.recognise.extract.fields.extraction import all_missing, with_fields
from ocrwatch.recognise.extract.tables import with_tables
from ocrwatch.recognise.extract.unread_cells import sheet_of, with_cells_read
from ocrwatch.recognise.reader import Reader
from ocrwatch.recognise.stopwatch import Stopwatch
from ocrwatch.recognise.strip_reader import StripReader


def with_tables_and_fields(
    page: Page, decoded: Decoded, recipe: Recipe, reader: Reader | None, clock: Stopwatch, *, second: bool
) -> Page:
    """Return a page with the tables and fields that the recipe asks for.

    ``reader`` reads parts of the page again; with None there is no second look. ``second`` says whether PP-OCR is
    loaded. Raises what the environment is to blame for: then the scan must be read again.
    """
    if recipe.tables:
        page = _with_tables(page, decoded, reader)
        clock.lap("tables")
    if recipe.fields:
        page = _with_fields(page, decoded, recipe, reader, second=second)
        clock.lap("fields")
    return page


def _with_tables(page: Page, decoded: Decoded, reader: Reader | None) -> Page:
    """Return a page with its tables. A bug in finding them costs no text: the page has a warning then."""
    try:
        found = with_tables(decoded.gray, decoded.reduction, page)
        return found if reader is None else _with_cells_read(found, decoded, reader)
    except Exception as error:
        if is_of_environment(error):
            raise
        return replace(page, tables=(), warnings=(*page.warnings, bug_warning("tables", error)))


def _with_cells_read(page: Page, decoded: Decoded, reader: Reader) -> Page:
    """Read cells with print that was not read once more, and find the tables again if that gave text."""
    sheet = sheet_of(page, decoded.gray, decoded.reduction)
    if sheet is None:
        return page
    try:
        blocks = reader.read_sheet(sheet.sheet.image)
    except EngineFailed:
        return page
    again = with_tables(decoded.gray, decoded.reduction, with_cells_read(page, sheet, blocks))
    return again if _read_cells(again) > _read_cells(page) else page


def _with_fields(page: Page, decoded: Decoded, recipe: Recipe, reader: Reader | None, *, second: bool) -> Page:
    """Return a page with its fields. A bug in finding them costs no text: all are missing then, with a warning."""
    rules = recipe.fields
    try:
        if reader is None:
            return with_fields(page, rules)
        strips = StripReader(decoded.gray, decoded.reduction, page, reader, second=second)
        return with_fields(page, rules, strips)
    except Exception as error:
        if is_of_environment(error):
            raise
        return replace(page, fields=all_missing(rules), warnings=(*page.warnings, bug_warning("fields", error)))


def _read_cells(page: Page) -> int:
    """Count the cells with text, twice if all of their print was read."""
    return sum(2 - cell.is_unread for table in page.tables or () for cell in table.cells if cell.text)
