"""Detects and corrects skew (deskew), and detects pages that lie on their side."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.affine import Affine
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import InkPoints, Pixels

_Floats = npt.NDArray[np.float64]

STEEPEST = 20.0
"""Largest skew angle that is searched, in degrees to each side."""

STRAIGHT = 0.3
"""Skew in degrees that is not corrected: the end of a line is then off by a quarter of the line's height."""

_COARSE_STEP = 0.5
"""Step of the search in degrees. A peak is as wide as the slope that takes a line half its letters' height off over the
width of the text: half a degree for small print on A4. In steps of one degree, it fell between two of them."""

_COARSE_POINTS = 4000
_COARSE_WIDTH = 3.0
_REFINEMENTS = ((0.25, 2, 8000, 2.0), (0.07, 4, 20000, 1.0))
"""Refinements after the search: step in degrees, number of steps to each side, number of points, and bin width of the
projection profile in pixels."""

_RIVAL = 0.5
"""Minimum height of a peak above the median score, as a share of the highest one's, to be refined too. The rows of a
table line up again at the angle that takes its last column up or down by a row. This peak is lower than that of the
skew, but it may be nearer to an angle of the search."""

_MOST_PEAKS = 4

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
    level, upright = _height(points), _height(points[::-1])
    return upright > _PEAK and upright > _MIN_PEAK_RATIO * level


def skew_angle(page: Pixels) -> float:
    """Return the skew angle in degrees, positive if lines fall to the right.

    Returns 0.0 if the lines are straight or there are none.
    """
    points = page.points
    if points.shape[1] < _FEWEST_POINTS:
        return 0.0
    angles, scores = _search(points)
    typical = float(np.median(scores))
    if scores.max() < _PEAK * typical:
        return 0.0
    best = angles[_peaks(scores, typical)]
    for step, steps, number, width in _REFINEMENTS:
        tried = np.unique(np.add.outer(best, np.arange(-steps, steps + 1) * step))
        best = tried[[sharpness(_some(points, number), tried, width).argmax()]]
    angle = round(float(best[0]), 2)
    return angle if abs(angle) >= STRAIGHT else 0.0


def _search(points: InkPoints) -> tuple[_Floats, _Floats]:
    """Return all angles that are searched, and their scores."""
    angles = np.arange(-STEEPEST, STEEPEST + _COARSE_STEP / 2, _COARSE_STEP)
    return angles, sharpness(_some(points, _COARSE_POINTS), angles, _COARSE_WIDTH)


def _peaks(scores: _Floats, typical: float) -> npt.NDArray[np.intp]:
    """Return the indices of the highest peak and of its rivals, in order of height."""
    around = np.pad(scores, 1)
    is_peak = (scores >= around[:-2]) & (scores >= around[2:])
    found = np.flatnonzero(is_peak & (scores - typical >= _RIVAL * (scores.max() - typical)))
    return found[np.argsort(-scores[found], kind="stable")][:_MOST_PEAKS]


def _height(points: InkPoints) -> float:
    """Return the score of the best angle relative to the median score."""
    _, scores = _search(points)
    return float(scores.max() / np.median(scores))


def sharpness(points: InkPoints, degrees: _Floats, width: float) -> _Floats:
    """Return the sum of the squared projection profile for each angle.

    It is highest if the text falls into sharp lines. ``width`` is the bin width of the profile in pixels.
    """
    xs, ys = points
    scores = []
    for angle in np.radians(degrees):
        across = ys * np.float32(math.cos(angle) / width) - xs * np.float32(math.sin(angle) / width)
        profile = np.bincount((across - across.min()).astype(np.intp)).astype(np.float64)
        scores.append(float(profile @ profile))
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
