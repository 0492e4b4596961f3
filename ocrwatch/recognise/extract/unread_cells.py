"""Reads the cells of tables that have print and no text, all in one pass.

Tesseract loses cells that are shaded, or that stand between rules close by. Each is cut out of the original without its
rules, made black on white, and put below the others on one sheet.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from statistics import median
from typing import Final

import cv2
import numpy as np

from ocrwatch.document import Block, Cell, Line, Page, Word, bounding_box
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.placement import Placement
from ocrwatch.recognise.projective import Points, Projective, as_projective, between, warped
from ocrwatch.recognise.reader import TextRegion

_HEIGHT: Final = 32.0
"""Pixels of the sheet that a word is tall, at least: print in cells is small, and larger than usual reads better."""

_MARGIN: Final = 0.2
"""How much of a cell's edges is left out, in heights of a word: rules are there."""

_PADDING: Final = 20
"""White pixels around each cell on the sheet."""

_SURE: Final = 50.0
"""Confidence, 0 to 100, of a word with letters or digits, at least: below are specks and the rest of a rule."""

_SURE_OF_SIGNS: Final = 70.0
"""The same for a word of signs only."""

_MOST_CELLS: Final = 60
_TALLEST: Final = 8.0
_MOST_PIXELS: Final = 8_000_000
"""Cells that are read again, their height in heights of a word, and the pixels of their sheet, at most.

So it takes no longer than another page. Taller cells have pictures, stamps and signatures.
"""

_LARGEST_SCALE: Final = 4.0
"""Pixels of the sheet to one of the original, at most."""

_BLACKEST: Final = 99.5
"""Percentile of the differences from the background that becomes black."""

_NOISE: Final = 0.2
"""Share of that difference that becomes white."""


@dataclass(frozen=True, slots=True)
class CellSheet:
    """Unread cells of a page on one image."""

    image: Gray
    cells: tuple[Cell, ...]
    tops: tuple[int, ...]
    """Upper edge of each cell on the sheet."""
    to_original: tuple[Projective, ...]
    """Maps the sheet to the original's upright pixels, for each cell."""

    def lines_by_cell(self, blocks: Iterable[Block], page: Page) -> dict[int, list[Line]]:
        """Return the lines that were read on the sheet, placed on the original, by the index of their cell."""
        read: dict[int, list[Line]] = {}
        for block in blocks:
            for line in block.lines:
                for number, words in self._by_cell(filter(_is_sure, line.words)).items():
                    box = bounding_box(word.box for word in words)
                    read.setdefault(number, []).append(Line(tuple(words), box))
        return {number: self._placed(lines, number, page) for number, lines in read.items()}

    def _by_cell(self, line: Iterable[Word]) -> dict[int, list[Word]]:
        words: dict[int, list[Word]] = {}
        for word in line:
            number = bisect_right(self.tops, (word.box.top + word.box.bottom) / 2) - 1
            words.setdefault(max(0, number), []).append(word)
        return words

    def _placed(self, lines: Sequence[Line], number: int, page: Page) -> list[Line]:
        placement = Placement(self.to_original[number], self.image.shape, width=page.width, height=page.height)
        block = Block(tuple(lines), bounding_box(line.box for line in lines))
        region = TextRegion((block,), scaling(1.0, 1.0), self.image.shape)
        return [line for each in placement.blocks(region) for line in each.lines]


def _is_sure(word: Word) -> bool:
    if word.confidence is None:
        return True
    return word.confidence >= (_SURE if any(map(str.isalnum, word.text)) else _SURE_OF_SIGNS)


def sheet_of(page: Page, gray: Gray, reduction: int) -> CellSheet | None:
    """Return the unread cells of a page; None if there are none, or too many.

    ``gray`` is the upright original, reduced by ``reduction``.
    """
    heights = [word.height for word in page.words if word.height]
    unread = [cell for table in page.tables or () for cell in table.cells if cell.is_unread]
    if not heights or not 0 < len(unread) <= _MOST_CELLS:
        return None
    unit = median(heights)
    scale = min(max(1 / reduction, _HEIGHT / unit), _LARGEST_SCALE)
    cells = tuple(_that_fit(unread, unit, scale))
    if not cells:
        return None
    cut = [_cut_out(cell, gray, reduction, unit, scale) for cell in cells]
    tops = list(accumulate((len(image) + 2 * _PADDING for image, _ in cut), initial=0))
    sheet = np.full((tops[-1], max(image.shape[1] for image, _ in cut) + 2 * _PADDING), 255, np.uint8)
    maps = []
    for top, (image, to_original) in zip(tops, cut, strict=False):
        rows, columns = image.shape
        sheet[top + _PADDING : top + _PADDING + rows, _PADDING : _PADDING + columns] = image
        maps.append(to_original @ np.array([[1.0, 0.0, -_PADDING], [0.0, 1.0, -top - _PADDING], [0.0, 0.0, 1.0]]))
    return CellSheet(sheet, cells, tuple(tops[:-1]), tuple(maps))


def _that_fit(cells: Iterable[Cell], unit: float, scale: float) -> Iterator[Cell]:
    """Yield cells that are not too tall, as many as fit on a sheet below each other."""
    width = height = 0.0
    for cell in cells:
        along, down = _size(cell)
        wider, taller = max(width, along * scale + 2 * _PADDING), height + down * scale + 2 * _PADDING
        if down <= _TALLEST * unit and wider * taller <= _MOST_PIXELS:
            width, height = wider, taller
            yield cell


def _size(cell: Cell) -> tuple[float, float]:
    """Return width and height of a cell in pixels of the original, along its edges."""
    x, y, right_x, right_y, _, _, left_x, left_y = cell.corners
    return math.hypot(right_x - x, right_y - y), math.hypot(left_x - x, left_y - y)


def _cut_out(cell: Cell, gray: Gray, reduction: int, unit: float, scale: float) -> tuple[Gray, Projective]:
    """Return the inside of a cell, black on white, and the map from it to the original."""
    corners: Points = np.array(cell.corners, np.float64).reshape(4, 2)
    along, down = _size(cell)
    width, height = max(2, round(along * scale)), max(2, round(down * scale))
    whole: Points = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    margin = min(round(_MARGIN * unit * scale), (min(width, height) - 2) // 2)
    to_original = between(whole, corners) @ np.array([[1.0, 0.0, margin], [0.0, 1.0, margin], [0.0, 0.0, 1.0]])
    to_gray = as_projective(scaling(1 / reduction, 1 / reduction)) @ to_original
    image = warped(gray, to_gray, (width - 2 * margin, height - 2 * margin), 255)
    return _black_on_white(image), to_original


def _black_on_white(image: Gray) -> Gray:
    """Return how far each pixel is from the background, whether print is darker or lighter."""
    background = int(np.median(image))
    difference = cv2.absdiff(image, background).astype(np.float32)  # type: ignore[call-overload]
    most = max(1.0, float(np.percentile(difference, _BLACKEST)))
    ink = (difference / most - _NOISE) / (1 - _NOISE)
    return np.asarray(255 * (1 - np.clip(ink, 0, 1)), np.uint8)


def with_cells_read(page: Page, sheet: CellSheet, blocks: Iterable[Block]) -> Page:
    """Return a page with the lines that were read in its cells, each after the text of the cell before it.

    ``blocks`` were read on the sheet. The tables must be found again after that.
    """
    by_line: dict[int, list[Line]] = {}
    lines_of_words = [number for number, line in enumerate(page.lines) for _ in line.words]
    for number, lines in sheet.lines_by_cell(blocks, page).items():
        by_line.setdefault(lines_of_words[_word_before(sheet.cells[number], page)], []).extend(lines)
    return replace(page, blocks=tuple(_with_lines(page, by_line)))


def _word_before(cell: Cell, page: Page) -> int:
    """Return the index of the last word of the cells before this one; of the first after it if there is none.

    A table has words.
    """
    table = next(table for table in page.tables or () if cell in table.cells)
    at = table.cells.index(cell)
    before = [word for other in table.cells[:at] for word in other.words[-1:]]
    after = [word for other in table.cells[at:] for word in other.words[:1]]
    return before[-1] if before else after[0]


def _with_lines(page: Page, by_line: dict[int, list[Line]]) -> Iterator[Block]:
    """Yield the blocks with further lines after those of these numbers, in the same paragraphs."""
    number = 0
    for block in page.blocks:
        lines: list[Line] = []
        for line in block.lines:
            lines.append(line)
            lines += [replace(new, paragraph=line.paragraph) for new in by_line.get(number, ())]
            number += 1
        box = bounding_box(line.box for line in lines) if len(lines) > len(block.lines) else block.box
        yield replace(block, lines=tuple(lines), box=box)
