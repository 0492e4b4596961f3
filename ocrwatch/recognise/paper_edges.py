"""Detects the four edges of a sheet of paper on a darker background.

Edges are straight lines along which brightness rises towards the sheet. They are found side by side by a Hough
transform on a small copy, then measured on the survey copy.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import SURVEY_SIDE, Pixels, halved
from ocrwatch.recognise.projective import Points

_Floats = npt.NDArray[np.floating]
_Mask = npt.NDArray[np.uint8]

_SEARCHED = 512
"""Maximum long side in pixels of the copy that is searched for edges."""

_PRINT = 9
"""Kernel of the closing that removes text, in pixels of that copy. Strokes are thinner."""

_DARK = 16.0
"""Grey levels that are added before the logarithm, so that noise in black regions has little weight."""

_STEP = 0.03
"""Minimum gradient of the log brightness at an edge, per pixel. A sheet on a light desk has .1 and more."""

_CAP = 0.15
"""Maximum gradient that counts: a black desk must not outweigh a longer edge."""

_MOST_POINTS = 2000
"""Maximum number of points that vote for each side. A sheet on a plain desk has 500; textured backgrounds have any
number."""

_STEEPEST = 36
"""Maximum angle of a side to the vertical or horizontal, in degrees."""

_BIN = 2.0
_PEAKS = 4
_NEAR = (4.0, 2.0)
"""Maximum distance of a point from a candidate line, in pixels, for the first and second fit."""

_APART = 10.0
"""Minimum distance between two candidates for one side, in pixels, as the mean of their ends."""

_SAMPLES = 64
_SUPPORTED = 0.75
"""Share of each side along which an edge must be visible."""

_INSIDE = 0.7
"""Share of each side that must be within the image."""

_LEAST_AREA = 0.2
"""Minimum share of the image that the sheet covers."""

_LEAST_ANGLE, _MOST_ANGLE = 50.0, 130.0
"""Angles at the corners of a rectangle seen from up to 40 degrees off its normal, in degrees."""

_MOST_RATIO = 2.5
"""Maximum ratio of opposite sides."""

_REACH = 7
"""Distance to either side within which an edge is measured, in pixels of the copy of SURVEY_SIDE."""

_OFF = 1.5
"""Maximum distance of a point from a straight edge, in pixels of that copy."""

_ON_LINE = 0.6
"""Share of the measured points that must lie on one line."""

_FEWEST_MEASURED = 24
"""Minimum number of points of an edge within the image."""

_FAR = (6.0, 3.0, 2.0, 2.0)
"""Maximum distance of a point from the previous fit to be used for the next, in pixels."""

_MOST_SAG = 0.004
"""Maximum sag of a straight edge: distance of its middle from the line through its ends, as a share of its length."""


def corners(page: Pixels) -> Points | None:
    """Find the corners of the sheet; None if there are no four straight edges.

    Edges must be visible nearly from end to end. Returns a 4 x 2 array in pixels of the survey copy: top left, top
    right, bottom right, bottom left.
    """
    # The survey copy is larger than SURVEY_SIDE if letters are found only there.
    fine = _halved_to(page.survey, SURVEY_SIDE)
    copy = _halved_to(fine, _SEARCHED)
    if min(copy.shape) < 4 * _PRINT or (rough := _quadrilateral(copy)) is None:
        return None
    measured = _measured(fine, rough * _ratio(fine, copy))
    return None if measured is None else measured * _ratio(page.survey, fine)


def _halved_to(gray: Gray, long_side: int) -> Gray:
    while max(gray.shape) > long_side:
        gray = halved(gray)
    return gray


def _ratio(larger: Gray, smaller: Gray) -> _Floats:
    """Return the horizontal and vertical ratio of two image sizes."""
    return np.array([larger.shape[1] / smaller.shape[1], larger.shape[0] / smaller.shape[0]])


def _quadrilateral(copy: Gray) -> Points | None:
    """Find the largest quadrilateral with edges along all sides.

    4 x 2 array in pixels of ``copy``, clockwise from top left; None if there is none.
    """
    across, down = _gradients(copy)
    found = []
    masks: list[_Mask] = []
    for slope, other, sign in ((across, down, 1), (down, across, 1), (across, down, -1), (down, across, -1)):
        edge = _crests(slope * sign, other, upright=slope is across)
        lines = _lines(edge if slope is across else edge.T)
        if not len(lines):
            return None
        found.append(lines if slope is across else lines[:, [1, 0, 2]])
        masks.append(np.asarray(cv2.dilate((edge > 0).astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8))
    left, top, right, bottom = (
        np.array(each) for each in zip(*itertools.product(*(list(lines) for lines in found)), strict=True)
    )
    rings = np.stack([_met(left, top), _met(top, right), _met(right, bottom), _met(bottom, left)], axis=1)
    seen = _plausible(rings, copy.shape)
    # Clockwise from the top left corner: top, right, bottom, left.
    for side, mask in enumerate((masks[1], masks[2], masks[3], masks[0])):
        seen &= _support(rings[:, side], rings[:, (side + 1) % 4], mask)
    if not seen.any():
        return None
    best: Points = rings[seen][int(_areas(rings[seen]).argmax())]
    return best


def _gradients(copy: Gray) -> tuple[_Floats, _Floats]:
    """Return the horizontal and vertical gradients of the log brightness, per pixel.

    Text is removed by closing.
    """
    paper = cv2.morphologyEx(copy, cv2.MORPH_CLOSE, np.ones((_PRINT, _PRINT), np.uint8))
    levels = np.log(paper.astype(np.float32) + np.float32(_DARK))
    across, down = (cv2.Sobel(levels, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) for dx in (1, 0))
    return across, down


def _crests(slope: _Floats, other: _Floats, *, upright: bool) -> _Floats:
    """Return the slope, up to _CAP, at its local maxima along its axis; 0 elsewhere.

    Only where it is more than 0.7 times the slope across the axis.
    """
    axis = 1 if upright else 0
    before, after = np.roll(slope, 1, axis), np.roll(slope, -1, axis)
    crest = (slope >= _STEP) & (slope >= before) & (slope > after) & (slope > 0.7 * np.abs(other))
    # np.roll wraps around at the border, so border pixels have a wrong neighbour.
    crest[[0, -1]] = False
    crest[:, [0, -1]] = False
    found: _Floats = np.where(crest, np.minimum(slope, np.float32(_CAP)), np.float32(0.0))
    return found


def _lines(edge: _Floats) -> _Floats:
    """Find the strongest nearly vertical lines by a Hough transform.

    Returns an N x 3 array of a, b and c with a x + b y + c = 0 and a = 1.
    """
    rows, columns = edge.shape
    ys, xs = np.nonzero(edge)
    if len(xs) < rows // 4:
        return np.zeros((0, 3))
    # Evenly spaced, so the choice is deterministic.
    step = max(1, len(xs) // _MOST_POINTS)
    ys, xs = ys[::step], xs[::step]
    tangents = np.tan(np.radians(np.arange(-_STEEPEST, _STEEPEST + 1)))
    places = xs[None, :] + 0.5 - tangents[:, None] * (ys + 0.5 - rows / 2)[None, :]
    bins = int(columns / _BIN) + 1
    numbers = np.clip((places / _BIN).astype(np.intp), 0, bins - 1)
    numbers += np.arange(len(tangents))[:, None] * bins
    votes = np.bincount(numbers.ravel(), np.tile(edge[ys, xs], len(tangents)), len(tangents) * bins)
    votes = votes.reshape(len(tangents), bins)
    # Votes for positions outside the image were clipped to the border bins.
    votes[:, [0, -1]] = 0.0
    at = (np.arange(bins) + 0.5) * _BIN
    ends = np.stack([at[None, :] + tangents[:, None] * half for half in (-rows / 2, rows / 2)])
    chosen = []
    for _ in range(_PEAKS):
        angle, place = np.unravel_index(int(votes.argmax()), votes.shape)
        if step * votes[angle, place] < _STEP * rows / 4:
            break
        tangent, offset = tangents[angle], at[place] - tangents[angle] * rows / 2
        # Refine: one degree is several pixels at the ends of a line.
        for far in _NEAR:
            near = np.abs(xs + 0.5 - offset - tangent * (ys + 0.5)) <= far
            if np.count_nonzero(near) >= rows // 8:
                tangent, offset = np.polyfit(ys[near] + 0.5, xs[near] + 0.5, 1)
        chosen.append((1.0, -tangent, -offset))
        votes[np.abs(ends - ends[:, angle, place][:, None, None]).mean(axis=0) < _APART] = 0.0
    return np.array(chosen).reshape(-1, 3)


def _met(lines: _Floats, others: _Floats) -> Points:
    """Return the intersections of lines; NaN or infinity for parallel lines."""
    x, y, w = np.cross(lines, others).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([x / w, y / w], axis=1)


def _areas(rings: Points) -> _Floats:
    x, y = rings[..., 0], rings[..., 1]
    following = np.roll(rings, -1, axis=1)
    areas: _Floats = (x * following[..., 1] - y * following[..., 0]).sum(axis=1) / 2
    return areas


def _plausible(rings: Points, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return which quadrilaterals may be a rectangle seen at an angle.

    They are convex and large, and their angles and ratios of opposite sides are within limits.
    """
    sides = np.roll(rings, -1, axis=1) - rings
    lengths = np.hypot(sides[..., 0], sides[..., 1])
    following = np.roll(sides, -1, axis=1)
    turns = sides[..., 0] * following[..., 1] - sides[..., 1] * following[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = -(sides * following).sum(axis=2) / (lengths * np.roll(lengths, -1, axis=1))
        tapers = np.maximum(lengths[:, :2] / lengths[:, 2:], lengths[:, 2:] / lengths[:, :2])
    least, most = np.cos(np.radians([_MOST_ANGLE, _LEAST_ANGLE]))
    fine: npt.NDArray[np.bool_] = (
        (turns > 0).all(axis=1)
        & (_areas(rings) >= _LEAST_AREA * shape[0] * shape[1])
        & (cosines >= least).all(axis=1)
        & (cosines <= most).all(axis=1)
        & (tapers <= _MOST_RATIO).all(axis=1)
    )
    return fine


def _support(starts: Points, ends: Points, mask: _Mask) -> npt.NDArray[np.bool_]:
    """Return for which sides an edge is visible nearly all the way.

    Nearly all of the side must also be within the image.
    """
    shares = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    points = starts[:, None] + shares[None, :, None] * (ends - starts)[:, None]
    x, y = np.nan_to_num(np.clip(points, -1e6, 1e6), nan=-1.0).astype(np.intp).transpose(2, 0, 1)
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    on_edge = np.zeros(inside.shape, bool)
    on_edge[inside] = mask[y[inside], x[inside]] > 0
    number = inside.sum(axis=1)
    seen: npt.NDArray[np.bool_] = (number >= _INSIDE * _SAMPLES) & (on_edge.sum(axis=1) >= _SUPPORTED * number)
    return seen


def _measured(fine: Gray, rough: Points) -> Points | None:
    """Fit a line to each side and return the corners; None if a side is not straight."""
    lines = [_line_along(fine, rough[side], rough[(side + 1) % 4]) for side in range(4)]
    fitted = [line for line in lines if line is not None]
    if len(fitted) < len(lines):
        return None
    return np.concatenate([_met(fitted[side - 1][None], fitted[side][None]) for side in range(4)])


def _line_along(fine: Gray, start: Points, end: Points) -> _Floats | None:
    """Measure the edge between two corners; None if it is not straight.

    The sheet is to the right of the direction from ``start`` to ``end``. Returns a, b and c of the line a x + b y + c =
    0.
    """
    length = float(np.hypot(*(end - start)))
    along = (end - start) / length
    inwards = np.array([-along[1], along[0]])
    places = np.linspace(0.05, 0.95, _SAMPLES) * length
    offsets = np.arange(-_REACH, _REACH + 1)
    grid = start + places[:, None, None] * along + offsets[None, :, None] * inwards
    xs, ys = (grid - 0.5).astype(np.float32).transpose(2, 0, 1)
    levels = cv2.remap(fine, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    steps = levels[:, 2:] - levels[:, :-2]
    crest = steps.argmax(axis=1)
    rows = np.arange(_SAMPLES)
    x_at, y_at = xs[rows, crest + 1], ys[rows, crest + 1]
    inside = (x_at > 1) & (y_at > 1) & (x_at < fine.shape[1] - 2) & (y_at < fine.shape[0] - 2)
    # A maximum at the end of the search range is not an edge: the brightness keeps rising farther out.
    used = inside & (crest > 0) & (crest < steps.shape[1] - 1)
    least = _ON_LINE * max(_FEWEST_MEASURED, int(np.count_nonzero(inside)))
    if np.count_nonzero(used) < least:
        return None
    x, y = places[used], offsets[1:-1][crest[used]].astype(np.float64)
    straight, bent = _robust(x, y, 1), _robust(x, y, 2)
    near = np.abs(y - np.polyval(straight, x)) <= _OFF
    sag = abs(float(bent[0])) * length**2 / 4
    if np.count_nonzero(near) < least or sag > max(_MOST_SAG * length, _OFF):
        return None
    first, last = (start + at * along + float(np.polyval(straight, at)) * inwards for at in (0.0, length))
    a, b = first[1] - last[1], last[0] - first[0]
    return np.array([a, b, -(a * first[0] + b * first[1])])


def _robust(x: _Floats, y: _Floats, degree: int) -> _Floats:
    """Fit a polynomial, then refit to the points within shrinking distances of it."""
    fitted = np.polyfit(x, y, degree)
    for far in _FAR:
        near = np.abs(y - np.polyval(fitted, x)) <= far
        if np.count_nonzero(near) < _FEWEST_MEASURED / 2:
            break
        fitted = np.polyfit(x[near], y[near], degree)
    return np.asarray(fitted, np.float64)
