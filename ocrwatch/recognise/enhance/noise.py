"""Grain is smoothed away."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import bands

NOISY = 8.0
"""Standard deviation from which grain is smoothed, in levels. Scanned pages have 0 to 1.5, JPEG artefacts included;
scans with grain of 35 levels measure 27."""

_LEFT_OVER = 7.5
"""Levels of grain that smoothing aims at: layout analysis takes no harm from it, and strokes stay sharp."""

_STRONGEST = 2.0
_TO_DEVIATION = 0.6745
"""Median of the absolute values of a normal distribution with deviation 1."""


def noise_level(gray: Gray) -> float:
    """Measure the standard deviation of the grain, in levels of brightness.

    From mixed second differences, in which neither flat paper nor straight edges show, on bands across the page; their
    median leaves print out, which covers less than half of any page.
    """
    medians = [
        _median(np.abs(band[:-1, :-1] - band[1:, :-1] - band[:-1, 1:] + band[1:, 1:]))
        for band in (rows.astype(np.int16) for rows in bands(gray))
        if min(band.shape) > 1
    ]
    # The mixed difference adds up four pixels' grain.
    return float(np.mean(medians)) / _TO_DEVIATION / 2 if medians else 0.0


def smoothed(gray: Gray, level: float) -> Gray:
    """Blur by as much as brings grain of ``level`` down to what does no harm."""
    # A Gaussian of deviation s divides white noise by 2 s sqrt(pi).
    deviation = min(level / _LEFT_OVER / (2 * np.sqrt(np.pi)), _STRONGEST)
    return cv2.GaussianBlur(gray, (0, 0), max(0.5, deviation))  # type: ignore[return-value]


def _median(levels: npt.NDArray[np.int16]) -> float:
    # Counting is several times as fast as sorting.
    counts = np.cumsum(np.bincount(levels.ravel()))
    return float(np.searchsorted(counts, counts[-1] / 2))
