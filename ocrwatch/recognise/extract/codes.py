"""Finds the bar codes and QR codes of a page.

Only the kinds that are printed on documents are looked for: Data Matrix alone would add 2 ms a page, and other bar
codes have less to tell a code from text.

Bar codes are read at the page's size, up to A4 at 200 dpi, from a part of its rows and columns of pixels: zxing-cpp
looks at some 250 rows only, and takes longer to turn a whole page than to read it. At 200 dpi each row is the mean of
two, which reads a sixth more of noisy codes, and QR codes are read at half the size, which takes a quarter of the time,
and at which noise and the dots of a fax disturb less. A page at 150 or 300 dpi has that size by itself, or at half.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import zxingcpp

from ocrwatch.document import LONGEST_CODE, Box, Code, CodeKind, Quad
from ocrwatch.recognise.decoded import Decoded
from ocrwatch.recognise.strict_decoder import Gray

_MOST: Final = 100
"""Codes of a page that are kept: a sheet of labels has 65."""

_BARS_SIDE: Final = 2400
"""Longest side in pixels at which bar codes are read: A4 at 200 dpi. At half of it, 2 of 16 codes with bars of 0.25 mm
are read instead of all."""

_QR_SIDE: Final = 1800
"""Longest side in pixels at which QR codes are read: A4 at 150 dpi."""

_ROWS: Final = 1000
"""Rows of pixels, at least, that are read for bar codes: one in 0.3 mm of A4. zxing-cpp takes equal bar codes for one
if they are closer than half their width: with fewer rows these seem closer."""

_COLUMNS: Final = 250
"""Columns of pixels, at least, that are read for bar codes that stand upright: one in 0.8 mm of A4. 400 would find 1 %
more, and take 1.5 ms more."""

_FORMAT: Final = zxingcpp.BarcodeFormat
_BARS: Final = zxingcpp.BarcodeFormats([_FORMAT.Code128, _FORMAT.Code39])
_QR: Final = zxingcpp.BarcodeFormats([_FORMAT.QRCodeModel2])
_KINDS: Final[dict[zxingcpp.BarcodeFormat, CodeKind]] = {
    _FORMAT.Code128: "code128",
    _FORMAT.Code39: "code39",
    _FORMAT.QRCode: "qr",
}
"""Kinds by their symbology: variants of a format have the same."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of the page, and how many pixels of the original one of its pixels takes."""

    gray: Gray
    across: float
    down: float
    is_transposed: bool = False
    """Whether x and y are exchanged."""


def find_codes(decoded: Decoded) -> tuple[Code, ...]:
    """Return the codes of a page from top to bottom, at most 100.

    A QR code may lie in any direction; a bar code as well if it is high enough for a row or a column of pixels to cross
    all of its bars.
    """
    scale = float(decoded.reduction)
    flat = _shrunk(_Copy(decoded.gray, scale, scale), _BARS_SIDE)
    found: list[Code] = []
    for copy, formats in ((_rows(flat), _BARS), (_columns(flat), _BARS), (_shrunk(flat, _QR_SIDE), _QR)):
        for code in _read(copy, formats, decoded):
            if not any(_is_same(code, other) for other in found):
                found.append(code)
    return tuple(sorted(found, key=lambda code: (code.box.top, code.box.left))[:_MOST])


def _shrunk(copy: _Copy, longest: int) -> _Copy:
    """Halve a copy until its longest side is short enough. Other factors would take ten times as long."""
    gray, times = copy.gray, 1
    while max(gray.shape) > longest and min(gray.shape) > 1:
        height, width = gray.shape[0] // 2, gray.shape[1] // 2
        even = gray[: 2 * height, : 2 * width]
        gray = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        times *= 2
    return _Copy(gray, copy.across * times, copy.down * times)


def _rows(copy: _Copy) -> _Copy:
    """Return the copy with only some of its rows."""
    step, starts, end = _steps(copy.gray.shape[0], _ROWS)
    rows = _mean(*(copy.gray[start:end:step] for start in starts))
    return _Copy(rows, copy.across, copy.down * step)


def _columns(copy: _Copy) -> _Copy:
    """Return the copy transposed, with only some of its columns."""
    step, starts, end = _steps(copy.gray.shape[1], _COLUMNS)
    columns = _mean(*(copy.gray[:, start:end:step] for start in starts))
    return _Copy(np.asarray(cv2.transpose(columns), np.uint8), copy.across * step, copy.down, is_transposed=True)


def _steps(size: int, least: int) -> tuple[int, tuple[int, int], int]:
    """Return how many rows become one, the first of the two whose mean is taken, and the end of the last."""
    step = max(1, size // least)
    return step, (0, step // 2), size // step * step


def _mean(one: Gray, other: Gray) -> Gray:
    return np.asarray(cv2.addWeighted(one, 0.5, other, 0.5, 0.0), np.uint8)


def _read(copy: _Copy, formats: zxingcpp.BarcodeFormats, decoded: Decoded) -> Iterator[Code]:
    barcodes = zxingcpp.read_barcodes(
        copy.gray,
        formats,
        try_rotate=False,
        try_downscale=False,
        try_invert=False,
        # Without names of control characters, and without brackets that are not in the code.
        text_mode=zxingcpp.TextMode.Plain,
    )
    for barcode in barcodes:
        # A library that finds other kinds than it was asked for gives none of them.
        if barcode.valid and (kind := _KINDS.get(barcode.symbology)):
            corners = _corners(barcode.position, copy)
            yield Code(kind, _text(barcode), _bounds(corners, decoded), corners)


def _text(barcode: zxingcpp.Barcode) -> str:
    try:
        text = barcode.text
    except UnicodeDecodeError:
        text = barcode.bytes.decode("utf-8", "backslashreplace")
    return text[:LONGEST_CODE]


def _corners(position: zxingcpp.Position, copy: _Copy) -> Quad:
    points = [position.top_left, position.top_right, position.bottom_right, position.bottom_left]
    places = [(point.y, point.x) if copy.is_transposed else (point.x, point.y) for point in points]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (((x + 0.5) * copy.across, (y + 0.5) * copy.down) for x, y in places)
    if (x2 - x0) * (y3 - y1) < (x3 - x1) * (y2 - y0):
        # Counterclockwise: a bar code that was read from its end, or transposed. It begins at the same side.
        return x3, y3, x2, y2, x1, y1, x0, y0
    return x0, y0, x1, y1, x2, y2, x3, y3


def _bounds(corners: Quad, decoded: Decoded) -> Box:
    """Return the bounding box in whole pixels of the page, at least one."""
    left, right = _span(corners[::2], decoded.width)
    top, bottom = _span(corners[1::2], decoded.height)
    return Box(left, top, right, bottom)


def _span(places: tuple[float, ...], size: int) -> tuple[int, int]:
    first = min(max(math.floor(min(places)), 0), size - 1)
    return first, min(max(math.ceil(max(places)), first + 1), size)


def _is_same(one: Code, other: Code) -> bool:
    """Return whether two codes are one that was read twice."""
    a, b = one.box, other.box
    overlap = a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom
    return overlap and (one.kind, one.text) == (other.kind, other.text)
