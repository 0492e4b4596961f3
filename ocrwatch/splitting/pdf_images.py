"""Gets the data of a page's images, and checks that all are drawn: pdfium does not say what it leaves out."""

from __future__ import annotations

import math
from typing import Final

import pypdfium2.raw as pdfium

from ocrwatch import jpeg_markers
from ocrwatch.errors import Damaged
from ocrwatch.splitting.pdf_document import RESAVE, PdfPage, Pixels
from ocrwatch.splitting.pdf_image_data import JPEG, NOTE, doubt_of, filters_of, raw_data
from ocrwatch.splitting.pdf_objects import Shown, ShownImage

_SMALL: Final = 0.05
"""Share of the page below which an image is an ornament."""


def jpeg_data(image: ShownImage) -> bytes | None:
    """Return the data of an image that has DCTDecode as its only filter; None for others."""
    filters = filters_of(image)
    return raw_data(image) if len(filters) == 1 and filters[0] in JPEG else None


def check_images(
    page: PdfPage, shown: Shown, pixels: Pixels, max_pixels: int, *, has_own_text: bool
) -> tuple[str, ...]:
    """Return notes of images that are damaged in part.

    Raises Damaged if an image is not in the rendering of its page, or ends early; if the page has text of its own, that
    is a note, too.
    """
    notes: dict[str, None] = {}
    for image in shown.images:
        if image.share_of(page.place) < _SMALL:
            continue
        reason = _missing_because(page, image, pixels)
        if reason and not has_own_text:
            raise Damaged(reason, RESAVE)
        if note := doubt_of(page, image, max_pixels) or (NOTE if reason else ""):
            notes[note] = None
    return tuple(notes)


def _missing_because(page: PdfPage, image: ShownImage, pixels: Pixels) -> str:
    """Return why a part of an image, or all of it, is not in the rendering; empty if it is."""
    if (jpeg := jpeg_data(image)) is not None and jpeg_markers.walk(jpeg).end is None:
        # What is missing would be grey.
        return "an image of the page ends early"
    if _is_uniform(page, image, pixels) and not _can_be_decoded(image):
        return "an image of the page is damaged, or of a kind that cannot be decoded"
    return ""


def _is_uniform(page: PdfPage, image: ShownImage, pixels: Pixels) -> bool:
    """Return whether nothing can be seen where an image should be."""
    height, width = pixels.shape[:2]
    left, bottom, right, top = image.box
    corners = [page.place.pixel(x, y, width, height) for x, y in ((left, bottom), (right, top))]
    (x0, x1), (y0, y1) = (sorted(sides) for sides in zip(*corners, strict=True))
    part = pixels[max(0, math.floor(y0)) : math.ceil(y1), max(0, math.floor(x0)) : math.ceil(x1)]
    return part.size == 0 or bool(part.min() == part.max())


def _can_be_decoded(image: ShownImage) -> bool:
    bitmap = pdfium.FPDFImageObj_GetBitmap(image.handle)
    if bitmap:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return bool(bitmap)
