"""Merges two OCR results of a page line by line, by evidence.

The order and layout are those of the first result. Lines of both results match if they lie in the same place. One line
may match several lines of the other result if that splits lines at wide gaps, so connected groups of lines are
compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ocrwatch.document import Block, Line, bounding_box
from ocrwatch.recognise.evidence import evidence
from ocrwatch.recognise.layout import Row, in_reading_order, parts_of
from ocrwatch.recognise.rows import Band, band_of, joined, rows_of


@dataclass(frozen=True, slots=True)
class Merged:
    """A page that was merged from two OCR results."""

    blocks: tuple[Block, ...]
    replaced: int
    """Number of lines with text of the second result."""


@dataclass(slots=True)
class _Slot:
    """The place of one line of the first result."""

    old: Line
    band: Band
    pieces: list[Line]
    """Current content: the line itself, pieces of the second result, or nothing."""

    def rows(self) -> list[Line]:
        """Return the content as lines in the paragraph of the original line."""
        return [
            row[0] if row == [self.old] else replace(joined(row), paragraph=self.old.paragraph)
            for row in rows_of(self.pieces)
        ]


def merged(first: Sequence[Block], second: Sequence[Line], least_alone: float, skipped: Sequence[Band] = ()) -> Merged:
    """Merge the lines of the second result into the blocks of the first.

    All boxes are in the same pixels. A line that only the first result has is dropped if its confidence is less than
    ``least_alone`` (0 to 100): the second reader saw no text there. Lines in ``skipped``, which it has not read, are
    kept.
    """
    if not any(block.lines for block in first):
        blocks_of_second = in_reading_order(second)
        return Merged(blocks_of_second, sum(len(block.lines) for block in blocks_of_second))
    blocks = [[_Slot(line, band_of(line.words), [line]) for line in block.lines] for block in first]
    slots = list(itertools.chain.from_iterable(blocks))
    places: dict[int, _Slot] = {}
    """Slot of each line of the second result, by its ``id``."""
    for olds, news in _groups(slots, second):
        if not news:
            for slot in olds:
                known = any(slot.band.same_row(band) and slot.band.overlaps_horizontally(band) for band in skipped)
                slot.pieces = [slot.old] if known or (slot.old.confidence or 0.0) >= least_alone else []
        elif olds:
            places |= {id(line): _nearest(olds, line) for line in news}
            if _evidence(news) > _evidence(slot.old for slot in olds):
                for slot in olds:
                    slot.pieces = [line for line in news if places[id(line)] is slot]
    alone = [row for part in parts_of(second) for row in part if not _joins(row, places)]
    pages = [[_MergedLine(line) for slot in slots for line in slot.rows()] for slots in blocks]
    for row in alone:
        _insert(pages, row)
    old = {id(slot.old) for slot in slots}
    lines = [[line.line for line in page] for page in pages if page]
    return Merged(
        tuple(Block(tuple(each), bounding_box(line.box for line in each)) for each in lines),
        sum(id(line) not in old for each in lines for line in each),
    )


def _joins(row: Row, places: dict[int, _Slot]) -> bool:
    """Add the pieces of a row that match no slot to the nearest slot of the same row.

    Returns whether any piece of the row matches a slot.
    """
    known = [(line, places[id(line)]) for line in row if id(line) in places]
    for line in row if known else ():
        if id(line) not in places:
            _, slot = min(known, key=lambda each: abs(each[0].box.left - line.box.left))
            slot.pieces.append(line)
    return bool(known)


def _nearest(olds: Sequence[_Slot], line: Line) -> _Slot:
    """Return the slot nearest to a line; of two equally near, the less tall one.

    A tall box is usually a long stroke that was read as text.
    """
    middle = band_of(line.words).middle
    return min(olds, key=lambda slot: (abs(slot.band.middle - middle), slot.band.height))


def _evidence(lines: Iterable[Line]) -> float:
    return evidence(itertools.chain.from_iterable(line.words for line in lines))


def _groups(first: Sequence[_Slot], second: Sequence[Line]) -> list[tuple[list[_Slot], list[Line]]]:
    """Return the connected groups of lines of both results that lie in the same place."""
    group = list(range(len(first) + len(second)))

    def root(at: int) -> int:
        while group[at] != at:
            at = group[at]
        return at

    bands = [band_of(line.words) for line in second]
    for old, slot in enumerate(first):
        for new, band in enumerate(bands, len(first)):
            if slot.band.same_row(band) and slot.band.overlaps_horizontally(band):
                group[root(new)] = root(old)
    found: dict[int, tuple[list[_Slot], list[Line]]] = {}
    for at in range(len(group)):
        olds, news = found.setdefault(root(at), ([], []))
        if at < len(first):
            olds.append(first[at])
        else:
            news.append(second[at - len(first)])
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _MergedLine:
    """A line of the merged page."""

    line: Line
    band: Band = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "band", band_of(self.line.words))


class _Position(NamedTuple):
    """Position of a line that only the second result has."""

    block: int
    at: int | None
    """Index of the line before which it is inserted; None if it becomes a block of its own before ``block``."""
    paragraph: int


def _insert(blocks: list[list[_MergedLine]], row: Row) -> None:
    """Insert a row that only the second result has.

    Pieces that belong to different columns become separate lines.
    """
    pieces = [joined(row)] if len({_position(blocks, _MergedLine(line)) for line in row}) == 1 else row
    for line in pieces:
        position = _position(blocks, _MergedLine(line))
        if position.at is None:
            blocks.insert(position.block, [_MergedLine(line)])
        else:
            blocks[position.block].insert(position.at, _MergedLine(replace(line, paragraph=position.paragraph)))


def _position(blocks: Sequence[Sequence[_MergedLine]], new: _MergedLine) -> _Position:
    """Return the position of a new line.

    It is below the nearest line above it, otherwise above the nearest line below it, otherwise between two blocks.
    """
    band = new.band
    above: tuple[float, _Position] | None = None
    below: tuple[float, _Position] | None = None
    for number, lines in enumerate(blocks):
        for at, other in enumerate(lines):
            if not band.overlaps_horizontally(other.band):
                continue
            distance = band.middle - other.band.middle
            if distance >= 0 and (above is None or distance < above[0]):
                above = distance, _Position(number, at + 1, other.line.paragraph)
            elif distance < 0 and (below is None or -distance < below[0]):
                below = -distance, _Position(number, at, other.line.paragraph)
    if nearest := above or below:
        return nearest[1]
    later = (number for number, lines in enumerate(blocks) if lines and lines[0].line.box.top > band.middle)
    return _Position(next(later, len(blocks)), None, new.line.paragraph)
