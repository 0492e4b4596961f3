"""What reading and rendering both need to know of Pillow's images: their modes, TIFF as stored, and Group 4.

Pillow is native code that parses what strangers send, so only modules that run in workers import this one.
"""

from __future__ import annotations

import io
from typing import Final

from PIL import Image
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TiffImageFile,
)

SIXTEEN_BITS: Final = frozenset({"I;16", "I;16L", "I;16B"})
"""Modes of samples with 16 bits. Pillow's conversions to 8 bits cut their values off at 255."""

TRANSPARENT: Final = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
"""Modes with opacity."""

_WHITE_IS_ZERO: Final = 0
_FEWEST_BITS, _MOST_BITS = 8, 16
_WHITEST: Final = 0xFFFF


class StoredTiff(TiffImageFile):
    """A TIFF whose pixels Pillow does not turn upright.

    Its ``size`` is that of the upright image all the same; that of the loaded pixels is ``im.size``.
    """

    def load_end(self) -> None:
        """Do nothing; Pillow would apply the orientation."""

    @property
    def bits(self) -> int:
        """Bits of a sample, as the file says, which may be anything."""
        return max(map(int, self.tag_v2.get(BITSPERSAMPLE, (1,))))

    @property
    def used_bits(self) -> int:
        """Bits that are used of samples that Pillow has as 16 bits: 8 to 16."""
        return min(max(self.bits, _FEWEST_BITS), _MOST_BITS)

    @property
    def is_white_zero(self) -> bool:
        """Whether 0 is white, as in most faxes. Pillow inverts samples of 8 bits and less by itself."""
        return bool(self.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO)


def tiff_page(content: bytes, number: int) -> tuple[StoredTiff, Image.Image]:
    """Return a TIFF at one of its pages, from 0, and the page's image as it is stored."""
    tiff = StoredTiff(io.BytesIO(content))
    tiff.seek(number)
    tiff.load()
    # Pillow's size of a TIFF is that of the upright image; that of its copy is that of the stored pixels.
    return tiff, tiff.copy()


def of_sixteen_bits(image: Image.Image, bits: int, *, is_inverted: bool) -> Image.Image:
    """Return samples of 9 to 16 bits, which Pillow has as they are stored, as values up to 65535, in the mode I."""
    scale = 1 << (16 - bits)
    values = image.convert("I")
    if scale > 1 or is_inverted:
        values = values.point(lambda value: _WHITEST - value * scale if is_inverted else value * scale)
    return values


def group_4_strips(image: Image.Image, rows: int) -> list[bytes]:
    """Encode a black and white image by ITU-T T.6, ``rows`` to a strip; return the codes of each strip.

    Pillow writes 0 for black, which T.6 encodes as white.
    """
    file = io.BytesIO()
    image.save(file, "TIFF", compression="group4", strip_size=rows * -(-image.width // 8))
    content = file.getvalue()
    file.seek(0)
    with TiffImageFile(file) as tiff:
        places = zip(tiff.tag_v2[STRIPOFFSETS], tiff.tag_v2[STRIPBYTECOUNTS], strict=True)
        return [content[start : start + length] for start, length in places]
