"""Texts of pages, with a form feed between them, as pdftotext and Tesseract write them."""

from __future__ import annotations

from typing import BinaryIO, ClassVar

from ocrwatch.render.joining.base import DamagedPart, Document, as_unicode, read_part
from ocrwatch.render.txt import TxtFormat

_FORM_FEED = b"\f"


class JoinedTxt:
    """There is one form feed less than pages. A missing page is a line that says so."""

    name: ClassVar[str] = TxtFormat.name
    ending: ClassVar[str] = TxtFormat.ending

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the texts."""
        for number, page in document.numbered():
            if number > 1:
                file.write(_FORM_FEED)
            if page.missing is not None:
                file.write(as_unicode(document.missing_line(number)).encode() + b"\n")
            else:
                file.write(_text(read_part(page, number, self.name), number))


def _text(part: bytes, number: int) -> bytes:
    try:
        part.decode()
    except UnicodeDecodeError as error:
        raise DamagedPart(number, f"its text is not UTF-8 ({error.reason})") from error
    # One in a page's text would begin another page.
    return part.replace(_FORM_FEED, b"\n")
