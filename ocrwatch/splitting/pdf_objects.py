"""Looks at what a page of a PDF shows: images and where they are, text, and everything else."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pypdfium2.raw as pdfium

from ocrwatch.splitting.pdf_document import POINTS, PdfPage, Placement

_DEEPEST: Final = 16
"""Levels of forms (parts of a page that are drawn as one) that are looked into."""
_MOST_OBJECTS: Final = 200_000
"""Objects of a page that are looked at."""

_INVISIBLE: Final = frozenset({pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP})

_WITHOUT_PRINT: Final = frozenset({
    pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_HIGHLIGHT, pdfium.FPDF_ANNOT_UNDERLINE,
    pdfium.FPDF_ANNOT_SQUIGGLY, pdfium.FPDF_ANNOT_STRIKEOUT, pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_FILEATTACHMENT,
})  # fmt: skip
"""Annotations that add no text to a page; of notes and attachments only a sign is shown."""

_WITHOUT_MARKS: Final = frozenset({pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP})

_FULL: Final = 0.5
"""Points by which the box of an image may differ from that of its page."""
_SQUARE: Final = 0.02
"""Relative difference of the resolutions along the axes, below which it comes from rounding the size of the page."""

Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Final = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image on a page."""

    handle: Any
    matrix: Matrix
    """Maps the unit square to the page."""
    width: int
    """Pixels."""
    height: int
    is_direct: bool
    """Whether it is on the page itself, rather than in a form."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top on the page, in points."""
        a, b, c, d, x, y = self.matrix
        across, down = (x, x + a, x + c, x + a + c), (y, y + b, y + d, y + b + d)
        return min(across), min(down), max(across), max(down)

    @property
    def area(self) -> float:
        """On the page, in square points."""
        a, b, c, d, _, _ = self.matrix
        return abs(a * d - b * c)

    @property
    def dpi(self) -> tuple[float, float]:
        """Resolution on the page along the image's width and height."""
        a, b, c, d, _, _ = self.matrix
        return self.width * POINTS / (math.hypot(a, b) or 1.0), self.height * POINTS / (math.hypot(c, d) or 1.0)

    def share_of(self, place: Placement) -> float:
        """Return the share of the page that it covers."""
        left, bottom, right, top = self.box
        width = min(right, place.right) - max(left, place.left)
        height = min(top, place.top) - max(bottom, place.bottom)
        whole = (place.right - place.left) * (place.top - place.bottom)
        return max(0.0, width) * max(0.0, height) / whole


@dataclass(slots=True)
class Shown:
    """All that a page shows, besides annotations."""

    page: Placement
    images: list[ShownImage] = field(default_factory=list)
    has_text: bool = False
    """Whether there is text that is shown, if it is on the page."""
    has_hidden_text: bool = False
    """Whether there is text that cannot be seen, such as the layer that another program has put over a scan, or text
    outside of the part of the page that is shown."""
    has_more: bool = False
    """Whether there is anything else that can be seen: lines, areas, or more than is looked at."""

    def is_scan(self, place: Placement) -> bool:
        """Return whether images cover more than half of the page."""
        return sum(image.share_of(place) for image in self.images) > 0.5  # noqa: PLR2004 - half of it

    @property
    def dpi(self) -> float | None:
        """Resolution of the largest image, or of a finer one that is as large; None without images.

        A scan may be stored as a coarse picture of the paper and a fine one of the print.
        """
        sized = [image for image in self.images if image.area > 0]
        if not sized:
            return None
        largest = max(image.area for image in sized)
        return max(max(image.dpi) for image in sized if image.area >= largest / 2)

    def full_size(self, place: Placement) -> tuple[int, int] | None:
        """Return width and height in pixels of an image that is the whole page; None if there is none.

        Rendered in this size, its pixels stay as they are, and black and white without shades of grey.
        """
        for image in self.images:
            whole = (place.left, place.bottom, place.right, place.top)
            is_whole = all(abs(one - other) <= _FULL for one, other in zip(image.box, whole, strict=True))
            a, b, c, d, _, _ = image.matrix
            across, down = image.dpi
            if is_whole and math.isclose(across, down, rel_tol=_SQUARE):
                is_on_its_side = abs(b) > abs(a) and abs(c) > abs(d)
                swaps = is_on_its_side != bool(place.turns % 2)
                return (image.height, image.width) if swaps else (image.width, image.height)
        return None


def adds_print(page: PdfPage) -> bool:
    """Return whether annotations, such as filled-in fields, add text to a page."""
    return any(kind not in _WITHOUT_PRINT for kind in page.annotations)


def adds_marks(page: PdfPage) -> bool:
    """Return whether annotations change how a page looks: all but links and closed windows do."""
    return any(kind not in _WITHOUT_MARKS for kind in page.annotations)


def is_invisible(text: Any) -> bool:
    """Return whether a text object is not shown."""
    return pdfium.FPDFTextObj_GetTextRenderMode(text) in _INVISIBLE


def look_at(page: PdfPage) -> Shown:
    """Return what a page shows."""
    shown = Shown(page.place)
    left = _add(
        shown, page.handle, pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject, _IDENTITY, 0, _MOST_OBJECTS
    )
    shown.has_more = shown.has_more or left <= 0
    return shown


def _add(
    shown: Shown,
    holder: Any,
    count: Callable[[Any], int],
    get: Callable[[Any, int], Any],
    outer: Matrix,
    depth: int,
    left: int,
) -> int:
    """Add the objects of a page or form; return how many may still be looked at."""
    for index in range(min(count(holder), left)):
        left -= 1
        handle = get(holder, index)
        kind = pdfium.FPDFPageObj_GetType(handle)
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            shown.images.append(_image(handle, outer, depth))
        elif kind == pdfium.FPDF_PAGEOBJ_TEXT:
            is_shown = not is_invisible(handle)
            shown.has_text = shown.has_text or is_shown
            is_seen = is_shown and not _is_outside(handle, outer, shown.page)
            shown.has_hidden_text = shown.has_hidden_text or not is_seen
        elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
            inner = _product(_matrix_of(handle), outer)
            left = _add(
                shown, handle, pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject, inner, depth + 1, left
            )
        else:
            shown.has_more = True
    return left


def _is_outside(handle: Any, outer: Matrix, page: Placement) -> bool:
    """Return whether nothing of an object is on the part of the page that is shown."""
    sides = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(handle, *sides):
        return False
    left, bottom, right, top = (side.value for side in sides)
    if left >= right or bottom >= top:
        # Spaces.
        return False
    a, b, c, d, e, f = outer
    across = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
    up = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
    return max(across) <= page.left or min(across) >= page.right or max(up) <= page.bottom or min(up) >= page.top


def _image(handle: Any, outer: Matrix, depth: int) -> ShownImage:
    width, height = pdfium.c_uint(), pdfium.c_uint()
    pdfium.FPDFImageObj_GetImagePixelSize(handle, width, height)
    return ShownImage(handle, _product(_matrix_of(handle), outer), width.value, height.value, is_direct=not depth)


def _matrix_of(handle: Any) -> Matrix:
    found = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(handle, found):
        return _IDENTITY
    return found.a, found.b, found.c, found.d, found.e, found.f


def _product(first: Matrix, then: Matrix) -> Matrix:
    """Return the matrix that maps by ``first``, and then by ``then`` (ISO 32000-1, 8.3.4)."""
    a, b, c, d, e, f = first
    ta, tb, tc, td, te, tf = then
    return (
        a * ta + b * tc, a * tb + b * td,
        c * ta + d * tc, c * tb + d * td,
        e * ta + f * tc + te, e * tb + f * td + tf,
    )  # fmt: skip
