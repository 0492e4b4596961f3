"""Selects the OCR result of a page that is delivered.

Enhancement may be wrong, so results are checked against the unprocessed page. Nearly all pages are read once. If a
result is empty, has low confidence or leaves letter-like components unread, other ways of reading are tried, first on a
sample of the page. The result with the most evidence wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ocrwatch.document import Line
from ocrwatch.errors import EngineFailed, is_memory_error
from ocrwatch.recipe import EnhanceOptions
from ocrwatch.recognise.affine import compose, shift
from ocrwatch.recognise.enhance import DUST, MEND
from ocrwatch.recognise.enhance.crop import Window, extent, sample_strip
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.enhance.scale import MOST_UNMEASURED
from ocrwatch.recognise.enhance.skew import lies_on_its_side
from ocrwatch.recognise.evidence import beyond_doubt, evidence, in_words, letter_centres, word_centres, words_within
from ocrwatch.recognise.projective import Points
from ocrwatch.recognise.reader import Part, Reader, Reading, Way, confidence
from ocrwatch.recognise.second_reader import SecondReader, doubt_of, turns_of

_DOUBTFUL = 70.0
"""Mean confidence below which another way of reading is tried. Upside-down pages have 23 to 39. Receipts with 70 to 75
whose components are all in words do not improve."""

_BEYOND_DOUBT = 85.0
"""Mean confidence from which no more ways are tried for a page that was in doubt."""

_MUCH_UNREAD = 0.3
"""Share of unread letter-like components from which another way is tried. Pages read correctly have .25 and less,
nearly all less than .1; pages read in a wrong way have .5 to 1."""

_FEWEST_LETTERS = 10
"""Number of letter-like components from which a share of them is meaningful."""

_CLEARLY = 1.15
"""Ratio of evidence, on the sample, from which another way is tried on the whole page."""

_MORE = 1.1
"""Ratio of evidence, on the whole page, from which another result is delivered instead."""

_MOST_PARTS = 3
"""Maximum number of remaining parts of a page that are read separately."""

_SMALL_PART = 0.5
"""Maximum size of a part that is read separately, as a share of the page, if nothing was found on the page."""

_HALF_KNOWN = 0.5
"""Share of a line's letters from which the line counts as already read."""

_LEAST_EVIDENCE = 4.0
"""Evidence, in confident letters, below which no way is preferred to another."""

_SAMPLE = 0.2
"""Size of the sample strip as a share of the page."""

_SOON_READ = 1_000_000
"""Pixels up to which the whole page is read instead of a sample: a sample would save too little and might mislead."""

_MOST_UPENDED = 50.0
"""Mean confidence from which a page is not upside down: upside-down pages have 23 to 39."""

_Change = Callable[[Reading], list[Way]]
"""Returns the ways of reading that differ from a result's way in one option."""


class ReadingPolicy:
    """Selects among the OCR results of one page."""

    def __init__(self, reader: Reader, page: Pixels, second: SecondReader | None = None) -> None:
        """``second`` reads doubtful text again; None if there is no second reader."""
        self._reader = reader
        self._page = page.with_fine_survey
        self._second = second

    def best(self, first: Reading) -> Reading:
        """Return ``first``, or the result with the most evidence if ``first`` is in doubt.

        A second reader costs less than the other ways of the first one and gains more. The other ways are therefore
        tried only if both readers together are still in doubt, except for a page that has to be turned first.
        """
        if self._second is None:
            return self._by_first(first)
        try:
            return self._by_both(first, self._second)
        except Exception as error:  # noqa: BLE001 - what the first reader can read is not lost, whatever the second does
            reason = _reason_of(error)
        # This releases its copies of the page. Leaving the except block has released the frames of the error, which
        # hold them too; memory may be short.
        self._second = None
        return replace(self._by_first(first), second=True, failure=reason)

    def _by_first(self, first: Reading) -> Reading:
        return first if self._is_settled(first, _DOUBTFUL) else self._with_rest(self._tried(first))

    def _by_both(self, first: Reading, second: SecondReader) -> Reading:
        if self._is_settled(first, doubt_of(first).page):
            return second.with_lines(first)
        upright = self._changed(first, self._turned)
        both = self._turned_by_second(second.with_page(upright), second)
        if self._is_settled(both, _DOUBTFUL):
            return both
        again = second.with_page(self._tried(upright))
        return again if again.evidence > both.evidence else both

    def _turned_by_second(self, both: Reading, second: SecondReader) -> Reading:
        """Turn a page that only the second reader can read, if it is turned."""
        # A page full of specks has thousands of line candidates.
        for way in () if DUST in both.enhanced.steps else self._turned(both):
            other = second.with_page(Reading(way, self._reader.enhance(self._page, way), ()))
            both = other if other.evidence > _MORE * both.evidence else both
        return both

    def _tried(self, first: Reading) -> Reading:
        """Change one option after the other, until a result is beyond doubt."""
        best = first
        for change in self._changes(first):
            if self._is_settled(best, _BEYOND_DOUBT):
                break
            best = self._changed(best, change)
        return best

    def _changed(self, best: Reading, change: _Change) -> Reading:
        """Try the ways that differ from the best one in one option."""
        for way in self._promising(change(best), best):
            other = self._read_again(self._page, way)
            best = other if other.evidence > _MORE * best.evidence else best
        return best

    def unread(self, reading: Reading) -> float | None:
        """Return the share of letter-like components in no confident word, 0 to 1.

        None if there are too few components, or if a whitelist or blacklist is set.
        """
        if len(self._places) < _FEWEST_LETTERS or not self._reader.is_sure:
            return None
        return 1 - float(np.count_nonzero(self._read(reading))) / len(self._places)

    def is_blank(self, reading: Reading) -> bool:
        """Return whether the page is blank.

        It has no letter-like components before enhancement, and no result has legible words.
        """
        return self._reader.is_sure and not len(self._places) and not reading.legible

    def is_beyond_doubt(self, reading: Reading) -> bool:
        """Return whether the result is good enough to try no other form of the page."""
        return self._is_settled(reading, _BEYOND_DOUBT)

    def _is_settled(self, reading: Reading, least: float) -> bool:
        """Return whether no other way of reading is worth trying.

        ``least`` is the mean confidence that is sufficient, 0 to 100.
        """
        if not self._options.enabled or self._reader.recipe.whitelist:
            # With a whitelist, Tesseract's confidences are low for all text.
            return True
        if reading.enhanced.empty and not len(self._places):
            return True
        share = self.unread(reading)
        return reading.confidence >= least and (share is None or share <= _MUCH_UNREAD)

    def _with_rest(self, reading: Reading) -> Reading:
        """Read the unread parts of a page separately.

        They may have another skew, contrast or text size, or be white on black.
        """
        if DUST in reading.enhanced.steps:
            return reading
        while len(reading.rest) < _MOST_PARTS and (self.unread(reading) or 0.0) > _MUCH_UNREAD:
            rows, columns = window = extent(self._places[~self._read(reading)], self._page.gray.shape)
            left = self._page.gray[window]
            if not self._has_found(reading) and left.size > _SMALL_PART * self._page.gray.size:
                break
            again = self._read_again(Pixels(np.ascontiguousarray(left)), as_read(reading))
            to_page = compose(shift(columns.start, rows.start), again.enhanced.to_input)
            found = Part(again.blocks, to_page, again.enhanced.gray.shape)
            more = with_part(reading, found)
            if more.evidence < reading.evidence + _LEAST_EVIDENCE:
                break
            reading = more
        return reading

    def _read_again(self, page: Pixels, way: Way) -> Reading:
        """Read a page, or a part of it, again. If the engine fails, the result is empty."""
        enhanced = self._reader.enhance(page, way)
        try:
            return self._reader.read_enhanced(enhanced, way)
        except EngineFailed:
            return Reading(way, enhanced, ())

    def _changes(self, first: Reading) -> tuple[_Change, ...]:
        if DUST in first.enhanced.steps or not len(self._places):
            # For noise and halftones, only the unprocessed page is worth another attempt.
            return (self._as_it_came,)
        if not self._has_found(first):
            return self._turned, self._as_it_came
        return self._turned, self._larger, self._as_it_came, self._thorough

    def _promising(self, ways: Sequence[Way], best: Reading) -> list[Way]:
        """Return the best way on a sample, if it is clearly better there than ``best``.

        Returns all ways if a sample would be meaningless, or as slow as the whole page.
        """
        dusty = DUST in best.enhanced.steps
        if not ways or (ways[0].as_it_came and not self._has_found(best) and not dusty):
            # If nothing was found so far, no part of the page is known to be representative. A dusty page is sampled
            # anyway, since 100,000 specks take minutes.
            return list(ways)
        if len(ways) == 1 and self._page.gray.size <= _SOON_READ:
            return list(ways)
        window = self._sample(best)
        sample = Pixels(np.ascontiguousarray(self._page.gray[window]))
        now = sum(evidence(words_within(window, part.words, part.to_page)) for part in best.parts)
        if not self._page.has_letters and len(ways) > 1:
            # Tesseract reads some vertical lines: do not turn a sample that can be read as it is.
            now = max(now, self._read_again(sample, as_read(best)).evidence)
        trials = {way: self._read_again(sample, way).evidence for way in ways}
        way = max(trials, key=trials.__getitem__)
        return [way] if trials[way] >= max(_LEAST_EVIDENCE, _CLEARLY * now) else []

    def _turned(self, best: Reading) -> list[Way]:
        if not self._options.turn or best.confidence >= _MOST_UPENDED:
            return []
        way = as_read(best)
        others = (2,) if self._page.has_letters else (2, 1, 3)
        return [replace(way, turns=((way.turns or 0) + turns) % 4) for turns in others]

    def _larger(self, best: Reading) -> list[Way]:
        options = self._options
        if (
            not self._reader.cleans
            or not options.scale
            or options.text_height
            or options.fixed_size
            or options.fixed_dpi
        ):
            return []
        return [replace(as_read(best), larger=True)]

    def _as_it_came(self, best: Reading) -> list[Way]:
        if self._options.fixed or not self._reader.cleans or self._page.gray.size > MOST_UNMEASURED:
            return []
        # If nothing was found, the turn may be the reason.
        turns = as_read(best).turns if self._has_found(best) else 0
        return [replace(best.way, turns=turns, as_it_came=True)]

    @staticmethod
    def _has_found(reading: Reading) -> bool:
        return reading.evidence >= _LEAST_EVIDENCE

    def _thorough(self, best: Reading) -> list[Way]:
        if not self._reader.cleans or not (best.words and self._options.mend) or MEND in best.enhanced.steps:
            return []
        way = replace(as_read(best), as_it_came=False, thorough=True)
        return [way] if MEND in self._reader.enhance(self._page, way).steps else []

    @property
    def _options(self) -> EnhanceOptions:
        return self._reader.recipe.enhance

    def _sample(self, best: Reading) -> Window:
        return sample_strip(
            self._telling_places(best), self._page.gray.shape, _SAMPLE, lying=lies_on_its_side(self._page)
        )

    def _telling_places(self, first: Reading) -> Points:
        """Return the unread letter-like components if there are many, otherwise all."""
        missed = self._places[~self._read(first)]
        return missed if len(missed) > _MUCH_UNREAD * len(self._places) else self._places

    def _read(self, reading: Reading) -> npt.NDArray[np.bool_]:
        found = [in_words(self._places, beyond_doubt(part.words), part.to_page, part.shape) for part in reading.parts]
        either: npt.NDArray[np.bool_] = np.logical_or.reduce(found)
        return either

    @cached_property
    def _places(self) -> Points:
        return letter_centres(self._page)


def _reason_of(error: Exception) -> str:
    """Return the reason of the second reader's failure, for the warning."""
    if is_memory_error(error):
        return "it needs more memory than a worker may use"
    if isinstance(error, EngineFailed):
        return error.message
    return f"a bug in ocrwatch, please report it: {type(error).__name__}: {error}"


def as_read(reading: Reading) -> Way:
    """Return the way of a result with explicit turns.

    A sample of the page may not have enough text to detect them.
    """
    return replace(reading.way, turns=turns_of(reading))


def with_part(reading: Reading, part: Part) -> Reading:
    """Add the confident, mostly new lines of a part; replace what they overlap.

    A word overlaps another if the centre of one lies in the other: two results may split words differently.
    """
    before = np.zeros(len(part.words), bool)
    for each in reading.parts:
        before |= _meets(part, each)
    again = iter(before.tolist())

    def is_new(line: Line) -> bool:
        letters = [(len(word.text), next(again)) for word in line.words]
        known = sum(length for length, met in letters if met)
        return confidence(line.words) >= _DOUBTFUL and known < _HALF_KNOWN * sum(length for length, _ in letters)

    new = _of_lines(part, is_new)
    page, *rest = (_without(each, _meets(each, new)) for each in reading.parts)
    return replace(reading, blocks=page.blocks, rest=(*rest, new))


def _meets(part: Part, other: Part) -> npt.NDArray[np.bool_]:
    """Return for each word of ``part`` whether it overlaps a word of ``other``."""
    met = in_words(word_centres(part.words, part.to_page), other.words, other.to_page, other.shape)
    middles = word_centres(other.words, other.to_page)
    if len(middles):
        around = (in_words(middles, (word,), part.to_page, part.shape).any() for word in part.words)
        met |= np.fromiter(around, bool, len(part.words))
    return met


def _of_lines(part: Part, chosen: Callable[[Line], bool]) -> Part:
    blocks = (replace(block, lines=tuple(filter(chosen, block.lines))) for block in part.blocks)
    return replace(part, blocks=tuple(block for block in blocks if block.lines))


def _without(part: Part, dropped: npt.NDArray[np.bool_]) -> Part:
    """Remove the words marked in ``dropped``, in the order of ``part.words``."""
    if not dropped.any():
        return part
    drop = iter(dropped.tolist())
    blocks = (
        replace(
            block,
            lines=tuple(
                replace(line, words=tuple(word for word in line.words if not next(drop))) for line in block.lines
            ),
        )
        for block in part.blocks
    )
    return _of_lines(replace(part, blocks=tuple(blocks)), lambda line: bool(line.words))
