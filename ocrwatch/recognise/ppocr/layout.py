"""The order in which lines are read that were found one by one: rows from top to bottom, columns before rows.

Cuts a page alternately where a white gap runs down between columns of running text and where it runs across (the
recursive X-Y cut of Nagy and Seth, 1984). Columns of figures are no columns of text: their rows are read across.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ocrwatch.recognise.merging import around, band_of, rows_of
from ocrwatch.values import Block, Line

_RUNNING = 7.0
"""Times its height that the middling line of a column of text is long: some 15 letters. Prices have 2 to 4."""

_FEWEST = 3
"""Lines that a column has."""

_GUTTER = 0.8
"""Width of the gap between columns, in heights of their lines."""

_PARAGRAPH = 1.0
"""Gap between rows from which a new block begins, in heights of their lines."""


def in_reading_order(lines: Sequence[Line]) -> tuple[Block, ...]:
    """Put lines into rows, and rows into blocks. Boxes are level: the page was not crooked, or they were turned."""
    blocks: list[Block] = []
    for part in _parts(list(lines)):
        blocks += _blocks(rows_of(part))
    return tuple(blocks)


def _parts(lines: list[Line]) -> list[list[Line]]:
    """Return the parts of a page in reading order, each to be read in rows."""
    if len(lines) < 2 * _FEWEST:
        return [lines] if lines else []
    height = median(band_of(line.words).height for line in lines)
    for columns in (_cut_down(lines, _GUTTER * height), _cut_across(lines, height)):
        if columns is not None:
            return [part for column in columns for part in _parts(column)]
    return [lines]


def _cut_down(lines: list[Line], gutter: float) -> tuple[list[Line], list[Line]] | None:
    """Cut between two columns of running text at the widest gap that runs down all of the part."""
    ordered = sorted(lines, key=lambda line: line.box.left)
    best: tuple[float, int] | None = None
    reach = ordered[0].box.right
    for at, line in enumerate(ordered[1:], 1):
        gap = line.box.left - reach
        if gap >= gutter and (best is None or gap > best[0]) and _is_column(ordered[:at]) and _is_column(ordered[at:]):
            best = gap, at
        reach = max(reach, line.box.right)
    return None if best is None else (ordered[: best[1]], ordered[best[1] :])


def _cut_across(lines: list[Line], height: float) -> tuple[list[Line], list[Line]] | None:
    """Cut below what reaches across the columns, such as a heading, if what is left can then be cut down.

    Only where that helps: else rows are read as they come.
    """
    ordered = sorted(lines, key=lambda line: line.box.top)
    reach = ordered[0].box.bottom
    for at, line in enumerate(ordered[1:], 1):
        if line.box.top >= reach - 0.3 * height:
            above, below = ordered[:at], ordered[at:]
            if any(len(part) >= 2 * _FEWEST and _cut_down(part, _GUTTER * height) for part in (above, below)):
                return above, below
        reach = max(reach, line.box.bottom)
    return None


def _is_column(lines: Sequence[Line]) -> bool:
    """Tell whether lines are running text, so that they are read before what stands beside them."""
    if len(lines) < _FEWEST:
        return False
    return median((line.box.right - line.box.left) / band_of(line.words).height for line in lines) >= _RUNNING


def _blocks(rows: Sequence[Line]) -> list[Block]:
    """Part rows into blocks where the gap between two is wide."""
    if not rows:
        return []
    bands = [band_of(row.words) for row in rows]
    height = median(band.height for band in bands)
    groups = [[rows[0]]]
    for (above, below), row in zip(pairwise(bands), rows[1:], strict=True):
        if below.top - above.bottom > _PARAGRAPH * height:
            groups.append([])
        groups[-1].append(row)
    return [Block(tuple(group), around(row.box for row in group)) for group in groups]
