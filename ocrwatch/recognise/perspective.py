"""Rectifies the perspective of pages that were photographed at an angle.

The camera's position is derived from the four edges of the sheet if they are visible. Otherwise it is derived from the
text lines, which converge, and the text margins. Flat pages are not changed: scanning is an affine map, which keeps
parallel lines parallel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ocrwatch.recognise import paper_edges
from ocrwatch.recognise.affine import quarter_turns
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.projective import Points, Projective, as_projective, between, inverse, mapped, warped
from ocrwatch.recognise.text_lines import TextLines, text_lines

_Floats = npt.NDArray[np.float64]
_BoolMask = npt.NDArray[np.bool_]

_MIN_DIRECTION_RATIO = 1.2
"""Ratio of letter-like components in vertical rows to those in horizontal rows from which a page lies on its side."""

_LETTERS_INSIDE = 0.95
"""Minimum share of letter-like components on the sheet: text beside it is lost."""

_UNKNOWN_HEIGHT = 1 / 150
"""Letter height as a share of the long side if no lines were found: A4 in 8-point type."""

_FEWEST_LINES = 5

_CONVERGING = 2.0
"""Minimum change, in letter heights, of the distance between the first and the last text line over the width of the
text. 2 letter heights are a whole line: whatever the skew, each of them is then half a line off at its end. 115 flat
scans have 1.3 and less, one photographed receipt has 2.4; pages seen from 15 to 30 degrees off the normal have 9 to
24."""

_MIN_TREND_RATIO = 6.0
"""Minimum ratio of the slope's change from the first to the last line to the lines' deviation from that trend."""

_STRAY = 3.0
"""Maximum deviation of a line from the trend, in standard deviations, to be used for the next fit."""

_SURE_SLOPE = 0.002
"""Accuracy limit of slopes, however many letters a line has: typesetting is not more accurate."""

_NEARBY = 0.01
"""Step to either side for the direction of the sheet's horizontal lines, as a share of its width."""

_FITS = 6
_NORMAL = 1.4826
"""Ratio of the standard deviation to the median absolute deviation of a normal distribution."""

_ON_MARGIN = 0.75
"""Maximum distance of a line's end from the margin, in letter heights."""

_FEWEST_ON_MARGIN = 5
_SHARE_ON_MARGIN = 0.3
_LEAST_SPAN = 0.5
"""Minimum shares for a margin: of all lines that end at it, and of the text height over which they do."""

_MOST_TAPER = 2.0
"""Maximum ratio of the widths of text with straight margins, at its wide and at its narrow end."""

_MOST_LINES = 80
"""Maximum number of lines whose pairs are tried as a margin."""

_BEYOND_PRINT = 0.25
"""Maximum extent of the rectified page beyond the text on each side, as a share of the text's width and height."""

_FARTHEST = 0.25
"""Minimum ratio of the scale at the farthest part of the page to that at the nearest. Lower values are implausible."""

_LARGEST = 1.25
"""Maximum growth factor of the image's long side."""

_LONGEST_SIDE = 32_766
"""Maximum side in pixels that OpenCV can warp."""


@dataclass(frozen=True, slots=True)
class Rectified:
    """A rectified page, as seen from straight above."""

    gray: Gray
    to_input: Projective
    """Maps ``gray`` to the pixels of the page that was given."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A quadrilateral that becomes a rectangle, in pixels of the survey copy."""

    corners: Points
    """Top left, top right, bottom right and bottom left."""
    cut: bool
    """Whether the page is cropped to it; otherwise the page extends as far as the image shows it."""


def rectify(page: Pixels) -> Rectified | None:
    """Rectify a page that was photographed at an angle; None if it is flat.

    ``page`` is not changed. A page whose lines run vertically is also turned clockwise by 90 degrees.
    """
    page = page.with_fine_survey
    if np.count_nonzero(page.letters_down) <= _MIN_DIRECTION_RATIO * np.count_nonzero(page.letters_across):
        return _rectify_upright(page)
    found = _rectify_upright(page.turned(1))
    if found is None:
        return None
    height, width = page.gray.shape
    return Rectified(found.gray, as_projective(quarter_turns(1, width, height)) @ found.to_input)


def _rectify_upright(page: Pixels) -> Rectified | None:
    frame = _frame(page)
    if frame is None:
        return None
    rows, columns = page.survey.shape
    height, width = page.gray.shape
    corners = frame.corners * (width / columns, height / rows)
    upright = _rectangle(corners)
    to_input = between(upright, corners)
    left, top, right, bottom = (
        (0.0, 0.0, *upright[2]) if frame.cut else _extent(upright[2], inverse(to_input), width, height)
    )
    shrink = min(1.0, _LARGEST * max(width, height) / max(right - left, bottom - top))
    size = (max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink)))
    placed = np.array([[(right - left) / size[0], 0.0, left], [0.0, (bottom - top) / size[1], top]])
    to_input = to_input @ as_projective(placed)
    edges = np.array([(0.0, 0.0, 1.0), (size[0], 0.0, 1.0), (*size, 1.0), (0.0, size[1], 1.0)])
    depths = edges @ to_input[2]
    if depths.min() < _FARTHEST * depths.max() or max(*size, width, height) > _LONGEST_SIDE:
        return None
    return Rectified(warped(page.gray, to_input, size, page.paper), to_input)


def _frame(page: Pixels) -> _Frame | None:
    """Find the quadrilateral that is a rectangle on the page; None if it is flat."""
    corners = paper_edges.corners(page)
    lines = text_lines(page)
    if corners is not None and not _is_flat(corners, lines, page) and _fits(corners, lines, page):
        return _Frame(corners, cut=True)
    found = _of_print(lines, page.survey.shape[1])
    return None if found is None else _Frame(found, cut=False)


def _is_flat(corners: Points, lines: TextLines, page: Pixels) -> bool:
    """Return whether the corners form a parallelogram within half a text line."""
    # It is zero for a parallelogram. Half of it is the deviation of opposite sides from parallel ones.
    off = corners[0] - corners[1] + corners[2] - corners[3]
    height = lines.height or _UNKNOWN_HEIGHT * max(page.survey.shape)
    return math.hypot(*off) < _CONVERGING * height


def _fits(corners: Points, lines: TextLines, page: Pixels) -> bool:
    """Return whether the text is on the sheet and its lines follow the sheet's edges.

    A flat sheet with a torn edge has converging edges too, but parallel lines.
    """
    letters = page.components[page.letters]
    middles = letters[:, :2] + letters[:, [3, 2]] / 2.0
    to_square = between(corners, np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]))
    # Behind the horizon of the sheet's plane, the map has no meaning.
    in_front = middles[middles @ to_square[2, :2] + to_square[2, 2] > 0]
    inside = (np.abs(mapped(in_front, to_square) - 1 / 2) <= 1 / 2).all(axis=1)
    if np.count_nonzero(inside) < _LETTERS_INSIDE * len(middles):
        return False
    if len(lines) < _FEWEST_LINES:
        return True
    places, to_picture = mapped(lines.middle, to_square), inverse(to_square)
    before, after = (mapped(places + np.array([step, 0.0]), to_picture) for step in (-_NEARBY, _NEARBY))
    slopes = (after - before)[:, 1] / (after - before)[:, 0]
    straight = float(np.median(np.abs(lines.slope - slopes)))
    flat = float(np.median(np.abs(lines.slope - np.median(lines.slope))))
    return straight <= max(flat, 2 * float(np.median(lines.error)) + _SURE_SLOPE)


def _of_print(lines: TextLines, columns: int) -> Points | None:
    """Find the corners of a rectangle in the text's plane.

    None if the text lines do not clearly converge. Parallel lines are not changed, even if the margins converge: pages
    seen from 25 degrees below are read as well as flat ones, and line ends on a receipt form many straight lines by
    chance.
    """
    if len(lines) < _FEWEST_LINES or (along := _point_of_lines(lines, columns)) is None:
        return None
    across = _point_of_margins(lines)
    ends = np.concatenate([lines.start, lines.end])
    (left, top), (right, bottom) = ends.min(axis=0), ends.max(axis=0)
    middle = ((left + right) / 2, (top + bottom) / 2)
    levels = [np.cross(along, (middle[0], y, 1.0)) for y in (top, bottom)]
    uprights = [np.cross(across, (x, middle[1], 1.0)) for x in (left, right)]
    x, y, w = np.array([np.cross(levels[y], uprights[x]) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]).T
    if not w.all():
        return None
    corners = np.stack([x / w, y / w], axis=1)
    sides = np.roll(corners, -1, axis=0) - corners
    following = np.roll(sides, -1, axis=0)
    convex = bool((sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0] > 0).all())
    return corners if convex else None


def _point_of_lines(lines: TextLines, columns: int) -> _Floats | None:
    """Return the vanishing point of the text lines, in homogeneous coordinates.

    None if they do not clearly converge. The slope of lines through one point is a linear function of the height at
    which they cross any vertical line.
    """
    centre = columns / 2
    heights = lines.middle[:, 1] + lines.slope * (centre - lines.middle[:, 0])
    known = 1 / (lines.error**2 + _SURE_SLOPE**2)
    weight = known
    base = float(np.median(heights))
    terms = np.stack([np.ones(len(lines)), heights - base], axis=1)
    for _ in range(_FITS):
        root = np.sqrt(weight)
        slope, change = np.linalg.lstsq(terms * root[:, None], lines.slope * root, rcond=None)[0]
        off = np.abs(lines.slope - terms @ (slope, change))
        stray = _NORMAL * float(np.median(off))
        weight = known * (off <= _STRAY * stray + _SURE_SLOPE)
    width = float(np.ptp(np.concatenate([lines.start[:, 0], lines.end[:, 0]])))
    trend = abs(float(change)) * float(np.ptp(heights))
    if trend * width < _CONVERGING * lines.height or trend < _MIN_TREND_RATIO * stray:
        return None
    # Two sheets on one scanner glass have two directions, which also look like a trend.
    if stray > _NORMAL * _off_two_directions(lines.slope[np.argsort(heights, kind="stable")]):
        return None
    # A line at height h has the slope a + b (h - base), so all lines meet 1 / b to the left of the centre.
    return np.array([centre - 1 / change, base - slope / change, 1.0])


def _off_two_directions(slopes: _Floats) -> float:
    """Return the median deviation of lines from two directions, for the best split.

    Lines are in order from top to bottom; one direction is above the other.
    """
    parted = (np.split(slopes, [at]) for at in range(1, len(slopes)))
    return min(float(np.median(np.concatenate([np.abs(part - np.median(part)) for part in parts]))) for parts in parted)


def _point_of_margins(lines: TextLines) -> _Floats:
    """Return the vanishing point of vertical lines, in homogeneous coordinates.

    With one margin, they are parallel to it; without any, they are perpendicular to the text lines.
    """
    first, last = _outermost(lines)
    found = [_margin(lines.start[first], lines.height), _margin(lines.end[last], lines.height)]
    margins = [margin for margin in found if margin is not None]
    if not margins:
        return np.array([-float(np.median(lines.slope)), 1.0, 0.0])
    (place, slope), (other, change) = margins[0], margins[-1]
    rows = lines.middle[:, 1]
    widths = [other - place + (change - slope) * float(row) for row in (rows.min(), rows.max())]
    if abs(slope - change) * float(np.ptp(rows)) < _CONVERGING * lines.height or max(widths) > _MOST_TAPER * min(
        widths
    ):
        return np.array([(slope + change) / 2, 1.0, 0.0])
    y = (other - place) / (slope - change)
    return np.array([place + slope * y, y, 1.0])


def _outermost(lines: TextLines) -> tuple[_BoolMask, _BoolMask]:
    """Return which lines are the leftmost, and which the rightmost, of their row."""
    left = _continue(lines, lines.start, lines.end) & (lines.end[None, :, 0] < lines.start[:, None, 0])
    right = _continue(lines, lines.end, lines.start) & (lines.start[None, :, 0] > lines.end[:, None, 0])
    return ~np.any(left, axis=1), ~np.any(right, axis=1)


def _continue(lines: TextLines, own: Points, others: Points) -> _BoolMask:
    """Return whether other lines' ends lie on the continuation of a line.

    A boolean array: a row for each line, a column for each of the other lines' ends.
    """
    dx, dy = (others[None, :] - own[:, None]).transpose(2, 0, 1)
    found: _BoolMask = np.abs(dy - lines.slope[:, None] * dx) <= lines.height
    return found


def _margin(ends: Points, height: float) -> tuple[float, float] | None:
    """Find the straight margin at which most text lines end.

    Returns its x at the top of the image, and its change in x per pixel down. None if too few lines end there.
    """
    some = ends[:: max(1, -(-len(ends) // _MOST_LINES))]
    first, second = np.triu_indices(len(some), 1)
    rows = float(np.ptp(ends[:, 1])) if len(ends) else 0.0
    down = some[second, 1] - some[first, 1]
    apart = np.abs(down) >= _LEAST_SPAN * rows
    if rows == 0.0 or not apart.any():
        return None
    first, second, down = first[apart], second[apart], down[apart]
    slopes = (some[second, 0] - some[first, 0]) / down
    places = some[first, 0] - slopes * some[first, 1]
    off = np.abs(some[None, :, 0] - places[:, None] - slopes[:, None] * some[None, :, 1])
    best = int((off <= _ON_MARGIN * height).sum(axis=1).argmax())
    near = np.abs(ends[:, 0] - places[best] - slopes[best] * ends[:, 1]) <= _ON_MARGIN * height
    if np.count_nonzero(near) < max(_FEWEST_ON_MARGIN, _SHARE_ON_MARGIN * len(ends)):
        return None
    slope, place = np.polyfit(ends[near, 1], ends[near, 0], 1)
    return float(place), float(slope)


def _rectangle(corners: Points) -> Points:
    """Return a rectangle at the origin with the mean lengths of opposite sides."""
    top, right, bottom, left = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    width, height = (top + bottom) / 2, (left + right) / 2
    return np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])


def _extent(size: _Floats, from_input: Projective, width: int, height: int) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the part of the page that is kept.

    The text has ``size`` and starts at the origin.
    """
    beyond = _BEYOND_PRINT * size
    low, high = -beyond, size + beyond
    edges = np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
    depth = from_input[2] @ np.vstack([edges.T, np.ones(4)])
    if depth.min() > 0:
        seen = mapped(edges, from_input)
        low, high = np.maximum(low, seen.min(axis=0)), np.minimum(high, seen.max(axis=0))
    return (*low.tolist(), *high.tolist())
