"""Makes one page of two readings of it: the first one's order and layout, of each line the text with more evidence.

Lines of the two are the same print if they lie in each other's place. One line may be several of the other reading, if
that parts lines at wide gaps: all that hang together are compared at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from ocrwatch.recognise.evidence import evidence
from ocrwatch.values import Block, Box, Line, Word

_SAME_ROW = 0.5
"""Share of the lower line's height that two lines must have in common to stand in one row."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A page of two readings."""

    blocks: tuple[Block, ...]
    replaced: int
    """Lines of the second reading in it."""


@dataclass(frozen=True, slots=True)
class Band:
    """Where most words of a line stand. A line's own box is spoilt by one stroke that was read as a letter."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """In pixels, at least one."""
        return max(1.0, self.bottom - self.top)

    @property
    def middle(self) -> float:
        """How far down it stands."""
        return (self.top + self.bottom) / 2

    def beside(self, other: Band) -> bool:
        """Tell whether both stand in one row."""
        shared = min(self.bottom, other.bottom) - max(self.top, other.top)
        return shared >= _SAME_ROW * min(self.height, other.height)

    def meets(self, other: Band) -> bool:
        """Tell whether both have some columns in common."""
        return min(self.right, other.right) > max(self.left, other.left)


def band_of(words: Sequence[Word]) -> Band:
    """Return the band of a line's words, of which there is at least one."""
    boxes = [word.box for word in words]
    top, bottom = median(box.top for box in boxes), median(box.bottom for box in boxes)
    return Band(min(box.left for box in boxes), top, max(box.right for box in boxes), bottom)


def around(boxes: Iterable[Box]) -> Box:
    """Return the smallest box round others, of which there is at least one."""
    lefts, tops, rights, bottoms = zip(*((box.left, box.top, box.right, box.bottom) for box in boxes), strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def line_of(words: Sequence[Word], paragraph: int = 0) -> Line:
    """Make a line of words in their order."""
    return Line(tuple(words), around(word.box for word in words), paragraph)


def rows_of(lines: Iterable[Line]) -> list[Line]:
    """Join the lines that stand in one row, from left to right; rows from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda each: band_of(each.words).middle):
        band = band_of(line.words)
        row = next((row for row in reversed(rows) if all(_apart(band, band_of(each.words)) for each in row)), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    ordered = (sorted(row, key=lambda each: each.box.left) for row in rows)
    return [line_of([word for line in row for word in line.words]) for row in ordered]


def _apart(band: Band, other: Band) -> bool:
    return band.beside(other) and not band.meets(other)


def merged(first: Sequence[Block], second: Sequence[Line], least_alone: float) -> Merged:
    """Merge the second reading's lines into the first one's blocks; all boxes are in the same pixels.

    A line that only the first reading has is left out if its confidence is less than ``least_alone``: the second one
    has looked there and seen no print.
    """
    slots = [[[line] for line in block.lines] for block in first]
    places = [(block, line) for block, lines in enumerate(slots) for line in range(len(lines))]
    bands = [band_of(first[block].lines[line].words) for block, line in places]
    new_bands = [band_of(line.words) for line in second]
    replaced, alone = 0, []
    for olds, news in _groups(bands, new_bands):
        mine = [first[places[at][0]].lines[places[at][1]] for at in olds]
        others = [second[at] for at in news]
        if not olds:
            alone += others
            continue
        if not news:
            for at, line in zip(olds, mine, strict=True):
                if (line.confidence or 0.0) < least_alone:
                    slots[places[at][0]][places[at][1]] = []
            continue
        if _evidence(others) <= _evidence(mine):
            continue
        for at in olds:
            slots[places[at][0]][places[at][1]] = []
        for at, line in zip(news, others, strict=True):
            nearest = min(olds, key=lambda old: abs(bands[old].middle - new_bands[at].middle))
            slots[places[nearest][0]][places[nearest][1]].append(line)
            replaced += 1
    blocks = [
        [
            replace(row, paragraph=line.paragraph)
            for line, slot in zip(block.lines, lines, strict=True)
            for row in (slot if slot == [line] else rows_of(slot))
        ]
        for block, lines in zip(first, slots, strict=True)
    ]
    for line in rows_of(alone):
        _insert(blocks, line)
    return Merged(
        tuple(Block(tuple(lines), around(line.box for line in lines)) for lines in blocks if lines),
        replaced + len(alone),
    )


def _evidence(lines: Iterable[Line]) -> float:
    return evidence(itertools.chain.from_iterable(line.words for line in lines))


def _groups(first: Sequence[Band], second: Sequence[Band]) -> list[tuple[list[int], list[int]]]:
    """Return the lines of either reading, by number, that hang together because they lie in each other's place."""
    group = list(range(len(first) + len(second)))

    def root(at: int) -> int:
        while group[at] != at:
            at = group[at]
        return at

    for old, band in enumerate(first):
        for new, other in enumerate(second):
            if band.beside(other) and band.meets(other):
                group[root(len(first) + new)] = root(old)
    found: dict[int, tuple[list[int], list[int]]] = {}
    for at in range(len(group)):
        olds, news = found.setdefault(root(at), ([], []))
        if at < len(first):
            olds.append(at)
        else:
            news.append(at - len(first))
    return list(found.values())


def _insert(blocks: list[list[Line]], line: Line) -> None:
    """Put a line that only the second reading has below the line that stands over it, else above the one below."""
    band = band_of(line.words)
    above: tuple[float, int, int] | None = None
    below: tuple[float, int, int] | None = None
    for number, lines in enumerate(blocks):
        for at, other in enumerate(lines):
            place = band_of(other.words)
            if not band.meets(place):
                continue
            distance = band.middle - place.middle
            if distance >= 0 and (above is None or distance < above[0]):
                above = distance, number, at
            elif distance < 0 and (below is None or -distance < below[0]):
                below = -distance, number, at
    if above is not None:
        _, number, at = above
        blocks[number].insert(at + 1, replace(line, paragraph=blocks[number][at].paragraph))
    elif below is not None:
        _, number, at = below
        blocks[number].insert(at, replace(line, paragraph=blocks[number][at].paragraph))
    else:
        tops = (at for at, lines in enumerate(blocks) if lines and lines[0].box.top > band.middle)
        blocks.insert(next(tops, len(blocks)), [line])
