"""Cleans words for tables: those that were read from rules are dropped, and boxes shrink to the ink."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Mask
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.rules import Rule, Rules
from ocrwatch.recognise.extract.straight_page import StraightPage
from ocrwatch.recognise.extract.table_words import TableWord

ColumnIndices = npt.NDArray[np.int64]
"""Indices of columns of pixels."""

_RULES: Final = "|_\u00a6"
"""Characters as which Tesseract reads a rule beside a word."""

_BRACKETS: Final = "[]{}"
"""It may read one of these, but they are text unless a rule runs there."""

RULE_SIGNS: Final = "|\u00a6[]{}"
"""Characters as which it reads a vertical rule within a word."""

_BESIDE: Final = 0.8
"""Distance of a rule from the end of a word that it was read with, at most."""

_SIGNS: Final = frozenset("-\u2013\u2014.:*")
"""Signs that stand for a missing number, however unsure the engine is."""

_SURE: Final = 50.0
"""Confidence, 0 to 100, from which on other signs are text."""

_DASH: Final = 2.0
"""Length of a dash from which on it is a rule if one runs there."""

_WIDE: Final = 0.45
"""Width of a box for each character from which on it may have more than the word's ink."""

_ON_RULE: Final = 0.4
"""Distance of the middle of a sign from a rule, at most, if it was read from it."""

_CONTRAST: Final = 50
"""Grey levels between a word and its background, at least; paler ones keep their boxes."""

_INK: Final = 0.45
"""Darkness of ink as a share of the difference between the background and the darkest pixel."""

_MARGIN: Final = 0.3
"""How far print in a cell is from its edges, at least."""

_SMALLEST_LETTER: Final = 0.35
"""Size of a letter or sign, at least."""

_TALLEST: Final = 2.0
_PART_OF_CELL: Final = 0.8
"""Height of print, at most, and share of the cell that it takes, at most: more is a picture, or the rest of a rule."""

_LONG_RULE: Final = 2.5
"""Length of a vertical rule that is no ink of a word."""


def clean_words(page: StraightPage, rules: Rules) -> tuple[TableWord, ...]:
    """Return the words of a page without those that are rules, with boxes that fit their ink."""
    long = without_stems(rules)
    words = (_without_rules(word, rules) for word in page.words)
    return tuple(_tightened(word, page, long) for word in words if word is not None)


def without_stems(rules: Rules) -> Rules:
    """Return the rules without vertical ones that may be stems of letters."""
    return Rules(rules.horizontal, tuple(rule for rule in rules.vertical if rule.length > _LONG_RULE))


def _without_rules(word: TableWord, rules: Rules) -> TableWord | None:
    """Return a word without characters that are rules; None if all of it is one."""
    text = _stripped(word, rules.vertical)
    if not text:
        return None
    if not any(map(str.isalnum, text)):
        if word.width > _DASH and any(
            abs(rule.at - word.y) < _ON_RULE and _crosses(rule, word.x) for rule in rules.horizontal
        ):
            return None
        if any(abs(rule.at - word.x) < _ON_RULE and _crosses(rule, word.y) for rule in rules.vertical):
            return None
        if (word.confidence or 0) < _SURE and text not in _SIGNS:
            return None
    return word if text == word.text else replace(word, text=text)


def _stripped(word: TableWord, vertical: Sequence[Rule]) -> str:
    """Return a word's text without rules at its ends. A pair of brackets is text."""
    text = word.text.strip(_RULES)
    is_pair = text[:1] in ("[", "{") and text[-1:] in ("]", "}")
    if is_pair or not text or (text[0] not in _BRACKETS and text[-1] not in _BRACKETS):
        return text
    near = [rule.at for rule in vertical if _crosses(rule, word.y)]
    if any(abs(at - word.left) < _BESIDE for at in near):
        text = text.lstrip(_BRACKETS)
    if any(abs(at - word.right) < _BESIDE for at in near):
        text = text.rstrip(_BRACKETS)
    return text


def _crosses(rule: Rule, at: float) -> bool:
    return rule.begin < at < rule.end


def _tightened(word: TableWord, page: StraightPage, rules: Rules) -> TableWord:
    """Return a word with its left and right edge at the ink.

    Tesseract's boxes may have white space, or a rule, or half of the next cell.
    """
    if word.width < _WIDE * len(word.text):
        return word
    inked = inked_columns(word, page, rules)
    if inked is None or len(inked) < 2:  # noqa: PLR2004 - nothing but specks
        return word
    begin, end = int(inked[0]) / page.unit, (int(inked[-1]) + 1) / page.unit
    # Not ``replace``, which takes three times as long, for each word.
    return TableWord(begin, word.top, end, word.bottom, word.text, word.index, word.confidence)


def inked_columns(word: TableWord, page: StraightPage, rules: Rules) -> ColumnIndices | None:
    """Return the columns of the page's pixels in which a word has ink that is no rule, from left to right.

    None if it cannot be told from its background. ``rules`` are those that are no strokes of letters.
    """
    ink = _ink_of(word, page, rules)
    if ink is None:
        return None
    # A column with one pixel is a speck.
    left = max(0, int(word.left * page.unit))
    return left + np.flatnonzero(cv2.reduce(ink, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S) > 1)


def print_height(word: TableWord, page: StraightPage, rules: Rules) -> float:
    """Return how tall a word is without blank space and rules in its box, in heights of a word."""
    ink = _ink_of(word, page, rules)
    if ink is None:
        return word.bottom - word.top
    inked = np.flatnonzero(cv2.reduce(ink, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S) > 1)
    return float(inked[-1] - inked[0] + 1) / page.unit if len(inked) else 0.0


def _ink_of(word: TableWord, page: StraightPage, rules: Rules) -> Mask | None:
    """Mark the ink of a word that is no rule; None if it cannot be told from its background."""
    rows, columns = page.gray.shape
    unit = page.unit
    left, top = max(0, int(word.left * unit)), max(0, int(word.top * unit))
    right, bottom = min(columns, math.ceil(word.right * unit)), min(rows, math.ceil(word.bottom * unit))
    if right - left < 2 or bottom - top < 2:  # noqa: PLR2004
        return None
    ink = _ink(page.gray[top:bottom, left:right])
    if ink is None:
        return None
    for rule in rules.vertical:
        if left <= rule.at * unit <= right and rule.covered(word.top, word.bottom) > 0:
            ink[:, _pixels_of(rule, unit, left)] = 0
    for rule in rules.horizontal:
        if top <= rule.at * unit <= bottom and rule.covered(word.left, word.right) > 0:
            ink[_pixels_of(rule, unit, top)] = 0
    return ink


def has_print(place: Extent, page: StraightPage) -> bool:
    """Return whether there is print within a place that is empty as far as words go.

    Its edges do not count: rules are there.
    """
    inner = Extent(place.left + _MARGIN, place.top + _MARGIN, place.right - _MARGIN, place.bottom - _MARGIN)
    # The rest of a rule goes from side to side.
    widest = _PART_OF_CELL * (inner.right - inner.left)
    tallest = max(_PART_OF_CELL * (inner.bottom - inner.top), _TALLEST)
    return any(blot.width < widest and blot.bottom - blot.top < tallest for blot in _blots(inner, page))


def letters_in(place: Extent, page: StraightPage) -> list[Extent]:
    """Return what may be letters, or several that touch, within a place.

    What reaches out of it is left out: it is of the words around it, or a vertical rule.
    """
    return [
        blot
        for blot in _blots(place, page)
        if _SMALLEST_LETTER <= blot.bottom - blot.top <= _TALLEST
        and blot.top > place.top + 1 / page.unit
        and blot.bottom < place.bottom - 1 / page.unit
        and blot.width < _PART_OF_CELL * place.width
    ]


def _blots(place: Extent, page: StraightPage) -> Iterator[Extent]:
    """Yield the boxes of all connected ink within a place. Noise and small specks are left out."""
    unit = page.unit
    left, right = max(0, round(place.left * unit)), max(0, round(place.right * unit))
    top, bottom = max(0, round(place.top * unit)), max(0, round(place.bottom * unit))
    crop = page.gray[top:bottom, left:right]
    ink = _ink(crop) if crop.size else None
    if ink is None:
        return
    whole = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
    large = stats[1:][np.max(stats[1:, 2:4], axis=1) >= _SMALLEST_LETTER * unit]
    for x, y, width, height, _ in large.tolist():
        yield Extent((left + x) / unit, (top + y) / unit, (left + x + width) / unit, (top + y + height) / unit)


def _pixels_of(rule: Rule, unit: float, begin: int) -> slice:
    """Return the pixels that a rule takes, and one at each side, from ``begin`` on."""
    near = round((rule.at - rule.thickness / 2) * unit) - begin - 1
    far = round((rule.at + rule.thickness / 2) * unit) - begin + 1
    return slice(max(0, near), max(0, far))


def _ink(crop: Gray) -> Mask | None:
    """Mark the ink of a word, whether it is darker or lighter than its background; None if it is too pale."""
    lowest, highest, _, _ = cv2.minMaxLoc(crop)
    if highest - lowest < _CONTRAST:
        return None
    # Most of a word's box is background: it is on the mean's side of the middle.
    background = highest if 2 * cv2.mean(crop)[0] > lowest + highest else lowest
    difference = cv2.absdiff(crop, background)  # type: ignore[call-overload]
    _, mask = cv2.threshold(difference, _INK * (highest - lowest), 1, cv2.THRESH_BINARY)
    return np.asarray(mask, np.uint8)
