"""Print made of dots is joined to strokes."""

from __future__ import annotations

import cv2

from ocrwatch.recognise.decode import Gray

BROKEN = 0.22
"""Share of the ink in pieces smaller than half a capital. Dot matrix print has .3, other print .16 and less."""

_GAP = 1 / 24
"""Deviation of the blur as a share of the capitals' height: dots are a seventh of it apart, 5 x 7 to a letter."""


def mended(gray: Gray, height: float) -> Gray:
    """Blur so far that the dots of a letter meet."""
    return cv2.GaussianBlur(gray, (0, 0), height * _GAP)  # type: ignore[return-value]
