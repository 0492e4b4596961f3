"""Reads the workbook of one page: the parts of an archive, as XlsxWriter names them."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ocrwatch.render.joining.base import DamagedPart
from ocrwatch.render.joining.xml_parts import part_of
from ocrwatch.render.xlsx_file import EMPTY_SHEET
from ocrwatch.render.xml import Element

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
"""Namespace of workbooks and their parts (ECMA-376, part 1)."""

STRINGS: Final = "xl/sharedStrings.xml"
STYLES: Final = "xl/styles.xml"


class PageWorkbook:
    """A workbook in memory. All methods raise DamagedPart if it is none, or lacks what is asked for."""

    def __init__(self, content: bytes, number: int) -> None:
        """Open the workbook of page ``number``."""
        self._number = number
        with self._blaming():
            self._archive = zipfile.ZipFile(io.BytesIO(content))

    def count_tables(self) -> int:
        """Return how many of its worksheets are tables: all, or none."""
        names = [sheet.get("name") for sheet in self._parsed("xl/workbook.xml").iterfind("sheets/sheet")]
        return 0 if names == [EMPTY_SHEET] else len(names)

    def sheet(self, at: int) -> Element:
        """Return a worksheet; the first is 1."""
        return self._parsed(f"xl/worksheets/sheet{at}.xml")

    def styles(self) -> Element:
        """Return the formats of its cells."""
        return self._parsed(STYLES)

    def strings(self) -> list[Element]:
        """Return the texts of its cells, which refer to them by their place."""
        # A workbook whose cells are all numbers has no such part.
        return list(self._parsed(STRINGS)) if STRINGS in self._archive.namelist() else []

    def content(self, name: str) -> bytes:
        """Return a part as it is."""
        with self._blaming():
            return self._archive.read(name)

    def _parsed(self, name: str) -> Element:
        return part_of(self.content(name), self._number, MAIN)

    @contextmanager
    def _blaming(self) -> Iterator[None]:
        try:
            yield
        # The last ones are for what an archive may have and no workbook has: passwords, and other compressions.
        except (zipfile.BadZipFile, zlib.error, EOFError, LookupError, ValueError, RuntimeError) as error:
            raise DamagedPart(self._number, f"its xlsx cannot be read ({error})") from error
