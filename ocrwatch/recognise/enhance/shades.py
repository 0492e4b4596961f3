"""Puts the text of shaded boxes, such as cells of tables, headings and bars, on paper: black if it was white."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.letters import BoolMask
from ocrwatch.recognise.enhance.pixels import Mask, Pixels

_SHADED = 0.92
"""Maximum brightness of a box as a share of the paper's brightness. With .96 the guilloches of a passport count."""

_FLATTEST = 14
"""Maximum range of a pixel and its eight neighbours in a flat area, in grey levels. JPEG and the noise of scanners stay
below; text and the edge of a box do not."""

_SHADE_WIDTH = 10
"""Grey levels by which the pixels of a box may differ from its median."""

# Pixels of the survey copy, which has 120 dpi for A4.
_LEAST_HEIGHT = 10
_LEAST_WIDTH = 24
_SOFT_EDGE = 2
"""Width of the transition from a box to its surroundings."""

_LEAST_CONTRAST = 0.15
"""Minimum contrast of text to its box as a share of the paper's brightness."""

_LEAST_INK = 12
"""Minimum number of pixels of text in a box: one digit of 8-point type. Boxes without text stay."""

_LEAST_OF_EDGE = 1 / 3
"""Minimum share of a row or column of a box that is flat at its edges. The stems of letters that touch a box have
less."""

_DARK = 0.5
"""Maximum brightness of a bar as a share of the paper's brightness."""

_LEAST_BAR_WIDTH = 40
_TALLEST_BAR = 1 / 12
"""Maximum height of a bar as a share of the long side. Engravings and photographs are taller."""

_LONG = 2.0
"""Minimum width of a bar in multiples of its height."""

_FILLED = (0.55, 0.97)
"""Dark share of the bounding box of a bar, lowest and highest. Letters, frames and pictures have less; a bar without
text has more."""

_STRAIGHT = 0.8
"""Minimum dark share of the upper and of the lower edge of a bar."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """Minimum shares that make an area a box."""

    filled: float
    """Share of the rectangle around it."""
    rectangular: float
    """Share of the rectangle that its convex hull fills. An ellipse has .79."""
    one_shade: float
    """Share of it within _SHADE_WIDTH of its median. Shadows and skies have less: they are flat, but not of one
    shade."""


_FLAT = _Shape(filled=0.5, rectangular=0.93, one_shade=0.9)
"""Of flat areas. The boxes of tables have .64, .97 and .91 or more."""

_ALIKE = _Shape(filled=0.3, rectangular=0.7, one_shade=0.75)
"""Of areas that have the shade of a box. Letters that touch the edge of their cell cut off its corners."""

_MOST_TURNED = 5.0
"""Degrees that a box may be askew. Pieces of photographs have any angle."""

_COARSE = 8
"""Pixels of the survey copy that are averaged, both ways, to measure the paper around a box without its text."""

_NEARLY_ALL = (5, 95)
_EVEN = 1.15
"""Maximum ratio of the brightest to the darkest paper, by row and by column. With less even light a long cell has no
single shade, so that only some cells of a table would be found, and the others would look darker."""

_LEAST_CORNERS = 4
"""Minimum number of points of the outline of a box."""

_LEAST_OF_BOUNDS = 0.2
"""Minimum share of its upright bounding box that an area fills. Boxes that are long and askew have little more."""


@dataclass(frozen=True, slots=True)
class Box:
    """A shaded box with text in it, in pixels of the survey copy. It may lie askew."""

    middle: tuple[float, float]
    size: tuple[float, float]
    """From the centre of the first pixel to that of the last."""
    angle: float
    """Degrees by which it is turned."""
    shade: int
    """Grey level of the box."""
    paper: int
    """Grey level of the paper around it."""
    light_text: bool
    """Whether the text is lighter than the box."""

    def moved(self, right: int, down: int, margin: int) -> Box:
        """Return the box moved, and extended by a margin."""
        middle = self.middle[0] + right, self.middle[1] + down
        return replace(self, middle=middle, size=(self.size[0] + 2 * margin, self.size[1] + 2 * margin))

    @property
    def area(self) -> float:
        """Pixels inside, roughly."""
        return self.size[0] * self.size[1]

    def corners(self, margin: float = 0.0) -> npt.NDArray[np.float32]:
        """Return x and y of the four corners of the box with a margin around it."""
        width, height = (length + 2 * margin for length in self.size)
        return cv2.boxPoints((self.middle, (width, height), self.angle))  # type: ignore[return-value]

    def contains(self, other: Box) -> bool:
        """Return whether the middle of another box is inside this one."""
        return cv2.pointPolygonTest(self.corners(), other.middle, measureDist=False) >= 0


class _Paper:
    """The paper's brightness by row and column: a shadow on a page makes cells within rules look shaded."""

    def __init__(self, survey: Gray) -> None:
        self._shape = survey.shape
        size = max(1, survey.shape[1] // _COARSE), max(1, survey.shape[0] // _COARSE)
        coarse = cv2.resize(survey, size, interpolation=cv2.INTER_AREA)
        self._brightest = coarse.max(axis=1), coarse.max(axis=0)

    @property
    def is_even(self) -> bool:
        """Whether the page is evenly lit from edge to edge, both ways."""
        extremes = (np.percentile(levels, _NEARLY_ALL) for levels in self._brightest)
        return all(most <= _EVEN * least for least, most in extremes)

    def around(self, part: tuple[slice, slice]) -> int:
        """Return the brightness of the paper in the same rows, or in the same columns if they are darker."""
        bounds = zip(part, self._shape, self._brightest, strict=True)
        return min(int(_stretch(levels, where, length).max()) for where, length, levels in bounds)


def _stretch(levels: Gray, where: slice, length: int) -> Gray:
    first = where.start * len(levels) // length
    return levels[first : max(first + 1, where.stop * len(levels) // length)]


def find_boxes(page: Pixels) -> list[Box]:
    """Find flat boxes of any shade, and dark bars, with text in them. The largest come first."""
    paper = _Paper(page.survey)
    found = _flat_boxes(page, paper) if paper.is_even else []
    if found:
        found += _boxes_like(found, page, paper)
    found += [bar for bar in _dark_bars(page, paper) if not any(box.contains(bar) for box in found)]
    return sorted(found, key=lambda box: -box.area)


def without_shades(page: Pixels, found: list[Box]) -> Pixels:
    """Make the shade of each of these boxes paper, and its text dark."""
    whole, survey = (_without_shades(pixels, page, found) for pixels in (page.gray, page.survey))
    return Pixels(whole, survey, contrast=page.contrast)


def _flat_boxes(page: Pixels, paper: _Paper) -> list[Box]:
    """Find the boxes that are flat apart from their text."""
    steep = cv2.morphologyEx(page.survey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    _, shaded = cv2.threshold(page.survey, int(_SHADED * page.paper), 255, cv2.THRESH_BINARY_INV)
    # Edges are steep, so that adjoining cells of different shades are separate areas.
    _, flat = cv2.threshold(steep, _FLATTEST, 255, cv2.THRESH_BINARY_INV)
    # The outermost pixels of a box have neighbours outside, and are not flat.
    return _boxes_of(cv2.bitwise_and(shaded, flat), page, paper, _FLAT, margin=1)  # type: ignore[arg-type]


def _boxes_like(found: list[Box], page: Pixels, paper: _Paper) -> list[Box]:
    """Find more boxes of the shades of these: cells so full of text that little of them is flat."""
    levels = np.arange(256)
    alike = np.zeros(256, np.uint8)
    for shade in {box.shade for box in found}:
        alike[(np.abs(levels - shade) <= _SHADE_WIDTH) & (levels <= _SHADED * page.paper)] = 255
    mask: Mask = cv2.LUT(page.survey, alike)  # type: ignore[assignment]
    for box in found:
        cv2.fillConvexPoly(mask, np.round(box.corners(_SOFT_EDGE)).astype(np.int32), 0)
    return _boxes_of(mask, page, paper, _ALIKE, margin=0)


def _boxes_of(mask: Mask, page: Pixels, paper: _Paper, shape: _Shape, margin: int) -> list[Box]:
    """Return the connected areas of the mask that are boxes with text, each with a margin around it."""
    # Faster than labels, since hardly anything but boxes is in the mask.
    outlines, links = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rows, columns = mask.shape
    found = []
    for outline, (*_, hole, parent) in zip(outlines, links[0] if outlines else (), strict=True):
        if len(outline) < _LEAST_CORNERS or parent >= 0:
            continue
        x, y, across, down = cv2.boundingRect(outline)
        if across < _LEAST_WIDTH - 2 * margin or down < _LEAST_HEIGHT - 2 * margin:
            continue
        # What touches the edge of the image belongs to the area around the paper.
        if not (margin < x < columns - margin - across and margin < y < rows - margin - down):
            continue
        part = slice(y, y + down), slice(x, x + across)
        area = np.zeros((down, across), np.uint8)
        pieces = [outline]
        following = hole
        while following >= 0:
            pieces.append(outlines[following])
            following = links[0][following][0]
        # Without what is inside holes: the middle of a finder pattern of a QR code is not text.
        cv2.drawContours(area, pieces, -1, 255, cv2.FILLED, offset=(-x, -y))
        area &= mask[part]
        if np.count_nonzero(area) < _LEAST_OF_BOUNDS * area.size:
            continue
        box = _box(page.survey[part], area > 0, (outline - (x, y)).astype(np.int32), paper.around(part), shape)
        if box is not None:
            found.append(box.moved(x, y, margin))
    return found


def _box(inside: Gray, area: BoolMask, outline: npt.NDArray[np.int32], paper: int, shape: _Shape) -> Box | None:
    """Return the box that this area of the pixels inside its bounds is; None if it is not a box with text."""
    shade = int(np.median(inside[area]))
    light_text = _is_text_light(inside[_straight_part(area)], shade, paper)
    if light_text is None or shade > _SHADED * paper or _share_of(inside[area], shade) < shape.one_shade:
        return None
    hull = cv2.convexHull(outline)
    middle, size, angle = cv2.minAreaRect(hull)
    if min(angle % 90, -angle % 90) > _MOST_TURNED:
        return None
    # All that is lighter than a box with light text becomes black. So there must be no paper inside its rectangle.
    rectangular = _FLAT.rectangular if light_text else shape.rectangular
    whole = size[0] * size[1]
    if np.count_nonzero(area) < shape.filled * whole or cv2.contourArea(hull) < rectangular * whole:
        return None
    return Box((middle[0], middle[1]), (size[0], size[1]), angle, shade, paper, light_text)


def _share_of(levels: Gray, shade: int) -> float:
    return np.count_nonzero(cv2.absdiff(levels, np.full_like(levels, shade)) <= _SHADE_WIDTH) / levels.size


def _straight_part(area: BoolMask) -> tuple[slice, slice]:
    """Return the part from the first to the last row and column that are not only letters touching the box."""
    rows, columns = (np.flatnonzero(area.mean(axis=axis) > _LEAST_OF_EDGE) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return slice(None), slice(None)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _is_text_light(inside: Gray, shade: int, paper: int) -> bool | None:
    """Return whether the text inside a box is lighter than the box; None if there is no text."""
    contrast = _LEAST_CONTRAST * paper
    darker, lighter = np.count_nonzero(inside < shade - contrast), np.count_nonzero(inside > shade + contrast)
    return bool(lighter > darker) if max(darker, lighter) >= _LEAST_INK else None


def _dark_bars(page: Pixels, paper: _Paper) -> list[Box]:
    """Find dark bars that are not flat, are full of text, or end at the left or right edge of the image."""
    dark: Mask = (page.survey < _DARK * page.paper).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    found = []
    least, most = _FILLED
    rows, columns = dark.shape
    tallest = _TALLEST_BAR * max(rows, columns)
    for left, top, width, height, area in stats[1:].tolist():
        if not _LEAST_HEIGHT <= height <= tallest or width < max(_LEAST_BAR_WIDTH, _LONG * height):
            continue
        # A bar that touches the upper or lower edge of the image belongs to the area around the paper.
        if top == 0 or top + height == rows:
            continue
        part = slice(top, top + height), slice(left, left + width)
        if least <= area / (width * height) <= most and _is_straight(dark[part]):
            shade = int(np.median(page.survey[part][dark[part] > 0]))
            middle = left + (width - 1) / 2, top + (height - 1) / 2
            found.append(Box(middle, (width - 1, height - 1), 0.0, shade, paper.around(part), light_text=True))
    return found


def _is_straight(box: Mask) -> bool:
    edge = max(1, len(box) // 10)
    above, below = (float(rows.max(axis=0).mean()) for rows in (box[:edge], box[-edge:]))
    return min(above, below) >= _STRAIGHT


def _without_shades(pixels: Gray, page: Pixels, found: list[Box]) -> Gray:
    result = pixels.copy()
    scale = pixels.shape[1] / page.survey.shape[1], pixels.shape[0] / page.survey.shape[0]
    # The soft edges first: where boxes adjoin, that of one is inside the other.
    for box in found:
        _map(pixels, result, _scaled(box.corners(_SOFT_EDGE), scale), _edge_table(box))
    for box in found:
        _map(pixels, result, _scaled(box.corners((1 - 1 / scale[0]) / 2), scale), _inner_table(box))
    return result


def _scaled(corners: npt.NDArray[np.float32], scale: tuple[float, float]) -> npt.NDArray[np.int32]:
    return np.round((corners + 0.5) * scale - 0.5).astype(np.int32)


def _map(pixels: Gray, result: Gray, corners: npt.NDArray[np.int32], table: Gray) -> None:
    """Write the pixels between the corners to the result, mapped by the table."""
    left, top = np.maximum(corners.min(axis=0), 0)
    right, bottom = corners.max(axis=0) + 1
    part = slice(top, bottom), slice(left, right)
    mask = np.zeros_like(pixels[part])
    cv2.fillConvexPoly(mask, corners - (left, top), 255)
    cv2.copyTo(cv2.LUT(pixels[part], table), mask, result[part])


def _edge_table(box: Box) -> Gray:
    """Map the transition from a box to lighter surroundings to paper. Darker pixels are text or rules."""
    levels = np.arange(256)
    lighter = levels > box.shade - _LEAST_CONTRAST * box.paper
    return np.where(lighter, np.maximum(levels, box.paper), levels).astype(np.uint8)


def _inner_table(box: Box) -> Gray:
    """Map the shade of a box to paper, and its text to black."""
    levels = np.arange(256)
    if box.light_text:
        lit = box.paper * (1 - np.clip((levels - box.shade) / max(1, box.paper - box.shade), 0, 1))
    else:
        lit = np.minimum(levels * (box.paper / max(1, box.shade)), np.maximum(levels, box.paper))
    return np.round(lit).astype(np.uint8)
