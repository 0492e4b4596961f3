"""The page of a PDF that says that a page is missing, and shows its original if it can be shown."""

from __future__ import annotations

import io
import warnings
from typing import Final

from pikepdf import Dictionary, Name, Page, Pdf
from PIL import Image

from ocrwatch.errors import is_memory_error
from ocrwatch.render.joining.base import Document, read_file, reason_of
from ocrwatch.render.joining.helvetica import encoded, shortened, wrapped
from ocrwatch.render.pdf_file import image_stream
from ocrwatch.render.pdf_image import PdfImage, pdf_image
from ocrwatch.render.planar import Matrix, upright

A4: Final = (595.28, 841.89)

_SMALLEST: Final = 150.0
"""Points of a side below which the text would not fit: such a page is A4."""

_MARGIN: Final = 36.0
_HEADLINE: Final = 16.0
_BODY: Final = 11.0
_NOTE: Final = 7.0
"""Sizes of the type, and the margin of the page, in points."""

_LEADING: Final = 1.3
"""Distance of lines as a multiple of the type's size."""

_STRIP: Final = 16.0
"""Height in points of the line under a picture."""

_MOST_PIXELS: Final = 50_000_000
"""Some scans are missing because reading them took too much memory. A4 at 600 dpi has 35 million."""

_ORIENTATION: Final = 0x0112
"""Of EXIF: CIPA DC-008, tag 274."""

_KINDS: Final = ("JPEG", "PNG", "TIFF")


def add_missing_page(pdf: Pdf, document: Document, number: int, size: tuple[float, float]) -> Page:
    """Add the page that stands for page ``number`` to a file; ``size`` is that of the page before."""
    page = document.pages[number - 1]
    width, height = size if min(size) >= _SMALLEST else A4
    sheet = pdf.add_blank_page(page_size=(width, height))
    content = None if page.picture is None else read_file(page.picture)
    shown = None if content is None else _shown(content)
    font = pdf.make_indirect(
        Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
    )
    resources = Dictionary(Font=Dictionary(F=font))
    if shown is None:
        parts = _notice(document, number, width, height)
    else:
        image, orientation = shown
        resources.XObject = Dictionary(Scan=image_stream(pdf, image))
        parts = _picture(image, orientation, width, height)
        note = f"Page {number} of {len(document.pages)} ({page.name}) is missing: {reason_of(page)}"
        parts.append(_text(shortened(note, (width - 2 * _NOTE) / _NOTE), _NOTE, _NOTE, (_STRIP - _NOTE) / 2 + 1))
    sheet.obj.Resources = resources
    sheet.obj.Contents = pdf.make_stream(b"\n".join(parts))
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


def _picture(image: PdfImage, orientation: int, width: float, height: float) -> list[bytes]:
    """Return what paints an image as large as possible, upright, over the strip for the note."""
    turned = orientation >= 5  # noqa: PLR2004 - on its side
    across, down = (image.height, image.width) if turned else (image.width, image.height)
    scale = min(width / across, (height - _STRIP) / down)
    left, bottom = (width - across * scale) / 2, _STRIP + (height - _STRIP - down * scale) / 2
    to_page = Matrix(scale, 0, 0, -scale, left, bottom + down * scale)
    of_unit_square = Matrix(image.width, 0, 0, -image.height, 0, image.height)
    matrix = to_page.after(upright(orientation, image.width, image.height)).after(of_unit_square)
    return [f"q {' '.join(f'{value:.4f}' for value in matrix)} cm /Scan Do Q".encode()]


def _text(line: str, size: float, x: float, y: float) -> bytes:
    return f"BT /F {size:.2f} Tf {x:.2f} {y:.2f} Td <{encoded(line).hex()}> Tj ET".encode()


def _shown(content: bytes) -> tuple[PdfImage, int] | None:
    """Return the image of a scan that was not read, and its orientation; None if it cannot be shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_KINDS) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    return None
                orientation = opened.getexif().get(_ORIENTATION, 1)
            image = pdf_image(content, 0)
    except Exception as error:
        if is_memory_error(error):
            raise
        # It may be anything: that is why it is missing.
        return None
    if not 0 < image.width * image.height <= _MOST_PIXELS:
        return None
    return image, orientation if orientation in range(1, 9) else 1
