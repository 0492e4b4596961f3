"""Print made of dots is joined to strokes."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import ink_of

BROKEN = 0.22
"""Share of the ink in pieces smaller than half a capital. Dot matrix print has .3, other print .16 and less."""

_PIECE = 0.5
_LETTER = 2.0
_LEAST_AREA = 4
_GAP = 1 / 24
"""Deviation of the blur as a share of the capitals' height: dots are a seventh of it apart, 5 x 7 to a letter."""


def brokenness(gray: Gray, height: float) -> float:
    """Share of the ink that lies in pieces of letters; ``height`` is that of capitals in pixels."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink_of(gray), connectivity=8)
    extent = np.maximum(stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT])
    area = stats[1:, cv2.CC_STAT_AREA]
    letters = (extent < _LETTER * height) & (area >= _LEAST_AREA)
    pieces = letters & (extent < _PIECE * height)
    return float(area[pieces].sum()) / max(1.0, float(area[letters].sum()))


def mended(gray: Gray, height: float) -> Gray:
    """Blur so far that the dots of a letter meet."""
    return cv2.GaussianBlur(gray, (0, 0), height * _GAP)  # type: ignore[return-value]
