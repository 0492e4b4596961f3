"""Reads the cells of tables with print that was not read, all in one pass.

Tesseract loses cells that are shaded, or that stand between rules close by. It reads two lines of a cell as one if the
cell beside has one line, in the middle of their height. Each cell is cut out of the original without its rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from ocrwatch.document import UNPLACED, Block, Cell, Line, Page, Word, bounding_box
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

    The lines of a cell without words are after the line with the text of the cell before it. ``blocks`` were read on
    the sheet. The tables must be found again after that.
    """
    new = _NewLines({}, {}, set())
    for number, lines in sheet.sheet.lines_by_place(blocks, page).items():
        cell = sheet.cells[number]
        if not cell.words:
            new.after.setdefault(_word_before(cell, page), []).extend(lines)
        elif _is_better(lines, cell):
            new.instead.setdefault(min(cell.words), []).extend(lines)
            new.replaced.update(cell.words)
    return replace(page, blocks=tuple(_with_lines(page, new)))


@dataclass(frozen=True, slots=True)
class _NewLines:
    """Lines by the index of a word of the page."""

    instead: dict[int, list[Line]]
    """In place of this word."""
    after: dict[int, list[Line]]
    """After the line of this word."""
    replaced: set[int]
    """Indices of the words that are left out."""


def _is_better(lines: Iterable[Line], cell: Cell) -> bool:
    """Return whether lines have the words of a cell and more, or as many letters of which the engine is not less sure.

    Otherwise they replace nothing: text that was read well would be lost.
    """
    words = Line(tuple(word for line in lines for word in line.words), UNPLACED)
    if _count_letters(words.text) < _count_letters(cell.text):
        return False
    if not Counter(cell.text.split()) - Counter(words.text.split()):
        return _count_letters(words.text) > _count_letters(cell.text)
    return words.confidence is None or cell.confidence is None or words.confidence >= cell.confidence


def _count_letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _word_before(cell: Cell, page: Page) -> int:
    """Return the index of the last word of the cells before this one; of the first after it if there is none.

    A table has words.
    """
    table = next(table for table in page.tables or () if cell in table.cells)
    at = table.cells.index(cell)
    before = [word for other in table.cells[:at] for word in other.words[-1:]]
    after = [word for other in table.cells[at:] for word in other.words[:1]]
    return before[-1] if before else after[0]


def _with_lines(page: Page, new: _NewLines) -> Iterator[Block]:
    """Yield the blocks with new lines, in the paragraphs of the lines that they are in or after.

    A line is divided where words in it are replaced.
    """
    index = 0
    for block in page.blocks:
        lines: list[Line] = []
        for line in block.lines:
            words = dict(enumerate(line.words, index))
            index += len(words)
            lines += _divided(line, words, new)
            lines += (replace(each, paragraph=line.paragraph) for at in words for each in new.after.get(at, ()))
        if tuple(lines) == block.lines:
            yield block
        elif lines:
            yield Block(tuple(lines), bounding_box(line.box for line in lines))


def _divided(line: Line, words: Mapping[int, Word], new: _NewLines) -> Iterator[Line]:
    """Yield a line, and what is in place of words in it; ``words`` are its words by their indices."""
    if new.replaced.isdisjoint(words):
        yield line
        return
    kept: list[Word] = []
    for at, word in words.items():
        if at in new.instead and kept:
            yield _part(line, kept)
            kept = []
        yield from (replace(each, paragraph=line.paragraph) for each in new.instead.get(at, ()))
        if at not in new.replaced:
            kept.append(word)
    if kept:
        yield _part(line, kept)


def _part(line: Line, words: Sequence[Word]) -> Line:
    return replace(line, words=tuple(words), box=bounding_box(word.box for word in words))
