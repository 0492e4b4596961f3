"""Uneven light becomes even, and pale print black."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Pixels

_STROKE = 31
"""Pixels on the survey copy: print is finer and vanishes in the background, shadows are wider and stay. 31 and 45 measured
alike, 23 and 15 left the insides of large type grey."""

_LEAST_INK = 0.0005
_FAINTEST = 12.0
"""Levels below which what was found is the texture of the paper."""

BLACK_ENOUGH = 200.0
"""Median depth of the ink in levels from which a page is left alone."""


def background(small: Gray) -> Gray:
    """The paper without its print: closed over strokes, then blurred."""
    kernel = np.ones((_STROKE, _STROKE), np.uint8)
    return cv2.blur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel), (_STROKE, _STROKE))  # type: ignore[return-value]


def ink_depth(page: Pixels, paper: Gray) -> float | None:
    """By how many levels the ink is darker than the paper, in the median; None where there is next to no ink.

    Only where there is ink: a share of the whole page would depend on how much is printed on it.
    """
    ink = page.ink > 0
    if np.count_nonzero(ink) < _LEAST_INK * ink.size:
        return None
    depth = float(np.median(cv2.subtract(paper, page.small)[ink]))
    return depth if depth >= _FAINTEST else None


def evened(gray: Gray, paper: Gray, depth: float) -> Gray:
    """Take the page as ink on white: paper minus page, with ``depth`` levels made black."""
    height, width = gray.shape
    full = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    ink = cv2.subtract(full, gray)
    return np.invert(cv2.convertScaleAbs(ink, alpha=255 / depth))  # type: ignore[return-value]
