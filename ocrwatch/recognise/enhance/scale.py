"""Bring the text to the height at which Tesseract reads best.

Too large costs twice: layout analysis takes longer, and single letters and lines are torn apart. Too small loses
strokes. What counts is the text's height in pixels, not the scan's resolution, which says nothing about the type.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ocrwatch.recognise.decode import Gray

BEST_TEXT_HEIGHT = 19.5
"""Capital height in pixels.

Measured with tesserocr 2.13 (Tesseract 5.5.4, ``eng``) at 18.5 to 23 pixels on 24 book pages at 300 dpi, 40 receipts as
their scanner saved them and 10 on an A4 glass at 600 dpi, each against the page as it is. Books: character error rate
.026 to .019 in 80 % of the time; receipts: word F1 .684 to .696 in 93 %; A4: .835 to .886 in 37 %. Halves of the pages
taken for themselves gained or stayed within .002. From 19 to 22 quality differs by chance only, and time grows.
"""

WORTH_REDUCING = 1 / 1.08
WORTH_ENLARGING = 1.3
"""Factors between these change nothing: what is read better does not pay for blurred strokes and a larger page."""

MAX_ENLARGEMENT = 2.0
"""Beyond, an enlarged page only has more pixels, not more to read."""

_MEASURED_LONG_SIDE = 2500
"""Pixels; a larger page is measured on a copy reduced by a whole number, which takes a quarter of the time."""

# What may be a letter: pixels of height, width and ink as shares of the height and of the box.
_LETTER_HEIGHT = (6, 200)
_WIDEST_LETTER = 4.0
_NARROWEST_LETTER = 0.1
_LEAST_INK = 0.15

_FEWEST_LETTERS = 20
_MOST_SPECKS = 0.8
"""Share of marks smaller than a letter; up to .73 on real pages, mostly above .8 where there is only noise."""

# Ink is darker by this many of 255 levels than the mean of a neighbourhood of so many pixels.
_CONTRAST = 15
_NEIGHBOURHOOD = 51

_TALLEST_CAPITAL = 1.6
"""Times the height of the median letter."""

_CAPITALS = 0.8
"""Share of all ink height below which small letters are left behind, in running text as in capitals only."""


def text_height(gray: Gray) -> float | None:
    """Height of the prevailing text's capitals in pixels of ``gray``; None where there is too little to tell.

    Connected components of the locally thresholded page that may be letters by their size, shape and ink; half of all
    ink height lies in letters below the median, which are small letters in running text and capitals on a receipt.
    Capitals are up to 1.6 times as tall as small letters, so that what is taller belongs to headings and is left out.
    """
    step: int = math.ceil(max(gray.shape) / _MEASURED_LONG_SIDE)
    if step > 1:
        gray = cv2.resize(gray, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    heights = _letter_heights(gray)
    if len(heights) < _FEWEST_LETTERS:
        return None
    median = _weighted_percentile(heights, 0.5)
    return step * _weighted_percentile(heights[heights <= _TALLEST_CAPITAL * median], _CAPITALS)


def scale_factor(height: float | None, target: float) -> float:
    """Factor that brings text of ``height`` to ``target`` pixels; 1.0 where unknown or not worth it."""
    if height is None:
        return 1.0
    factor = min(target / height, MAX_ENLARGEMENT)
    return 1.0 if WORTH_REDUCING < factor < WORTH_ENLARGING else factor


def resize(gray: Gray, factor: float) -> Gray:
    """Scale both sides by ``factor``, rounded to whole pixels."""
    height, width = gray.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    # Area averaging is the only one of OpenCV's methods that does not drop strokes when it reduces.
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(gray, size, interpolation=method)  # type: ignore[return-value]


def _letter_heights(gray: Gray) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Sorted heights of the components that may be letters; none where the page is mostly noise."""
    ink = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, _NEIGHBOURHOOD, _CONTRAST)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    width, height, area = (stats[1:, column] for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    lowest, highest = _LETTER_HEIGHT
    letters = (
        (height >= lowest)
        & (height <= highest)
        & (width <= _WIDEST_LETTER * height)
        & (width >= _NARROWEST_LETTER * height)
        & (area >= _LEAST_INK * width * height)
    )
    # Where nearly everything is smaller than a letter, what is not is a grain of noise, too.
    if np.count_nonzero(height < lowest) > _MOST_SPECKS * len(height):
        return np.empty(0, np.int32)
    return np.sort(height[letters])


def _weighted_percentile(heights: np.ndarray[tuple[int], np.dtype[np.int32]], share: float) -> float:
    """Find the height below which ``share`` of the sum of all (sorted) heights lies."""
    sums = np.cumsum(heights)
    return float(heights[np.searchsorted(sums, sums[-1] * share)])
