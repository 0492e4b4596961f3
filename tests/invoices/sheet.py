"""A sheet of A4 to write on, in millimetres and points."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from PIL import Image, ImageDraw, ImageFont

WIDTH: Final = 210.0
HEIGHT: Final = 297.0
_INCH: Final = 25.4
_POINT: Final = _INCH / 72
_LEADING: Final = 1.35

_FONTS: Final = Path("/usr/share/fonts/truetype")
FACES: Final = (
    (_FONTS / "dejavu/DejaVuSans.ttf", _FONTS / "dejavu/DejaVuSans-Bold.ttf"),
    (_FONTS / "dejavu/DejaVuSerif.ttf", _FONTS / "dejavu/DejaVuSerif-Bold.ttf"),
    (_FONTS / "wqy/wqy-microhei.ttc", _FONTS / "wqy/wqy-microhei.ttc"),
    (_FONTS / "dejavu/DejaVuSansMono.ttf", _FONTS / "dejavu/DejaVuSansMono-Bold.ttf"),
)
"""Regular and bold type of Debian's fonts-dejavu-core and fonts-wqy-microhei, which has no bold one. Pillow's own font
has neither accents nor the euro sign."""

Align = Literal["left", "right", "centre"]


def missing_fonts() -> list[Path]:
    """Return the fonts that are not installed."""
    return [path for face in FACES for path in face if not path.exists()]


class Sheet:
    """A white sheet. Positions are in millimetres from the top left corner, sizes of type in points."""

    def __init__(self, dpi: int, face: int, size: float) -> None:
        self.image: Final = Image.new("L", (round(WIDTH / _INCH * dpi), round(HEIGHT / _INCH * dpi)), 255)
        self.size: Final = size
        """Of the type if none is given."""
        self.left_out: Final[set[str]] = set()
        """Names of fields that are not printed as one value beside a label."""
        self._dpi: Final = dpi
        self._face: Final = FACES[face]
        self._pen: Final = ImageDraw.Draw(self.image)

    def leading(self, size: float = 0.0) -> float:
        """Return the distance of lines."""
        return (size or self.size) * _POINT * _LEADING

    def length(self, text: str, size: float = 0.0, *, bold: bool = False) -> float:
        """Return the width of a text."""
        return self._font(size, bold=bold).getlength(text) / self._dpi * _INCH

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 0.0,
        *,
        bold: bool = False,
        align: Align = "left",
        ink: int = 0,
    ) -> float:
        """Write a line whose top is at ``y``; return where it ends."""
        length = self.length(text, size, bold=bold)
        left = x - {"left": 0.0, "right": length, "centre": length / 2}[align]
        self._pen.text(self._pixels(left, y), text, fill=ink, font=self._font(size, bold=bold))
        return left + length

    def lines(self, x: float, y: float, texts: Sequence[str], size: float = 0.0) -> float:
        """Write lines below each other; return where the next one would be."""
        for text in texts:
            self.text(x, y, text, size)
            y += self.leading(size)
        return y

    def rule(self, x: float, y: float, right: float, bottom: float, width: float = 0.2) -> None:
        """Draw a line of a width in millimetres."""
        self._pen.line((*self._pixels(x, y), *self._pixels(right, bottom)), fill=0, width=self._thick(width))

    def box(self, x: float, y: float, right: float, bottom: float, *, fill: int = 255, width: float = 0.2) -> None:
        """Draw a rectangle; ``fill`` is its grey level."""
        corners = (*self._pixels(x, y), *self._pixels(right, bottom))
        self._pen.rectangle(corners, fill=fill, outline=0 if width else None, width=self._thick(width))

    def leaders(self, x: float, y: float, right: float) -> None:
        """Draw dots from label to value."""
        dots = max(0, int((right - x) / self.length(".")))
        self.text(right, y, "." * dots, align="right")

    def dashes(self, y: float) -> None:
        """Draw a dashed line across the sheet."""
        for x in range(0, int(WIDTH), 4):
            self.rule(x, y, x + 2, y)

    def _pixels(self, x: float, y: float) -> tuple[int, int]:
        return round(x / _INCH * self._dpi), round(y / _INCH * self._dpi)

    def _thick(self, width: float) -> int:
        return max(1, round(width / _INCH * self._dpi)) if width else 0

    def _font(self, size: float, *, bold: bool) -> ImageFont.FreeTypeFont:
        return _font(self._face[bold], round((size or self.size) * self._dpi / 72))


@functools.cache
def _font(path: Path, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, pixels)
