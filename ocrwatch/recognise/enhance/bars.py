"""Inverts dark bars with white text within a page, such as table headings."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.enhance.pixels import Mask, Pixels

_DARK = 0.5
"""Maximum brightness of a bar as a share of the paper's brightness."""

# Pixels of the survey copy, which has 120 dpi for A4.
_LEAST_HEIGHT = 10
_LEAST_WIDTH = 40

_TALLEST = 1 / 12
"""Maximum height of a bar as a share of the long side. Engravings and photographs are taller."""

_FLAT = 2.0
"""Minimum width of a bar in multiples of its height."""

_FILLED = (0.55, 0.97)
"""Dark share of the bounding box, lowest and highest. Letters, frames and pictures have less; a bar without text has
more."""

_STRAIGHT = 0.8
"""Minimum dark share of the upper and of the lower edge."""


def find_bars(page: Pixels) -> list[tuple[int, int, int, int]]:
    """Find dark bars with text in them.

    Returns left, top, width and height of each, in pixels of the survey copy.
    """
    dark: Mask = (page.survey < _DARK * page.paper).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    found = []
    least, most = _FILLED
    rows, columns = dark.shape
    tallest = _TALLEST * max(rows, columns)
    for left, top, width, height, area in stats[1:].tolist():
        if not _LEAST_HEIGHT <= height <= tallest or width < max(_LEAST_WIDTH, _FLAT * height):
            continue
        # A bar that touches the upper or lower edge of the image belongs to the area around the paper.
        if top == 0 or top + height == rows:
            continue
        if least <= area / (width * height) <= most and _is_straight(dark[top : top + height, left : left + width]):
            found.append((left, top, width, height))
    return found


def inverted(page: Pixels, found: list[tuple[int, int, int, int]]) -> Pixels:
    """Invert the pixels of these bars."""
    gray, survey = page.gray.copy(), page.survey.copy()
    down, across = gray.shape[0] / survey.shape[0], gray.shape[1] / survey.shape[1]
    for left, top, width, height in found:
        rows, columns = slice(top, top + height), slice(left, left + width)
        survey[rows, columns] = np.invert(survey[rows, columns])
        rows = slice(round(top * down), round((top + height) * down))
        columns = slice(round(left * across), round((left + width) * across))
        gray[rows, columns] = np.invert(gray[rows, columns])
    return Pixels(gray, survey, contrast=page.contrast)


def _is_straight(box: Mask) -> bool:
    edge = max(1, len(box) // 10)
    above, below = (float(rows.max(axis=0).mean()) for rows in (box[:edge], box[-edge:]))
    return min(above, below) >= _STRAIGHT
