"""Checks whether the pixels of a fax in a PDF are all that its data hold (ITU-T T.4 and T.6).

pdfium goes on behind a wrong code, and leaves rows blank that it does not find. It does not tell which of the codings
the data have.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageChops
from PIL.TiffImagePlugin import STRIPBYTECOUNTS, STRIPOFFSETS, TiffImageFile

from ocrwatch.pillow_images import group_4_strips
from ocrwatch.splitting.pdf_document import Pixels

_PREFIX: Final = 16
"""Bytes by which the coding of the data is known."""
_END: Final = 5
"""Bytes in which the end marker of Group 4 begins, which may be missing, and ends."""
_SLACK: Final = 8
"""Bytes that the data may have besides the codes, or lack: an end marker, and up to a multiple of 4."""
_AT_LEAST: Final = 0.98
"""Share of the lines that must be there; of Group 4, of the codes that must be in the pixels."""

_LINE_END: Final = 12
"""Bits from one 1 to the next in an end of line: at least 11 zeros are between them, more than in any other code."""
_PIECE: Final = 1 << 20
"""Bytes that are searched at once."""


def shows_all(data: bytes, pixels: Pixels) -> bool:
    """Return whether all that is in the data of a fax is in its pixels, height x width x bytes.

    Group 4 is a bijection of pixels and codes: encoded again, pixels that were decoded rightly have the same codes.
    Group 3 has an end of each line, or else each line begins with a byte.
    """
    for image in _black_on_white(pixels):
        (codes,) = group_4_strips(image, image.height)
        if _begins_alike(codes, data):
            is_same = codes[:-_END] == data[: len(codes) - _END]
            # Pillow leaves a directory of TIFF behind the end marker.
            is_ended = data.startswith(codes)
            return is_ended or (is_same and _AT_LEAST * len(data) - _SLACK <= len(codes))
    for image in _black_on_white(pixels):
        codes = _lines_of_bytes(image)
        if _begins_alike(codes, data):
            return _AT_LEAST * len(data) - _SLACK <= len(codes) <= len(data) + _SLACK
    return _line_ends(data) >= _AT_LEAST * len(pixels)


def _black_on_white(pixels: Pixels) -> Iterator[Image.Image]:
    """Yield the image, and its negative: a PDF may name its two colours in either order."""
    is_first = pixels[..., 0] == pixels[0, 0, 0]
    for component in range(1, pixels.shape[2]):
        is_first &= pixels[..., component] == pixels[0, 0, component]
    image = Image.fromarray(is_first)
    yield image
    yield ImageChops.invert(image)


def _begins_alike(codes: bytes, data: bytes) -> bool:
    length = min(_PREFIX, max(1, len(codes) - _END))
    return codes[:length] == data[:length]


def _lines_of_bytes(image: Image.Image) -> bytes:
    """Encode an image by T.4 in one dimension, without ends of lines."""
    file = io.BytesIO()
    image.save(file, "TIFF", compression="tiff_ccitt", strip_size=image.height * -(-image.width // 8))
    content = file.getvalue()
    file.seek(0)
    with TiffImageFile(file) as tiff:
        (start,), (length,) = tiff.tag_v2[STRIPOFFSETS], tiff.tag_v2[STRIPBYTECOUNTS]
        return content[start : start + length]


def _line_ends(data: bytes) -> int:
    """Count the ends of lines of Group 3; Group 4 has two at its end at most."""
    ends = 0
    for start in range(0, len(data), _PIECE):
        ones = np.flatnonzero(np.unpackbits(np.frombuffer(data[start : start + _PIECE], np.uint8)))
        ends += int(np.count_nonzero(np.diff(ones, prepend=-1) >= _LINE_END))
    return ends
