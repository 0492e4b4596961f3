"""Reads the cells of tables with print that was not read, all in one pass.

Tesseract loses cells that are shaded, or that stand between rules close by. It reads two lines of a cell as one if the
cell beside has one line, in the middle of their height. Each cell is cut out of the original without its rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from ocrwatch.document import UNPLACED, Block, Cell, Line, Page, bounding_box
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.sheets import Sheet, sheet_of_places, sheet_scale, size_of, that_fit

_MARGIN: Final = 0.2
"""How much of a cell's edges is left out, in heights of a word: rules are there."""

_MOST_CELLS: Final = 60
_TALLEST: Final = 8.0
"""Cells that are read again, and their height in heights of a word, at most.

Taller cells have pictures, stamps and signatures.
"""


@dataclass(frozen=True, slots=True)
class CellSheet:
    """Unread cells of a page on one image."""

    sheet: Sheet
    cells: tuple[Cell, ...]


def sheet_of(page: Page, gray: Gray, reduction: int) -> CellSheet | None:
    """Return the unread cells of a page; None if there are none, or too many.

    ``gray`` is the upright original, reduced by ``reduction``.
    """
    heights = [word.height for word in page.words if word.height]
    unread = [cell for table in page.tables or () for cell in table.cells if cell.is_unread]
    if not heights or not 0 < len(unread) <= _MOST_CELLS:
        return None
    unit = median(heights)
    scale = sheet_scale(reduction, unit)
    low = [cell for cell in unread if size_of(cell.corners)[1] <= _TALLEST * unit]
    cells = tuple(low[number] for number in that_fit([cell.corners for cell in low], scale))
    if not cells:
        return None
    places = [cell.corners for cell in cells]
    return CellSheet(sheet_of_places(places, gray, reduction, scale, _MARGIN * unit), cells)


def with_cells_read(page: Page, sheet: CellSheet, blocks: Iterable[Block]) -> Page:
    """Return a page with the lines that were read in its cells, instead of the words of these cells.

    The lines of a cell without words are after the text of the cell before it. ``blocks`` were read on the sheet. The
    tables must be found again after that.
    """
    by_line: dict[int, list[Line]] = {}
    replaced: set[int] = set()
    lines_of_words = [number for number, line in enumerate(page.lines) for _ in line.words]
    for number, lines in sheet.sheet.lines_by_place(blocks, page).items():
        cell = sheet.cells[number]
        if not _is_better(lines, cell):
            continue
        replaced.update(cell.words)
        by_line.setdefault(lines_of_words[_word_before(cell, page)], []).extend(lines)
    return replace(page, blocks=tuple(_with_lines(page, by_line, replaced)))


def _is_better(lines: Iterable[Line], cell: Cell) -> bool:
    """Return whether lines have more letters than the text of a cell, or as many of which the engine is not less sure.

    Fewer letters replace nothing: part of the text would be lost.
    """
    words = Line(tuple(word for line in lines for word in line.words), UNPLACED)
    more = _count_letters(words.text) - _count_letters(cell.text)
    if words.confidence is None or cell.confidence is None:
        return more >= 0
    return more > 0 or (more == 0 and words.confidence >= cell.confidence)


def _count_letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _word_before(cell: Cell, page: Page) -> int:
    """Return the index of the first word of a cell.

    If it has none, that of the last word of the cells before this one; of the first after it if there is none. A table
    has words.
    """
    if cell.words:
        return min(cell.words)
    table = next(table for table in page.tables or () if cell in table.cells)
    at = table.cells.index(cell)
    before = [word for other in table.cells[:at] for word in other.words[-1:]]
    after = [word for other in table.cells[at:] for word in other.words[:1]]
    return before[-1] if before else after[0]


def _with_lines(page: Page, by_line: Mapping[int, Sequence[Line]], replaced: AbstractSet[int]) -> Iterator[Block]:
    """Yield the blocks with further lines beside those of these numbers, in the same paragraphs.

    Words with the indices ``replaced`` are left out. Lines that replace the first words of a line are before the rest
    of it, as a label is before its numbers; others are after it.
    """
    number = index = 0
    for block in page.blocks:
        lines: list[Line] = []
        for line in block.lines:
            new = [replace(each, paragraph=line.paragraph) for each in by_line.get(number, ())]
            kept = tuple(word for at, word in enumerate(line.words, index) if at not in replaced)
            rest = [line]
            if len(kept) < len(line.words):
                rest = [replace(line, words=kept, box=bounding_box(word.box for word in kept))] if kept else []
            lines += [*new, *rest] if index in replaced else [*rest, *new]
            index += len(line.words)
            number += 1
        if lines:
            yield (
                block if tuple(lines) == block.lines else Block(tuple(lines), bounding_box(line.box for line in lines))
            )
