"""The result of decoding a scan, and what decoders of all kinds of images have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ocrwatch.document import StoredImage
from ocrwatch.errors import TooLarge
from ocrwatch.recognise.strict_decoder import Gray

CREDIBLE_DPI: Final = (70.0, 2400.0)
"""Lowest and highest plausible resolution in dpi, as in Tesseract. Software that does not know it writes other
values."""

RESCAN: Final = "scan the page again, or copy the file again from where it came from"
"""Remedy for a damaged scan."""

ORIENTATION: Final = 0x0112
"""Tag of the orientation, in EXIF data and in TIFF."""

_SCREEN_DPI = (72.0, 96.0)
"""Resolutions that software writes by default, among it Pillow. No scanner offers either."""

_HALF_A_PIXEL_TO_A_METRE = 0.5 * 0.0254
_ORIENTATIONS = range(1, 9)
_ON_ITS_SIDE = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A scan's pixels, upright."""

    gray: Gray
    width: int
    """Width of the upright original in pixels, however much smaller ``gray`` is."""
    height: int
    reduction: int
    """Pixels of the original to one of ``gray``, along each axis: 1 or 2."""
    dpi: float | None
    """Resolution of the original as declared by the file; None if it is missing or implausible."""
    orientation: int
    """EXIF orientation, 1 to 8, already applied to the pixels."""
    warnings: tuple[str, ...]
    image: StoredImage
    images: int = 1
    """Images in the file, smaller copies of a page included; 0 if it is unknown. Previews in a JPEG do not count."""


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Return the size of an image with this orientation after :func:`turn`."""
    return (height, width) if orientation in _ON_ITS_SIDE else (width, height)


def turn(pixels: Gray, orientation: int) -> Gray:
    """Apply an EXIF orientation, 1 to 8, to grey or coloured pixels. The result is contiguous.

    CIPA DC-008, tag 274; TIFF 6.0 has the same.
    """
    if orientation in _ON_ITS_SIDE:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise TooLarge for more pixels than allowed."""
    if width * height > max_pixels:
        raise TooLarge(
            f"the image has {width} x {height} pixels, more than the limit of {max_pixels}",
            "scan at a lower resolution, or raise enhance.max_pixels if there is memory for it",
        )


def orientation_of(value: object) -> int:
    """Return an orientation that a file declares; 1 if it is none."""
    return value if isinstance(value, int) and value in _ORIENTATIONS else 1


def credible_dpi(dpi: object) -> float | None:
    """Return the resolution for both axes.

    None if it is missing, implausible, or different for the two axes.
    """
    if not isinstance(dpi, tuple):
        return None
    across, down = map(float, dpi)
    lowest, highest = CREDIBLE_DPI
    square = math.isclose(across, down, rel_tol=0.05)
    # PNG has whole pixels to a metre.
    is_default = any(abs(across - screen) <= _HALF_A_PIXEL_TO_A_METRE for screen in _SCREEN_DPI)
    return across if square and lowest <= across <= highest and not is_default else None
