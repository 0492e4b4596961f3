"""The format ``csv``: the tables of a page, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
import re
from typing import ClassVar, Final

from ocrwatch.document import Page
from ocrwatch.render.base import Original
from ocrwatch.render.table_texts import rows_of

_FORMULA: Final = re.compile(r"[\"']*[=+@\uff0b\uff0d\uff1d\uff20-]")
"""The beginning of what a spreadsheet may take for a formula (OWASP, CSV injection). Tabs and line breaks, which OWASP
names too, are no longer in the text."""

_NUMBER: Final = re.compile(r"[+\uff0b\uff0d-] ?[€$£¥]?[\d.,'\u2019 ]*\d ?[%€$£¥]?|\+|-+")
"""What begins like a formula and is a number or a bare sign, with separators of any country."""

_OTHER_SEPARATOR: Final = ";"
"""What separates cells for a spreadsheet in countries with decimal commas, even in a file with commas between them."""

LINE_END: Final = "\r\n"
"""Ends each row (RFC 4180); an empty row is between two tables."""


class CsvFormat:
    """All tables, one after the other, with an empty line between them."""

    name: ClassVar[str] = "csv"
    ending: ClassVar[str] = "tables.csv"
    shows_tables: ClassVar[bool] = True

    def render(self, page: Page, original: Original) -> bytes:  # noqa: ARG002 - the protocol's
        """Render the tables by RFC 4180; a page without tables gives no bytes.

        The byte order mark tells Excel that the text is UTF-8.
        """
        if not page.tables:
            return b""
        file = io.StringIO(newline="")
        writer = csv.writer(file)
        for number, table in enumerate(page.tables):
            if number:
                writer.writerow([])
            writer.writerows([harmless(text) for text in row] for row in rows_of(table))
        return file.getvalue().encode("utf-8-sig")


def harmless(text: str) -> str:
    """Return text of one line that is no formula for a spreadsheet: an apostrophe is put in front of those.

    A part after a semicolon may become a cell of its own.
    """
    return _OTHER_SEPARATOR.join(map(_harmless_part, text.split(_OTHER_SEPARATOR)))


def _harmless_part(text: str) -> str:
    begun = text.lstrip()
    if not _FORMULA.match(begun) or _NUMBER.fullmatch(begun.rstrip()):
        return text
    return f"{text[: len(text) - len(begun)]}'{begun}"
