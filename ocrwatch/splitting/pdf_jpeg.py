"""Takes the JPEG of a scanned page out of a PDF as it is, if the page shows nothing else.

pdfium tells nothing of masks, inverted samples or clipping. So the page is rendered in small, and compared with the
JPEG: what is taken out is what a reader of the PDF sees.
"""

from __future__ import annotations

import io
import warnings
from typing import Any, Final

import cv2
import numpy as np
import pypdfium2.raw as pdfium
from PIL.JpegImagePlugin import JpegImageFile

from ocrwatch import jpeg_markers
from ocrwatch.splitting.pdf_document import PdfPage, Pixels, Placement
from ocrwatch.splitting.pdf_images import jpeg_data
from ocrwatch.splitting.pdf_objects import Shown, ShownImage
from ocrwatch.splitting.pdf_picture import with_density

_EOI: Final = b"\xff\xd9"
_ORIENTATION: Final = 0x0112
_SLACK: Final = 1.0
"""Points by which an image may reach over the page."""

_STRAIGHT: Final = 1e-3
"""Points by which an image may be skewed, which is less than a hundredth of a pixel."""

_BITS: Final = {8: 1, 24: 3}
"""Components of an image by the bits of its pixels."""

_COLOURS: Final = frozenset({
    pdfium.FPDF_COLORSPACE_DEVICEGRAY, pdfium.FPDF_COLORSPACE_DEVICERGB, pdfium.FPDF_COLORSPACE_ICCBASED,
    pdfium.FPDF_COLORSPACE_CALGRAY, pdfium.FPDF_COLORSPACE_CALRGB,
})  # fmt: skip


_BLOCK: Final = 8
"""Pixels of a block whose mean is compared, along each axis: a shift by a part of a pixel changes it little."""
_MOST_DIFFERENT: Final = 24.0
"""Difference of a block's mean, of 255, above which the two are not the same image."""
_MOST_ON_AVERAGE: Final = 4.0


def plain_jpeg(page: PdfPage, shown: Shown, max_pixels: int) -> bytes | None:
    """Return the JPEG that is all that a page shows, with its resolution on the page; None if it is not so simple."""
    if len(shown.images) != 1 or shown.has_text or shown.has_more or any(page.annotations):
        return None
    (image,) = shown.images
    if not _is_plain(image, page.place) or image.width * image.height > max_pixels:
        return None
    jpeg = jpeg_data(image)
    if jpeg is None or not _is_ordinary(jpeg, image, page):
        return None
    jpeg = with_density(jpeg, *image.dpi)
    return jpeg if _is_what_is_shown(jpeg, image, page) else None


def _is_plain(image: ShownImage, place: Placement) -> bool:
    """Return whether an image lies upright on its page, and all of it is on it."""
    a, b, c, d, _, _ = image.matrix
    left, bottom, right, top = image.box
    return (
        image.is_direct
        and not place.turns
        and max(abs(b), abs(c)) <= _STRAIGHT
        and min(a, d) > 0
        and left >= place.left - _SLACK
        and bottom >= place.bottom - _SLACK
        and right <= place.right + _SLACK
        and top <= place.top + _SLACK
    )


def _is_ordinary(jpeg: bytes, image: ShownImage, page: PdfPage) -> bool:
    """Return whether a JPEG has 8 bits, 1 or 3 components, and no orientation of its own.

    Whether it is complete is for its decoder to say.
    """
    facts = pdfium.FPDF_IMAGEOBJ_METADATA()
    pdfium.FPDFImageObj_GetImageMetadata(image.handle, page.handle, facts)
    structure = jpeg_markers.walk(jpeg)
    frame = structure.frame
    return (
        facts.colorspace in _COLOURS
        and frame is not None
        and frame.process in jpeg_markers.SEQUENTIAL | jpeg_markers.PROGRESSIVE
        and frame.precision == 8  # noqa: PLR2004 - bits
        and frame.components == _BITS.get(facts.bits_per_pixel)
        and (frame.width, structure.height) == (image.width, image.height)
        and _orientation(jpeg) == 1
    )


def _orientation(jpeg: bytes) -> int:
    """Return the EXIF orientation; 1 without one, and 0 if it cannot be told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Image.open has a lower pixel limit than ours.
            with JpegImageFile(io.BytesIO(jpeg)) as image:
                return int(image.getexif().get(_ORIENTATION, 1))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - Pillow lets many kinds of error out
            return 0


def _is_what_is_shown(jpeg: bytes, image: ShownImage, page: PdfPage) -> bool:
    # With an end marker, which may be missing: only the scan's own decoder is strict about it.
    data = np.frombuffer(jpeg + _EOI, np.uint8)
    small = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION)
    if small is None:
        return False
    shown = _part_of(page, image, small.shape[1], small.shape[0])
    differences = np.abs(_blocks(np.asarray(small, np.uint8)) - _blocks(shown))
    return bool(differences.max() <= _MOST_DIFFERENT and differences.mean() <= _MOST_ON_AVERAGE)


def _part_of(page: PdfPage, image: ShownImage, width: int, height: int) -> Pixels:
    """Render the part of a page that an image covers, in about these pixels."""
    left, bottom, right, top = image.box
    points = page.place.size
    scale = width / (right - left), height / (top - bottom)
    whole = tuple(max(1, round(side * factor)) for side, factor in zip(points, scale, strict=True))
    pixels = page.render(*whole)
    x, y = page.place.pixel(left, top, *whole)
    part = pixels[max(0, round(y)) : round(y) + height, max(0, round(x)) : round(x) + width]
    return np.asarray(cv2.resize(part, (width, height)), np.uint8)


def _blocks(pixels: Pixels) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the means of blocks of pixels."""
    height, width = (max(1, side // _BLOCK) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.float32)
