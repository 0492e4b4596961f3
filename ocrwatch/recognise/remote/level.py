"""Makes the text of a skewed or turned image level, so that it is placed and ordered as that of a straight page.

Services return the axis-parallel box of a skewed word, which is taller than the word and reaches into the next line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ocrwatch.document import UNPLACED, Block, Box, Line, Word, bounding_box
from ocrwatch.recognise.affine import Affine, compose, inverse, scaling, shift
from ocrwatch.recognise.baselines import direction_of

_FINE: Final = 8
"""Units of the level frame to a pixel of the image: boxes have whole numbers."""

_FLATTEST: Final = 0.1
"""Height of a level word as a share of its box's, at least; less are errors of the box."""


@dataclass(frozen=True, slots=True)
class LevelText:
    """Text whose lines run to the right."""

    blocks: tuple[Block, ...]
    to_image: Affine
    """Maps its boxes to the image that was sent."""


def tidied(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return blocks without empty words, lines and blocks; boxes of lines and blocks are those of their words."""
    found = []
    for block in blocks:
        lines = [tuple(word for word in line.words if word.text.strip()) for line in block.lines]
        kept = [
            replace(line, words=words, box=bounding_box(word.box for word in words), baseline=None)
            for line, words in zip(block.lines, lines, strict=True)
            if words
        ]
        if kept:
            found.append(_block(kept))
    return tuple(found)


def levelled(blocks: tuple[Block, ...], skew: float) -> LevelText:
    """Return the text as it would be on a level image; words without a place stay so.

    ``skew`` is by how many degrees lines fall to the right besides whole quarter turns, which the words show.
    """
    turns = direction_of(_placed_lines(blocks))
    if not turns and not skew:
        return LevelText(blocks, scaling(1.0, 1.0))
    frame = _Frame(turns, skew)
    levelled_blocks = (_block([frame.line(line) for line in block.lines]) for block in blocks)
    return LevelText(tuple(levelled_blocks), frame.to_image)


class _Frame:
    """A level frame, in which text runs to the right."""

    def __init__(self, turns: int, skew: float) -> None:
        self._turns = turns
        self._cosine, self._sine = math.cos(math.radians(skew)), abs(math.sin(math.radians(skew)))
        angle = math.radians(skew + 90 * turns)
        cosine, sine = math.cos(angle), math.sin(angle)
        to_frame = compose(scaling(_FINE, _FINE), np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0]]))
        # No box is the one of text without a place.
        to_frame = compose(shift(1.0, 1.0), to_frame)
        self.to_image = inverse(to_frame)
        """Maps the frame to the image."""
        self._rows = to_frame.tolist()

    def line(self, line: Line) -> Line:
        words = tuple(map(self._word, line.words))
        return replace(line, words=words, box=bounding_box(word.box for word in words))

    def _word(self, word: Word) -> Word:
        box = word.box
        if box == UNPLACED:
            return word
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        (xx, xy, x0), (yx, yy, y0) = self._rows
        along, across = self._size(box)
        return replace(word, box=box_around(xx * x + xy * y + x0, yx * x + yy * y + y0, along * _FINE, across * _FINE))

    def _size(self, box: Box) -> tuple[float, float]:
        """Return length and height of a word of which a box is the bounding box after it was rotated by the skew."""
        across, down = box.right - box.left, box.bottom - box.top
        if self._turns % 2:
            across, down = down, across
        # across = length c + height s, and down = length s + height c.
        cosine, sine = self._cosine, self._sine
        shrink = cosine**2 - sine**2
        length, height = (across * cosine - down * sine) / shrink, (down * cosine - across * sine) / shrink
        return max(length, _FLATTEST * across), max(height, _FLATTEST * down)


def box_around(x: float, y: float, width: float, height: float) -> Box:
    """Return the box of a size around a point, rounded to whole numbers; it has at least one pixel."""
    left, top = round(x - width / 2), round(y - height / 2)
    return Box(left, top, max(left + 1, round(x + width / 2)), max(top + 1, round(y + height / 2)))


def _block(lines: list[Line]) -> Block:
    return Block(tuple(lines), bounding_box(line.box for line in lines))


def _placed_lines(blocks: Iterable[Block]) -> Iterator[Line]:
    for block in blocks:
        for line in block.lines:
            if words := tuple(word for word in line.words if word.box != UNPLACED):
                yield replace(line, words=words)
