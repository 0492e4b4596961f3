"""Encodes the rendering of a page as an image file that has its resolution: PNG, or JPEG for a scan in colour."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrwatch.document import StoredImage
from ocrwatch.png_chunks import SIGNATURE
from ocrwatch.splitting.pdf_document import Pixels

_QUALITY: Final = 92
"""Of a JPEG. A photograph of 12 megapixels takes 1.3 MB and 50 ms; as PNG it takes 10 MB and more than a second."""
_COMPRESSION: Final = 4
"""zlib's level for a PNG. It makes 203 KB of a grey scan of A4 in 300 dpi in 80 ms, level 6 only 202 KB in 100 ms."""

_ROWS: Final = 64
_WHITE: Final = 255
_INCH: Final = 0.0254
_METRE: Final = 1
"""Unit of a PNG's resolution."""

_HEADER_END: Final = len(SIGNATURE) + 4 + 4 + 13 + 4
"""Where the header of a PNG ends: its signature, and the length, type, content and checksum of IHDR."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file."""

    ending: str
    data: bytes
    stored: StoredImage


def encode(pixels: Pixels, dpi: float, *, is_scan: bool) -> Picture:
    """Return the file of a rendering: without colours a PNG, and of a scan in colours a JPEG.

    Raises MemoryError.
    """
    cv2.setNumThreads(1)
    if all(_is_gray(rows) for rows in _strips(pixels)):
        return _png(np.ascontiguousarray(pixels[..., 1]), dpi, 1)
    return _jpeg(pixels, dpi) if is_scan else _png(pixels, dpi, 3)


def _strips(pixels: Pixels) -> Iterator[Pixels]:
    """Yield the rows a few at a time: what is computed of them takes little memory."""
    for top in range(0, len(pixels), _ROWS):
        yield pixels[top : top + _ROWS]


def _is_gray(pixels: Pixels) -> bool:
    return np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2])


def _is_bilevel(pixels: Pixels) -> bool:
    return not np.any((pixels != 0) & (pixels != _WHITE))


def _png(pixels: NDArray[np.uint8], dpi: float, components: int) -> Picture:
    is_bilevel = components == 1 and all(_is_bilevel(rows) for rows in _strips(pixels))
    options = [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION]
    if is_bilevel:
        options += [cv2.IMWRITE_PNG_BILEVEL, 1]
    data = _encoded(".png", pixels, options)
    density = round(dpi / _INCH)
    body = b"pHYs" + struct.pack(">IIB", density, density, _METRE)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    height, width = pixels.shape[:2]
    stored = StoredImage("png", width, height, components, 1 if is_bilevel else 8)
    return Picture("png", data[:_HEADER_END] + chunk + data[_HEADER_END:], stored)


def _jpeg(pixels: Pixels, dpi: float) -> Picture:
    height, width = pixels.shape[:2]
    data = _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return Picture("jpg", with_density(data, dpi, dpi), StoredImage("jpeg", width, height, 3, 8))


def _encoded(ending: str, pixels: NDArray[np.uint8], options: list[int]) -> bytes:
    is_done, data = cv2.imencode(ending, pixels, options)
    if not is_done:
        raise MemoryError
    return bytes(data)


def with_density(jpeg: bytes, across: float, down: float) -> bytes:
    """Return a JPEG that declares this resolution in dpi, as JFIF has it, instead of any other."""
    density = struct.pack(">BHH", 1, *(min(max(round(dpi), 1), 0xFFFF) for dpi in (across, down)))
    if jpeg[2:4] == b"\xff\xe0" and jpeg[6:11] == b"JFIF\0" and int.from_bytes(jpeg[4:6]) >= 16:  # noqa: PLR2004 - a whole JFIF header
        return jpeg[:13] + density + jpeg[18:]
    return jpeg[:2] + b"\xff\xe0\x00\x10JFIF\0\x01\x01" + density + b"\0\0" + jpeg[2:]
