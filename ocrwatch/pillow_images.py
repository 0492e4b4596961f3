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
