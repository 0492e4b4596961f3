"""Boxes in notations that are not known beforehand.

A box may be four numbers, corners as ``[[x, y], …]``, ``[x, y, x, y, …]`` or ``[{"x": x, "y": y}, …]``, an object with
usual names of members, in any case, or an object or a list with one of these in it. Four numbers may also be a text
such as ``"10,20,110,60"``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ocrwatch.executors.http_ocr.presets.base import Image
from ocrwatch.executors.http_ocr.presets.json_paths import Path, first
from ocrwatch.executors.http_ocr.presets.places import Place, Point, finite, polygon

_EDGES: Final = (
    ("left", "top", "right", "bottom"),
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("minx", "miny", "maxx", "maxy"),
)
"""Names of a rectangle's edges: left, top, right, bottom."""
_SIZES: Final = (
    ("left", "top", "width", "height"),
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
)
"""Names of a rectangle's corner and size."""
_CORNERS: Final = (
    "vertices",
    "normalizedvertices",
    "points",
    "polygon",
    "corners",
    "coordinates",
    "quad",
    "box",
    "bbox",
)
"""Names of a list of corners, or of four numbers."""
_NUMBERS: Final = 4
_DEEPEST: Final = 3
"""Objects in one another, of which the innermost has the box."""


@dataclass(frozen=True, slots=True)
class BoxForm:
    """How a service writes its boxes, as far as they do not show it."""

    is_size: bool
    """Whether four numbers are left, top, width and height, instead of left, top, right and bottom."""
    members: Sequence[Path]
    """Where an object has its four numbers; empty for usual names."""
    scale: Point
    """Factors from the service's unit to pixels."""


def scale_of(units: str, image: Image) -> Point:
    """Return the factors to pixels; ``units`` are ``pixels``, ``shares`` (0 to 1) or ``percent``."""
    part = {"pixels": 0.0, "shares": 1.0, "percent": 0.01}[units]
    return (image.width * part, image.height * part) if part else (1.0, 1.0)


def place_of(box: Any, form: BoxForm, image: Image) -> Place | None:
    """Return the place of a box; None if it is none."""
    for _ in range(_DEEPEST):
        if isinstance(box, dict) and form.members:
            return _rectangle([first(path, box) for path in form.members], form.is_size, form, image)
        if isinstance(box, str):
            box = re.split(r"[,;\s]+", box.strip(" []()"))
        if isinstance(box, list):
            is_four = len(box) == _NUMBERS and not any(isinstance(each, (list, dict)) for each in box)
            return _rectangle(box, form.is_size, form, image) if is_four else polygon(_lower(box), image, form.scale)
        if not isinstance(box, dict):
            return None
        named = _lower_names(box)
        for names, is_size in (*((names, False) for names in _EDGES), *((names, True) for names in _SIZES)):
            if all(name in named for name in names):
                return _rectangle([named[name] for name in names], is_size, form, image)
        box = next((named[name] for name in _CORNERS if name in named), None)
    return None


def _rectangle(numbers: Sequence[Any], is_size: bool, form: BoxForm, image: Image) -> Place | None:  # noqa: FBT001
    values = [number for each in numbers if (number := finite(each)) is not None]
    if len(values) < _NUMBERS:
        return None
    left, top, right, bottom = values
    if is_size:
        right, bottom = left + right, top + bottom
    return polygon([left, top, right, bottom], image, form.scale)


def _lower(points: list[Any]) -> list[Any]:
    return [_lower_names(point) if isinstance(point, dict) else point for point in points]


def _lower_names(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object with names in lower case and without underscores."""
    return {str(name).casefold().replace("_", ""): each for name, each in value.items()}
