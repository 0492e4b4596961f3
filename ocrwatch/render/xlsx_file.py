"""Writes a workbook with one worksheet for each table. XlsxWriter does the writing.

No text becomes a formula or a link. A number is written as one only if Excel then shows the same digits.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import xlsxwriter

from ocrwatch.document import UNPLACED, Cell, Table
from ocrwatch.render.table_texts import count_heading_rows, one_line
from ocrwatch.render.xml import allowed

_CREATED: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Date of every workbook: the same page gives the same bytes at any time."""

_OPTIONS: Final = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
"""No temporary files, and the same date for each part of the archive; and all strings stay strings."""

EMPTY_SHEET: Final = "No tables"
"""Name of the worksheet of a workbook without tables."""

_LONGEST_TEXT: Final = 32_767
"""UTF-16 units that Excel allows in a cell; the rest is cut."""

_NARROWEST, _WIDEST = 8, 60
"""Limits of a column's width in characters. Longer texts are wrapped."""

_MARGIN: Final = 2
"""Width that a column has in addition to its text, in characters."""

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_THOUSANDS: Final = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}")
"""1.234 is a thousand and more in half of the world."""

_EXACT_DIGITS: Final = 15
"""Digits that Excel keeps of a number."""


def xlsx_file(tables: Sequence[Table]) -> bytes:
    """Return the workbook. Without tables it has one empty sheet, because Excel opens none without a sheet."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, _OPTIONS)
    book.set_properties({"created": _CREATED})
    formats = _Formats(book)
    for number, table in enumerate(tables, 1):
        _add_table(book.add_worksheet(f"Table {number}"), table, formats)
    if not tables:
        book.add_worksheet(EMPTY_SHEET)
    book.close()
    return file.getvalue()


def notice_file(text: str) -> bytes:
    """Return a workbook whose only worksheet says nothing but ``text``."""
    corners = (0.0,) * 8
    cell = Cell(0, 0, 1, 1, text, UNPLACED, corners)
    return xlsx_file((Table("aligned", 1, 1, UNPLACED, corners, (cell,), 0.0),))


def as_number(text: str) -> tuple[float, str] | None:
    """Return a number and Excel's format for it that shows ``text`` again; None if there is none.

    A leading zero, a thousands separator or a decimal comma would be lost, or mean something else in other countries.
    """
    match = _NUMBER.fullmatch(text)
    if match is None or _THOUSANDS.fullmatch(text) or sum(map(str.isdigit, text)) > _EXACT_DIGITS:
        return None
    value, decimals = float(text), len(match[2] or "")
    # Excel shows a negative zero without its sign.
    if text.startswith("-") and not value:
        return None
    return value, f"0.{'0' * decimals}" if decimals else "0"


class _Formats:
    """The cell formats of a workbook, each added once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._known: dict[tuple[bool, str], Any] = {}

    def get(self, *, bold: bool, number: str = "") -> Any:
        """Return the format of a cell; ``number`` is Excel's format of its number, empty for text."""
        if (bold, number) not in self._known:
            properties = {"text_wrap": True, "valign": "top", "bold": bold}
            self._known[bold, number] = self._book.add_format(properties | ({"num_format": number} if number else {}))
        return self._known[bold, number]


def _add_table(sheet: Any, table: Table, formats: _Formats) -> None:
    for cell in table.cells:
        _add_cell(sheet, cell, formats)
    for column, width in enumerate(_widths(table)):
        sheet.set_column(column, column, width)
    if 0 < count_heading_rows(table) < table.rows:
        sheet.freeze_panes(count_heading_rows(table), 0)


def _add_cell(sheet: Any, cell: Cell, formats: _Formats) -> None:
    text = one_line(allowed(cell.text))
    number = as_number(text)
    style = formats.get(bold=cell.is_header, number=number[1] if number else "")
    if cell.rows > 1 or cell.columns > 1:
        sheet.merge_range(cell.row, cell.column, cell.row + cell.rows - 1, cell.column + cell.columns - 1, "", style)
    if number:
        sheet.write_number(cell.row, cell.column, number[0], style)
    elif text:
        sheet.write_string(cell.row, cell.column, _fitting(text), style)


def _fitting(text: str) -> str:
    """Return text that the library writes as it is."""
    cut = text.encode("utf-16-le")[: 2 * _LONGEST_TEXT].decode("utf-16-le", "ignore")
    # It takes a text between these tags for XML of its own, and copies it into the file.
    return f" {cut[: _LONGEST_TEXT - 1]}" if cut.startswith("<r>") else cut


def _widths(table: Table) -> list[int]:
    """Return the width of each column in characters."""
    widths = [_NARROWEST] * table.columns
    for cell in table.cells:
        if cell.columns == 1:
            widths[cell.column] = max(widths[cell.column], _text_width(one_line(cell.text)) + _MARGIN)
    return [min(width, _WIDEST) for width in widths]


def _text_width(text: str) -> int:
    """Return the width of a text in characters; those of Chinese, Japanese and Korean are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
