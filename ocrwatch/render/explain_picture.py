"""The picture of the format ``explain``: the faded scan, the marks on it, and the legend below."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Final

from PIL import Image
from PIL.ImageFont import FreeTypeFont

from ocrwatch.document import UNPLACED, Cell, Field, Page, Quad, Table
from ocrwatch.render.base import Original
from ocrwatch.render.explain_legend import legend
from ocrwatch.render.explain_marks import (
    BASELINE,
    CELL,
    FIELD,
    HEADING,
    SPANNING,
    TABLE,
    UNREAD,
    Mark,
    Pen,
    Point,
    corners_of,
    field_mark_of,
    font_of,
    grown,
    line_height,
    mark_of,
    percent,
)
from ocrwatch.render.scan_picture import scan_picture

LONGEST: Final = 2400
"""Pixels of the scan's longer side in the picture, at most."""

_NARROWEST: Final = 36
"""Width of the picture, at least, in sizes of the font: the legend needs room."""

_INK: Final = 0.6
"""How much of the scan's darkness is left."""

_SHADES: Final = 8
"""Grey values that become one: fewer different ones make a smaller file."""

_PIXELS_PER_UNIT: Final = 1200
_PIXELS_PER_FONT: Final = 85
_SMALLEST_FONT, _LARGEST_FONT = 13, 30


def explained(page: Page, original: Original) -> bytes:
    """Return the picture as a PNG. Raises :class:`ImportError` if Pillow lacks what it needs."""
    scale = min(1.0, LONGEST / max(page.width, page.height, 1))
    width, height = max(1, round(page.width * scale)), max(1, round(page.height * scale))
    unit = max(1, round(max(width, height) / _PIXELS_PER_UNIT))
    font = font_of(min(max(max(width, height) // _PIXELS_PER_FONT, _SMALLEST_FONT), _LARGEST_FONT))
    shown = scan_picture(page, original.content, width, height)
    below = legend(page, original, font, max(width, round(_NARROWEST * font.size)), unit, is_shown=shown is not None)
    marked = Image.new("RGB", (below.width, height), "white")
    if shown is not None:
        marked.paste(shown.point(_faded), (0, 0))
    _draw(page, Pen(marked, unit), scale, font)
    picture = Image.new("RGB", (below.width, height + below.height))
    picture.paste(marked, (0, 0))
    picture.paste(below, (0, height))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _faded(value: float) -> float:
    return 255 - (255 - value // _SHADES * _SHADES - (_SHADES - 1)) * _INK


def _draw(page: Page, pen: Pen, scale: float, font: FreeTypeFont) -> None:
    """Draw the tables, the words over them, the labels over all, and the fields last."""
    tables = page.tables or ()
    for table in tables:
        # Those of several rows or columns, and unread ones, last, so that their outlines are whole.
        for mark in (CELL, HEADING, SPANNING, UNREAD):
            for cell in table.cells:
                if mark in _marks_of(cell):
                    pen.outline(_points(cell.corners, scale), mark)
        pen.outline(grown(_points(table.corners, scale), TABLE.width / 2 * pen.unit), TABLE)
    for line in page.lines:
        if line.baseline is not None and line.box != UNPLACED:
            base = line.baseline
            pen.line(_points((base.x0, base.y0, base.x1, base.y1), scale), BASELINE)
        for word in line.words:
            if word.box != UNPLACED:
                mark = mark_of(word.confidence)
                # Around the letters, not over them.
                corners = corners_of(word, line, (mark.width + 1) / 2 * pen.unit / scale)
                pen.outline([(x * scale, y * scale) for x, y in corners], mark)
    for number, table in enumerate(tables, start=1):
        pen.label(_upper_right(table.corners, scale), label_of(number, table), font, TABLE.colour)
    for field in page.fields or ():
        if field.corners is not None:
            mark = field_mark_of(field)
            pen.outline(grown(_points(field.corners, scale), 2 * mark.width * pen.unit), mark)
            pen.label(_beside(field, page, scale, pen.unit, font), field_label(field), font, mark.colour)


def _beside(field: Field, page: Page, scale: float, unit: int, font: FreeTypeFont) -> Point:
    """Return the place of a field's label: on the side of the value that has more room."""
    points = _points(field.corners or (), scale)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    margin = 4 * FIELD.width * unit
    left, right, bottom = min(xs) - margin, max(xs) + margin, (min(ys) + max(ys) + line_height(font)) / 2
    boxes = [word.box for word in page.words if word.box.top * scale < max(ys) and word.box.bottom * scale > min(ys)]
    before = left - max((box.right * scale for box in boxes if box.right * scale <= left), default=0.0)
    behind = min((box.left * scale for box in boxes if box.left * scale >= right), default=page.width * scale) - right
    width = font.getlength(field_label(field)) + margin
    return (left if before > behind else right + width), bottom


def field_label(field: Field) -> str:
    """Return what is written on a field: ``total: verified``."""
    return f"{field.name}: {field.standing.value}"


def label_of(number: int, table: Table) -> str:
    """Return what is written on a table: ``table 1: 7 x 4, grid, 96 %``."""
    return f"table {number}: {table.rows} x {table.columns}, {table.kind}, {percent(table.confidence)}"


def _marks_of(cell: Cell) -> tuple[Mark, ...]:
    spanning = (SPANNING,) if cell.rows * cell.columns > 1 else ()
    unread = (UNREAD,) if cell.is_unread else ()
    return (HEADING if cell.is_header else CELL, *spanning, *unread)


def _points(values: Iterable[float], scale: float) -> list[Point]:
    """Return the points of alternating x and y in the picture."""
    scaled = [value * scale for value in values]
    return list(zip(scaled[::2], scaled[1::2], strict=True))


def _upper_right(corners: Quad, scale: float) -> Point:
    """Return the place of a label: above the table, and beside its title, which mostly begins at the left."""
    return max(_points(corners, scale), key=lambda point: point[0] - point[1])
