"""Places of text in the answers of services: points and rectangles of all notations, brought to pixels of the image.

A service may send any numbers: what cannot be the place of text in the image is no place (None), and costs the text
nothing but its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from ocrwatch.document import Baseline, Box, Quad
from ocrwatch.executors.http_ocr.presets.base import Image

Point = tuple[float, float]

_TALL: Final = 1.5
"""Height of a place, in widths, from which its line runs down: PaddleOCR and its relatives turn such a place before
they read it (``get_rotate_crop_image``)."""

_DESCENT: Final = 0.25
"""Height of the baseline above the lower edge of a line's place, as a share of the place's height. Measured on lines
that PP-OCR detects: 0.20 to 0.26 without descenders, 0.29 to 0.36 with some."""

_CORNERS: Final = 4

_OUTSIDE: Final = 1.0
"""Pixels that a place may lie beyond the edge of the image: coordinates are rounded."""


@dataclass(frozen=True, slots=True)
class Place:
    """A quadrilateral on the image."""

    corners: Quad
    """In pixels, clockwise from the top left one of the upright text."""
    is_rectangle: bool = False
    """Whether it is only a rectangle with horizontal edges, which does not tell the direction of its text."""

    @property
    def width(self) -> float:
        """Length along the line, in pixels."""
        x0, y0, x1, y1, x2, y2, x3, y3 = self.corners
        return (math.hypot(x1 - x0, y1 - y0) + math.hypot(x2 - x3, y2 - y3)) / 2

    @property
    def height(self) -> float:
        """Extent across the line, in pixels."""
        x0, y0, x1, y1, x2, y2, x3, y3 = self.corners
        return (math.hypot(x3 - x0, y3 - y0) + math.hypot(x2 - x1, y2 - y1)) / 2

    @property
    def is_tall(self) -> bool:
        """Whether a line of several characters in it runs down, or up, but not across."""
        return self.height >= _TALL * self.width

    @property
    def baseline(self) -> Baseline | None:
        """Where the letters stand, roughly; None for a rectangle, whose text may have any direction."""
        if self.is_rectangle:
            return None
        x0, y0, x1, y1, x2, y2, x3, y3 = self.corners
        up = _DESCENT
        return Baseline(x3 + up * (x0 - x3), y3 + up * (y0 - y3), x2 + up * (x1 - x2), y2 + up * (y1 - y2))

    def turned(self) -> Place:
        """Return the same place for text that runs down instead of across: its top left corner is the right one."""
        x0, y0, x1, y1, x2, y2, x3, y3 = self.corners
        return Place((x1, y1, x2, y2, x3, y3, x0, y0), self.is_rectangle)

    def part(self, begin: float, end: float) -> Place:
        """Return the part of the line between two shares of its length, 0 to 1."""
        x0, y0, x1, y1, x2, y2, x3, y3 = self.corners

        def on_top(share: float) -> Point:
            return x0 + share * (x1 - x0), y0 + share * (y1 - y0)

        def below(share: float) -> Point:
            return x3 + share * (x2 - x3), y3 + share * (y2 - y3)

        return Place((*on_top(begin), *on_top(end), *below(end), *below(begin)), self.is_rectangle)

    def box(self, image: Image) -> Box:
        """Return the bounding box within the image, at least one pixel wide and high."""
        xs, ys = self.corners[0::2], self.corners[1::2]
        left, right = _clipped(min(xs), max(xs), image.width)
        top, bottom = _clipped(min(ys), max(ys), image.height)
        return Box(left, top, right, bottom)


def finite(value: object) -> float | None:
    """Return a number, or the number that a text has; None for anything else, and for what is not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def polygon(points: object, image: Image, scale: Point = (1.0, 1.0)) -> Place | None:
    """Return the place with these corners; None if it cannot be one.

    Points are ``[[x, y], …]``, ``[{"x": x, "y": y}, …]`` or ``[x, y, x, y, …]``. Two are opposite corners of a
    rectangle. Four are a quadrilateral, clockwise from the top left corner of the upright text. Others, and four in
    another order, give their bounding rectangle. Coordinates are multiplied by ``scale``: shares of the image become
    pixels by its width and height.
    """
    corners = _points(points)
    if corners is None or len(corners) < 2:  # noqa: PLR2004 - a rectangle's
        return None
    corners = [(x * scale[0], y * scale[1]) for x, y in corners]
    if len(corners) == _CORNERS and _is_clockwise(corners):
        place = Place(_quad(corners))
    else:
        (left, *_, right), (top, *_, bottom) = (sorted(values) for values in zip(*corners, strict=True))
        place = _rectangle(left, top, right, bottom)
    return place if _is_on(place, image) else None


def rectangle(left: object, top: object, width: object, height: object, image: Image) -> Place | None:
    """Return the place of a rectangle in pixels; None if it cannot be one."""
    numbers = [finite(value) for value in (left, top, width, height)]
    if None in numbers:
        return None
    x, y, across, down = (number for number in numbers if number is not None)
    if across < 0 or down < 0:
        return None
    place = _rectangle(x, y, x + across, y + down)
    return place if _is_on(place, image) else None


def _points(value: object) -> list[Point] | None:
    """Return the points of a list in one of the notations; None if one of them is none."""
    if not _is_list(value):
        return None
    if value and not isinstance(value[0], Mapping) and not _is_list(value[0]):
        value = list(zip(value[0::2], value[1::2], strict=False)) if len(value) % 2 == 0 else []
    points = [_point(each) for each in value]
    return None if None in points else [point for point in points if point is not None]


def _point(value: Any) -> Point | None:
    if isinstance(value, Mapping):
        # Services whose interface is defined in Protocol Buffers leave out what is 0.
        x, y = finite(value.get("x", 0)), finite(value.get("y", 0))
    elif _is_list(value) and len(value) == 2:  # noqa: PLR2004 - x and y
        x, y = finite(value[0]), finite(value[1])
    else:
        return None
    return None if x is None or y is None else (x, y)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, (list, tuple))


def _quad(corners: Iterable[Point]) -> Quad:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    return x0, y0, x1, y1, x2, y2, x3, y3


def _rectangle(left: float, top: float, right: float, bottom: float) -> Place:
    return Place((left, top, right, top, right, bottom, left, bottom), is_rectangle=True)


def _is_clockwise(corners: Sequence[Point]) -> bool:
    """Return whether the polygon is convex and its corners go clockwise, with y downwards."""
    turns = [
        (x1 - x0) * (y2 - y1) - (y1 - y0) * (x2 - x1)
        for (x0, y0), (x1, y1), (x2, y2) in zip(
            corners, (*corners[1:], corners[0]), (*corners[2:], *corners[:2]), strict=True
        )
    ]
    return min(turns) >= 0 and max(turns) > 0


def _is_on(place: Place, image: Image) -> bool:
    """Return whether a place is on the image, and no larger than it: services write zeros for an unknown one."""
    xs, ys = place.corners[0::2], place.corners[1::2]
    if not all(map(math.isfinite, place.corners)) or (min(xs) == max(xs) and min(ys) == max(ys)):
        return False
    return all(
        last >= -_OUTSIDE and first <= size + _OUTSIDE and -size <= first and last <= 2 * size
        for first, last, size in ((min(xs), max(xs), image.width), (min(ys), max(ys), image.height))
    )


def _clipped(first: float, last: float, size: int) -> tuple[int, int]:
    begin = min(max(math.floor(first + 0.5), 0), size - 1)
    return begin, min(max(math.floor(last + 0.5), begin + 1), size)
