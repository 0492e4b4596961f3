"""Affine maps between enhanced images and the original's upright pixels.

A map is a 2 x 3 matrix of floats over the continuous plane, in which pixel (0, 0) covers the square from (0, 0) to (1,
1). It maps the edges of boxes, not the centres of pixels.
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
    """Return the map that multiplies x by ``across`` and y by ``down``."""
    return np.array([[across, 0.0, 0.0], [0.0, down, 0.0]])


def shift(right: float, down: float) -> Affine:
    """Return the map that adds ``right`` to x and ``down`` to y."""
    return np.array([[1.0, 0.0, right], [0.0, 1.0, down]])


def quarter_turns(turns: int, width: int, height: int) -> Affine:
    """Return the map from a turned image back to the original.

    The image was turned clockwise by ``turns`` times 90 degrees; ``width`` and ``height`` are those before turning.
    """
    maps = (
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        [[0.0, 1.0, 0.0], [-1.0, 0.0, height]],
        [[-1.0, 0.0, width], [0.0, -1.0, height]],
        [[0.0, -1.0, width], [1.0, 0.0, 0.0]],
    )
    return np.array(maps[turns % 4], np.float64)


def compose(outer: Affine, inner: Affine) -> Affine:
    """Return the map that applies ``inner``, then ``outer``."""
    linear = outer[:, :2] @ inner
    linear[:, 2] += outer[:, 2]
    return linear


def inverse(matrix: Affine) -> Affine:
    """Return the inverse map."""
    return np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def magnification(to_input: Affine) -> float:
    """Return the linear scale of the mapped image relative to the one it maps to."""
    return 1 / math.sqrt(abs(float(np.linalg.det(to_input[:, :2]))))


def map_box(box: Box, to: Affine, *, width: int, height: int) -> Box:
    """Map a box; return the bounding box of its corners.

    It is rounded to pixels, clipped to ``width`` x ``height``, and has at least one pixel.
    """
    # Plain numbers: arrays for four corners take ten times as long, for each word of a page.
    (xx, xy, x0), (yx, yy, y0) = to.tolist()
    corners = [(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)]
    xs = [xx * x + xy * y + x0 for x, y in corners]
    ys = [yx * x + yy * y + y0 for x, y in corners]
    return box_of(xs, ys, width=width, height=height)


def box_of(xs: Sequence[float], ys: Sequence[float], *, width: int, height: int) -> Box:
    """Return the bounding box of points.

    It is rounded to pixels, clipped to ``width`` x ``height``, and has at least one pixel.
    """
    left, right = _span(min(xs), max(xs), width)
    top, bottom = _span(min(ys), max(ys), height)
    return Box(left, top, right, bottom)


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    start = min(max(round(low), 0), limit - 1)
    return start, min(max(round(high), start + 1), limit)
