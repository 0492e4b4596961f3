"""Finds the tables and the fields of a page that was read, by whichever engine."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path

from ocrwatch.document import Page
from ocrwatch.errors import EngineFailed, EnvironmentFault, is_memory_error
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Decoded
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
        if _is_of_environment(error):
            raise
        return replace(page, tables=(), warnings=(*page.warnings, _bug("tables", error)))


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
        if _is_of_environment(error):
            raise
        return replace(page, fields=all_missing(rules), warnings=(*page.warnings, _bug("fields", error)))


def _is_of_environment(error: Exception) -> bool:
    """Return whether the scan must be read again later, as if the error were raised in reading the page."""
    return isinstance(error, OSError | EnvironmentFault) or is_memory_error(error)


def _bug(what: str, error: Exception) -> str:
    """Return the warning that something on a page could not be found.

    It has the last place in this package, but not the message of the error, which may have a part of a value.
    """
    package = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if package in Path(frame.filename).parents][-1]
    file = Path(last.filename).relative_to(package).as_posix()
    place = f"{type(error).__name__} in {file}, line {last.lineno}"
    return f"{what} could not be found: a bug in ocrwatch, please report it: {place}"


def _read_cells(page: Page) -> int:
    """Count the cells with text, twice if all of their print was read."""
    return sum(2 - cell.is_unread for table in page.tables or () for cell in table.cells if cell.text)
