"""The four edges of a sheet of paper that lies on something darker.

The edges are straight lines along which the picture gets brighter towards the sheet. They are found on a small copy by
a Hough transform, a side at a time, and measured on the survey copy.
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
"""Pixels of the long side up to which the copy is reduced on which edges are searched."""

_PRINT = 9
"""Pixels of that copy: print is finer and is closed."""

_DARK = 16.0
"""Levels that are added before logarithms are taken, so that the noise of black does not count."""

_STEP = 0.03
"""Least change of the brightness' logarithm a pixel at an edge; a sheet on a light desk has .1 and more."""

_CAP = 0.15
"""Change above which an edge counts no more: a black desk must not outvote a longer edge."""

_MOST_POINTS = 2000
"""Points that vote for each side; a sheet on a plain desk has 500, and texture any number."""

_STEEPEST = 36
"""Degrees by which a side may be off the upright or the level."""

_BIN = 2.0
_PEAKS = 4
_NEAR = (4.0, 2.0)
"""Pixels from a candidate within which points are on it, one fit after the other."""

_APART = 10.0
"""Pixels by which two candidates for one side are apart at least, in the mean of their ends."""

_SAMPLES = 64
_SUPPORTED = 0.75
"""Share of each side along which an edge must be seen."""

_INSIDE = 0.7
"""Share of each side that must lie in the picture."""

_LEAST_AREA = 0.2
"""Share of the picture that the sheet has at least."""

_LEAST_ANGLE, _MOST_ANGLE = 50.0, 130.0
"""Degrees at the corners of a rectangle that is seen from up to 40 degrees aside."""

_MOST_RATIO = 2.5
"""Times its opposite that a side may be long."""

_REACH = 7
"""Pixels of the copy of SURVEY_SIDE to either side in which an edge is measured."""

_OFF = 1.5
"""Pixels of that copy by which the points of a straight edge are off at most."""

_ON_LINE = 0.6
"""Share of the measured points that must lie on one line."""

_FEWEST_MEASURED = 24
"""Points of an edge that must lie in the picture."""

_FAR = (6.0, 3.0, 2.0, 2.0)
"""Pixels by which a point may be off the last fit to count for the next."""

_MOST_SAG = 0.004
"""Share of its length by which the middle of a straight edge may be off the line through its ends."""


def corners(page: Pixels) -> Points | None:
    """Find the corners of the sheet, in pixels of the survey copy: top left, top right, bottom right, bottom left.

    None if there are no four straight edges that are seen nearly from end to end.
    """
    # The survey copy is larger than that if letters are found only there.
    fine = _halved_to(page.small, SURVEY_SIDE)
    copy = _halved_to(fine, _SEARCHED)
    if min(copy.shape) < 4 * _PRINT or (rough := _quadrilateral(copy)) is None:
        return None
    measured = _measured(fine, rough * _ratio(fine, copy))
    return None if measured is None else measured * _ratio(page.small, fine)


def _halved_to(gray: Gray, long_side: int) -> Gray:
    while max(gray.shape) > long_side:
        gray = halved(gray)
    return gray


def _ratio(larger: Gray, smaller: Gray) -> _Floats:
    """Return how much larger it is across and down."""
    return np.array([larger.shape[1] / smaller.shape[1], larger.shape[0] / smaller.shape[0]])


def _quadrilateral(copy: Gray) -> Points | None:
    """Find the largest quadrilateral whose sides are edges all along, in pixels of ``copy``."""
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
    # From each corner clockwise: top, right, bottom, left.
    for side, mask in enumerate((masks[1], masks[2], masks[3], masks[0])):
        seen &= _support(rings[:, side], rings[:, (side + 1) % 4], mask)
    if not seen.any():
        return None
    best: Points = rings[seen][int(_areas(rings[seen]).argmax())]
    return best


def _gradients(copy: Gray) -> tuple[_Floats, _Floats]:
    """Return the changes of the brightness' logarithm a pixel to the right and down, with all print closed."""
    paper = cv2.morphologyEx(copy, cv2.MORPH_CLOSE, np.ones((_PRINT, _PRINT), np.uint8))
    levels = np.log(paper.astype(np.float32) + np.float32(_DARK))
    across, down = (cv2.Sobel(levels, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) for dx in (1, 0))
    return across, down


def _crests(slope: _Floats, other: _Floats, *, upright: bool) -> _Floats:
    """Return the slope, up to _CAP, where it is steepest along its axis and more along it than across; 0 elsewhere."""
    axis = 1 if upright else 0
    before, after = np.roll(slope, 1, axis), np.roll(slope, -1, axis)
    crest = (slope >= _STEP) & (slope >= before) & (slope > after) & (slope > 0.7 * np.abs(other))
    # What comes in from the other end is no neighbour.
    crest[[0, -1]] = False
    crest[:, [0, -1]] = False
    found: _Floats = np.where(crest, np.minimum(slope, np.float32(_CAP)), np.float32(0.0))
    return found


def _lines(edge: _Floats) -> _Floats:
    """Find the strongest upright lines: rows of a, b and c with a x + b y + c = 0, and a = 1."""
    rows, columns = edge.shape
    ys, xs = np.nonzero(edge)
    if len(xs) < rows // 4:
        return np.zeros((0, 3))
    # Evenly spread, and the same every time.
    step = max(1, len(xs) // _MOST_POINTS)
    ys, xs = ys[::step], xs[::step]
    tangents = np.tan(np.radians(np.arange(-_STEEPEST, _STEEPEST + 1)))
    places = xs[None, :] + 0.5 - tangents[:, None] * (ys + 0.5 - rows / 2)[None, :]
    bins = int(columns / _BIN) + 1
    numbers = np.clip((places / _BIN).astype(np.intp), 0, bins - 1)
    numbers += np.arange(len(tangents))[:, None] * bins
    votes = np.bincount(numbers.ravel(), np.tile(edge[ys, xs], len(tangents)), len(tangents) * bins)
    votes = votes.reshape(len(tangents), bins)
    # Places outside the picture were counted at its edge.
    votes[:, [0, -1]] = 0.0
    at = (np.arange(bins) + 0.5) * _BIN
    ends = np.stack([at[None, :] + tangents[:, None] * half for half in (-rows / 2, rows / 2)])
    chosen = []
    for _ in range(_PEAKS):
        angle, place = np.unravel_index(int(votes.argmax()), votes.shape)
        if step * votes[angle, place] < _STEP * rows / 4:
            break
        tangent, offset = tangents[angle], at[place] - tangents[angle] * rows / 2
        # A step of one degree is pixels at the ends.
        for far in _NEAR:
            near = np.abs(xs + 0.5 - offset - tangent * (ys + 0.5)) <= far
            if np.count_nonzero(near) >= rows // 8:
                tangent, offset = np.polyfit(ys[near] + 0.5, xs[near] + 0.5, 1)
        chosen.append((1.0, -tangent, -offset))
        votes[np.abs(ends - ends[:, angle, place][:, None, None]).mean(axis=0) < _APART] = 0.0
    return np.array(chosen).reshape(-1, 3)


def _met(lines: _Floats, others: _Floats) -> Points:
    """Return where lines meet; not a number where they do not."""
    x, y, w = np.cross(lines, others).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([x / w, y / w], axis=1)


def _areas(rings: Points) -> _Floats:
    x, y = rings[..., 0], rings[..., 1]
    following = np.roll(rings, -1, axis=1)
    areas: _Floats = (x * following[..., 1] - y * following[..., 0]).sum(axis=1) / 2
    return areas


def _plausible(rings: Points, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Tell which may be a rectangle that is seen aslant: convex, large, and neither too pointed nor too tapered."""
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
    """Tell between which points there is an edge nearly all the way, and nearly all of it in the picture."""
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
    """Fit a line to each side; None if one is not straight."""
    lines = [_line_along(fine, rough[side], rough[(side + 1) % 4]) for side in range(4)]
    fitted = [line for line in lines if line is not None]
    if len(fitted) < len(lines):
        return None
    return np.concatenate([_met(fitted[side - 1][None], fitted[side][None]) for side in range(4)])


def _line_along(fine: Gray, start: Points, end: Points) -> _Floats | None:
    """Measure the edge between two corners, the sheet on its right hand; None if it is not straight.

    Returns a, b and c of the line a x + b y + c = 0.
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
    # At the ends of what is looked through, it only gets brighter farther out.
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
    """Fit a polynomial, and again to the points that are not far off, each time less far."""
    fitted = np.polyfit(x, y, degree)
    for far in _FAR:
        near = np.abs(y - np.polyval(fitted, x)) <= far
        if np.count_nonzero(near) < _FEWEST_MEASURED / 2:
            break
        fitted = np.polyfit(x[near], y[near], degree)
    return np.asarray(fitted, np.float64)
