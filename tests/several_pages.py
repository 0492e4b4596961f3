"""Files of several sheets of the feeder: TIFF, and PDF of scans and of text."""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pikepdf
from pikepdf import Dictionary, Name, Pdf
from PIL import Image

from tests.feeder import printed

_SHEET_DPI = 100

_COMPRESSION = struct.pack("<HHI", 259, 3, 1)
"""Tag, type and number of values, as the value follows them in the directory of a page (TIFF 6.0)."""

_UNKNOWN = struct.pack("<H", 65_000)
"""A compression that no decoder has: it is in the range that anybody may use."""


def tiff_of(numbers: Sequence[int], *, unreadable: Collection[int] = ()) -> bytes:
    """Return a TIFF of sheets with as many marks; ``unreadable`` pages, from 1, have an unknown compression."""
    before, *pages_after = tiff_of_scans(*map(printed, numbers)).split(_COMPRESSION)
    for page in unreadable:
        pages_after[page - 1] = _UNKNOWN + pages_after[page - 1][len(_UNKNOWN) :]
    return _COMPRESSION.join((before, *pages_after))


def tiff_of_scans(*scans: bytes) -> bytes:
    """Return a TIFF with these images as its pages."""
    pages = [Image.open(io.BytesIO(scan)) for scan in scans]
    file = io.BytesIO()
    pages[0].save(
        file, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate", dpi=(_SHEET_DPI, _SHEET_DPI)
    )
    return file.getvalue()


@dataclass(frozen=True)
class Stored:
    """A page of a scanned PDF."""

    jpeg: bytes
    """In grey."""
    width: int
    height: int


def pdf_of_images(images: Iterable[Stored], dpi: float) -> bytes:
    """Return a scanned PDF."""
    with Pdf.new() as pdf:
        for image in images:
            _add_scan(pdf, image, dpi)
        file = io.BytesIO()
        pdf.save(file, static_id=True)
    return file.getvalue()


def pdf_of(pages: Sequence[int | str], password: str = "") -> bytes:
    """Return a PDF: of a number a scanned sheet with as many marks, of a string a page with this text."""
    with Pdf.new() as pdf:
        for page in pages:
            if isinstance(page, str):
                _add_text(pdf, page)
            else:
                _add_scan(pdf, _sheet(page), _SHEET_DPI)
        file = io.BytesIO()
        encryption = pikepdf.Encryption(owner=password, user=password) if password else False
        pdf.save(file, encryption=encryption, static_id=not password)
    return file.getvalue()


def _sheet(number: int) -> Stored:
    jpeg = printed(number)
    with Image.open(io.BytesIO(jpeg)) as image:
        return Stored(jpeg, *image.size)


def _add_scan(pdf: Pdf, image: Stored, dpi: float) -> None:
    width, height = 72 * image.width / dpi, 72 * image.height / dpi
    stored = pdf.make_stream(
        image.jpeg,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=image.width,
        Height=image.height,
        ColorSpace=Name.DeviceGray,
        BitsPerComponent=8,
        Filter=Name.DCTDecode,
    )
    page = pdf.add_blank_page(page_size=(width, height))
    page.obj.Resources = Dictionary(XObject=Dictionary(I=stored))
    page.obj.Contents = pdf.make_stream(f"q {width:.2f} 0 0 {height:.2f} 0 0 cm /I Do Q".encode())


def _add_text(pdf: Pdf, text: str) -> None:
    font = pdf.make_indirect(
        Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
    )
    page = pdf.add_blank_page(page_size=(400, 300))
    page.obj.Resources = Dictionary(Font=Dictionary(F=font))
    page.obj.Contents = pdf.make_stream(f"BT /F 14 Tf 40 200 Td ({text}) Tj ET".encode())
