"""Which reading of a page is delivered: cleaning is a guess, and the page as it came is the witness.

Nearly all pages are read once. A reading that is empty, doubtful or leaves letter-like marks unread is compared with
others, first on a sample of the page, and the one with most evidence wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.affine import compose, shift
from ocrwatch.recognise.enhance import DUST, LAY_ON_ITS_SIDE
from ocrwatch.recognise.enhance.part import Places, Window, busiest_strip, extent
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.enhance.skew import lies_on_its_side
from ocrwatch.recognise.evidence import evidence, in_words, letter_places, middles_of, words_within
from ocrwatch.recognise.reader import Part, Reader, Reading, Way, confidence
from ocrwatch.values import EnhanceOptions, Line

_DOUBTFUL = 70.0
"""Mean confidence below which another way is tried. Upside-down pages have 23 to 39. Receipts of which all marks are in
words and that have 70 to 75 gain nothing by it."""

_BEYOND_DOUBT = 85.0
"""Mean confidence from which a page that was in doubt is not tried in any more ways."""

_MUCH_UNREAD = 0.2
"""Share of letter-like marks in no word from which another way is tried. Pages that are read right have .14 and less;
pages read in a wrong way .5 to 1."""

_FEWEST_MARKS = 10
"""Letter-like marks from which a share of them says something."""

_CLEARLY = 1.15
"""How many times as much another way has to find in the sample to be tried on all of the page."""

_MORE = 1.1
"""How many times as much evidence another reading of the page has to have to be delivered instead."""

_MOST_PARTS = 3
"""How often what is left of a page is read by itself."""

_SMALL_PART = 0.5
"""Share of a page in which nothing was found up to which a part of it is read by itself."""

_LEAST_EVIDENCE = 4.0
"""Letters read beyond doubt, below which no way is better than another."""

_SAMPLE = 0.2
"""Share of the page that the strip has on which the ways are compared."""

_SOON_READ = 1_000_000
"""Pixels up to which a page is read as a whole, as a sample of it saves too little to be misled by."""

_MOST_UPENDED = 50.0
"""Confidence from which a page is not upside down: such pages have 23 to 39."""


_Change = Callable[[Reading], list[Way]]
"""Returns the ways of reading a page that differ from a reading in one thing."""


class ReadingPolicy:
    """Chooses among the readings of one page."""

    def __init__(self, reader: Reader, page: Pixels) -> None:
        self._reader = reader
        self._page = page.resolved

    def best(self, first: Reading) -> Reading:
        """Return ``first``, or the reading with most evidence if ``first`` is in doubt.

        One thing after the other is changed of the best way so far, until a reading is beyond doubt.
        """
        if self._is_settled(first, _DOUBTFUL):
            return first
        best = first
        for change in self._changes(first):
            if self._is_settled(best, _BEYOND_DOUBT):
                break
            for way in self._promising(change(best), best):
                other = self._reader.read(self._page, way)
                best = other if other.evidence > _MORE * best.evidence else best
        return self._with_rest(best)

    def unread(self, reading: Reading) -> float | None:
        """Return the share of the page's letter-like marks that lie in no word.

        None if there are too few to tell, or the engine may not read all that it sees.
        """
        if len(self._places) < _FEWEST_MARKS or not self._reader.is_sure:
            return None
        return 1 - float(np.count_nonzero(self._read(reading))) / len(self._places)

    def is_blank(self, reading: Reading) -> bool:
        """Tell whether there is nothing to read: the page as it came has no letters, and no reading has found any."""
        return self._reader.is_sure and not len(self._places) and not reading.legible

    def _is_settled(self, reading: Reading, least: float) -> bool:
        """Tell whether no other way of reading the page is worth trying; ``least`` is the confidence that is enough."""
        if not self._options.on:
            return True
        if reading.enhanced.empty and not len(self._places):
            return True
        share = self.unread(reading)
        return reading.confidence >= least and (share is None or share <= _MUCH_UNREAD)

    def _with_rest(self, reading: Reading) -> Reading:
        """Read by itself what is left of the page: it may be more crooked, paler or smaller, or white on black."""
        if DUST in reading.enhanced.steps:
            return reading
        while len(reading.rest) < _MOST_PARTS and (self.unread(reading) or 0.0) > _MUCH_UNREAD:
            rows, columns = window = extent(self._places[~self._read(reading)], self._page.gray.shape)
            left = self._page.gray[window]
            if not self._has_found(reading) and left.size > _SMALL_PART * self._page.gray.size:
                break
            again = self._reader.read(Pixels(np.ascontiguousarray(left)), _as_read(reading))
            to_page = compose(shift(columns.start, rows.start), again.enhanced.to_given)
            found = self._new_lines(Part(again.blocks, to_page, again.enhanced.gray.shape), reading)
            if evidence(found.words) < _LEAST_EVIDENCE:
                break
            reading = replace(reading, rest=(*reading.rest, found))
        return reading

    def _new_lines(self, part: Part, reading: Reading) -> Part:
        """Keep the lines that are beyond doubt and lie where nothing was read so far."""

        def is_new(line: Line) -> bool:
            if confidence(line.words) < _DOUBTFUL:
                return False
            middles = middles_of(line.words, part.to_page)
            return not any(in_words(middles, each.words, each.to_page, each.shape).any() for each in reading.parts)

        blocks = (replace(block, lines=tuple(filter(is_new, block.lines))) for block in part.blocks)
        return replace(part, blocks=tuple(block for block in blocks if block.lines))

    def _changes(self, first: Reading) -> tuple[_Change, ...]:
        if DUST in first.enhanced.steps or not len(self._places):
            # Of noise and halftones, only the page as it came is worth another reading.
            return (self._as_it_came,)
        if not self._has_found(first):
            return self._turned, self._as_it_came
        return self._turned, self._larger, self._as_it_came, self._thorough

    def _promising(self, ways: Sequence[Way], best: Reading) -> list[Way]:
        """Return the way that finds most on a sample of the page, if it finds clearly more than ``best`` did there."""
        if not ways or (ways[0].as_it_came and not self._has_found(best)):
            # If nothing was found so far, nothing tells which part of the page would be a sample of it.
            return list(ways)
        if len(ways) == 1 and self._page.gray.size <= _SOON_READ:
            return list(ways)
        window = self._sample(best)
        sample = Pixels(np.ascontiguousarray(self._page.gray[window]))
        now = sum(evidence(words_within(window, part.words, part.to_page)) for part in best.parts)
        if not self._page.has_letters and len(ways) > 1:
            # Tesseract reads some lines that run down a page: a sample that is read as it lies is not to be turned.
            now = max(now, self._reader.read(sample, _as_read(best)).evidence)
        trials = {way: self._reader.read(sample, way).evidence for way in ways}
        way = max(trials, key=trials.__getitem__)
        return [way] if trials[way] >= max(_LEAST_EVIDENCE, _CLEARLY * now) else []

    def _turned(self, best: Reading) -> list[Way]:
        if not self._options.turn or best.confidence >= _MOST_UPENDED:
            return []
        way = _as_read(best)
        others = (2,) if self._page.has_letters else (2, 1, 3)
        return [replace(way, turns=((way.turns or 0) + turns) % 4) for turns in others]

    def _larger(self, best: Reading) -> list[Way]:
        options = self._options
        if not options.scale or options.text_height or options.fixed_size or options.fixed_dpi:
            return []
        return [replace(_as_read(best), larger=True)]

    def _as_it_came(self, best: Reading) -> list[Way]:
        if self._options.fixed:
            return []
        # If nothing was found, that the page was turned may be why.
        turns = _as_read(best).turns if self._has_found(best) else 0
        return [replace(best.way, turns=turns, as_it_came=True)]

    @staticmethod
    def _has_found(reading: Reading) -> bool:
        return reading.evidence >= _LEAST_EVIDENCE

    def _thorough(self, best: Reading) -> list[Way]:
        if not (best.words and self._options.mend):
            return []
        way = replace(_as_read(best), as_it_came=False, thorough=True)
        *steps, _ = self._reader.enhance(self._page, way).steps
        # If the closer look changes nothing, there is nothing to read.
        return [] if steps == [*best.enhanced.steps] else [way]

    @property
    def _options(self) -> EnhanceOptions:
        return self._reader.recipe.enhance

    def _sample(self, best: Reading) -> Window:
        return busiest_strip(
            self._telling_places(best), self._page.gray.shape, _SAMPLE, lying=lies_on_its_side(self._page)
        )

    def _telling_places(self, first: Reading) -> Places:
        """Return the letter-like marks that were not read if they are many, else all."""
        missed = self._places[~self._read(first)]
        return missed if len(missed) > _MUCH_UNREAD * len(self._places) else self._places

    def _read(self, reading: Reading) -> npt.NDArray[np.bool_]:
        found = [in_words(self._places, part.words, part.to_page, part.shape) for part in reading.parts]
        either: npt.NDArray[np.bool_] = np.logical_or.reduce(found)
        return either

    @cached_property
    def _places(self) -> Places:
        return letter_places(self._page)


def _as_read(reading: Reading) -> Way:
    """Return the way of a reading with its turns, which a sample of the page may not ask for by itself."""
    return replace(reading.way, turns=(reading.way.turns or 0) + (LAY_ON_ITS_SIDE in reading.enhanced.steps))
