"""White print on dark bars within a page, such as the headings of a table, becomes black on white."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.enhance.pixels import Mask, Pixels

_DARK = 0.5
"""Share of the paper's brightness below which something is a bar."""

# Pixels on the survey copy, on which A4 has 120 to an inch.
_LEAST_HEIGHT = 10
_LEAST_WIDTH = 40

_TALLEST = 1 / 12
"""Share of the long side; engravings and photographs are taller."""

_FLAT = 2.0
"""Times its height that a bar is wide at least."""

_FILLED = (0.55, 0.97)
"""Share of its box that is dark: less is print, a frame or a picture, and without print in it there is more."""

_STRAIGHT = 0.8
"""Share of each of its upper and lower edges that is dark."""


def bars(page: Pixels) -> list[tuple[int, int, int, int]]:
    """Find bars with print in them; left, top, width and height on the survey copy."""
    dark: Mask = (page.small < _DARK * page.paper).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    found = []
    least, most = _FILLED
    rows, columns = dark.shape
    tallest = _TALLEST * max(rows, columns)
    for left, top, width, height, area in stats[1:].tolist():
        if not _LEAST_HEIGHT <= height <= tallest or width < max(_LEAST_WIDTH, _FLAT * height):
            continue
        # What leaves the page above or below is its surroundings.
        if top == 0 or top + height == rows:
            continue
        if least <= area / (width * height) <= most and _is_straight(dark[top : top + height, left : left + width]):
            found.append((left, top, width, height))
    return found


def inverted(page: Pixels, found: list[tuple[int, int, int, int]]) -> Pixels:
    """Give every pixel of these bars its opposite."""
    gray, small = page.gray.copy(), page.small.copy()
    down, across = gray.shape[0] / small.shape[0], gray.shape[1] / small.shape[1]
    for left, top, width, height in found:
        rows, columns = slice(top, top + height), slice(left, left + width)
        small[rows, columns] = np.invert(small[rows, columns])
        rows = slice(round(top * down), round((top + height) * down))
        columns = slice(round(left * across), round((left + width) * across))
        gray[rows, columns] = np.invert(gray[rows, columns])
    return Pixels(gray, small, contrast=page.contrast)


def _is_straight(box: Mask) -> bool:
    edge = max(1, len(box) // 10)
    above, below = (float(rows.max(axis=0).mean()) for rows in (box[:edge], box[-edge:]))
    return min(above, below) >= _STRAIGHT
