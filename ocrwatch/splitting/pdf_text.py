"""Makes blocks, lines and words of the text that a page of a PDF has of its own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from ocrwatch.document import Baseline, Block, Box, Line, Word, bounding_box
from ocrwatch.splitting.pdf_characters import MOST_CHARACTERS, UNKNOWN, Character, Gap, characters, count
from ocrwatch.splitting.pdf_document import PdfPage
from ocrwatch.splitting.pdf_order import PlacedText, is_leftward, is_readable, rows_of

_FEW: Final = 3
_MOST_UNKNOWN: Final = 0.05
"""Share of the characters that may be unknown, if they are more than a few: beyond it, a font has no meaning."""

_MOST_TURNED: Final = 0.5
"""Share of the characters that may be on lines that are not horizontal: beyond it, the page lies on its side."""

_ANOTHER_LINE: Final = 0.7
"""Distance of baselines, in heights of the font, above which a character is on another line; superscripts have less."""

_BACK: Final = 2.0
"""Heights of the font by which a character goes back to the left if it begins another line."""

_PARAGRAPH: Final = 0.55
"""Space between two lines, in heights of their fonts, that divides blocks."""

_OTHER_SIZE: Final = 1.35
"""Ratio of the heights of fonts that divides blocks."""

_SURE: Final = 100.0
"""Confidence: nothing was guessed."""


@dataclass(frozen=True, slots=True)
class OwnText:
    """The text of a page."""

    blocks: tuple[Block, ...]
    unknown: int
    """Characters whose meaning the file does not tell."""


def own_text(page: PdfPage, text: Any, width: int, height: int) -> OwnText | None:
    """Return the text of a page for its image of these pixels; None if there is none that can be relied on."""
    if not 0 < count(text) <= MOST_CHARACTERS:
        return None
    lines = list(_lines(characters(page, text, width, height)))
    found = [character for line in lines for word in line for character in word]
    if not found or sum(not each.is_horizontal for each in found) > _MOST_TURNED * len(found):
        return None
    unknown = sum(each.text == UNKNOWN for each in found)
    if unknown > max(_FEW, _MOST_UNKNOWN * len(found)) or unknown == len(found):
        return None
    ordered = _in_order(lines)
    if ordered is None:
        return None
    placed = [_PlacedLine.of(line, width, height) for line in ordered]
    return OwnText(tuple(_blocks(placed)), unknown)


_Word = list[Character]
_Line = list[_Word]


def _in_order(lines: list[_Line]) -> list[_Line] | None:
    """Return lines in reading order; None if the page does not tell it."""
    horizontal = [line for line in lines if line[0][0].is_horizontal]
    if is_readable([_place_of(itertools.chain.from_iterable(line)) for line in horizontal]):
        return lines
    words = [word for line in horizontal for word in line]
    rows = rows_of([_place_of(word) for word in words])
    if rows is None:
        return None
    others = [line for line in lines if not line[0][0].is_horizontal]
    return [*([words[index] for index in row] for row in rows), *others]


def _place_of(text: Iterable[Character]) -> PlacedText:
    found = list(text)
    return PlacedText(
        min(each.left for each in found),
        max(each.right for each in found),
        median(each.y for each in found),
        median(each.height for each in found),
        any(is_leftward(each.text) for each in found),
    )


@dataclass(slots=True)
class _Gathered:
    """The line that is being gathered."""

    words: _Line = field(default_factory=list)
    is_in_word: bool = False
    is_leftward: bool = False
    """Whether it has letters that are written from the right to the left."""

    @property
    def last(self) -> Character | None:
        return self.words[-1][-1] if self.words else None

    def add(self, character: Character) -> None:
        if not self.is_in_word:
            self.words.append([])
            self.is_in_word = True
        self.words[-1].append(character)
        self.is_leftward = self.is_leftward or is_leftward(character.text)

    def is_ended_by(self, this: Character) -> bool:
        """Return whether a character is on another line."""
        last = self.last
        if last is None:
            return False
        if last.is_horizontal != this.is_horizontal:
            return True
        if not this.is_horizontal:
            return False
        height = max(last.height, this.height)
        if abs(this.y - last.y) > _ANOTHER_LINE * height:
            return True
        # Numbers in a line from the right to the left go from the left to the right.
        return this.x < last.x - _BACK * height and not (self.is_leftward or is_leftward(this.text))


def _lines(found: Iterable[Character | Gap]) -> Iterator[_Line]:
    """Yield the words of each line."""
    line = _Gathered()
    for each in found:
        if isinstance(each, Gap):
            line.is_in_word = False
            if each is Gap.SPACE:
                continue
        if isinstance(each, Gap) or line.is_ended_by(each):
            if line.words:
                yield _without_soft_hyphens(line.words)
            line = _Gathered()
        if isinstance(each, Character):
            line.add(each)
    if line.words:
        yield _without_soft_hyphens(line.words)


def _without_soft_hyphens(line: _Line) -> _Line:
    """Return a line without the soft hyphens that are not shown: all but one at its end."""
    end = line[-1][-1]
    kept = [[each for each in word if each is end or not each.is_soft_hyphen] for word in line]
    return [word for word in kept if word]


@dataclass(frozen=True, slots=True)
class _PlacedLine:
    line: Line
    height: float
    """Of its font."""
    top: float
    """Where its font begins, which is the same for all letters."""

    @classmethod
    def of(cls, words: _Line, width: int, height: int) -> _PlacedLine:
        found = [character for word in words for character in word]
        made = tuple(_word(word, width, height) for word in words)
        first, last = found[0], found[-1]
        baseline = None
        if first.is_horizontal and last.right > first.x:
            baseline = Baseline(first.x, first.y, last.right, last.y)
        elif first.is_horizontal:
            # From the right to the left, but for numbers.
            left, right = min(found, key=lambda each: each.x), max(found, key=lambda each: each.right)
            if right.right > left.x:
                baseline = Baseline(left.x, left.y, right.right, right.y)
        tall = median(each.height for each in found)
        line = Line(made, bounding_box(word.box for word in made), baseline=baseline)
        return cls(line, tall, min(each.y for each in found) - tall)


def _word(found: _Word, width: int, height: int) -> Word:
    left = min(max(0, math.floor(min(each.left for each in found))), width - 1)
    top = min(max(0, math.floor(min(each.top for each in found))), height - 1)
    right = max(left + 1, min(width, math.ceil(max(each.right for each in found))))
    bottom = max(top + 1, min(height, math.ceil(max(each.bottom for each in found))))
    text = "".join(each.text for each in found)
    along, across = float(right - left), float(bottom - top)
    if not found[0].is_horizontal:
        along, across = across, along
    return Word(text, Box(left, top, right, bottom), _SURE, along, across)


def _blocks(lines: Iterable[_PlacedLine]) -> Iterator[Block]:
    block: list[_PlacedLine] = []
    for line in lines:
        if block and _is_apart(block[-1], line):
            yield _block(block)
            block = []
        block.append(line)
    if block:
        yield _block(block)


def _is_apart(last: _PlacedLine, this: _PlacedLine) -> bool:
    """Return whether a line does not go on with the block of the last one."""
    tall = max(last.height, this.height)
    above, below = last.line.box, this.line.box
    if below.left >= above.right or above.left >= below.right:
        # Beside each other they may be cells of one row; otherwise the next column begins.
        return not (below.top < above.bottom and above.top < below.bottom)
    down = this.top - (last.top + last.height)
    return (
        down > _PARAGRAPH * tall or this.top < last.top - tall / 2 or tall > _OTHER_SIZE * min(last.height, this.height)
    )


def _block(lines: list[_PlacedLine]) -> Block:
    return Block(tuple(each.line for each in lines), bounding_box(each.line.box for each in lines))
