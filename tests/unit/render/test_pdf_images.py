"""What a PDF shows of scans that are no JPEG: the same pixels."""

from __future__ import annotations

import io
import warnings
import zlib

import numpy as np
import pikepdf
import pypdfium2
import pytest
from numpy.typing import NDArray
from PIL import Image

from ocrwatch.document import EngineInfo, Page
from ocrwatch.recognise.decode import decode
from ocrwatch.render.base import Original
from ocrwatch.render.pdf import PdfFormat
from tests.images import PICTURE, PNGS, TIFFS, interlaced, pages, saved, tiff
from tests.rendering import encode

ALL = {**{f"png {name}": make for name, make in PNGS.items()}, **{f"tiff {name}": make for name, make in TIFFS.items()}}
OPAQUE = [name for name in ALL if "transparent" not in name]
DPI = 300


def pdf_of(data: bytes) -> bytes:
    """Return a PDF of a scan without text."""
    decoded = decode(data, max_pixels=10**7)
    page = Page(
        decoded.width,
        decoded.height,
        float(DPI),
        decoded.orientation,
        (),
        EngineInfo("e", "1", ()),
        image=decoded.image,
    )
    return PdfFormat().render(page, Original("a", len(data), "", content=data))


def painted(pdf: bytes) -> NDArray[np.int16]:
    """Return what PDFium shows, in grey."""
    with pypdfium2.PdfDocument(pdf) as document:
        picture: Image.Image = document[0].render(scale=72 / 72 * DPI / 72).to_pil()
        return np.asarray(picture.convert("L"), np.int16)


def stored(pdf: bytes) -> Image.Image:
    """Return the image in the file."""
    with pikepdf.open(io.BytesIO(pdf)) as file:
        image = file.pages[0].Resources.XObject.Scan
        assert isinstance(image, pikepdf.Stream)
        return pikepdf.PdfImage(image).as_pil_image()


@pytest.mark.parametrize("kind", OPAQUE)
def test_a_viewer_shows_what_was_read(kind: str) -> None:
    """Whatever the file is made of, it is neither inverted nor shifted nor turned."""
    data = ALL[kind]()
    shown, read = painted(pdf_of(data)), decode(data, max_pixels=10**7).gray.astype(np.int16)
    assert shown.shape == read.shape
    tolerance = 12 if kind in {"tiff four inks", "tiff jpeg"} else 1.5
    assert float(np.abs(shown - read).mean()) < tolerance


@pytest.mark.parametrize("kind", [name for name in OPAQUE if "four inks" not in name])
def test_no_pixel_is_changed(kind: str) -> None:
    """The image that can be taken out has the values of the original."""
    data = ALL[kind]()
    original = Image.open(io.BytesIO(data))
    found = stored(pdf_of(data))
    wanted = original.convert("I;16" if original.mode.startswith("I;16") else found.mode)
    assert np.array_equal(np.asarray(found.convert(wanted.mode)), np.asarray(wanted))


@pytest.mark.parametrize("kind", [name for name in ALL if "transparent" in name and "light" not in name])
def test_what_is_transparent_is_white(kind: str) -> None:
    """A page of a PDF is white where nothing is on it."""
    data = ALL[kind]()
    shown, read = painted(pdf_of(data)), decode(data, max_pixels=10**7).gray.astype(np.int16)
    assert float(np.abs(shown - read).mean()) < 2


def test_a_plain_png_is_embedded_as_it_is() -> None:
    """Its compressed data are in the PDF; an interlaced one is written anew."""
    data = saved(PICTURE, "PNG")
    start = data.index(b"IDAT") + 4
    compressed = data[start : start + int.from_bytes(data[start - 8 : start - 4])]
    assert zlib.decompress(compressed)
    assert compressed in pdf_of(data)
    assert np.array_equal(np.asarray(stored(pdf_of(interlaced())).convert("L")), np.asarray(PICTURE))


def test_black_and_white_takes_little_space() -> None:
    """It is compressed as faxes are, by Group 4."""
    bilevel = PICTURE.convert("1")
    data = saved(bilevel, "TIFF")
    with pikepdf.open(io.BytesIO(pdf_of(data))) as file:
        assert file.pages[0].Resources.XObject.Scan.Filter == pikepdf.Name.CCITTFaxDecode
    assert len(pdf_of(data)) < len(saved(bilevel, "TIFF", compression="group4")) + 2500


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_orientation_of_a_tiff_is_applied(orientation: int) -> None:
    """Also of one on its side."""
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]
    for options in ({}, {"compression": "tiff_lzw"}):
        for picture in (PICTURE, PICTURE.convert("1")):
            data = saved(picture.transpose(turn), "TIFF", tiffinfo={274: orientation}, **options)
            shown = painted(pdf_of(data))
            assert shown.shape == (PICTURE.height, PICTURE.width)
            assert float(np.abs(shown - np.asarray(picture.convert("L"), np.int16)).mean()) < 1.5


def test_the_page_that_was_read_is_shown() -> None:
    """Of several the first; a smaller copy before it is left out."""
    assert float(np.abs(painted(pdf_of(pages(3))) - np.asarray(PICTURE, np.int16)).mean()) < 1.5


def test_the_same_file_gives_the_same_bytes() -> None:
    """Images that are encoded anew too."""
    for data in (interlaced(), saved(PICTURE, "TIFF"), saved(PICTURE.convert("1"), "TIFF")):
        assert pdf_of(data) == pdf_of(data)


def test_a_jpeg_stays_a_jpeg() -> None:
    """Byte for byte."""
    data = encode(PICTURE)
    assert data in pdf_of(data)


def deep() -> Image.Image:
    """Return a picture with 16 bits a pixel, none of which is 0."""
    return Image.fromarray((np.asarray(PICTURE).astype(np.uint16) << 7) + 5000)


def test_sixteen_bits_stay_sixteen_bits() -> None:
    """Of both byte orders, and with a value that is transparent."""
    gray = np.asarray(deep())
    big = tiff(*PICTURE.size, {258: 16, 259: 1, 262: 1}, gray.astype("<u2").tobytes())
    inverted = tiff(*PICTURE.size, {258: 16, 259: 1, 262: 0}, (65535 - gray).astype("<u2").tobytes())
    for data in (big, inverted, saved(deep(), "TIFF"), saved(deep(), "PNG"), saved(deep(), "PNG", transparency=1)):
        pdf = pdf_of(data)
        with warnings.catch_warnings():
            # That pikepdf does not apply the value that is transparent.
            warnings.simplefilter("ignore")
            assert np.array_equal(np.asarray(stored(pdf)), gray)
        shown, read = painted(pdf), decode(data, max_pixels=10**7).gray.astype(np.int16)
        assert float(np.abs(shown - read).mean()) < 1.5


def test_a_value_that_is_transparent_is_not_painted() -> None:
    """The PNG is embedded as it is, and the value is named."""
    with pikepdf.open(io.BytesIO(pdf_of(saved(PICTURE, "PNG", transparency=255)))) as file:
        assert list(file.pages[0].Resources.XObject.Scan.Mask) == [255, 255]
