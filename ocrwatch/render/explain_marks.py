"""Marks of the format ``explain``: how each kind looks, and how it is drawn.

Colours are those of Okabe and Ito, which colour-blind people can tell apart (https://jfly.uni-koeln.de/color/). Marks
differ in the kind and width of their lines too, so that they are told apart in grey.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from ocrwatch.document import Field, Line, Standing, Word

Colour = tuple[int, int, int]
Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]

_UNITS_PER_DASH: Final = {"solid": 0, "dashed": 4, "dotted": 2}
_LEAST_TILT: Final = 0.5
"""Degrees of a line's skew below which its words' boxes are drawn level."""

SURE_FROM: Final = 90.0
DOUBTFUL_FROM: Final = 60.0


@dataclass(frozen=True, slots=True)
class Mark:
    """How one kind of thing is marked."""

    colour: Colour
    width: int = 1
    """Of the line, in units of the picture."""
    line: Literal["solid", "dashed", "dotted"] = "solid"
    tint: int = 0
    """Opacity, 0 to 255, of the colour within the outline."""


SURE: Final = Mark((0, 158, 115))
DOUBTFUL: Final = Mark((230, 140, 0), 2, "dashed", 40)
UNSURE: Final = Mark((205, 40, 0), 3, tint=60)
UNKNOWN: Final = Mark((110, 110, 110), 1, "dotted")
BASELINE: Final = Mark((150, 110, 190))
TABLE: Final = Mark((0, 90, 170), 4)
CELL: Final = Mark((86, 160, 225))
SPANNING: Final = Mark((190, 70, 150), 3)
HEADING: Final = Mark((86, 160, 225), tint=80)
UNREAD: Final = Mark((205, 40, 0), 3, "dotted", 30)

FIELD: Final = Mark((0, 0, 0), 3)
DOUBTFUL_FIELD: Final = Mark((205, 40, 0), 3, "dashed")


def mark_of(confidence: float | None) -> Mark:
    """Return the mark of a word with a confidence, 0 to 100."""
    if confidence is None or not math.isfinite(confidence):
        return UNKNOWN
    if confidence >= SURE_FROM:
        return SURE
    return DOUBTFUL if confidence >= DOUBTFUL_FROM else UNSURE


def field_mark_of(field: Field) -> Mark:
    """Return the mark of a field that was found."""
    return DOUBTFUL_FIELD if field.standing is Standing.DOUBTFUL else FIELD


def corners_of(word: Word, line: Line, margin: float = 0.0) -> Corners:
    """Return the corners of a word's print, in the original's pixels, with a margin: tilted if its line is."""
    box, base = word.box, line.baseline
    left, top, right, bottom = box.left - margin, box.top - margin, box.right + margin, box.bottom + margin
    level = ((left, top), (right, top), (right, bottom), (left, bottom))
    if base is None or not word.width or not word.height:
        return level
    angle = math.atan2(base.y1 - base.y0, base.x1 - base.x0)
    tilt = math.degrees(angle) % 90
    if min(tilt, 90 - tilt) < _LEAST_TILT:
        return level
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    along, across = word.width / 2 + margin, word.height / 2 + margin
    ahead, down = (cos * along, sin * along), (-sin * across, cos * across)
    return (
        (x - ahead[0] - down[0], y - ahead[1] - down[1]),
        (x + ahead[0] - down[0], y + ahead[1] - down[1]),
        (x + ahead[0] + down[0], y + ahead[1] + down[1]),
        (x - ahead[0] + down[0], y - ahead[1] + down[1]),
    )


def grown(corners: Sequence[Point], margin: float) -> list[Point]:
    """Return the corners of a quadrilateral with a margin around it, so that its outline hides nothing at its edges."""
    return [
        _beyond(_beyond(corner, corners[at - 1], margin), corners[(at + 1) % len(corners)], margin)
        for at, corner in enumerate(corners)
    ]


class Pen:
    """Draws marks on an image. Points are in its pixels; ``unit`` is the width of a thin line."""

    def __init__(self, image: Image.Image, unit: int) -> None:
        self.unit = unit
        # In this mode, colours with opacity are blended.
        self._draw = ImageDraw.Draw(image, "RGBA")
        self._limits = [(-size, 2 * size) for size in image.size]

    def outline(self, corners: Sequence[Point], mark: Mark) -> None:
        """Draw a closed outline, and tint what is in it."""
        points = self._within(corners)
        if points is None:
            return
        if mark.tint:
            self._draw.polygon(points, (*mark.colour, mark.tint))
        self._line([*points, points[0]], mark)

    def line(self, ends: Sequence[Point], mark: Mark) -> None:
        """Draw a line."""
        points = self._within(ends)
        if points is not None:
            self._line(points, mark)

    def text(self, at: Point, text: str, font: FreeTypeFont, colour: Colour) -> None:
        """Write a line of text; ``at`` is its upper left corner."""
        self._draw.text(at, text, colour, font, anchor="la")

    def label(self, at: Point, text: str, font: FreeTypeFont, colour: Colour) -> None:
        """Write white text on a colour; ``at`` is the lower right corner, as far as there is room."""
        margin = 2 * self.unit
        width, height = font.getlength(text) + 2 * margin, line_height(font)
        points = self._within([at])
        if points is None:
            return
        right, bottom = (limit / 2 for _, limit in self._limits)
        left = max(0, min(points[0][0], right) - width)
        top = max(0, min(points[0][1], bottom) - height)
        self._draw.rectangle((left, top, left + width, top + height), colour)
        self.text((left + margin, top + margin), text, font, (255, 255, 255))

    def _within(self, points: Sequence[Point]) -> list[Point] | None:
        """Return points near the image, None if they are not finite: an engine may give any numbers."""
        if not all(math.isfinite(value) for point in points for value in point):
            return None
        return [
            tuple(min(max(value, low), high) for value, (low, high) in zip(point, self._limits, strict=True))  # type: ignore[misc]
            for point in points
        ]

    def _line(self, points: Sequence[Point], mark: Mark) -> None:
        width = mark.width * self.unit
        step = _UNITS_PER_DASH[mark.line] * self.unit
        if not step:
            self._draw.line(points, mark.colour, width, joint="curve" if len(points) > 2 else None)  # noqa: PLR2004
            return
        for start, end in pairwise(points):
            length = math.dist(start, end)
            for at in range(0, math.ceil(length), 2 * step):
                dash = [_between(start, end, part / length) for part in (at, min(at + step, length))]
                self._draw.line(dash, mark.colour, width)


def font_of(size: int) -> FreeTypeFont:
    """Return Pillow's own font; raises :class:`ImportError` if Pillow was built without FreeType."""
    font = ImageFont.load_default(size)
    if not isinstance(font, FreeTypeFont):
        raise ImportError("Pillow has no FreeType")  # noqa: TRY004 - as load_default itself raises it
    return font


def line_height(font: FreeTypeFont) -> int:
    """Return the height of a line of text in pixels."""
    return round(font.size * 1.35)


def percent(value: float | None) -> str:
    """Return a confidence, 0 to 100, rounded down: 74.6 must not be shown as the 75 that it misses."""
    return "unknown" if value is None or not math.isfinite(value) else f"{math.floor(value)} %"


def legible(text: str) -> str:
    """Return text in characters that Pillow's font has: without accents, and with ``?`` for what has no such form."""
    plain = unicodedata.normalize("NFKD", text.replace("\u00d7", "x"))
    kept = (each for each in plain if not unicodedata.combining(each))
    return "".join(each if each == "°" or " " <= each <= "~" else "?" for each in kept)


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _beyond(point: Point, away: Point, margin: float) -> Point:
    """Return a point moved away from another."""
    length = math.dist(point, away)
    return _between(away, point, 1 + margin / length) if length else point
