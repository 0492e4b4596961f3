"""Tables rendered with Pillow's own font, with the place and the text of each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Upright, Word
from ocrwatch.recognise.decode import Gray

Rules = Literal["grid", "rows", "frame", "header", "none"]
"""Which rules are drawn: all, those between rows, the outer ones, those around the headings, or none."""

_MARGIN = 120
_PADDING = 14
_THICK = 3


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """A cell of the truth. Rows and columns include the last; lines of its text are divided by newlines."""

    row: int
    column: int
    text: str
    last_row: int = -1
    last_column: int = -1

    @property
    def rows(self) -> tuple[int, int]:
        """The first and the last row."""
        return self.row, max(self.row, self.last_row)

    @property
    def columns(self) -> tuple[int, int]:
        """The first and the last column."""
        return self.column, max(self.column, self.last_column)


@dataclass(slots=True)
class DrawnTable:
    """An image of a table, and what is on it."""

    image: Image.Image
    cells: tuple[DrawnCell, ...]
    words: list[tuple[str, Box]] = field(default_factory=list)
    """Row by row."""

    @property
    def gray(self) -> Gray:
        """The pixels."""
        return np.asarray(self.image)

    def with_pixels(self, gray: Gray) -> DrawnTable:
        """Return the same table with other pixels."""
        return replace(self, image=Image.fromarray(gray))

    def page(self) -> Page:
        """Return the page as if each word had been read, and each line were a block."""
        lines = tuple(
            Line((Word(text, box, 95.0, box.right - box.left, box.bottom - box.top),), box) for text, box in self.words
        )
        width, height = self.image.size
        identity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
        return Page(
            width,
            height,
            200.0,
            1,
            tuple(Block((line,), line.box) for line in lines),
            EngineInfo("test", "1", ("eng",)),
            upright=Upright(0, 0.0, width, height, identity),
        )


def simple(rows: Sequence[Sequence[str]]) -> tuple[DrawnCell, ...]:
    """Return cells without spans; empty texts are left out."""
    return tuple(
        DrawnCell(row, column, text) for row, texts in enumerate(rows) for column, text in enumerate(texts) if text
    )


def draw_table(
    cells: Sequence[DrawnCell],
    *,
    rules: Rules = "grid",
    headers: int = 1,
    size: int = 30,
    above: Sequence[str] = (),
    below: Sequence[str] = (),
    gap: int = 50,
) -> DrawnTable:
    """Draw a table. Numbers are right-aligned, headings of several columns centred, other texts left-aligned.

    ``size`` is that of the type in pixels, ``gap`` the white space between columns without rules; ``above`` and
    ``below`` are lines of text around it.
    """
    font = ImageFont.load_default(size)
    leading = round(1.25 * size)
    widths, heights = _sizes(cells, font, leading, gap if rules in ("none", "rows", "header", "frame") else 0)
    top = _MARGIN + len(above) * leading + (size if above else 0)
    xs = [_MARGIN, *(_MARGIN + sum(widths[: at + 1]) for at in range(len(widths)))]
    ys = [top, *(top + sum(heights[: at + 1]) for at in range(len(heights)))]
    longest = max((round(font.getlength(line)) for line in (*above, *below)), default=0)
    height = ys[-1] + _MARGIN + (len(below) + 1) * leading
    image = Image.new("L", (max(xs[-1], _MARGIN + longest) + _MARGIN, height), 255)
    pen = ImageDraw.Draw(image)
    drawn = DrawnTable(image, tuple(cells))
    for number, line in enumerate(above):
        _write(pen, drawn, line, (_MARGIN, _MARGIN + number * leading), font)
    for cell in sorted(cells, key=lambda cell: (cell.row, cell.column)):
        (row, last_row), (column, last_column) = cell.rows, cell.columns
        lines = cell.text.split("\n")
        y = (ys[row] + ys[last_row + 1] - len(lines) * leading) // 2
        for number, line in enumerate(lines):
            length = round(font.getlength(line))
            left, right = xs[column] + _PADDING, xs[last_column + 1] - _PADDING
            if last_column > column or row < headers:
                left += (right - left - length) // 2
            elif line[:1].isdigit() or line[:1] in "-$":
                left = right - length
            _write(pen, drawn, line, (left, y + number * leading), font)
    for number, line in enumerate(below):
        _write(pen, drawn, line, (_MARGIN, ys[-1] + (number + 1) * leading), font)
    _rule(pen, cells, xs, ys, rules, headers)
    return drawn


def _sizes(
    cells: Sequence[DrawnCell], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, leading: int, gap: int
) -> tuple[list[int], list[int]]:
    """Return the widths of the columns, and the heights of the rows."""
    widths = [0] * (max(cell.columns[1] for cell in cells) + 1)
    heights = [leading + 12] * (max(cell.rows[1] for cell in cells) + 1)
    for cell in sorted(cells, key=lambda cell: cell.columns[1] - cell.columns[0]):
        width = max(round(font.getlength(line)) for line in cell.text.split("\n")) + 2 * _PADDING + gap
        first, last = cell.columns
        missing = width - sum(widths[first : last + 1])
        for column in range(first, last + 1):
            widths[column] += max(0, -(-missing // (last - first + 1)))
        if cell.rows[0] == cell.rows[1]:
            heights[cell.row] = max(heights[cell.row], leading * (cell.text.count("\n") + 1) + 12)
    return widths, heights


def _write(
    pen: ImageDraw.ImageDraw,
    drawn: DrawnTable,
    text: str,
    place: tuple[int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    x, y = place
    pen.text(place, text, fill=0, font=font)
    begin = 0
    for word in text.split():
        begin = text.index(word, begin)
        left, top, right, bottom = pen.textbbox((x + font.getlength(text[:begin]), y), word, font=font)
        drawn.words.append((word, Box(round(left), round(top), round(right), round(bottom))))
        begin += len(word)


def _rule(
    pen: ImageDraw.ImageDraw,
    cells: Sequence[DrawnCell],
    xs: Sequence[int],
    ys: Sequence[int],
    rules: Rules,
    headers: int,
) -> None:
    if rules == "header":
        for row in (0, headers, len(ys) - 1):
            pen.line((xs[0], ys[row], xs[-1], ys[row]), fill=0, width=_THICK)
    if rules in ("grid", "frame"):
        pen.rectangle((xs[0], ys[0], xs[-1], ys[-1]), outline=0, width=_THICK)
    if rules not in ("grid", "rows"):
        return
    pen.line((xs[0], ys[0], xs[-1], ys[0]), fill=0, width=_THICK)
    for cell in (*cells, *_empty(cells, len(ys) - 1, len(xs) - 1)):
        place = (xs[cell.columns[0]], ys[cell.rows[0]], xs[cell.columns[1] + 1], ys[cell.rows[1] + 1])
        if rules == "grid":
            pen.rectangle(place, outline=0, width=_THICK)
        else:
            pen.line((place[0], place[3], place[2], place[3]), fill=0, width=_THICK)


def _empty(cells: Sequence[DrawnCell], rows: int, columns: int) -> list[DrawnCell]:
    """Return a cell for each place that no cell takes."""
    covered = {
        (row, column)
        for cell in cells
        for row in range(cell.rows[0], cell.rows[1] + 1)
        for column in range(cell.columns[0], cell.columns[1] + 1)
    }
    return [
        DrawnCell(row, column, "") for row in range(rows) for column in range(columns) if (row, column) not in covered
    ]


def skewed(table: DrawnTable, degrees: float, grain: float = 0.0, seed: int = 0) -> DrawnTable:
    """Return a table as a scanner sees it: turned clockwise, with Gaussian noise. Its words are left out."""
    image = table.image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    if grain:
        noise = np.random.default_rng(seed).normal(0, grain, (image.height, image.width))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    return replace(table, image=image, words=[])
