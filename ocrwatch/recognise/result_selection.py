"""Selects the OCR result of a page that is delivered.

Enhancement may be wrong, so results are checked against the unprocessed page. Nearly all pages are read once. If a
result is empty, has low confidence or leaves letter-like components unread, other options are tried, first on a sample
of the page. The result with the most evidence wins.
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
from ocrwatch.recognise.doubt import MAX_UNREAD
from ocrwatch.recognise.enhance import DUST, MEND
from ocrwatch.recognise.enhance.crop import Window, extent, sample_strip
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.enhance.scale import MOST_UNMEASURED
from ocrwatch.recognise.enhance.skew import lies_on_its_side
from ocrwatch.recognise.evidence import (
    FEWEST_LETTERS,
    beyond_doubt,
    evidence,
    in_words,
    letter_centres,
    word_centres,
    words_within,
)
from ocrwatch.recognise.projective import Points
from ocrwatch.recognise.reader import OcrResult, Reader, ReadOptions, TextRegion, confidence
from ocrwatch.recognise.second_reader import SecondReader, doubt_of, turns_of

_DOUBTFUL = 70.0
"""Mean confidence below which other options are tried. Upside-down pages have 23 to 39. Receipts with 70 to 75 whose
components are all in words do not improve."""

_BEYOND_DOUBT = 85.0
"""Mean confidence from which no more options are tried for a page that was in doubt."""

_MIN_SAMPLE_GAIN = 1.15
"""Ratio of evidence, on the sample, from which other options are tried on the whole page."""

MIN_GAIN = 1.1
"""Ratio of evidence, on the whole page, from which another result is delivered instead."""

_MAX_REGIONS = 3
"""Maximum number of remaining regions of a page that are read separately."""

_SMALL_REGION = 0.5
"""Maximum size of a region that is read separately, as a share of the page, if nothing was found on the page."""

_HALF_KNOWN = 0.5
"""Share of a line's letters from which the line counts as already read."""

_LEAST_EVIDENCE = 4.0
"""Evidence, in confident letters, below which no result is preferred to another."""

_SAMPLE = 0.2
"""Size of the sample strip as a share of the page."""

_SOON_READ = 1_000_000
"""Pixels up to which the whole page is read instead of a sample: a sample would save too little and might mislead."""

_MAX_UPSIDE_DOWN = 50.0
"""Mean confidence from which a page is not upside down: upside-down pages have 23 to 39."""

_Change = Callable[[OcrResult], list[ReadOptions]]
"""Returns variants of a result's options that differ in one of them."""


class ReadingPolicy:
    """Selects among the OCR results of one page."""

    def __init__(self, reader: Reader, page: Pixels, second: SecondReader | None = None) -> None:
        """``second`` reads doubtful text again; None if there is no second reader."""
        self._reader = reader
        self._page = page.with_fine_survey
        self._second = second

    def best(self, first: OcrResult) -> OcrResult:
        """Return ``first``, or the result with the most evidence if ``first`` is in doubt.

        A second reader costs less than the other options of the first one and gains more. These are therefore tried
        only if both readers together are still in doubt, except for a page that has to be turned first.
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

    def _by_first(self, first: OcrResult) -> OcrResult:
        if self._is_settled(first, _DOUBTFUL):
            return first
        return self._read_remaining_regions(self._try_other_options(first))

    def _by_both(self, first: OcrResult, second: SecondReader) -> OcrResult:
        if self._is_settled(first, doubt_of(first).page):
            return second.with_lines(first)
        upright = self._changed(first, self._turned)
        both = self._turned_by_second(second.with_page(upright), second)
        if self._is_settled(both, _DOUBTFUL):
            return both
        again = second.with_page(self._try_other_options(upright))
        return again if again.evidence > both.evidence else both

    def _turned_by_second(self, both: OcrResult, second: SecondReader) -> OcrResult:
        """Turn a page that only the second reader can read, if it is turned."""
        # A page full of specks has thousands of line candidates.
        for options in () if DUST in both.enhanced.steps else self._turned(both):
            other = second.with_page(OcrResult(options, self._reader.enhance(self._page, options), ()))
            both = other if other.evidence > MIN_GAIN * both.evidence else both
        return both

    def _try_other_options(self, first: OcrResult) -> OcrResult:
        """Change one option after the other, until a result is beyond doubt."""
        best = first
        for change in self._changes(first):
            if self._is_settled(best, _BEYOND_DOUBT):
                break
            best = self._changed(best, change)
        return best

    def _changed(self, best: OcrResult, change: _Change) -> OcrResult:
        """Try options that differ from the best ones in one of them."""
        for options in self._promising(change(best), best):
            other = self._read_again(self._page, options)
            best = other if other.evidence > MIN_GAIN * best.evidence else best
        return best

    def unread(self, result: OcrResult) -> float | None:
        """Return the share of letter-like components in no confident word, 0 to 1.

        None if there are too few components, or if a whitelist or blacklist is set.
        """
        if len(self._letter_centres) < FEWEST_LETTERS or not self._reader.has_confidences:
            return None
        return 1 - float(np.count_nonzero(self._is_read(result))) / len(self._letter_centres)

    def is_blank(self, result: OcrResult) -> bool:
        """Return whether the page is blank.

        It has no letter-like components before enhancement, and no result has legible words.
        """
        return self._reader.has_confidences and not len(self._letter_centres) and not result.legible

    def is_beyond_doubt(self, result: OcrResult) -> bool:
        """Return whether the result is good enough to try no other form of the page."""
        return self._is_settled(result, _BEYOND_DOUBT)

    def _is_settled(self, result: OcrResult, least: float) -> bool:
        """Return whether no other options are worth trying.

        ``least`` is the mean confidence that is sufficient, 0 to 100.
        """
        if not self._enhance_options.enabled or self._reader.recipe.whitelist:
            # With a whitelist, Tesseract's confidences are low for all text.
            return True
        if result.enhanced.empty and not len(self._letter_centres):
            return True
        share = self.unread(result)
        return result.confidence >= least and (share is None or share <= MAX_UNREAD)

    def _read_remaining_regions(self, result: OcrResult) -> OcrResult:
        """Read the unread regions of a page separately.

        They may have another skew, contrast or text size, or be white on black.
        """
        if DUST in result.enhanced.steps:
            return result
        while len(result.rest) < _MAX_REGIONS and (self.unread(result) or 0.0) > MAX_UNREAD:
            rows, columns = window = extent(self._letter_centres[~self._is_read(result)], self._page.gray.shape)
            left = self._page.gray[window]
            if not self._has_found(result) and left.size > _SMALL_REGION * self._page.gray.size:
                break
            again = self._read_again(Pixels(np.ascontiguousarray(left)), with_explicit_turns(result))
            to_page = compose(shift(columns.start, rows.start), again.enhanced.to_input)
            found = TextRegion(again.blocks, to_page, again.enhanced.gray.shape)
            more = with_region(result, found)
            if more.evidence < result.evidence + _LEAST_EVIDENCE:
                break
            result = more
        return result

    def _read_again(self, page: Pixels, options: ReadOptions) -> OcrResult:
        """Read a page, or a region of it, again. If the engine fails, the result is empty."""
        enhanced = self._reader.enhance(page, options)
        try:
            return self._reader.read_enhanced(enhanced, options)
        except EngineFailed:
            return OcrResult(options, enhanced, ())

    def _changes(self, first: OcrResult) -> tuple[_Change, ...]:
        if DUST in first.enhanced.steps or not len(self._letter_centres):
            # For noise and halftones, only the unprocessed page is worth another attempt.
            return (self._unprocessed,)
        if not self._has_found(first):
            return self._turned, self._unprocessed
        return self._turned, self._enlarged, self._unprocessed, self._thorough

    def _promising(self, candidates: Sequence[ReadOptions], best: OcrResult) -> list[ReadOptions]:
        """Return the best options on a sample, if they are clearly better there than ``best``.

        Returns all candidates if a sample would be meaningless, or as slow as the whole page.
        """
        dusty = DUST in best.enhanced.steps
        if not candidates or (candidates[0].unprocessed and not self._has_found(best) and not dusty):
            # If nothing was found so far, no part of the page is known to be representative. A dusty page is sampled
            # anyway, since 100,000 specks take minutes.
            return list(candidates)
        if len(candidates) == 1 and self._page.gray.size <= _SOON_READ:
            return list(candidates)
        window = self._sample(best)
        sample = Pixels(np.ascontiguousarray(self._page.gray[window]))
        now = sum(evidence(words_within(window, region.words, region.to_page)) for region in best.regions)
        if not self._page.has_letters and len(candidates) > 1:
            # Tesseract reads some vertical lines: do not turn a sample that can be read as it is.
            now = max(now, self._read_again(sample, with_explicit_turns(best)).evidence)
        trials = {options: self._read_again(sample, options).evidence for options in candidates}
        options = max(trials, key=trials.__getitem__)
        return [options] if trials[options] >= max(_LEAST_EVIDENCE, _MIN_SAMPLE_GAIN * now) else []

    def _turned(self, best: OcrResult) -> list[ReadOptions]:
        if not self._enhance_options.turn or best.confidence >= _MAX_UPSIDE_DOWN:
            return []
        options = with_explicit_turns(best)
        others = (2,) if self._page.has_letters else (2, 1, 3)
        return [replace(options, turns=((options.turns or 0) + turns) % 4) for turns in others]

    def _enlarged(self, best: OcrResult) -> list[ReadOptions]:
        enhance = self._enhance_options
        if (
            not self._reader.cleans
            or not enhance.scale
            or enhance.text_height
            or enhance.fixed_size
            or enhance.fixed_dpi
        ):
            return []
        return [replace(with_explicit_turns(best), enlarged=True)]

    def _unprocessed(self, best: OcrResult) -> list[ReadOptions]:
        if self._enhance_options.fixed or not self._reader.cleans or self._page.gray.size > MOST_UNMEASURED:
            return []
        # If nothing was found, the turn may be the reason.
        turns = with_explicit_turns(best).turns if self._has_found(best) else 0
        return [replace(best.options, turns=turns, unprocessed=True)]

    @staticmethod
    def _has_found(result: OcrResult) -> bool:
        return result.evidence >= _LEAST_EVIDENCE

    def _thorough(self, best: OcrResult) -> list[ReadOptions]:
        if not self._reader.cleans or not (best.words and self._enhance_options.mend) or MEND in best.enhanced.steps:
            return []
        options = replace(with_explicit_turns(best), unprocessed=False, thorough=True)
        return [options] if MEND in self._reader.enhance(self._page, options).steps else []

    @property
    def _enhance_options(self) -> EnhanceOptions:
        return self._reader.recipe.enhance

    def _sample(self, best: OcrResult) -> Window:
        return sample_strip(
            self._sample_centres(best), self._page.gray.shape, _SAMPLE, lying=lies_on_its_side(self._page)
        )

    def _sample_centres(self, first: OcrResult) -> Points:
        """Return the unread letter-like components if there are many, otherwise all."""
        missed = self._letter_centres[~self._is_read(first)]
        return missed if len(missed) > MAX_UNREAD * len(self._letter_centres) else self._letter_centres

    def _is_read(self, result: OcrResult) -> npt.NDArray[np.bool_]:
        found = [
            in_words(self._letter_centres, beyond_doubt(region.words), region.to_page, region.shape)
            for region in result.regions
        ]
        either: npt.NDArray[np.bool_] = np.logical_or.reduce(found)
        return either

    @cached_property
    def _letter_centres(self) -> Points:
        return letter_centres(self._page)


def _reason_of(error: Exception) -> str:
    """Return the reason of the second reader's failure, for the warning."""
    if is_memory_error(error):
        return "it needs more memory than a worker may use"
    if isinstance(error, EngineFailed):
        return error.message
    return f"a bug in ocrwatch, please report it: {type(error).__name__}: {error}"


def with_explicit_turns(result: OcrResult) -> ReadOptions:
    """Return the options of a result with explicit turns.

    A sample of the page may not have enough text to detect them.
    """
    return replace(result.options, turns=turns_of(result))


def with_region(result: OcrResult, region: TextRegion) -> OcrResult:
    """Add the confident, mostly new lines of a region; replace what they overlap.

    A word overlaps another if the centre of one lies in the other: two results may split words differently.
    """
    before = np.zeros(len(region.words), bool)
    for each in result.regions:
        before |= _overlapping_words(region, each)
    again = iter(before.tolist())

    def is_new(line: Line) -> bool:
        letters = [(len(word.text), next(again)) for word in line.words]
        known = sum(length for length, met in letters if met)
        return confidence(line.words) >= _DOUBTFUL and known < _HALF_KNOWN * sum(length for length, _ in letters)

    new = _of_lines(region, is_new)
    page, *rest = (_without(each, _overlapping_words(each, new)) for each in result.regions)
    return replace(result, blocks=page.blocks, rest=(*rest, new))


def _overlapping_words(region: TextRegion, other: TextRegion) -> npt.NDArray[np.bool_]:
    """Return for each word of ``region`` whether it overlaps a word of ``other``."""
    met = in_words(word_centres(region.words, region.to_page), other.words, other.to_page, other.shape)
    centres = word_centres(other.words, other.to_page)
    if len(centres):
        around = (in_words(centres, (word,), region.to_page, region.shape).any() for word in region.words)
        met |= np.fromiter(around, bool, len(region.words))
    return met


def _of_lines(region: TextRegion, chosen: Callable[[Line], bool]) -> TextRegion:
    blocks = (replace(block, lines=tuple(filter(chosen, block.lines))) for block in region.blocks)
    return replace(region, blocks=tuple(block for block in blocks if block.lines))


def _without(region: TextRegion, dropped: npt.NDArray[np.bool_]) -> TextRegion:
    """Remove the words marked in ``dropped``, in the order of ``region.words``."""
    if not dropped.any():
        return region
    drop = iter(dropped.tolist())
    blocks = (
        replace(
            block,
            lines=tuple(
                replace(line, words=tuple(word for word in line.words if not next(drop))) for line in block.lines
            ),
        )
        for block in region.blocks
    )
    return _of_lines(replace(region, blocks=tuple(blocks)), lambda line: bool(line.words))
