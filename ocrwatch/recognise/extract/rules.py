"""Finds ruled lines on the straight page: dark ones, and white ones in shaded areas.

They are found on the page before enhancement: removing shadows also removes the edges of shaded cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Mask
from ocrwatch.recognise.extract.extents import Extent

_CONTRAST: Final = 20
"""Grey levels between a rule and its surroundings, at least. Print that shows through from the back has less than 15
on most scans."""

_THICKEST: Final = 0.5
"""Thickness of a rule, at most; thicker bars are pictures, or letters of a heading."""

_LONGEST_BREAK: Final = 5
"""Pixels by which a rule may be interrupted, as by noise."""

_MOST_RULES: Final = 2000
"""Rules of one direction, at most, the longest: a table of 200 rows has as many in ten pieces each. A hatched picture
has tens of thousands, which would take minutes."""

_BREAK: Final = 0.5
"""Gap between two pieces of one rule, at most."""

_SHORTEST: Final = {True: 2.0, False: 1.4}
"""Length of a horizontal and of a vertical rule, at least. The stems of letters are shorter than 1."""

_WHITE_SHORTEST: Final = {True: 3.0, False: 1.4}
"""The same for white rules: the spaces between lines of text are as white."""

_FLAT: Final = 4
"""Length of a rule in multiples of its thickness, at least."""

_OF_LETTERS: Final = {True: 6.0, False: 3.0}
"""Length up to which a rule within words is a stroke of their letters. A longer horizontal one is none: strokes are
interrupted between words. Stems may meet from line to line."""

_WITHIN_WORDS: Final = 0.4
"""Share of a rule that lies within words, from which on it may be a stroke of their letters."""

_BESIDE: Final = 0.4
"""How far from a stem the next letters are, at most."""

_ALONE: Final = 0.2
"""Share of a vertical rule with ink beside it, at most, on the side that has less: other rules end there. Stems have
some along half of their height."""

_INSIDE: Final = 0.12
"""How far inside a word's box a stroke is: an underline is at its edge."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A ruled line. Lengths are in heights of a word."""

    at: float
    """Its middle: from the top if it is horizontal, from the left if it is vertical."""
    begin: float
    """Its left or upper end."""
    end: float
    thickness: float

    @property
    def length(self) -> float:
        """From end to end."""
        return self.end - self.begin

    def covered(self, begin: float, end: float) -> float:
        """Return the length of the part of ``begin`` to ``end`` that it covers; negative is the distance."""
        return min(self.end, end) - max(self.begin, begin)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a page."""

    horizontal: tuple[Rule, ...]
    vertical: tuple[Rule, ...]


def find_rules(gray: Gray, unit: float, words: Sequence[Extent]) -> Rules:
    """Return the rules of a straight page on which words are ``unit`` pixels tall.

    ``words`` are those with letters or digits, in heights of a word: strokes of their letters are no rules.
    """
    boxes = np.array([(word.left, word.top, word.right, word.bottom) for word in words], np.float64).reshape(-1, 4)
    found = []
    for horizontal in (True, False):
        dark = _runs(
            _thin(gray, unit, horizontal=horizontal, dark=True), _SHORTEST[horizontal], unit, horizontal=horizontal
        )
        white = _runs(
            _thin(gray, unit, horizontal=horizontal, dark=False),
            _WHITE_SHORTEST[horizontal],
            unit,
            horizontal=horizontal,
        )
        longest = sorted(_joined([*dark, *white]), key=lambda rule: -rule.length)[:_MOST_RULES]
        found.append(tuple(rule for rule in longest if not _is_stroke(rule, boxes, gray, unit, horizontal=horizontal)))
    return Rules(*found)


def _thin(gray: Gray, unit: float, *, horizontal: bool, dark: bool) -> Mask:
    """Mark pixels that are darker, or lighter, than both sides of a strip as thick as a rule can be."""
    across = max(3, int(_THICKEST * unit)) | 1
    kernel = np.ones((across, 1) if horizontal else (1, across), np.uint8)
    operation = cv2.MORPH_BLACKHAT if dark else cv2.MORPH_TOPHAT
    _, mask = cv2.threshold(cv2.morphologyEx(gray, operation, kernel), _CONTRAST, 1, cv2.THRESH_BINARY)
    return mask  # type: ignore[return-value]


def _runs(mask: Mask, shortest: float, unit: float, *, horizontal: bool) -> list[Rule]:
    """Return the long runs of a mask. A rule may be a pixel off along its length, and have short breaks."""
    run = _along(max(3, int(0.5 * unit)), horizontal=horizontal)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, run)  # type: ignore[assignment]
    mask = cv2.dilate(mask, _along(3, horizontal=not horizontal))  # type: ignore[assignment]
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _along(_LONGEST_BREAK, horizontal=horizontal))  # type: ignore[assignment]
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _along(max(3, int(shortest * unit)), horizontal=horizontal))  # type: ignore[assignment]
    # A tenth of the time of connected components: nearly all of the mask is empty.
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    rules = []
    for left, top, width, height in map(cv2.boundingRect, contours):
        length, thickness = (width, height - 2) if horizontal else (height, width - 2)
        # A long rule of a page that is a little skewed seems thicker than it is.
        if thickness > 0.6 * unit + 0.01 * length or length < _FLAT * thickness:
            continue
        begin, at = (left, top + height / 2) if horizontal else (top, left + width / 2)
        rules.append(Rule(at / unit, begin / unit, (begin + length) / unit, thickness / unit))
    return rules


def _along(length: int, *, horizontal: bool) -> Mask:
    return np.ones((1, length) if horizontal else (length, 1), np.uint8)


def _joined(rules: Iterable[Rule]) -> list[Rule]:
    """Join pieces of one rule that follow each other."""
    joined: list[Rule] = []
    by_place: dict[int, list[int]] = {}
    """Indices into ``joined`` by half heights of a word: a page of a photograph may have thousands of rules."""
    for rule in sorted(rules, key=lambda rule: rule.begin):
        place = int(2 * rule.at)
        near = (number for each in (place - 1, place, place + 1) for number in by_place.get(each, ()))
        number = next((number for number in near if _continues(joined[number], rule)), None)
        if number is None:
            by_place.setdefault(place, []).append(len(joined))
            joined.append(rule)
            continue
        other = joined[number]
        longer = max(rule, other, key=lambda rule: rule.length)
        thickness = max(rule.thickness, other.thickness)
        joined[number] = Rule(longer.at, other.begin, max(other.end, rule.end), thickness)
    return joined


def _continues(rule: Rule, following: Rule) -> bool:
    is_near = abs(rule.at - following.at) <= max(0.1, (rule.thickness + following.thickness) / 2)
    return is_near and following.begin - rule.end <= _BREAK and following.end > rule.begin


def _is_stroke(rule: Rule, boxes: np.ndarray, gray: Gray, unit: float, *, horizontal: bool) -> bool:
    """Return whether a rule is made of strokes of letters: much of it lies within words.

    Stems may be long: if lines are close, those of one line meet those of the next, as with the long s of old books.
    But a word may also have been read across a rule, or its box may be as large as its cell.
    """
    is_short = rule.length <= _OF_LETTERS[horizontal]
    if horizontal and not is_short:
        return False
    low, high, begin, end = boxes.T[[1, 3, 0, 2] if horizontal else [0, 2, 1, 3]]
    begin, end = np.maximum(begin, rule.begin), np.minimum(end, rule.end)
    inside = (low + _INSIDE < rule.at) & (rule.at < high - _INSIDE) & (begin < end)
    within = np.column_stack((begin[inside], end[inside]))
    if float((within[:, 1] - within[:, 0]).sum()) <= _WITHIN_WORDS * rule.length:
        return False
    return is_short or _has_letters_beside(rule, within, gray, unit)


def _has_letters_beside(rule: Rule, within: np.ndarray, gray: Gray, unit: float) -> bool:
    """Return whether a vertical rule has ink close to it on both sides, in the parts of it that are ``within`` words.

    Text that is aligned at a rule is close on one side only.
    """
    rows = np.zeros(gray.shape[0], np.bool_)
    for begin, end in np.round(within * unit).astype(int).tolist():
        rows[max(0, begin) : end] = True
    left = max(0, round((rule.at - rule.thickness / 2) * unit))
    right = max(left + 1, round((rule.at + rule.thickness / 2) * unit))
    reach = max(1, round(_BESIDE * unit))
    # The pixels at its edges are blurred.
    before = gray[rows, max(0, left - 1 - reach) : max(0, left - 1)]
    after = gray[rows, right + 1 : right + 1 + reach]
    if not before.size or not after.size:
        return False
    level = float(np.median(gray[rows, left:right]))
    paper = float(np.median(np.hstack((before, after))))
    middle = (level + paper) / 2
    inked = [(side < middle) if level < paper else (side > middle) for side in (before, after)]
    return min(float(side.any(axis=1).mean()) for side in inked) > _ALONE
