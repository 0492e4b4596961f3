"""The order in which lines are read that were found one by one: columns before rows, rows from top to bottom.

A white gap that runs down between two columns of running text parts them (after the recursive X-Y cut of Nagy and Seth,
1984); lines that lie across the gap, such as a heading or a foot, part what stands above them from what stands below.
Columns of figures are no columns of text: their rows are read across.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ocrwatch.document import Block, Line
from ocrwatch.recognise.rows import around, band_of, joined, rows_of

_RUNNING = 7.0
"""Times its height that the middling line of a column of text is long: some 15 letters. Prices have 2 to 4."""

_FEWEST = 3
"""Lines that a column has."""

_GUTTER = 0.8
"""Width of the gap between columns, in heights of their lines."""

_MOST_ACROSS = 0.5
"""Lines across the gap for each line of the shorter column; more, and there is no gap."""

_PARAGRAPH = 1.0
"""Gap between rows from which a new block begins, in heights of their lines."""

Row = list[Line]
"""Pieces of a row, in no order."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Two columns, and what lies across the gap between them."""

    left: list[Line]
    right: list[Line]
    across: list[Line]
    gap: float

    @property
    def worth(self) -> tuple[int, float]:
        """The better, the higher: first as few lines across as possible, then the widest gap."""
        return -len(self.across), self.gap


def in_reading_order(lines: Sequence[Line]) -> tuple[Block, ...]:
    """Put lines into rows, and rows into blocks. Boxes are level: the page was not crooked, or it was turned."""
    return tuple(
        Block(tuple(rows), around(row.box for row in rows))
        for part in parts_of(lines)
        for rows in _blocks([joined(row) for row in part])
    )


def parts_of(lines: Sequence[Line]) -> list[list[Row]]:
    """Return the parts of a page in the order in which they are read, as rows from top to bottom."""
    return [rows_of(part) for part in _parts(list(lines)) if part]


def _parts(lines: list[Line]) -> Iterator[list[Line]]:
    columns = _columns(lines)
    if columns is None:
        yield lines
        return
    # What lies across is in the way only where it is: above, between and below are columns of their own.
    left, right = columns.left, columns.right
    for row in [*rows_of(columns.across), None]:
        end = float("inf") if row is None else min(band_of(piece.words).middle for piece in row)
        for column in (left, right):
            yield from _parts([line for line in column if band_of(line.words).middle < end])
        left, right = ([line for line in column if band_of(line.words).middle >= end] for column in (left, right))
        if row is not None:
            yield row


def _columns(lines: list[Line]) -> _Columns | None:
    """Find the best gap between two columns of running text; None if there is none."""
    if len(lines) < 2 * _FEWEST:
        return None
    gutter = _GUTTER * median(band_of(line.words).height for line in lines)
    length = {id(line): (line.box.right - line.box.left) / band_of(line.words).height for line in lines}
    tried = (_parted(lines, start, length) for start in sorted({line.box.left for line in lines}))
    found = [columns for columns in tried if columns is not None and columns.gap >= gutter]
    return max(found, key=lambda columns: columns.worth, default=None)


def _parted(lines: list[Line], start: int, length: Mapping[int, float]) -> _Columns | None:
    """Part lines where a column may begin; None if either side is no column, or too much lies across.

    ``length`` has that of each line in its own heights, by the line's identity.
    """
    right = [line for line in lines if line.box.left >= start]
    left = [line for line in lines if line.box.right < start]
    shorter = min(len(left), len(right))
    if shorter < _FEWEST or len(lines) - len(left) - len(right) > _MOST_ACROSS * shorter:
        return None
    # Only running text is read before what stands beside it.
    if any(median(length[id(line)] for line in side) < _RUNNING for side in (left, right)):
        return None
    across = [line for line in lines if line.box.right >= start > line.box.left]
    return _Columns(left, right, across, start - max(line.box.right for line in left))


def _blocks(rows: Sequence[Line]) -> list[list[Line]]:
    """Part rows into blocks where the gap between two is wide."""
    bands = [band_of(row.words) for row in rows]
    height = median(band.height for band in bands)
    groups = [[rows[0]]]
    for (above, below), row in zip(pairwise(bands), rows[1:], strict=True):
        if below.top - above.bottom > _PARAGRAPH * height:
            groups.append([])
        groups[-1].append(row)
    return groups
