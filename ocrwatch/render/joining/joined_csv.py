"""The tables of several pages, with an empty line between them, as between the tables of one page."""

from __future__ import annotations

import codecs
import csv
import io
from typing import BinaryIO, ClassVar, Final

from ocrwatch.render.csv import LINE_END, CsvFormat, harmless
from ocrwatch.render.joining.base import DamagedPart, Document, as_unicode, read_part

_LINE_END: Final = LINE_END.encode()


class JoinedCsv:
    """A missing page is a row with one cell that says so. Without tables and missing pages there are no bytes."""

    name: ClassVar[str] = CsvFormat.name
    ending: ClassVar[str] = CsvFormat.ending

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the tables."""
        before = codecs.BOM_UTF8
        for number, page in document.numbered():
            if page.missing is not None:
                rows = _row(as_unicode(document.missing_line(number)))
            else:
                rows = _rows(read_part(page, number, self.name), number)
            if rows:
                file.write(before + rows)
                before = _LINE_END


def _row(text: str) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerow([harmless(text)])
    return file.getvalue().encode()


def _rows(part: bytes, number: int) -> bytes:
    """Return the rows of a page without its byte order mark; empty if the page has no tables."""
    try:
        part.decode()
    except UnicodeDecodeError as error:
        raise DamagedPart(number, f"its csv is not UTF-8 ({error.reason})") from error
    if part and not (part.startswith(codecs.BOM_UTF8) and part.endswith(_LINE_END)):
        raise DamagedPart(number, "its csv is not complete")
    return part.removeprefix(codecs.BOM_UTF8)
