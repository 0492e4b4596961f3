"""Reads the cells of tables that have print and no text, all in one pass.

Tesseract loses cells that are shaded, or that stand between rules close by. Each is cut out of the original without its
rules, made black on white, and put below the others on one sheet.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate
from statistics import median
from typing import Final

import cv2
import numpy as np

from ocrwatch.document import Block, Cell, Line, Page, Table, Word, bounding_box
from ocrwatch.recognise.affine import box_of, scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.projective import Points, Projective, as_projective, between, mapped, warped

_HEIGHT: Final = 32.0
"""Pixels of the sheet that a word is tall, at least: print in cells is small, and larger than usual reads better."""

_MARGIN: Final = 0.2
"""How much of a cell's edges is left out, in heights of a word: rules are there."""

_PADDING: Final = 20
"""White pixels around each cell on the sheet."""

_SURE: Final = 50.0
"""Confidence, 0 to 100, of a word, at least: below are specks and the rest of a rule."""

_MOST_CELLS: Final = 60
"""Cells that are read again, at most: a page with more is a drawing."""

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

    def words_by_cell(self, blocks: Iterable[Block], page: Page) -> dict[int, list[list[Word]]]:
        """Return the lines that were read on the sheet, placed on the original, by the index of their cell."""
        found: dict[int, list[list[Word]]] = {}
        for block in blocks:
            for line in block.lines:
                for number, words in self._by_cell(line).items():
                    found.setdefault(number, []).append([self._placed(word, number, page) for word in words])
        return found

    def _by_cell(self, line: Line) -> dict[int, list[Word]]:
        words: dict[int, list[Word]] = {}
        for word in line.words:
            if word.confidence is not None and word.confidence < _SURE:
                continue
            number = bisect_right(self.tops, (word.box.top + word.box.bottom) / 2) - 1
            words.setdefault(max(0, number), []).append(word)
        return words

    def _placed(self, word: Word, number: int, page: Page) -> Word:
        box = word.box
        corners: Points = np.array(
            [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)], np.float64
        )
        points = mapped(corners, self.to_original[number])
        xs, ys = points.T.tolist()
        sides = np.linalg.norm(np.diff(points, axis=0), axis=1).tolist()
        return replace(
            word,
            box=box_of(xs, ys, width=page.width, height=page.height),
            width=round(sides[0], 1),
            height=round(sides[1], 1),
        )


def sheet_of(page: Page, gray: Gray, reduction: int) -> CellSheet | None:
    """Return the unread cells of a page; None if there are none, or too many.

    ``gray`` is the upright original, reduced by ``reduction``.
    """
    cells = tuple(cell for table in page.tables or () for cell in table.cells if cell.is_unread)
    heights = [word.height for word in page.words if word.height]
    if not heights or not 0 < len(cells) <= _MOST_CELLS:
        return None
    unit = median(heights)
    cut = [_cut_out(cell, gray, reduction, unit) for cell in cells]
    tops = list(accumulate((len(image) + 2 * _PADDING for image, _ in cut), initial=0))
    sheet = np.full((tops[-1], max(image.shape[1] for image, _ in cut) + 2 * _PADDING), 255, np.uint8)
    maps = []
    for top, (image, to_original) in zip(tops, cut, strict=False):
        rows, columns = image.shape
        sheet[top + _PADDING : top + _PADDING + rows, _PADDING : _PADDING + columns] = image
        maps.append(to_original @ np.array([[1.0, 0.0, -_PADDING], [0.0, 1.0, -top - _PADDING], [0.0, 0.0, 1.0]]))
    return CellSheet(sheet, cells, tuple(tops[:-1]), tuple(maps))


def _cut_out(cell: Cell, gray: Gray, reduction: int, unit: float) -> tuple[Gray, Projective]:
    """Return the inside of a cell, black on white, and the map from it to the original."""
    corners: Points = np.array(cell.corners, np.float64).reshape(4, 2)
    along, down = (float(np.linalg.norm(corners[at] - corners[0])) for at in (1, 3))
    scale = max(1 / reduction, _HEIGHT / unit)
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
    read = sheet.words_by_cell(blocks, page)
    by_line: dict[int, list[Line]] = {}
    lines_of_words = [number for number, line in enumerate(page.lines) for _ in line.words]
    for number, lines in read.items():
        cell = sheet.cells[number]
        table = next(table for table in page.tables or () if cell in table.cells)
        after = _word_before(cell, table)
        line = lines_of_words[after] if after is not None else -1
        by_line.setdefault(line, []).extend(
            Line(tuple(words), bounding_box(word.box for word in words)) for words in lines
        )
    return replace(page, blocks=tuple(_with_lines(page, by_line)))


def _word_before(cell: Cell, table: Table) -> int | None:
    """Return the index of the last word of the cells before this one; that of the first after it if there is none."""
    at = table.cells.index(cell)
    before = [word for other in table.cells[:at] for word in other.words[-1:]]
    after = [word for other in table.cells[at:] for word in other.words[:1]]
    return before[-1] if before else next(iter(after), None)


def _with_lines(page: Page, by_line: dict[int, list[Line]]) -> Iterable[Block]:
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
