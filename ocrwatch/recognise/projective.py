"""Projective maps (homographies) between a camera's image and a flat page.

A map is a 3 x 3 matrix of floats over the continuous plane in which pixel (0, 0) covers the square from (0, 0) to (1,
1), as in :mod:`ocrwatch.recognise.affine`.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.document import Box
from ocrwatch.recognise.affine import Affine, box_of
from ocrwatch.recognise.decode import Gray

Projective = npt.NDArray[np.float64]

Points = npt.NDArray[np.float64]
"""N x 2 array of x and y."""


def as_projective(affine: Affine) -> Projective:
    """Return the same map as a 3 x 3 matrix."""
    return np.vstack([affine, [0.0, 0.0, 1.0]])


def between(corners: Points, others: Points) -> Projective:
    """Return the map from four points to four others. No three may be on one line."""
    # Double precision: OpenCV's function accepts only single precision.
    rows = []
    for (x, y), (u, v) in zip(corners.tolist(), others.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    solved = np.linalg.solve(np.array(rows, np.float64), others.reshape(-1))
    return np.append(solved, 1.0).reshape(3, 3)


def inverse(matrix: Projective) -> Projective:
    """Return the inverse map."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def mapped(points: Points, to: Projective) -> Points:
    """Map points. All must lie on the same side of the line that maps to infinity."""
    x, y, w = to @ np.vstack([points.T, np.ones(len(points))])
    return np.stack([x / w, y / w], axis=1)


def map_box(box: Box, to: Projective, *, width: int, height: int) -> Box:
    """Map a box; return the bounding box of its corners.

    It is rounded to pixels, clipped to ``width`` x ``height``, and has at least one pixel.
    """
    corners = np.array([(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)], np.float64)
    xs, ys = mapped(corners, to).T.tolist()
    return box_of(xs, ys, width=width, height=height)


def warped(gray: Gray, to_input: Projective, size: tuple[int, int], outside: int) -> Gray:
    """Return an image of ``size`` (width, height) that ``to_input`` maps to ``gray``.

    Pixels outside ``gray`` get the brightness ``outside``.
    """
    # The matrix refers to pixel edges, but OpenCV samples at pixel centres.
    half = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    at_centres = inverse(half) @ to_input @ half
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(  # type: ignore[return-value]
        gray, at_centres, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=outside
    )
