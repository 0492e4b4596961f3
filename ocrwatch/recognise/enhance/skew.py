"""Detects and corrects skew (deskew), and detects pages that lie on their side."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.affine import Affine
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import InkPoints, Pixels

STEEPEST = 20.0
"""Largest skew angle that is searched, in degrees to each side."""

STRAIGHT = 0.3
"""Skew in degrees that is not corrected: the end of a line is then off by a quarter of the line's height."""

_COARSE_POINTS = 4000
_COARSE_WIDTH = 3.0
_REFINEMENTS = ((0.25, 8000, 2.0), (0.07, 20000, 1.0))
"""Refinements after the search in steps of one degree: step in degrees, number of points, and bin width of the
projection profile in pixels. Each tries nine angles around the best one."""

_FEWEST_POINTS = 300

_PEAK = 1.15
"""Minimum score of the best angle relative to the median score. Text has 1.25 to 2.6. Other content, and text
measured across its lines, has 1.02 to 1.18."""

_MIN_PEAK_RATIO = 1.2
"""Ratio of the vertical peak to the horizontal one from which the page lies on its side."""

_MIN_DIRECTION_RATIO = 1.2
"""Ratio of letter-like components in horizontal and in vertical rows from which the direction is decided. Upright pages
of all corpora have 1.1 to 40, pages on their side .08 to .48."""

_SHARP_FROM = 1600
"""Long side in pixels below which letters are small, so that rotation uses cubic interpolation to avoid blur."""


_LONGEST = 2.5
"""Maximum height of a page that may lie on its side in multiples of its width. Longer pages are till receipts and
upright."""


def lies_on_its_side(page: Pixels) -> bool:
    """Return whether the text lines run vertically, in either direction."""
    height, width = page.gray.shape
    if height > _LONGEST * width:
        return False
    if page.has_letters:
        across, down = np.count_nonzero(page.letters_across), np.count_nonzero(page.letters_down)
        if max(across, down) > _MIN_DIRECTION_RATIO * min(across, down):
            return bool(down > across)
    points = page.points
    if points.shape[1] < _FEWEST_POINTS:
        return False
    level, upright = _peak(points)[1], _peak(points[::-1])[1]
    return upright > _PEAK and upright > _MIN_PEAK_RATIO * level


def skew_angle(page: Pixels) -> float:
    """Return the skew angle in degrees, positive if lines fall to the right.

    Returns 0.0 if the lines are straight or there are none.
    """
    points = page.points
    if points.shape[1] < _FEWEST_POINTS:
        return 0.0
    best, peak = _peak(points)
    if peak < _PEAK:
        return 0.0
    for step, number, width in _REFINEMENTS:
        angles = best + np.arange(-4, 5) * step
        best = float(angles[int(sharpness(_some(points, number), angles, width).argmax())])
    return round(best, 2) if abs(best) >= STRAIGHT else 0.0


def _peak(points: InkPoints) -> tuple[float, float]:
    """Return the best angle to one degree, and its score relative to the median score."""
    angles = np.arange(-STEEPEST, STEEPEST + 0.5)
    scores = sharpness(_some(points, _COARSE_POINTS), angles, _COARSE_WIDTH)
    return float(angles[int(scores.argmax())]), float(scores.max() / np.median(scores))


def sharpness(points: InkPoints, degrees: npt.NDArray[np.floating], width: float) -> npt.NDArray[np.float64]:
    """Return the sum of the squared projection profile for each angle.

    It is highest if the text falls into sharp lines. ``width`` is the bin width of the profile in pixels.
    """
    xs, ys = points
    scores = []
    for angle in np.radians(degrees):
        across = ys * np.float32(math.cos(angle) / width) - xs * np.float32(math.sin(angle) / width)
        profile = np.bincount((across - across.min()).astype(np.intp)).astype(np.float64)
        scores.append(float(np.sum(profile**2)))
    return np.array(scores)


def deskew(gray: Gray, degrees: float, paper: int) -> tuple[Gray, Affine]:
    """Rotate by ``degrees`` onto a canvas that holds all corners.

    Returns the image and the map back to ``gray``.
    """
    height, width = gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    size = (math.ceil(height * sine + width * cosine), math.ceil(height * cosine + width * sine))
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    back = np.asarray(cv2.invertAffineTransform(turn), np.float64)
    # The map refers to pixel edges, but OpenCV samples at pixel centres.
    half = np.full(2, 0.5)
    at_centres = back.copy()
    at_centres[:, 2] += back[:, :2] @ half - half
    method = cv2.INTER_CUBIC if max(gray.shape) < _SHARP_FROM else cv2.INTER_LINEAR
    turned = cv2.warpAffine(
        gray, at_centres, size, flags=method | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=paper
    )
    return turned, back  # type: ignore[return-value]


def _some(points: InkPoints, number: int) -> InkPoints:
    # Evenly spaced, so the choice is deterministic.
    return points[:, :: max(1, points.shape[1] // number)]
