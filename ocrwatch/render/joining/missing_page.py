"""The page of a PDF that says that a page is missing, and why."""

from __future__ import annotations

from typing import Final

from pikepdf import Dictionary, Name, Page, Pdf

from ocrwatch.render.joining.base import Document, reason_of
from ocrwatch.render.joining.helvetica import encoded, wrapped

A4: Final = (595.28, 841.89)

_SMALLEST: Final = 150.0
"""Points of a side below which the text would not fit: such a page is A4."""

_MARGIN: Final = 36.0
_HEADLINE: Final = 16.0
_BODY: Final = 11.0
"""Sizes of the type, and the margin of the page, in points."""

_LEADING: Final = 1.3
"""Distance of lines as a multiple of the type's size."""


def add_missing_page(pdf: Pdf, document: Document, number: int, size: tuple[float, float]) -> Page:
    """Add the page that stands for page ``number`` to a file; ``size`` is that of the page before."""
    width, height = size if min(size) >= _SMALLEST else A4
    sheet = pdf.add_blank_page(page_size=(width, height))
    font = pdf.make_indirect(
        Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
    )
    sheet.obj.Resources = Dictionary(Font=Dictionary(F=font))
    sheet.obj.Contents = pdf.make_stream(b"\n".join(_notice(document, number, width, height)))
    return sheet


def _notice(document: Document, number: int, width: float, height: float) -> list[bytes]:
    page = document.pages[number - 1]
    room, y = width - 2 * _MARGIN, height - _MARGIN
    headline = f"Page {number} of {len(document.pages)} is missing"
    parts = []
    for text, size in ((headline, _HEADLINE), (page.name, _BODY), (reason_of(page), _BODY)):
        for line in wrapped(text, room / size):
            y -= size * _LEADING
            if y >= _MARGIN:
                parts.append(_text(line, size, _MARGIN, y))
        y -= size * (_LEADING - 1)
    return parts


def _text(line: str, size: float, x: float, y: float) -> bytes:
    return f"BT /F {size:.2f} Tf {x:.2f} {y:.2f} Td <{encoded(line).hex()}> Tj ET".encode()
