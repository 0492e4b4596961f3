"""Blurred print becomes sharp."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import bands

SOFT = 0.6
"""Steepness of the steepest edges below which pixels are not what limits them. Nearly all scans have .7 and more,
also coarse ones; blurred by 2.2 pixels they have .3 to .55, as has what was enlarged to twice its size."""

BLURRED = 20.0
"""Steepness times capital height below which print is blurred, not enlarged: 12 to 19 for the former, 26 to 39 for the
latter."""

_STEEPEST = 0.999
_RANGE = (0.001, 0.98)
_LEAST_RANGE = 30
_AMOUNT = 3.0
"""On 24 book pages blurred by 2.2 pixels, the character error rate of the even and the odd ones is .026 and .014 with
2, .023 and .014 with 3 and .025 and .016 with 4; where they are not narrowed either, .019 and .014 with 3."""

_REACH = 1.1
"""Pixels of deviation that an edge of steepness 1 is sharpened with: somewhat more than it was blurred with."""


def steepness(gray: Gray) -> float | None:
    """How steep the steepest edges are, as a share of the page's contrast over two pixels; None without contrast."""
    rows = bands(gray)
    levels = np.cumsum(np.bincount(np.concatenate([band.ravel() for band in rows]), minlength=256))
    darkest, brightest = (int(np.searchsorted(levels, levels[-1] * share)) for share in _RANGE)
    if brightest - darkest < _LEAST_RANGE:
        return None
    slopes = [np.abs(band[:, 2:].astype(np.int16) - band[:, :-2]).ravel() for band in rows]
    counts = np.cumsum(np.bincount(np.concatenate(slopes), minlength=256))
    return float(np.searchsorted(counts, counts[-1] * _STEEPEST)) / (brightest - darkest)


def sharpened(gray: Gray, steep: float) -> Gray:
    """Take away what blurring page by as much again would add."""
    soft = cv2.GaussianBlur(gray, (0, 0), _REACH / steep)
    sharp = cv2.addWeighted(gray, 1 + _AMOUNT, soft, -_AMOUNT, 0)
    # No brighter than the paper round it: a halo beside each stroke would be taken for paper by what comes after.
    return cv2.min(sharp, paper_around(gray, round(_REACH / steep * 2)))  # type: ignore[return-value]


def paper_around(gray: Gray, reach: int) -> Gray:
    """Brightest pixel up to ``reach`` away."""
    return cv2.dilate(gray, np.ones((2 * reach + 1,) * 2, np.uint8))  # type: ignore[return-value]
