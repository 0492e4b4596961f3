"""Rectangles on the straight page, in heights of a word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """A rectangle on the straight page."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def x(self) -> float:
        """The middle."""
        return (self.left + self.right) / 2

    @property
    def y(self) -> float:
        """The middle."""
        return (self.top + self.bottom) / 2

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    def overlaps(self, other: Extent, least: float) -> bool:
        """Return whether both have a part in common that is wider and taller than ``least``."""
        across = min(self.right, other.right) - max(self.left, other.left)
        return across > least and min(self.bottom, other.bottom) - max(self.top, other.top) > least

    def holds(self, other: Extent) -> bool:
        """Return whether the middle of ``other`` is inside."""
        return self.left <= other.x <= self.right and self.top <= other.y <= self.bottom


def extent(parts: Iterable[Extent]) -> Extent:
    """Return the bounding box of at least one part."""
    parts = list(parts)
    return Extent(
        min(part.left for part in parts),
        min(part.top for part in parts),
        max(part.right for part in parts),
        max(part.bottom for part in parts),
    )
