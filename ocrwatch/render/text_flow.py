"""Divides the words of a page between its tables and the text around them.

A format that shows tables as tables neither repeats their words as text nor loses one. A table stands where its first
word stands in the order of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from ocrwatch.document import UNPLACED, Baseline, Block, Box, Cell, Line, Page, Table, Word, bounding_box


def text_flow(page: Page) -> Iterator[Block | Table]:
    """Return tables, and blocks of the words that are in none, in reading order.

    Without tables these are the page's blocks. A block is divided if a table begins within it. Tables without words
    come last.
    """
    if not page.tables:
        yield from page.blocks
        return
    in_tables = [(table, {at for cell in table.cells for at in cell.words}) for table in page.tables]
    owned = {at for _, numbers in in_tables for at in numbers}
    begins = {min(numbers): table for table, numbers in in_tables if numbers}
    counter = count()
    for block in page.blocks:
        lines: list[Line] = []
        for line in block.lines:
            words: list[Word] = []
            # In this order: the counter must not be asked for a number after the last word.
            for word, at in zip(line.words, counter, strict=False):
                if at in begins:
                    yield from _divided(block, [*lines, *_divided_line(line, words)])
                    lines, words = [], []
                    yield begins[at]
                if at not in owned:
                    words.append(word)
            lines += _divided_line(line, words)
        yield from _divided(block, lines)
    yield from (table for table, numbers in in_tables if not numbers)


def lines_of_cells(page: Page, table: Table) -> tuple[tuple[Line, ...], ...]:
    """Return for each cell of a table the parts of the page's lines that are in it."""
    words = [(number, line, word) for number, line in enumerate(page.lines) for word in line.words]

    def lines_of(cell: Cell) -> tuple[Line, ...]:
        found: dict[int, tuple[Line, list[Word]]] = {}
        for at in cell.words:
            number, line, word = words[at]
            found.setdefault(number, (line, []))[1].append(word)
        return tuple(_part(line, inside) for line, inside in found.values())

    return tuple(map(lines_of, table.cells))


def _divided(block: Block, lines: Sequence[Line]) -> Iterator[Block]:
    """Return a block with some of its lines; nothing if there are none."""
    if tuple(lines) == block.lines:
        yield block
    elif lines:
        yield Block(tuple(lines), bounding_box(line.box for line in lines))


def _divided_line(line: Line, words: Sequence[Word]) -> list[Line]:
    """Return a line with some of its words; nothing if there are none."""
    return [_part(line, words)] if words else []


def _part(line: Line, words: Sequence[Word]) -> Line:
    """Return a line with some of its words, and the part of its baseline that is under them."""
    if tuple(words) == line.words:
        return line
    box = bounding_box(word.box for word in words)
    baseline = None if line.baseline is None else _part_of_baseline(line.baseline, box)
    return replace(line, words=tuple(words), box=box, baseline=baseline)


def _part_of_baseline(line: Baseline, box: Box) -> Baseline:
    along_x, along_y = line.x1 - line.x0, line.y1 - line.y0
    square = along_x**2 + along_y**2
    if box == UNPLACED or not square:
        return line
    corners = [(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)]
    shares = [((x - line.x0) * along_x + (y - line.y0) * along_y) / square for x, y in corners]
    begin, end = (min(max(share, 0.0), 1.0) for share in (min(shares), max(shares)))
    if begin == end:
        return line
    points = [(line.x0 + share * along_x, line.y0 + share * along_y) for share in (begin, end)]
    return Baseline(*points[0], *points[1])
