"""Affine maps from the enhanced image back to the original's upright pixels.

A map is a 2 x 3 matrix of floats over the continuous plane in which pixel (0, 0) covers the square from (0, 0) to
(1, 1), so that a box's edges, and not its pixels' centres, are mapped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.document import Box

Affine = npt.NDArray[np.float64]


def scaling(across: float, down: float) -> Affine:
    """Multiply x by ``across`` and y by ``down``."""
    return np.array([[across, 0.0, 0.0], [0.0, down, 0.0]])


def shift(right: float, down: float) -> Affine:
    """Add to x and y."""
    return np.array([[1.0, 0.0, right], [0.0, 1.0, down]])


def quarter_turns(turns: int, width: int, height: int) -> Affine:
    """Map an image that was turned clockwise ``turns`` times by 90 degrees back; sides are those before turning."""
    maps = (
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        [[0.0, 1.0, 0.0], [-1.0, 0.0, height]],
        [[-1.0, 0.0, width], [0.0, -1.0, height]],
        [[0.0, -1.0, width], [1.0, 0.0, 0.0]],
    )
    return np.array(maps[turns % 4], np.float64)


def compose(outer: Affine, inner: Affine) -> Affine:
    """First ``inner``, then ``outer``."""
    linear = outer[:, :2] @ inner
    linear[:, 2] += outer[:, 2]
    return linear


def inverse(of: Affine) -> Affine:
    """Return the map back."""
    return np.asarray(cv2.invertAffineTransform(of), np.float64)


def magnification(to_given: Affine) -> float:
    """How much larger the mapped image is than the one it maps to, along each side."""
    return 1 / math.sqrt(abs(float(np.linalg.det(to_given[:, :2]))))


def map_box(box: Box, to: Affine, *, width: int, height: int) -> Box:
    """Find the smallest upright box round the mapped corners, rounded to pixels and kept inside ``width`` x ``height``.

    It has at least one pixel, however much the map shrinks it.
    """
    # Plain numbers: arrays of four corners cost ten times as much, for each word of a page.
    (xx, xy, x0), (yx, yy, y0) = to.tolist()
    corners = [(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)]
    xs = [xx * x + xy * y + x0 for x, y in corners]
    ys = [yx * x + yy * y + y0 for x, y in corners]
    return box_of(xs, ys, width=width, height=height)


def box_of(xs: Sequence[float], ys: Sequence[float], *, width: int, height: int) -> Box:
    """Find the smallest upright box round points, rounded to pixels and kept inside ``width`` x ``height``."""
    left, right = _span(min(xs), max(xs), width)
    top, bottom = _span(min(ys), max(ys), height)
    return Box(left, top, right, bottom)


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    start = min(max(round(low), 0), limit - 1)
    return start, min(max(round(high), start + 1), limit)
