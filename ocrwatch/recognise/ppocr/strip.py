"""The place of one line of print on a page, and its pixels: upright, 48 rows high, as the recognition takes them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.affine import Affine
from ocrwatch.recognise.decode import Gray

HEIGHT = 48
"""Rows that the recognition takes."""

_LONGEST = 3200
"""Columns at most: a line of 65 times its height."""

_UPENDED = 1.5
"""Times its width from which a place is a column of vertical writing, or a single letter (PP-OCR's value)."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A line's place."""

    to_page: Affine
    """Maps the strip, :data:`HEIGHT` rows and ``width`` columns, to the page's pixels."""
    width: int


def strip_of(corners: npt.NDArray[np.floating]) -> Strip:
    """Return the strip of a parallelogram given by its corners on the page: top left, top right, bottom left."""
    origin, right, down = corners.astype(np.float64)
    across, along = right - origin, down - origin
    tall = max(1.0, math.hypot(*along))
    width = min(max(8, round(HEIGHT * math.hypot(*across) / tall)), _LONGEST)
    return Strip(np.stack([across / width, along / HEIGHT, origin], axis=1), width)


def whole(page: Gray) -> Strip:
    """Return the strip of a page that has one line only."""
    height, width = page.shape
    return strip_of(np.array([(0, 0), (width, 0), (0, height)]))


def is_upended(strip: Strip) -> bool:
    """Tell whether a place is so much taller than wide that it may hold vertical writing."""
    return strip.width * _UPENDED <= HEIGHT


def quarter_turned(strip: Strip) -> Strip:
    """Return the same place read from the top down: as a column of vertical writing is turned to be read."""
    across, along, origin = strip.to_page.T
    top_right = origin + across * strip.width
    return strip_of(np.stack([top_right, top_right + along * HEIGHT, origin]))


def pixels_of(page: Gray, strip: Strip) -> Gray:
    """Cut a strip out of the page; what lies outside of the page is like its edge."""
    scale = math.hypot(*strip.to_page[:, 1])
    # Interpolation skips pixels if it reduces: first at about the page's size, then averaged.
    finer = max(1, min(8, math.floor(scale)))
    size = (strip.width * finer, HEIGHT * finer)
    to_page = strip.to_page.copy()
    to_page[:, :2] /= finer
    # The map is over edges; OpenCV samples at pixels' centres.
    to_page[:, 2] += to_page[:, :2].sum(axis=1) / 2 - 0.5
    cut = cv2.warpAffine(
        page, to_page, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.resize(cut, (strip.width, HEIGHT), interpolation=cv2.INTER_AREA) if finer > 1 else cut  # type: ignore[return-value]
