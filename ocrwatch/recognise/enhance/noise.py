"""Smooths noise and removes salt-and-pepper noise."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.letters import Components
from ocrwatch.recognise.enhance.pixels import Pixels, bands

NOISY = 8.0
"""Standard deviation of the noise from which it is smoothed, in grey levels. Scanned pages have 0 to 1.5, including
JPEG artefacts; scans with noise of 35 levels measure 27."""

_LEFT_OVER = 7.5
"""Target noise of the smoothing, in grey levels. It does not disturb layout analysis, and strokes stay sharp."""

MANY_SPECKS = 0.001
"""Share of speck pixels from which specks are removed. Scans of books and receipts have up to .0004, text of six pixels
height .0007, and scans with 4 % random black or white pixels .016."""

_SPECK = 60
"""Gray levels by which a speck is darker or brighter than each of its eight neighbours."""

_OUT_OF_PLACE = 50
"""Difference from the 3 x 3 median, in grey levels, from which a pixel is replaced by it."""

_LARGEST_SPECK = 3
"""Maximum size of a speck in pixels. Specks that touch form larger ones, but rarely."""

_MUCH_DUST = 8000
_MOSTLY_DUST = 0.8
_LARGEST_DUST = 4
"""Number of components, share of small components, and their size in pixels of the survey copy from which a page is
dusty. Letters of 8-point type on A4 are taller. Layout analysis takes a minute for 100,000 specks and finds no word in
them."""

_STRONGEST = 2.0
_TO_DEVIATION = 0.6745
"""Median of the absolute value of a normal distribution with a standard deviation of 1."""


def noise_level(gray: Gray) -> float:
    """Estimate the standard deviation of the noise, in grey levels.

    Uses mixed second differences, which are zero on flat paper and along straight edges, on horizontal bands of the
    page. The median excludes text, which covers less than half of any page.
    """
    medians = [
        _median(np.abs(band[:-1, :-1] - band[1:, :-1] - band[:-1, 1:] + band[1:, 1:]))
        for band in (rows.astype(np.int16) for rows in bands(gray))
        if min(band.shape) > 1
    ]
    # The mixed difference adds the noise of four pixels.
    return float(np.mean(medians)) / _TO_DEVIATION / 2 if medians else 0.0


def speckle(gray: Gray) -> float:
    """Return the share of speck pixels, 0 to 1, measured on horizontal bands."""
    found = total = 0
    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    for band in bands(gray):
        if min(band.shape) < len(ring):
            continue
        lightest, darkest = cv2.dilate(band, ring), cv2.erode(band, ring)
        specks = (cv2.subtract(band, lightest) > _SPECK) | (cv2.subtract(darkest, band) > _SPECK)
        found += int(np.count_nonzero(specks))
        total += band.size
    return found / total if total else 0.0


def is_dusty(components: Components) -> bool:
    """Return whether most components of a page are too small for letters.

    ``components`` are those of the survey copy of a page without measurable text.
    """
    if len(components) < _MUCH_DUST:
        return False
    dust = np.count_nonzero(components[:, 2:4].max(axis=1) <= _LARGEST_DUST)
    return bool(dust >= _MOSTLY_DUST * len(components))


def without_dust(page: Pixels) -> Gray:
    """Fill components too small for letters with the paper's brightness."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(page.ink, connectivity=8)
    is_dust = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) <= _LARGEST_DUST
    # A speck is slightly larger than its thresholded core.
    mask = cv2.dilate(is_dust[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    height, width = page.gray.shape
    cleared = page.gray.copy()
    cleared[cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0] = page.paper
    return cleared


def without_specks(gray: Gray) -> Gray:
    """Replace small groups of pixels that differ strongly from their 3 x 3 median.

    Strokes of small text differ from the median too, but in pieces larger than a speck, which are kept.
    """
    median = cv2.medianBlur(gray, 3)
    apart = (cv2.absdiff(gray, median) > _OUT_OF_PLACE).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(apart, 8, cv2.CV_32S, cv2.CCL_GRANA)
    small = stats[:, cv2.CC_STAT_AREA] <= _LARGEST_SPECK
    small[0] = False
    return np.where(small[labels], median, gray).astype(np.uint8)


def smoothed(gray: Gray, level: float) -> Gray:
    """Apply a Gaussian blur that reduces noise of ``level`` to the target level."""
    # A Gaussian with deviation s divides white noise by 2 s sqrt(pi).
    deviation = min(level / _LEFT_OVER / (2 * np.sqrt(np.pi)), _STRONGEST)
    return cv2.GaussianBlur(gray, (0, 0), max(0.5, deviation))  # type: ignore[return-value]


def _median(levels: npt.NDArray[np.int16]) -> float:
    # A histogram is several times as fast as sorting.
    counts = np.cumsum(np.bincount(levels.ravel()))
    return float(np.searchsorted(counts, counts[-1] / 2))
