"""Divides words that were read across a vertical rule, or a wide gap: the texts of two cells as one word.

Tesseract removes rules before it reads, and sometimes the space between two cells with them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Final

import numpy as np

from ocrwatch.document import Page, Word
from ocrwatch.recognise.affine import box_of
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.rules import Rules
from ocrwatch.recognise.extract.straight_page import StraightPage
from ocrwatch.recognise.extract.table_words import TableWord
from ocrwatch.recognise.extract.word_ink import RULE_SIGNS, inked_columns, print_height, without_stems

_INSIDE: Final = 0.4
"""Distance of a rule from both ends of a word that it divides, at least. At an end it was read as a sign."""

_GAP: Final = 1.0
"""Width of a gap in a word's ink that divides it."""

_SPREAD: Final = 0.7
"""Width of a word for each character from which on it may have such a gap. Capitals in bold type have less."""

_BEYOND: Final = 0.3
"""How far a rule that divides a word reaches beyond it, at least: the stems of its letters do not."""

_TALLEST: Final = 1.8
"""Height of print that may be divided, at most: the letters of titles are no cells."""

_UNSURE: Final = 50.0
"""Confidence, 0 to 100, of the parts at most: the letters may be right, but where they were divided is an estimate."""

_WIDTHS: Final = {
    **dict.fromkeys(".,:;'!|ijlI", 0.5),
    **dict.fromkeys("-()[]{}/ frt", 0.6),
    **dict.fromkeys("ckJsvxyz", 0.9),
    **dict.fromkeys("ABCDEGHKNOPQRSUVXYw", 1.25),
    **dict.fromkeys("mM%W@", 1.6),
}
"""Widths of characters in those of a digit, about as in most typefaces; others have 1."""


def split_words(page: Page, straight: StraightPage, rules: Rules) -> Page:
    """Return a page on which no word reaches over a vertical rule; the same one if none does."""
    long = without_stems(rules)
    words_read = page.words
    parts = {word.index: tuple(_parts(word, straight, long, page, words_read[word.index])) for word in straight.words}
    divided = {index: words for index, words in parts.items() if len(words) > 1}
    if not divided:
        return page
    index = 0
    blocks = []
    for block in page.blocks:
        lines = []
        for line in block.lines:
            words: list[Word] = []
            for word in line.words:
                words += divided.get(index, (word,))
                index += 1
            lines.append(line if len(words) == len(line.words) else replace(line, words=tuple(words)))
        blocks.append(replace(block, lines=tuple(lines)))
    return replace(page, blocks=tuple(blocks))


def _parts(word: TableWord, straight: StraightPage, rules: Rules, page: Page, read: Word) -> Iterator[Word]:
    """Yield the parts of a word between rules; nothing if no rule divides it. ``read`` is the word on the page."""
    height = word.bottom - word.top
    if _is_from_right_to_left(word.text):
        return
    cuts = sorted(
        rule.at
        for rule in rules.vertical
        if word.left + _INSIDE <= rule.at <= word.right - _INSIDE
        and rule.begin <= word.top - _BEYOND
        and rule.end >= word.bottom + _BEYOND
    )
    cuts = cuts or _blank_gaps(word, straight, rules)
    if not cuts or len(word.text) < 2:  # noqa: PLR2004 - at least one character for each part
        return
    # The box of a word may be as tall as its cell.
    if height > _TALLEST and print_height(word, straight, rules) > _TALLEST:
        return
    edges = (word.left, *cuts, word.right)
    places = [Extent(left, word.top, right, word.bottom) for left, right in pairwise(edges)]
    texts = divide_text(word.text, _ink_widths(word, places, straight, rules))
    unit = read.height / height if height else 0.0
    confidence = None if read.confidence is None else min(read.confidence, _UNSURE)
    for text, place, corners in zip(texts, places, straight.corners(places), strict=True):
        if text:
            box = box_of(corners[::2], corners[1::2], width=page.width, height=page.height)
            yield Word(text, box, confidence, round(place.width * unit, 1), read.height)


def _blank_gaps(word: TableWord, straight: StraightPage, rules: Rules) -> list[float]:
    """Return the middles of gaps in the ink of a word that are wider than between words of one text."""
    if word.width < _SPREAD * len(word.text):
        return []
    inked = inked_columns(word, straight, rules)
    if inked is None:
        return []
    wide = np.flatnonzero(np.diff(inked) > _GAP * straight.unit)
    return [float(inked[at] + inked[at + 1] + 1) / 2 / straight.unit for at in wide.tolist()]


def _ink_widths(word: TableWord, places: Sequence[Extent], straight: StraightPage, rules: Rules) -> list[int]:
    """Return how many columns of pixels the print in each part of a word takes, from its first ink to its last."""
    inked = inked_columns(word, straight, rules)
    if inked is None:
        return [max(1, round(place.width * straight.unit)) for place in places]
    ends = np.searchsorted(inked, [place.right * straight.unit for place in places[:-1]]).tolist()
    parts = [inked[begin:end] for begin, end in pairwise([0, *ends, len(inked)])]
    return [int(part[-1] - part[0]) + 1 if len(part) else 0 for part in parts]


def divide_text(text: str, widths: Sequence[int]) -> list[str]:
    """Divide a text where its characters fit the widths of its parts, at a sign read from a rule if one is near.

    The last part has the rest.
    """
    total = sum(widths)
    edges = list(accumulate((_WIDTHS.get(character, 1.0) for character in text), initial=0.0))
    texts, begin, ink = [], 0, 0
    for width in widths[:-1]:
        ink += width
        fitting = edges[-1] * ink / total if total else 0.0
        at = max(begin, min(range(len(edges)), key=lambda place: abs(edges[place] - fitting)))
        near = (place for place in (at, at - 1, at + 1) if begin <= place < len(text))
        sign = next((place for place in near if text[place] in RULE_SIGNS), None)
        end = at if sign is None else sign
        texts.append(text[begin:end])
        begin = end if sign is None else end + 1
    return [*texts, text[begin:]]


def _is_from_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
