"""Reads a page in one way, and says what speaks for the result."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ocrwatch.document import Block, Box, Line, Word
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.affine import Affine, compose, inverse, magnification
from ocrwatch.recognise.decode import CREDIBLE_DPI
from ocrwatch.recognise.engines import Engine, wants_original
from ocrwatch.recognise.enhance import Enhanced, enhance
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.evidence import evidence

_LARGER = 26.0
"""Capital height in pixels, half as much again as is best for most pages: worn and broken print gains by it."""

_SIGNS_ALONE = 80.0
"""Confidence that a line needs which has neither letters nor figures; a drawing's dashes have 37 to 75."""

_SHORTEST_WORD = 2
_LEGIBLE = 60.0
"""Confidence that some word has on any page that can be read at all; chosen, not measured on many blank pages."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of reading a page."""

    turns: int | None = None
    """Quarter turns clockwise before all else; None turns a page that seems to lie on its side."""
    as_it_came: bool = False
    """Whether nothing but the turns is done to the page."""
    larger: bool = False
    """Whether print is brought to a larger size than is best for most pages."""
    thorough: bool = False
    """Whether all pixels are measured instead of a reduced copy, to find print made of dots."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it differs in from the usual way, besides the turns, in the words of ``Page.steps``."""
        if self.as_it_came:
            return ("as it came",)
        return (*(["larger"] if self.larger else []), *(["thorough"] if self.thorough else []))


USUAL = Way()


@dataclass(frozen=True, slots=True)
class Part:
    """What was read of a page at once."""

    blocks: tuple[Block, ...]
    """With boxes in the image that was read."""
    to_page: Affine
    """Maps that image to the page."""
    shape: tuple[int, int]
    """Rows and columns of that image."""

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order."""
        return tuple(word for block in self.blocks for line in block.lines for word in line.words)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an engine made of a page that was enhanced in one way."""

    way: Way
    enhanced: Enhanced
    blocks: tuple[Block, ...]
    """With boxes in the enhanced image."""
    rest: tuple[Part, ...] = ()
    """What was left over, and read by itself."""
    second: bool = False
    """Whether the second reader has read some of it."""
    replaced: int = 0
    """Lines of the second reader in it."""
    failure: str = ""
    """Why the second reader could not read; empty if it could."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The page, then what was left over."""
        return Part(self.blocks, self.enhanced.to_given, self.enhanced.gray.shape), *self.rest

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order, with boxes in the images that were read."""
        return tuple(word for part in self.parts for word in part.words)

    @property
    def evidence(self) -> float:
        """Letters and figures, each counting by how far its word is beyond doubt."""
        return evidence(self.words)

    @property
    def confidence(self) -> float:
        """Mean confidence of the words, weighted by their lengths, 0 to 100; 0 if there are none."""
        return confidence(self.words)

    @property
    def legible(self) -> bool:
        """Whether there is a word that is more than what specks are read as."""
        return any(
            word.confidence >= _LEGIBLE and sum(map(str.isalnum, word.text)) >= min(_SHORTEST_WORD, len(word.text))
            for word in self.words
        )


class Reader:
    """Reads one page in one way or another."""

    def __init__(self, engine: Engine, recipe: Recipe, dpi: float | None) -> None:
        """``dpi`` is the resolution of the pixels that will be given; None if it is unknown."""
        self._engine = engine
        self.recipe = recipe
        """What decides how it reads."""
        self._dpi = dpi

    def enhance(self, page: Pixels, way: Way) -> Enhanced:
        """Bring a page to the form in which it is read."""
        options = _untouched(self.recipe.enhance) if not self.cleans else self.recipe.enhance
        if way.turns is not None:
            options = replace(options, turn=False)
        if way.larger:
            options = replace(options, text_height=_LARGER)
        if way.as_it_came:
            options = replace(options, enabled=False)
        enhanced = enhance(page, options, self._dpi, turns=way.turns or 0, thorough=way.thorough)
        return replace(enhanced, steps=(*enhanced.steps, *way.names))

    def read_enhanced(self, enhanced: Enhanced, way: Way) -> Reading:
        """Read what was enhanced before. Raises EngineFailed."""
        if enhanced.empty:
            return Reading(way, enhanced, ())
        pixels = np.ascontiguousarray(enhanced.gray)
        blocks = self._engine.read(pixels, self._resolution(enhanced), self.recipe)
        return Reading(way, enhanced, without_rubbish(blocks, self.recipe.min_confidence) if self.is_sure else blocks)

    @property
    def cleans(self) -> bool:
        """Whether pages are cleaned for the engine, so that they can also be read as they came."""
        return not wants_original(self._engine)

    @property
    def is_sure(self) -> bool:
        """Whether the engine's confidences mean anything: they do not if it may not read what it sees."""
        return not (self.recipe.whitelist or self.recipe.blacklist)

    def _resolution(self, enhanced: Enhanced) -> int:
        """Dots per inch of the enhanced image, 0 if they are unknown or past belief.

        Layout analysis takes its distances from them, so that the size of the type says more than the scan's own.
        """
        if enhanced.print is not None and not self.recipe.dpi:
            return round(enhanced.print.resolution)
        resolution = round((self._dpi or 0) * magnification(enhanced.to_given))
        lowest, highest = CREDIBLE_DPI
        return resolution if lowest <= resolution <= highest else 0


def _untouched(options: EnhanceOptions) -> EnhanceOptions:
    """Leave of the steps those that turn a page upright, and what is set for every page."""
    return replace(
        options,
        invert=False,
        sharpen=False,
        noise=False,
        border=False,
        light=False,
        margins=False,
        mend=False,
        scale=False,
        narrow=False,
        broaden=False,
        rules=False,
    )


def in_order(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Put each of the later parts before the first block of the first one that begins below its middle.

    Below is as the first part was read, and the middle is that of a part's last block. What is returned are pieces of
    the first part, and the later ones.
    """
    page, *rest = parts
    from_page = inverse(page.to_page)
    places: list[list[Part]] = [[] for _ in (*page.blocks, None)]
    for part in rest:
        middle = max((_middle(block.box, compose(from_page, part.to_page)) for block in part.blocks), default=0.0)
        below = (at for at, block in enumerate(page.blocks) if block.box.top >= middle)
        places[next(below, len(page.blocks))].append(part)
    pieces = [replace(page, blocks=(block,)) for block in page.blocks]
    return tuple(itertools.chain.from_iterable((*here, *pieces[at : at + 1]) for at, here in enumerate(places)))


def _middle(box: Box, to_page: Affine) -> float:
    """Return how far down the page the middle of a box is."""
    corners = np.array([(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)], np.float64)
    return float((corners @ to_page[1, :2] + to_page[1, 2]).mean())


def without_rubbish(blocks: tuple[Block, ...], least: float) -> tuple[Block, ...]:
    """Leave out the lines that were read with less confidence than ``least``: they are pictures, stains or rules.

    A line without a letter or a figure needs more: most are the dashes of a drawing, read as ``|`` or ``--``.
    """

    def stands(line: Line) -> bool:
        is_text = any(map(str.isalnum, line.text))
        return confidence(line.words) >= (least if is_text or not least else max(least, _SIGNS_ALONE))

    kept = (tuple(filter(stands, block.lines)) for block in blocks)
    return tuple(replace(block, lines=lines) for block, lines in zip(blocks, kept, strict=True) if lines)


def confidence(words: Sequence[Word]) -> float:
    """Mean confidence weighted by the words' lengths; 0 if there are none."""
    letters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / letters if letters else 0.0
