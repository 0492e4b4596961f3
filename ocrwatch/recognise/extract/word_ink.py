"""Cleans words for tables: those that were read from rules are dropped, and boxes shrink to the ink."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.rules import Rule, Rules
from ocrwatch.recognise.extract.straight_page import StraightPage
from ocrwatch.recognise.extract.table_words import TableWord

_RULES: Final = "|_\u00a6"
"""Characters as which Tesseract reads a rule beside a word."""

_BRACKETS: Final = "[]{}"
"""It may read one of these, but they are text unless a rule runs there."""

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

_CONTRAST: Final = 50
"""Grey levels between a word and its background, at least; paler ones keep their boxes."""

_INK: Final = 0.45
"""Darkness of ink as a share of the difference between the background and the darkest pixel."""

_LONG_RULE: Final = 2.5
"""Length of a vertical rule that is no ink of a word."""


def clean_words(page: StraightPage, rules: Rules) -> tuple[TableWord, ...]:
    """Return the words of a page without those that are rules, with boxes that fit their ink."""
    upright = tuple(rule for rule in rules.vertical if rule.length > _LONG_RULE)
    words = (_without_rules(word, rules) for word in page.words)
    return tuple(_tightened(word, page, rules.horizontal, upright) for word in words if word is not None)


def _without_rules(word: TableWord, rules: Rules) -> TableWord | None:
    """Return a word without characters that are rules; None if all of it is one."""
    text = _stripped(word, rules.vertical) if len(word.text) > 1 else word.text
    if not text or text in "|\u00a6_[]{}":
        return None
    if not any(map(str.isalnum, text)):
        if word.width > _DASH and any(
            abs(rule.at - word.y) < 0.5 and _crosses(rule, word.x) for rule in rules.horizontal
        ):
            return None
        if any(abs(rule.at - word.x) < 0.3 and _crosses(rule, word.y) for rule in rules.vertical):
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


def _tightened(word: TableWord, page: StraightPage, horizontal: Sequence[Rule], vertical: Sequence[Rule]) -> TableWord:
    """Return a word with its left and right edge at the ink.

    Tesseract's boxes may have white space, or a rule, or half of the next cell.
    """
    rows, columns = page.gray.shape
    unit = page.unit
    left, top = max(0, int(word.left * unit)), max(0, int(word.top * unit))
    right, bottom = min(columns, math.ceil(word.right * unit)), min(rows, math.ceil(word.bottom * unit))
    if right - left < max(2.0, _WIDE * unit * len(word.text)) or bottom - top < 2:  # noqa: PLR2004
        return word
    ink = _ink(page.gray[top:bottom, left:right])
    if ink is None:
        return word
    for rule in vertical:
        if left <= rule.at * unit <= right and rule.covered(word.top, word.bottom) > 0:
            near = round((rule.at - rule.thickness / 2) * unit) - left - 1
            far = round((rule.at + rule.thickness / 2) * unit) - left + 1
            ink[:, max(0, near) : max(0, far)] = False
    for rule in horizontal:
        if top <= rule.at * unit <= bottom and rule.covered(word.left, word.right) > 0:
            near = round((rule.at - rule.thickness / 2) * unit) - top - 1
            far = round((rule.at + rule.thickness / 2) * unit) - top + 1
            ink[max(0, near) : max(0, far)] = False
    inked = np.flatnonzero(np.count_nonzero(ink, axis=0) > 1)
    if len(inked) < 2:  # noqa: PLR2004 - nothing but specks
        return word
    return replace(word, left=(left + int(inked[0])) / unit, right=(left + int(inked[-1]) + 1) / unit)


def _ink(crop: Gray) -> np.ndarray | None:
    """Mark the ink of a word, whether it is darker or lighter than its background; None if it is too pale."""
    lowest, highest, _, _ = cv2.minMaxLoc(crop)
    if highest - lowest < _CONTRAST:
        return None
    # Most of a word's box is background: it is on the mean's side of the middle.
    background = highest if 2 * cv2.mean(crop)[0] > lowest + highest else lowest
    difference = cv2.absdiff(crop, background)  # type: ignore[call-overload]
    return np.asarray(difference > _INK * (highest - lowest))
