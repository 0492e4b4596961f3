"""Reads a page with one set of preprocessing options, and rates the result."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ocrwatch.document import Block, Box, Line, Word
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.affine import Affine, compose, inverse, magnification
from ocrwatch.recognise.decode import CREDIBLE_DPI, Gray
from ocrwatch.recognise.engines import Engine, read_with, wants_original
from ocrwatch.recognise.enhance import Enhanced, enhance
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.evidence import evidence, is_legible, sureness

_ENLARGED_HEIGHT = 26.0
"""Target cap height in pixels, half as much again as the best one for most pages. Worn and broken text reads better."""

_SIGNS_ALONE = 80.0
"""Minimum confidence of a line without letters or digits. The dashes of a drawing have 37 to 75."""

_ONE_BLOCK = 6
"""Tesseract's page segmentation mode for one block of lines."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The preprocessing options that vary between attempts to read a page."""

    turns: int | None = None
    """Clockwise quarter turns before all other steps; None turns a page that seems to lie on its side."""
    unprocessed: bool = False
    """Whether nothing but the turns is applied."""
    enlarged: bool = False
    """Whether text is scaled to a larger size than is best for most pages."""
    thorough: bool = False
    """Whether dot matrix print is measured at full resolution instead of on a reduced copy."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names for ``Page.steps`` of the differences from :data:`USUAL`, without turns."""
        if self.unprocessed:
            return ("as it came",)
        return (*(["larger"] if self.enlarged else []), *(["thorough"] if self.thorough else []))


USUAL = ReadOptions()


@dataclass(frozen=True, slots=True)
class TextRegion:
    """The text of a region that was read in one pass."""

    blocks: tuple[Block, ...]
    """Their boxes are in the image that was read."""
    to_page: Affine
    """Maps that image to the page."""
    shape: tuple[int, int]
    """Rows and columns of that image."""

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order."""
        return tuple(word for block in self.blocks for line in block.lines for word in line.words)


@dataclass(frozen=True, slots=True)
class OcrResult:
    """OCR result of a page, read with one set of options."""

    options: ReadOptions
    enhanced: Enhanced
    blocks: tuple[Block, ...]
    """Their boxes are in the enhanced image."""
    rest: tuple[TextRegion, ...] = ()
    """Remaining regions that were read separately."""
    second: bool = False
    """Whether the second reader has read some of it."""
    replaced: int = 0
    """Number of lines that come from the second reader."""
    failure: str = ""
    """Why the second reader failed; empty if it did not."""

    @property
    def regions(self) -> tuple[TextRegion, ...]:
        """The page, then the remaining regions."""
        return TextRegion(self.blocks, self.enhanced.to_input, self.enhanced.gray.shape), *self.rest

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order, with boxes in the images that were read."""
        return tuple(word for region in self.regions for word in region.words)

    @property
    def evidence(self) -> float:
        """Letters and digits, weighted by the confidence of their words."""
        return evidence(self.words)

    @property
    def confidence(self) -> float:
        """Mean confidence of the words, weighted by length, 0 to 100; 0 if there are none."""
        return confidence(self.words)

    @property
    def legible(self) -> bool:
        """Whether some word is too confident to be read from specks."""
        return is_legible(self.words)


class Reader:
    """Reads one page with various options."""

    def __init__(self, engine: Engine, recipe: Recipe, dpi: float | None) -> None:
        """``dpi`` is the resolution of the pixels that will be given; None if unknown."""
        self._engine = engine
        self.recipe = recipe
        """All options that affect the text."""
        self._dpi = dpi

    @property
    def engine_name(self) -> str:
        """Name of the engine."""
        return self._engine.name

    def enhance(self, page: Pixels, options: ReadOptions) -> Enhanced:
        """Enhance a page with the given options."""
        enhance_options = untouched(self.recipe.enhance) if not self.cleans else self.recipe.enhance
        if options.turns is not None:
            enhance_options = replace(enhance_options, turn=False)
        if options.enlarged:
            enhance_options = replace(enhance_options, text_height=_ENLARGED_HEIGHT)
        if options.unprocessed:
            enhance_options = replace(enhance_options, enabled=False)
        enhanced = enhance(page, enhance_options, self._dpi, turns=options.turns or 0, thorough=options.thorough)
        return replace(enhanced, steps=(*enhanced.steps, *options.names))

    def read_enhanced(self, enhanced: Enhanced, options: ReadOptions) -> OcrResult:
        """Read an enhanced page. Raises EngineFailed."""
        if enhanced.empty:
            return OcrResult(options, enhanced, ())
        pixels = np.ascontiguousarray(enhanced.gray)
        blocks = read_with(self._engine, pixels, self._resolution(enhanced), self.recipe)
        if self.has_confidences:
            blocks = drop_low_confidence(blocks, self.recipe.min_confidence)
        return OcrResult(options, enhanced, blocks)

    def read_sheet(self, sheet: Gray) -> tuple[Block, ...]:
        """Read lines of text that are clean already, below each other. Raises EngineFailed."""
        recipe = replace(self.recipe, page_segmentation=_ONE_BLOCK)
        blocks = read_with(self._engine, sheet, 0, recipe)
        return drop_low_confidence(blocks, self.recipe.min_confidence) if self.has_confidences else blocks

    @property
    def cleans(self) -> bool:
        """Whether pages are cleaned for this engine.

        If so, the unprocessed page is another form that can be read.
        """
        return not wants_original(self._engine)

    @property
    def has_confidences(self) -> bool:
        """Whether confidences are meaningful: not with a whitelist or blacklist."""
        return not (self.recipe.whitelist or self.recipe.blacklist)

    def _resolution(self, enhanced: Enhanced) -> int:
        """Return the resolution of the enhanced image in dpi; 0 if unknown or implausible.

        Layout analysis derives its distances from it, so the type size is a better source than the scan's own
        resolution.
        """
        if enhanced.text_metrics is not None and not self.recipe.dpi:
            return round(enhanced.text_metrics.resolution)
        resolution = round((self._dpi or 0) * magnification(enhanced.to_input))
        lowest, highest = CREDIBLE_DPI
        return resolution if lowest <= resolution <= highest else 0


def untouched(enhance_options: EnhanceOptions) -> EnhanceOptions:
    """Keep only the steps that turn a page upright or apply to every page."""
    return replace(
        enhance_options,
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


def in_order(regions: Sequence[TextRegion]) -> tuple[TextRegion, ...]:
    """Insert the later regions into the first one, in reading order.

    Each region goes before the first block of the page that begins below the centre of the region's lowest block, in
    the orientation in which the page was read. Returns pieces of the first region, and the later regions.
    """
    page, *rest = regions
    from_page = inverse(page.to_page)
    places: list[list[TextRegion]] = [[] for _ in (*page.blocks, None)]
    for region in rest:
        middle = max((_middle(block.box, compose(from_page, region.to_page)) for block in region.blocks), default=0.0)
        below = (at for at, block in enumerate(page.blocks) if block.box.top >= middle)
        places[next(below, len(page.blocks))].append(region)
    pieces = [replace(page, blocks=(block,)) for block in page.blocks]
    return tuple(itertools.chain.from_iterable((*here, *pieces[at : at + 1]) for at, here in enumerate(places)))


def _middle(box: Box, to_page: Affine) -> float:
    """Return the vertical centre of a box on the page."""
    corners = np.array([(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)], np.float64)
    return float((corners @ to_page[1, :2] + to_page[1, 2]).mean())


def drop_low_confidence(blocks: tuple[Block, ...], least: float) -> tuple[Block, ...]:
    """Drop lines with less confidence than ``least``: pictures, stains or rules.

    A line without a letter or digit needs more confidence: most such lines are the dashes of a drawing, read as ``|``
    or ``--``.
    """

    def stands(line: Line) -> bool:
        is_text = any(map(str.isalnum, line.text))
        return confidence(line.words) >= (least if is_text or not least else max(least, _SIGNS_ALONE))

    kept = (tuple(filter(stands, block.lines)) for block in blocks)
    return tuple(replace(block, lines=lines) for block, lines in zip(blocks, kept, strict=True) if lines)


def confidence(words: Sequence[Word]) -> float:
    """Return the mean confidence, weighted by word length; 0 if there are no words."""
    letters = sum(len(word.text) for word in words)
    return sum(sureness(word) * len(word.text) for word in words) / letters if letters else 0.0
