"""Reading order of separately detected lines: columns before rows, top to bottom.

A vertical white gap between two columns of running text separates them (after the recursive X-Y cut of Nagy and Seth,
1984). Lines across the gap, such as a heading or a footer, separate the text above from the text below. Columns of
numbers are not text columns: they are read row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ocrwatch.document import Block, Line, bounding_box
from ocrwatch.recognise.rows import band_of, joined, rows_of

_RUNNING = 7.0
"""Minimum median length of the lines of a text column, in line heights: some 15 letters. Prices have 2 to 4."""

_FEWEST = 3
"""Minimum number of lines in a column."""

_GUTTER = 0.8
"""Minimum width of the gap between columns, in line heights."""

_MOST_ACROSS = 0.5
"""Maximum number of lines across the gap, as a share of the lines of the shorter column."""

_PARAGRAPH = 1.0
"""Vertical gap between rows from which a new block begins, in line heights."""

Row = list[Line]
"""The pieces of a row, in no order."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Two columns, and the lines across the gap between them."""

    left: list[Line]
    right: list[Line]
    across: list[Line]
    gap: float

    @property
    def worth(self) -> tuple[int, float]:
        """Sort key; higher is better. Few lines across come first, then a wide gap."""
        return -len(self.across), self.gap


def in_reading_order(lines: Sequence[Line]) -> tuple[Block, ...]:
    """Group lines into rows, and rows into blocks, in reading order.

    The lines must be horizontal: deskewed, or from a page without skew.
    """
    return tuple(
        Block(tuple(rows), bounding_box(row.box for row in rows))
        for part in parts_of(lines)
        for rows in _blocks([joined(row) for row in part])
    )


def parts_of(lines: Sequence[Line]) -> list[list[Row]]:
    """Return the parts of a page in reading order, each as rows from top to bottom."""
    return [rows_of(part) for part in _parts(list(lines)) if part]


def _parts(lines: list[Line]) -> Iterator[list[Line]]:
    columns = _columns(lines)
    if columns is None:
        yield lines
        return
    # A line across is an obstacle only at its own position: the columns above, between and below such lines are
    # separate.
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
    """Split lines at x = ``start``, where a column may begin.

    ``length`` is the length of each line in line heights, by ``id`` of the line. None if one side is not a column, or
    if too many lines lie across.
    """
    right = [line for line in lines if line.box.left >= start]
    left = [line for line in lines if line.box.right < start]
    shorter = min(len(left), len(right))
    if shorter < _FEWEST or len(lines) - len(left) - len(right) > _MOST_ACROSS * shorter:
        return None
    # Only running text is read before the text beside it.
    if any(median(length[id(line)] for line in side) < _RUNNING for side in (left, right)):
        return None
    across = [line for line in lines if line.box.right >= start > line.box.left]
    return _Columns(left, right, across, start - max(line.box.right for line in left))


def _blocks(rows: Sequence[Line]) -> list[list[Line]]:
    """Split rows into blocks at wide vertical gaps."""
    bands = [band_of(row.words) for row in rows]
    height = median(band.height for band in bands)
    groups = [[rows[0]]]
    for (above, below), row in zip(pairwise(bands), rows[1:], strict=True):
        if below.top - above.bottom > _PARAGRAPH * height:
            groups.append([])
        groups[-1].append(row)
    return groups
