"""One way of reading a page, and how well it went.

A page that reads badly is tried the other way round, or with its dots joined: what is read with more confidence was
right. Only such pages pay for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ocrwatch.recognise.affine import magnification
from ocrwatch.recognise.decode import CREDIBLE_DPI, Gray
from ocrwatch.recognise.engines import Engine
from ocrwatch.recognise.enhance import Enhanced, enhance
from ocrwatch.recognise.enhance.part import densest
from ocrwatch.values import Block, Recipe, Word

_POOR = 70.0
"""Mean confidence below which another way is tried. Upside-down pages have 23 to 39, upright ones 58 and more, most
of them above this."""

_DOUBT = 50.0
"""Confidence from which a word speaks for the way it was read: in upside-down text hardly any has more."""

_CLEARLY = 1.3
"""How many times as much another way has to find in a part of the page to be tried on all of it."""

_LEAST_EVIDENCE = 4.0
"""Letters read without doubt, below which no way is better than another."""

_PART = 0.4
"""Share of each side of the part on which the ways are compared."""

_SHORTEST_WORD = 2
_LEGIBLE = 60.0
"""Confidence that some word has on any page that can be read at all; chosen, not measured on many blank pages."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an engine made of a page that was enhanced in one way."""

    enhanced: Enhanced
    blocks: tuple[Block, ...]
    """With boxes in the enhanced image."""

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order."""
        return tuple(word for block in self.blocks for line in block.lines for word in line.words)

    @property
    def evidence(self) -> float:
        """Letters and figures, each counting by how far its word is beyond doubt."""
        return sum(
            sum(map(str.isalnum, word.text)) * max(0.0, word.confidence - _DOUBT) / (100 - _DOUBT)
            for word in self.words
        )

    @property
    def poor(self) -> bool:
        """Whether another way may be better."""
        return confidence(self.words) <= _POOR

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
        """``dpi`` is the resolution of the pixels that will be given, where it is known."""
        self._engine = engine
        self._recipe = recipe
        self._dpi = dpi

    def read(self, enhanced: Enhanced) -> Reading:
        """Read what was enhanced before."""
        if enhanced.empty:
            return Reading(enhanced, ())
        pixels = np.ascontiguousarray(enhanced.gray)
        blocks = self._engine.read(pixels, self._resolution(enhanced), self._recipe)
        return Reading(enhanced, without_rubbish(blocks, self._recipe.min_confidence) if self.is_sure else blocks)

    @property
    def is_sure(self) -> bool:
        """Whether the engine's confidences mean anything: they do not where it may not read what it sees."""
        return not (self._recipe.whitelist or self._recipe.blacklist)

    def better(self, gray: Gray, first: Reading) -> Reading:
        """Try other ways on a page of which ``first`` is a poor reading; ``first`` where none is better."""
        options = self._recipe.enhance
        if not options.on:
            return first
        best = self._unturned(gray, first)
        best = self._upright(gray, best) if options.turn and best.poor else best
        if best.poor and options.mend:
            best = self._mended(gray, best)
        return best

    def _unturned(self, gray: Gray, first: Reading) -> Reading:
        """Read a page as it lies that was turned before it was read, since that was decided without reading it."""
        if not any(step.startswith("turn") for step in first.enhanced.steps):
            return first
        second = self.read(enhance(gray, replace(self._recipe.enhance, turn=False), self._dpi))
        return max(first, second, key=lambda reading: reading.evidence)

    def _upright(self, gray: Gray, first: Reading) -> Reading:
        part = densest(gray, _PART)
        now, upended = (
            self.read(enhance(part, self._recipe.enhance, self._dpi, upended=upended)).evidence
            for upended in (False, True)
        )
        if upended < max(_LEAST_EVIDENCE, _CLEARLY * now):
            return first
        second = self.read(enhance(gray, self._recipe.enhance, self._dpi, upended=True))
        return max(first, second, key=lambda reading: reading.evidence)

    def _mended(self, gray: Gray, first: Reading) -> Reading:
        again = enhance(gray, self._recipe.enhance, self._dpi, upended=first.enhanced.upended, thorough=True)
        if again.steps == first.enhanced.steps:
            return first
        return max(first, self.read(again), key=lambda reading: reading.evidence)

    def _resolution(self, enhanced: Enhanced) -> int:
        """Dots per inch of the enhanced image, 0 where they are unknown or past belief.

        Layout analysis takes its distances from them, so that the size of the type says more than the scan's own.
        """
        if enhanced.print is not None and not self._recipe.dpi:
            return round(enhanced.print.resolution)
        resolution = round((self._dpi or 0) * magnification(enhanced.to_given))
        lowest, highest = CREDIBLE_DPI
        return resolution if lowest <= resolution <= highest else 0


def without_rubbish(blocks: tuple[Block, ...], least: float) -> tuple[Block, ...]:
    """Leave out the lines that were read with less confidence than ``least``: they are pictures, stains or rules."""
    kept = (tuple(line for line in block.lines if confidence(line.words) >= least) for block in blocks)
    return tuple(replace(block, lines=lines) for block, lines in zip(blocks, kept, strict=True) if lines)


def confidence(words: Sequence[Word]) -> float:
    """Mean confidence weighted by the words' lengths; 0 where there are none."""
    letters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / letters if letters else 0.0
