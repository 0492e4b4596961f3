"""Crooked pages are turned straight."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.affine import Affine
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Pixels, Points

STEEPEST = 20.0
"""Degrees to either side that are looked through."""

STRAIGHT = 0.3
"""Degrees that are left alone: across a page, the end of a line is then off by a quarter of its height."""

_COARSE_POINTS = 4000
_COARSE_WIDTH = 3.0
_REFINEMENTS = ((0.25, 8000, 2.0), (0.07, 20000, 1.0))
"""Degrees a step, points and pixels of the profile: first every degree, then nine steps round the best, twice."""

_FEWEST_POINTS = 300

_PEAK = 1.15
"""How much better the best angle must be than the middling one. Print has 1.25 to 2.6; what is no print, or print
measured across its lines, 1.02 to 1.18."""

_CLEARLY = 1.2
"""How much higher the peak along one side must be for the page to lie on it."""

_ONE_WAY = 1.2
"""How many times as many letter-like marks stand in rows that run across as in rows that run down, or the other way
round, for that to say how the page lies. Upright pages of all corpora have 1.1 to 40 across, pages on their side .08 to
.48."""

_SHARP_FROM = 1600
"""Pixels of the long side below which letters are small, so that turning must not blur them."""


_LONGEST = 2.5
"""Times its width that a page may be high to be on its side: what is longer is a till receipt, and upright."""


def lies_on_its_side(page: Pixels) -> bool:
    """Whether the lines of print run from top to bottom, or from bottom to top."""
    height, width = page.gray.shape
    if height > _LONGEST * width:
        return False
    if page.has_letters:
        across, down = np.count_nonzero(page.letters_across), np.count_nonzero(page.letters_down)
        if max(across, down) > _ONE_WAY * min(across, down):
            return bool(down > across)
    points = page.points
    if points.shape[1] < _FEWEST_POINTS:
        return False
    level, upright = _peak(points)[1], _peak(points[::-1])[1]
    return upright > _PEAK and upright > _CLEARLY * level


def skew_angle(page: Pixels) -> float:
    """Degrees by which the lines of print fall to the right; 0.0 where they are straight or there are none."""
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


def _peak(points: Points) -> tuple[float, float]:
    """Find the best angle to a degree, and how much better it is than the middling one."""
    angles = np.arange(-STEEPEST, STEEPEST + 0.5)
    scores = sharpness(_some(points, _COARSE_POINTS), angles, _COARSE_WIDTH)
    return float(angles[int(scores.argmax())]), float(scores.max() / np.median(scores))


def sharpness(points: Points, degrees: npt.NDArray[np.floating], width: float) -> npt.NDArray[np.float64]:
    """How sharply print falls into lines along each of these angles: squares of the profile across them.

    ``width`` is that of one step of the profile, in pixels.
    """
    xs, ys = points
    scores = []
    for angle in np.radians(degrees):
        across = ys * np.float32(math.cos(angle) / width) - xs * np.float32(math.sin(angle) / width)
        profile = np.bincount((across - across.min()).astype(np.intp)).astype(np.float64)
        scores.append(float(np.sum(profile**2)))
    return np.array(scores)


def straightened(gray: Gray, degrees: float, paper: int) -> tuple[Gray, Affine]:
    """Turn against the skew onto a canvas that holds all corners; with it, the map back."""
    height, width = gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    size = (math.ceil(height * sine + width * cosine), math.ceil(height * cosine + width * sine))
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    back = np.asarray(cv2.invertAffineTransform(turn), np.float64)
    # The matrix is over edges, as the map is; OpenCV samples at pixels' centres.
    half = np.full(2, 0.5)
    at_centres = back.copy()
    at_centres[:, 2] += back[:, :2] @ half - half
    method = cv2.INTER_CUBIC if max(gray.shape) < _SHARP_FROM else cv2.INTER_LINEAR
    turned = cv2.warpAffine(
        gray, at_centres, size, flags=method | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=paper
    )
    return turned, back  # type: ignore[return-value]


def _some(points: Points, number: int) -> Points:
    # Evenly spread, and the same every time.
    return points[:, :: max(1, points.shape[1] // number)]
