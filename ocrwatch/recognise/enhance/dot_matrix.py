"""Joins the dots of dot matrix print to strokes."""

from __future__ import annotations

import cv2

from ocrwatch.recognise.decode import Gray

MIN_FRAGMENTATION = 0.22
"""Share of the ink in pieces smaller than half a capital from which text consists of dots. Dot matrix print has .3,
other print .16 and less."""

_GAP = 1 / 24
"""Standard deviation of the blur as a share of the cap height. Dots are a seventh of it apart: a letter has 5 x 7
dots."""


def join_dots(gray: Gray, height: float) -> Gray:
    """Blur so that the dots of a letter merge. ``height`` is the cap height in pixels."""
    return cv2.GaussianBlur(gray, (0, 0), height * _GAP)  # type: ignore[return-value]
