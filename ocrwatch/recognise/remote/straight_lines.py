"""Lines of a page on its straight form, and back: lines of two readings of a skewed page are compared there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ocrwatch.document import Baseline, Block, Line, Upright, Word, bounding_box
from ocrwatch.recognise.remote.level import box_around

_FINE: Final = 8
"""Units of the straight form to a pixel: boxes have whole numbers."""


class StraightLines:
    """Maps lines to the straight page, and knows from which lines words came."""

    def __init__(self, upright: Upright, unsure: float) -> None:
        """Words without a confidence get ``unsure``, 0 to 100, so that they can be compared."""
        self._upright = upright
        self._unsure = unsure
        self._origins: dict[int, tuple[Word, Word, Line]] = {}
        """The straight word, which is kept so that its ``id`` stays its own; the word; and its line."""

    def blocks(self, blocks: Iterable[Block]) -> tuple[Block, ...]:
        """Return blocks on the straight page. The places of all words must be known."""
        straight = [[self._line(line) for line in block.lines] for block in blocks]
        return tuple(Block(tuple(lines), bounding_box(line.box for line in lines)) for lines in straight if lines)

    def original(self, blocks: Iterable[Block]) -> tuple[Block, ...]:
        """Return blocks of lines, which may have been joined from several, with their places on the original."""
        found = [tuple(map(self._original_line, block.lines)) for block in blocks]
        return tuple(Block(lines, bounding_box(line.box for line in lines)) for lines in found if lines)

    def _line(self, line: Line) -> Line:
        words = tuple(self._word(word, line) for word in line.words)
        return replace(line, words=words, box=bounding_box(word.box for word in words))

    def _word(self, word: Word, line: Line) -> Word:
        box = word.box
        x, y = self._upright.straight((box.left + box.right) / 2, (box.top + box.bottom) / 2)
        # Sizes are unknown for pages that are not from this version.
        width, height = word.width or box.right - box.left, word.height or box.bottom - box.top
        place = box_around(x * _FINE, y * _FINE, width * _FINE, height * _FINE)
        confidence = self._unsure if word.confidence is None else word.confidence
        straight = replace(word, box=place, confidence=confidence)
        self._origins[id(straight)] = straight, word, line
        return straight

    def _original_line(self, line: Line) -> Line:
        known = [self._origins[id(word)] for word in line.words]
        words = tuple(word for _, word, _ in known)
        box = bounding_box(word.box for word in words)
        return Line(words, box, line.paragraph, _baseline([before for _, _, before in known]))


def _baseline(lines: list[Line]) -> Baseline | None:
    """Return the baseline of a line that is joined from others, by the line that each word is from."""
    first, last = lines[0].baseline, lines[-1].baseline
    return None if first is None or last is None else Baseline(first.x0, first.y0, last.x1, last.y1)
