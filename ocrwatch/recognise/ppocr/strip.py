"""The region of one text line, and its pixels for the recognition network.

The pixels are upright and 48 rows high.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.affine import Affine
from ocrwatch.recognise.decode import Gray

HEIGHT = 48
"""Height of the recognition network's input in pixels."""

_LONGEST = 3200
"""Maximum width in pixels: a line of 65 times its height."""

_VERTICAL = 1.5
"""Ratio of height to width from which a region is vertical text or a single letter (value of PP-OCR)."""


@dataclass(frozen=True, slots=True)
class Strip:
    """The region of a line on a page."""

    to_page: Affine
    """Maps the strip, :data:`HEIGHT` rows and ``width`` columns, to the page's pixels."""
    width: int


def strip_of(corners: npt.NDArray[np.floating]) -> Strip:
    """Return the strip of a parallelogram on the page.

    ``corners`` are its top left, top right and bottom left.
    """
    origin, right, down = corners.astype(np.float64)
    across, along = right - origin, down - origin
    tall = max(1.0, math.hypot(*along))
    width = min(max(8, round(HEIGHT * math.hypot(*across) / tall)), _LONGEST)
    return Strip(np.stack([across / width, along / HEIGHT, origin], axis=1), width)


def whole(page: Gray) -> Strip:
    """Return the strip of a page that is a single line."""
    height, width = page.shape
    return strip_of(np.array([(0, 0), (width, 0), (0, height)]))


def may_be_vertical(strip: Strip) -> bool:
    """Return whether a region is tall enough to hold vertical text."""
    return strip.width * _VERTICAL <= HEIGHT


def quarter_turned(strip: Strip) -> Strip:
    """Return the same region, turned so that vertical text is read from the top down."""
    across, along, origin = strip.to_page.T
    top_right = origin + across * strip.width
    return strip_of(np.stack([top_right, top_right + along * HEIGHT, origin]))


def pixels_of(page: Gray, strip: Strip) -> Gray:
    """Extract a strip from the page. Pixels outside the page repeat its edge."""
    scale = math.hypot(*strip.to_page[:, 1])
    # Interpolation skips pixels when it reduces: sample at about the page's resolution, then average.
    finer = max(1, min(8, math.floor(scale)))
    size = (strip.width * finer, HEIGHT * finer)
    to_page = strip.to_page.copy()
    to_page[:, :2] /= finer
    # The map refers to pixel edges, but OpenCV samples at pixel centres.
    to_page[:, 2] += to_page[:, :2].sum(axis=1) / 2 - 0.5
    cut = cv2.warpAffine(
        page, to_page, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.resize(cut, (strip.width, HEIGHT), interpolation=cv2.INTER_AREA) if finer > 1 else cut  # type: ignore[return-value]
