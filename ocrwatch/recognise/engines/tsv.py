"""Parses Tesseract's TSV output.

One row for each page, block, paragraph, line and word, distinguished by ``level``. Columns: level, page_num, block_num,
par_num, line_num, word_num, left, top, width, height, conf, text.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from ocrwatch.document import Block, Box, Word, bounding_box
from ocrwatch.recognise.rows import line_of

_WORD = 5
_COLUMNS = 12


class _Row(NamedTuple):
    block: int
    paragraph: int
    line: int
    word: Word


def parse(tsv: str) -> tuple[Block, ...]:
    """Return blocks in reading order, with boxes in Tesseract's input pixels.

    Words of white space are dropped, and with them lines and blocks without other words. Boxes of lines and blocks are
    those of their words. Accepts TSV with and without a header; TSV without word rows gives no blocks.
    """
    rows = [row for line in tsv.split("\n") if (row := _row(line)) is not None]
    return tuple(_block(list(group)) for _, group in groupby(rows, key=lambda row: row.block))


def _row(line: str) -> _Row | None:
    columns = line.rstrip("\r").split("\t", _COLUMNS - 1)
    if len(columns) < _COLUMNS or columns[0] != str(_WORD):
        return None
    text = columns[11].strip()
    if not text:
        return None
    block, paragraph, number = (int(column) for column in columns[2:5])
    left, top, width, height = (int(column) for column in columns[6:10])
    confidence = min(max(float(columns[10]), 0.0), 100.0)
    return _Row(block, paragraph, number, Word(text, Box(left, top, left + width, top + height), confidence))


def _block(rows: list[_Row]) -> Block:
    # Tesseract counts paragraphs from 1 within each block.
    lines = [
        line_of([row.word for row in group], paragraph - 1)
        for (paragraph, _), group in groupby(rows, key=lambda row: (row.paragraph, row.line))
    ]
    return Block(tuple(lines), bounding_box(line.box for line in lines))
