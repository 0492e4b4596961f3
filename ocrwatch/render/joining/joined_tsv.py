"""The table of words of several pages, as Tesseract writes it of several images: ``page_num`` counts them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Final

from ocrwatch.render.joining.base import DamagedPart, Document, as_unicode, read_part
from ocrwatch.render.tsv import COLUMNS, TsvFormat, cell, page_row

_HEADER: Final = "\t".join(COLUMNS)
_PAGE_NUMBER: Final = COLUMNS.index("page_num")


class JoinedTsv:
    """The columns' names once, then the rows of each page. A missing one is a row without a size that says so."""

    name: ClassVar[str] = TsvFormat.name
    ending: ClassVar[str] = TsvFormat.ending

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the table."""
        file.write(f"{_HEADER}\n".encode())
        for number, page in document.numbered():
            if page.missing is not None:
                rows = [page_row(number, 0, 0, cell(as_unicode(document.missing_line(number))))]
            else:
                rows = list(_rows(read_part(page, number, self.name), number))
            file.write("".join(f"{row}\n" for row in rows).encode())


def _rows(part: bytes, number: int) -> Iterator[str]:
    """Yield the rows of a page, with its number in the document."""
    try:
        header, *rows, end = part.decode().split("\n")
    except ValueError as error:
        raise DamagedPart(number, f"its tsv cannot be read ({error})") from error
    if header != _HEADER or end or not rows:
        raise DamagedPart(number, "its tsv is not complete")
    for row in rows:
        cells = row.split("\t")
        if len(cells) != len(COLUMNS) or cells[_PAGE_NUMBER] != "1":
            raise DamagedPart(number, "its tsv has a row of another table")
        cells[_PAGE_NUMBER] = str(number)
        yield "\t".join(cells)
