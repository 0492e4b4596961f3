"""Rereads with PP-OCR what Tesseract reads with low confidence.

It reads the unprocessed page, and keeps the better text of each line. The two engines fail on different input: PP-OCR
reads most of the lines that Tesseract is unsure of, but takes four times as long. So it reads the whole page only if
much of it is in doubt, otherwise single lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from ocrwatch.document import Block, Line, Word, bounding_box
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.affine import Affine, compose, inverse, magnification, quarter_turns
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.doubt import LEAST_ALONE, OTHER, RUNNING, Doubt
from ocrwatch.recognise.enhance import LAY_ON_ITS_SIDE
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.evidence import evidence
from ocrwatch.recognise.merging import merged
from ocrwatch.recognise.ppocr.lines import detected, read_line, to_line
from ocrwatch.recognise.ppocr.recognition import StripLine
from ocrwatch.recognise.ppocr.strip import Strip, strip_of
from ocrwatch.recognise.reader import OcrResult, drop_low_confidence
from ocrwatch.recognise.rows import Band, band_of, line_of

SURE_LINE = 92.0
"""Confidence from which a line is not reread with its page: it costs .0002 of word F1 and saves a tenth of the time."""

_COVERED = 0.8
"""Share of a line's width that confident lines must cover, for it not to be reread."""

_GAP = 1.25
"""Gap between two words, in line heights, from which they are read separately: the network joins distant words."""

_MARGIN = 0.1
"""Margin above and below a line that is reread, as a share of its height. With .3 on all sides, word F1 is .003
lower."""

_SIDE_MARGIN = 0.3
"""The same to the left and right, where Tesseract's boxes of blurred words cut off letters."""


class SecondReader:
    """Reads one page, or parts of it, a second time."""

    def __init__(self, page: Pixels, recipe: Recipe) -> None:
        self._page = page
        self._recipe = recipe
        self._turned: dict[int, _Turned] = {}

    def with_page(self, result: OcrResult) -> OcrResult:
        """Merge an OCR result with one of the whole page in the same orientation.

        Raises EngineFailed.
        """
        turns = turns_of(result)
        if turns not in self._turned:
            self._turned[turns] = _Turned(self._page, turns, _text_height(result), self._recipe)
        sure = [band_of(line.words) for line in _lines(result) if (line.confidence or 0.0) >= SURE_LINE]
        found, skipped = self._turned[turns].lines(result.enhanced.to_input, sure)
        kept = (
            drop_low_confidence(
                (Block(tuple(found), bounding_box(line.box for line in found)),), self._recipe.min_confidence
            )
            if found
            else ()
        )
        second = [line for block in kept for line in block.lines]
        page = merged(result.blocks, second, LEAST_ALONE, skipped)
        return replace(result, blocks=page.blocks, replaced=page.replaced, second=True)

    def with_lines(self, result: OcrResult) -> OcrResult:
        """Reread the doubtful lines, and keep the text of each with more evidence.

        Raises EngineFailed.
        """
        doubtful = [line for line in _lines(result) if (line.confidence or 0.0) < doubt_of(result).line]
        if not doubtful:
            return result
        better = {id(line): self._better(line, result.enhanced.to_input) for line in doubtful}
        lines = ([better.get(id(line), line) for line in block.lines] for block in result.blocks)
        blocks = tuple(Block(tuple(each), bounding_box(line.box for line in each)) for each in lines)
        kept = drop_low_confidence(blocks, self._recipe.min_confidence)
        news = {id(better[id(line)]) for line in doubtful if better[id(line)] is not line}
        replaced = sum(id(line) in news for block in kept for line in block.lines)
        return replace(result, blocks=kept, replaced=replaced, second=True)

    def _better(self, line: Line, to_page: Affine) -> Line:
        """Return the line, with the second reader's text where that has more evidence."""
        from_page = inverse(to_page)
        words: list[Word] = []
        is_better = False
        for before, strip in _pieces(line, to_page):
            piece = to_line(read_line(self._page.gray, strip, self._recipe), from_page)
            gains = piece is not None and evidence(piece.words) > evidence(before)
            words += piece.words if piece is not None and gains else before
            is_better = is_better or gains
        return line_of(words, line.paragraph) if is_better else line


class _Turned:
    """A page turned by quarters, and its lines, each of which is read at most once."""

    def __init__(self, page: Pixels, turns: int, text_height: float | None, recipe: Recipe) -> None:
        height, width = page.gray.shape
        self._gray: Gray = page.turned(turns).gray if turns else page.gray
        self._to_page = quarter_turns(turns, width, height)
        self._text_height = text_height
        self._recipe = recipe
        self._read: dict[int, StripLine] = {}

    @cached_property
    def _strips(self) -> list[Strip]:
        return detected(self._gray, self._text_height)

    def lines(self, to_page: Affine, sure: list[Band]) -> tuple[list[Line], list[Band]]:
        """Return the lines except those that ``sure`` covers, and the bands of the latter.

        Boxes and bands are in the pixels that ``to_page`` maps to the page.
        """
        to_there = compose(inverse(to_page), self._to_page)
        lines: list[Line] = []
        skipped: list[Band] = []
        for number, strip in enumerate(self._strips):
            place = _place(strip, to_there)
            if number not in self._read:
                if is_covered(place, sure):
                    skipped.append(place)
                    continue
                self._read[number] = read_line(self._gray, strip, self._recipe)
            line = to_line(self._read[number], to_there)
            if line is not None and is_covered(band_of(line.words), sure):
                skipped.append(place)
            elif line is not None:
                lines.append(line)
        return lines, skipped


def doubt_of(result: OcrResult) -> Doubt:
    """Return the confidences below which a page, or one of its lines, is reread."""
    found = result.enhanced.text_metrics
    return RUNNING if found is not None and found.running else OTHER


def turns_of(result: OcrResult) -> int:
    """Return by how many clockwise quarters the page was turned for a result."""
    turns = result.options.turns
    return int(LAY_ON_ITS_SIDE in result.enhanced.steps) if turns is None else turns


def _lines(result: OcrResult) -> Iterator[Line]:
    return (line for block in result.blocks for line in block.lines)


def _text_height(result: OcrResult) -> float | None:
    """Return the cap height on the page in pixels; None if there are too few letters."""
    found = result.enhanced.text_metrics
    return None if found is None else found.height / magnification(result.enhanced.to_input)


def _place(strip: Strip, to: Affine) -> Band:
    """Return the band of the text in a strip.

    A strip extends beyond its text by a fifth of its height on each side.
    """
    to_there = compose(to, strip.to_page)
    corners = np.array([(0, 10), (strip.width, 10), (0, 38), (strip.width, 38)], float)
    xs, ys = (corners @ to_there[:, :2].T + to_there[:, 2]).T
    return Band(xs.min(), ys.min(), xs.max(), ys.max())


def is_covered(band: Band, sure: list[Band]) -> bool:
    """Return whether lines that are sure cover most of the width of another line, in its row."""
    beside = (each for each in sure if band.same_row(each))
    shared = sum(max(0.0, min(band.right, each.right) - max(band.left, each.left)) for each in beside)
    return shared >= _COVERED * (band.right - band.left)


def _pieces(line: Line, to_page: Affine) -> Iterator[tuple[tuple[Word, ...], Strip]]:
    """Split a line at wide gaps, and yield the words and the strip of each piece.

    Cuts are in the middle of the gaps: Tesseract's boxes of blurred words cut off parts of letters.
    """
    # At least a quarter of the words have a letter with an ascender or descender.
    heights = sorted(word.box.bottom - word.box.top for word in line.words)
    height = heights[(3 * len(heights)) // 4]
    gaps = [(word.box.left - before.box.right, at) for at, (before, word) in enumerate(pairwise(line.words), 1)]
    cuts = [(gap, at) for gap, at in gaps if gap > _GAP * height]
    ends = [0.0, *(min(gap / 2, height) for gap, _ in cuts), 0.0]
    places = [0, *(at for _, at in cuts), len(line.words)]
    for (start, end), (before, behind) in zip(pairwise(places), pairwise(ends), strict=True):
        words = line.words[start:end]
        box = bounding_box(word.box for word in words)
        margin = _MARGIN * (box.bottom - box.top)
        beside = _SIDE_MARGIN * height
        left, right = box.left - max(before, beside), box.right + max(behind, beside)
        corners = np.array([(left, box.top - margin), (right, box.top - margin), (left, box.bottom + margin)])
        yield words, strip_of(corners @ to_page[:, :2].T + to_page[:, 2])
