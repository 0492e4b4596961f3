"""Places the text that was read on the original, and says how the page lies there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ocrwatch.document import UNPLACED, Baseline, Block, Box, Line, Upright, Word
from ocrwatch.recognise.affine import Affine, compose, map_box, scaling, shift
from ocrwatch.recognise.baselines import RIGHT, baseline, direction, direction_of, usual_slope
from ocrwatch.recognise.projective import Projective, as_projective, inverse
from ocrwatch.recognise.projective import map_box as map_box_projectively
from ocrwatch.recognise.reader import TextRegion

_PLACES = 1
"""Decimals of sizes and baselines in pixels: a tenth is a hundredth of a millimetre at 254 dpi."""

_ANGLE_PLACES = 2


class Placement:
    """Maps the text of a page to the original's upright pixels."""

    def __init__(self, to_original: Affine | Projective, shape: tuple[int, int], *, width: int, height: int) -> None:
        """``to_original`` maps the page, of ``shape`` rows and columns, to the original of ``width`` x ``height``.

        It is projective if the page was rectified; otherwise it scales and shifts.
        """
        self._to_original = to_original
        self._shape = shape
        self._size = (width, height)

    @property
    def is_rectified(self) -> bool:
        """Whether the page's perspective was rectified."""
        return len(self._to_original) > 2  # noqa: PLR2004 - rows of an affine map

    def blocks(self, region: TextRegion) -> tuple[Block, ...]:
        """Return the blocks of a region, with all positions on the original."""
        if self.is_rectified:
            to_original = self._to_original @ as_projective(region.to_page)
        else:
            to_original = compose(self._to_original, region.to_page)
        mapping = _Mapping(to_original, self._size, usual_slope(_placed_lines(region)))
        return tuple(
            replace(block, box=mapping.box(block.box), lines=tuple(map(mapping.line, block.lines)))
            for block in region.blocks
        )

    def upright(self, regions: Sequence[TextRegion]) -> Upright | None:
        """Return how the page lies on the original; None if no text shows it.

        Regions that were read separately may lie differently: the one with the most letters decides.
        """
        letters = [sum(len(word.text) for word in region.words if word.box != UNPLACED) for region in regions]
        if not any(letters):
            return None
        main = regions[letters.index(max(letters))]
        turns = direction_of(_placed_lines(main))
        degrees = _angle_of(main.to_page) + 90.0 * turns
        if not self.is_rectified:
            return _upright(degrees, *self._size, scaling(1.0, 1.0))
        rows, columns = self._shape
        scale = math.sqrt(_area_scale(self._to_original, columns / 2, rows / 2))
        to_scaled = as_projective(scaling(scale, scale)) @ inverse(self._to_original)
        return _upright(degrees, columns * scale, rows * scale, to_scaled)


def _placed_lines(region: TextRegion) -> Iterator[Line]:
    """Yield the lines with the words whose place is known."""
    for block in region.blocks:
        for line in block.lines:
            if words := tuple(word for word in line.words if word.box != UNPLACED):
                yield replace(line, words=words)


class _Mapping:
    """Maps boxes, lines and words of one image that was read."""

    def __init__(self, to_original: Affine | Projective, size: tuple[int, int], slope: float) -> None:
        self._slope = slope
        self._map = to_original
        self._is_affine = len(to_original) == 2  # noqa: PLR2004 - rows of an affine map
        self._rows = to_original.tolist()
        self._size = size

    def box(self, box: Box) -> Box:
        if box == UNPLACED:
            return box
        map_to = map_box if self._is_affine else map_box_projectively
        return map_to(box, self._map, width=self._size[0], height=self._size[1])

    def line(self, line: Line) -> Line:
        placed = replace(line, words=tuple(word for word in line.words if word.box != UNPLACED))
        if not placed.words:
            return line
        turns = direction(placed)
        fitted = baseline(placed, turns, self._slope)
        points = (*self._point(fitted.x0, fitted.y0), *self._point(fitted.x1, fitted.y1))
        return replace(
            line,
            box=self.box(line.box),
            words=tuple(self._word(word, turns) for word in line.words),
            baseline=Baseline(*(round(value, _PLACES) for value in points)),
        )

    def _word(self, word: Word, turns: int) -> Word:
        box = word.box
        if box == UNPLACED:
            return word
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        across = self._distance((box.left, y), (box.right, y))
        down = self._distance((x, box.top), (x, box.bottom))
        along, over = (across, down) if turns % 2 == RIGHT else (down, across)
        return replace(word, box=self.box(box), width=round(along, _PLACES), height=round(over, _PLACES))

    def _distance(self, begin: tuple[float, float], end: tuple[float, float]) -> float:
        (x0, y0), (x1, y1) = self._point(*begin), self._point(*end)
        return math.hypot(x1 - x0, y1 - y0)

    def _point(self, x: float, y: float) -> tuple[float, float]:
        # Plain numbers: arrays for single points take ten times as long.
        (xx, xy, x0), (yx, yy, y0) = self._rows[:2]
        mapped = xx * x + xy * y + x0, yx * x + yy * y + y0
        if self._is_affine:
            return mapped
        wx, wy, w0 = self._rows[2]
        scale = wx * x + wy * y + w0
        return mapped[0] / scale, mapped[1] / scale


def _angle_of(to_page: Affine) -> float:
    """Return by how many degrees the image's x axis is turned clockwise on the page."""
    return math.degrees(math.atan2(to_page[1, 0], to_page[0, 0]))


def _area_scale(to: Projective, x: float, y: float) -> float:
    """Return by what factor a small area at a point grows."""
    # The determinant of the Jacobian of a homography is det(H) / w^3.
    weight = float(to[2] @ (x, y, 1.0))
    return abs(float(np.linalg.det(to)) / weight**3)


def _upright(degrees: float, width: float, height: float, before: Affine | Projective) -> Upright:
    """Return how a page of this size lies if its text runs ``degrees`` clockwise from the horizontal.

    ``before`` maps the original to it. The straight page has the size of the page after quarter turns; it is turned
    about its centre, as if the paper had been put straight on the glass.
    """
    quarters = round(degrees / 90)
    turns = -quarters % 4
    across, down = (height, width) if turns % 2 else (width, height)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0]])
    if degrees == 90 * quarters:
        rotation = np.rint(rotation)
    to_straight = compose(compose(shift(across / 2, down / 2), rotation), shift(-width / 2, -height / 2))
    matrix = as_projective(to_straight) @ (as_projective(before) if len(before) == 2 else before)  # noqa: PLR2004
    # The corner makes the map unique: all multiples are the same map.
    (a, b, c), (d, e, f), (g, h, i) = (matrix / matrix[2, 2]).tolist()
    angle = round(degrees - 90 * quarters, _ANGLE_PLACES)
    return Upright(turns, angle, float(across), float(down), (a, b, c, d, e, f, g, h, i))
