"""Groups lines into rows by their positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from ocrwatch.document import Line, Word, bounding_box

_SAME_ROW = 0.5
"""Minimum vertical overlap of two lines in one row, as a share of the smaller height."""


@dataclass(frozen=True, slots=True)
class Band:
    """Robust position of a line: the median top and bottom of its words.

    A line's own bounding box is distorted by a single stroke that was read as a letter. All values are in pixels.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """Height in pixels, at least 1."""
        return max(1.0, self.bottom - self.top)

    @property
    def middle(self) -> float:
        """Vertical centre in pixels."""
        return (self.top + self.bottom) / 2

    def same_row(self, other: Band) -> bool:
        """Return whether both are in one row."""
        shared = min(self.bottom, other.bottom) - max(self.top, other.top)
        return shared >= _SAME_ROW * min(self.height, other.height)

    def overlaps_horizontally(self, other: Band) -> bool:
        """Return whether both overlap horizontally."""
        return min(self.right, other.right) > max(self.left, other.left)


def band_of(words: Sequence[Word]) -> Band:
    """Return the band of a line's words. There must be at least one."""
    boxes = [word.box for word in words]
    top, bottom = median(box.top for box in boxes), median(box.bottom for box in boxes)
    return Band(min(box.left for box in boxes), top, max(box.right for box in boxes), bottom)


def line_of(words: Sequence[Word], paragraph: int = 0) -> Line:
    """Make a line of words in their order."""
    return Line(tuple(words), bounding_box(word.box for word in words), paragraph)


def joined(lines: Sequence[Line]) -> Line:
    """Join the pieces of a row to one line, from left to right."""
    return line_of([word for line in sorted(lines, key=lambda each: each.box.left) for word in line.words])


def rows_of(lines: Iterable[Line]) -> list[list[Line]]:
    """Group lines into rows, from top to bottom."""
    rows: list[list[tuple[Band, Line]]] = []
    for band, line in sorted(((band_of(line.words), line) for line in lines), key=lambda each: each[0].middle):
        row = next((row for row in reversed(rows) if all(_apart(band, other) for other, _ in row)), None)
        if row is None:
            rows.append([(band, line)])
        else:
            row.append((band, line))
    return [[line for _, line in row] for row in rows]


def _apart(band: Band, other: Band) -> bool:
    return band.same_row(other) and not band.overlaps_horizontally(other)
