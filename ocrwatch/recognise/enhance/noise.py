"""Grain is smoothed away, and specks of single pixels are taken out."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.letters import Marks
from ocrwatch.recognise.enhance.pixels import Pixels, bands

NOISY = 8.0
"""Standard deviation from which grain is smoothed, in levels. Scanned pages have 0 to 1.5, JPEG artefacts included;
scans with grain of 35 levels measure 27."""

_LEFT_OVER = 7.5
"""Levels of grain that smoothing aims at: layout analysis takes no harm from it, and strokes stay sharp."""

MANY_SPECKS = 0.001
"""Share of specks among all pixels from which they are taken out. Scans of books and receipts have up to .0004, print
of six pixels height .0007, and scans with 4 % of their pixels black or white at random .016."""

_SPECK = 60
"""Levels by which a speck is darker or brighter than each of the eight pixels round it."""

_OUT_OF_PLACE = 50
"""Levels by which a pixel of a page with specks may be away from the median of the nine, before it becomes that."""

_LARGEST_SPECK = 3
"""Pixels; specks that touch make larger ones, but seldom."""

_MUCH_DUST = 8000
_MOSTLY_DUST = 0.8
_LARGEST_DUST = 4
"""Marks, share of all marks, and pixels on the survey copy, where letters of A4 in 8-point type are taller. Layout
analysis takes a minute for a hundred thousand grains, and reads no word in them."""

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


def speckle(gray: Gray) -> float:
    """Share of pixels that are specks, on bands across the page."""
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


def is_dusty(marks: Marks) -> bool:
    """Whether a page without measurable print is full of marks too small for letters; ``marks`` of its survey copy."""
    if len(marks) < _MUCH_DUST:
        return False
    dust = np.count_nonzero(marks[:, 2:4].max(axis=1) <= _LARGEST_DUST)
    return bool(dust >= _MOSTLY_DUST * len(marks))


def without_dust(page: Pixels) -> Gray:
    """Give marks too small for letters the brightness of the paper."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(page.ink, connectivity=8)
    is_dust = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) <= _LARGEST_DUST
    # A grain is a little larger than what of it is darkest.
    mask = cv2.dilate(is_dust[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    height, width = page.gray.shape
    cleared = page.gray.copy()
    cleared[cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0] = page.paper
    return cleared


def without_specks(gray: Gray) -> Gray:
    """Take what is far from the median of the pixels round it for a speck, unless it is part of something larger.

    The median takes the strokes of small print away, too, but in pieces longer than a speck.
    """
    median = cv2.medianBlur(gray, 3)
    apart = (cv2.absdiff(gray, median) > _OUT_OF_PLACE).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(apart, 8, cv2.CV_32S, cv2.CCL_GRANA)
    small = stats[:, cv2.CC_STAT_AREA] <= _LARGEST_SPECK
    small[0] = False
    return np.where(small[labels], median, gray).astype(np.uint8)


def smoothed(gray: Gray, level: float) -> Gray:
    """Blur by as much as brings grain of ``level`` down to what does no harm."""
    # A Gaussian of deviation s divides white noise by 2 s sqrt(pi).
    deviation = min(level / _LEFT_OVER / (2 * np.sqrt(np.pi)), _STRONGEST)
    return cv2.GaussianBlur(gray, (0, 0), max(0.5, deviation))  # type: ignore[return-value]


def _median(levels: npt.NDArray[np.int16]) -> float:
    # Counting is several times as fast as sorting.
    counts = np.cumsum(np.bincount(levels.ravel()))
    return float(np.searchsorted(counts, counts[-1] / 2))
