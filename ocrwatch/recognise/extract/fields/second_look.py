"""Decides which fields are read again, where, and what a second reading proves.

A second reading never replaces a value by itself: it must be backed by check digits, or by a sum. Replacing totals of
receipts by whatever the second reading said made 45 of 100 right instead of 50.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ocrwatch.document import Quad, Standing
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.extract.extents import Extent, extent
from ocrwatch.recognise.extract.fields.amounts import NO_DECIMALS
from ocrwatch.recognise.extract.fields.candidates import ASIDE, Candidate, FieldPage, in_order
from ocrwatch.recognise.extract.fields.found_value import FoundValue
from ocrwatch.recognise.extract.fields.grounds import Decision, by_check_digits
from ocrwatch.recognise.extract.fields.labels import Label
from ocrwatch.recognise.extract.fields.value_types import find_values
from ocrwatch.recognise.extract.straight_page import StraightText

_MOST_PLACES: Final = 12
"""Places that are read again, at most."""

_MOST_PER_FIELD: Final = 2

_ABOVE: Final = 0.35
_BESIDE: Final = 0.6
"""How much is cut out around words that were read, in heights of a word: boxes of blurred words cut off letters."""

_BELOW: Final = 2.2
"""How far below its label a value reaches, in heights of a word: forms have smaller labels than values."""

_SURE: Final = 80.0
"""Confidence, 0 to 100, of at least one of several like readings of one engine: it misreads a bad digit in the same way
each time. Of 22 dates and totals of receipts that were read alike, the one with less (72) was the only wrong one."""

_NEARLY_DATE: Final = re.compile(
    r"[\dOoIl|]{1,4}\s?[-/.,]\s?[\dOoIl|]{1,2}\s?[-/., ]\s?[\dOoIl|]{2,4}|\d{3,4}[-/.]\d{2,4}"
)
"""What may have been a date before it was misread."""


class LineReader(Protocol):
    """Reads places of a page again: :class:`ocrwatch.recognise.strip_reader.StripReader`."""

    def read_lines(self, places: Sequence[Quad], unit: float) -> Sequence[Sequence[ReadText]]:
        """Return what each engine reads at each place."""


class ReadText(Protocol):
    """A text that was read."""

    @property
    def engine(self) -> str:
        """The name of the engine."""

    @property
    def text(self) -> str:
        """The text."""

    @property
    def confidence(self) -> float:
        """0 to 100."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field is read again."""

    rule: FieldRule
    extent: Extent
    """In heights of a word."""
    label: str
    """The label that it is beside; empty if there is none."""
    rank: int
    line: int
    value: str = ""
    """What was read there before; empty if nothing was."""
    words: frozenset[int] = frozenset()
    """Indices of the words there, if something was read."""

    @property
    def around(self) -> frozenset[int]:
        """What tells this place from others: a strip beside a label is the same place for all fields."""
        return self.words or frozenset({-1 - round(10 * self.extent.left) - 10_000 * self.line})


@dataclass(frozen=True, slots=True)
class Again:
    """What was read at a place of a field."""

    place: Place
    values: tuple[FoundValue, ...]
    """The value of each reading that has one."""
    readings: tuple[ReadText, ...]
    """Those readings."""

    @property
    def confidence(self) -> float:
        """The lowest confidence of a reading, 0 to 100."""
        return min(reading.confidence for reading in self.readings)

    @property
    def common(self) -> FoundValue | None:
        """The value if all readings that have one agree on it."""
        same = len({value.value for value in self.values}) == 1
        return self.values[0] if same else None

    @property
    def engines(self) -> int:
        """How many engines read a value."""
        return len({reading.engine for reading in self.readings})


def places_to_read(rules: Sequence[FieldRule], decisions: Mapping[str, Decision], page: FieldPage) -> list[Place]:
    """Return where fields are read again that were not found, or are not verified."""
    found: list[Place] = []
    for rule in rules:
        decision = decisions[rule.name]
        if not rule.second_look or rule.type == "text" or decision.standing is Standing.VERIFIED:
            continue
        candidate = decision.candidate
        if candidate is None:
            found += itertools.islice(_without_value(rule, page, len(rule.near) + 1), _MOST_PER_FIELD)
        else:
            # Also beside the best label whose value was not read, so that a worse label's was taken.
            found += [_around(candidate, rule), *itertools.islice(_without_value(rule, page, candidate.rank), 1)]
    return found[:_MOST_PLACES]


def read_again(
    places: Sequence[Place], reader: LineReader, straight: StraightText, languages: tuple[str, ...]
) -> list[Again]:
    """Read places again; return those at which a value was read."""
    if not places:
        return []
    readings = reader.read_lines(straight.corners([place.extent for place in places]), straight.height)
    again = []
    for place, texts in zip(places, readings, strict=True):
        found = [
            (value, text)
            for text in texts
            if (value := _expected(find_values(text.text, place.rule, languages), place)) is not None
        ]
        if found:
            again.append(Again(place, tuple(value for value, _ in found), tuple(text for _, text in found)))
    return again


def _expected(values: Sequence[FoundValue], place: Place) -> FoundValue | None:
    """Return the value that was read there before if it is among these, otherwise the first; None if there is none."""
    same = (value for value in values if is_alike(value.value, place.value))
    return next(same, values[0] if values else None)


def is_alike(value: str, other: str) -> bool:
    """Return whether two values differ in nothing but case: engines mistake C for c."""
    return value.casefold() == other.casefold()


def candidates_of(again: Sequence[Again], name: str) -> Iterator[Candidate]:
    """Yield what was read again as further candidates of a field; sums may back them."""
    for each in again:
        if each.place.rule.name == name:
            for number, value in enumerate(each.values):
                text = each.readings[number].text[value.start : value.end].strip()
                yield Candidate(
                    value.value, text, (), value.doubt, value.is_checked, each.place.label, each.place.rank,
                    line=each.place.line, order=number,
                    extent=each.place.extent, sure=each.readings[number].confidence, around=each.place.around,
                )  # fmt: skip


def with_second_look(
    rule: FieldRule, decision: Decision, again: Sequence[Again], found: Sequence[Candidate]
) -> Decision:
    """Return the decision for a field that no sum verifies, after it was read again.

    ``found`` is what may be its value by the first reading.
    """
    mine = [each for each in again if each.place.rule.name == rule.name]
    if not mine or decision.standing is Standing.VERIFIED:
        return decision
    others = list(candidates_of(mine, rule.name))
    if any(other.is_checked for other in others):
        checked = by_check_digits(rule, in_order([*found, *others], rule))
        if checked is not None:
            is_right = checked.standing is Standing.VERIFIED
            return replace(checked, ground=f"{checked.ground}, in a second reading") if is_right else checked
    if decision.candidate is None:
        return _filled(mine)
    return _reread(rule, decision, decision.candidate, mine)


def _reread(rule: FieldRule, decision: Decision, candidate: Candidate, again: Sequence[Again]) -> Decision:
    """Return the decision after a value, or what is beside a better label, was read again."""
    with_sign = _with_decimal_sign(candidate, again)
    if with_sign is not None:
        if decision.is_ambiguous:
            return replace(decision, candidate=with_sign)
        return Decision(with_sign, Standing.READ, "a second look has its decimals")
    better = [each for each in again if each.place.rank < candidate.rank and each.common is not None]
    if better:
        return _filled(better)
    same = next((each for each in again if each.place.value), None)
    return decision if same is None else _compared(rule, decision, candidate, same)


def _compared(rule: FieldRule, decision: Decision, candidate: Candidate, again: Again) -> Decision:
    """Return the decision after a value was read again: more readings must be alike than different.

    They show that it was read well, and not that it is this field's: below a poor label, it may be another column's.
    """
    value = candidate.value
    alike = sum(other.value == value and not other.doubt for other in again.values)
    others = [other.value for other in again.values if not is_alike(other.value, value)]
    if candidate.rank and (candidate.is_below or rule.type == "code"):
        alike = 0
    # An unknown confidence is none.
    sure = max(candidate.confidence or 0.0, *(reading.confidence for reading in again.readings))
    # A value that was read in a strip at first, too, needs one reading more: two of these may have the same error.
    if alike - candidate.is_reread > len(others) and not decision.is_ambiguous and (again.engines > 1 or sure >= _SURE):
        return replace(decision, standing=Standing.VERIFIED, ground="two readings are alike")
    if len(others) > alike and decision.standing is Standing.READ:
        return replace(decision, standing=Standing.DOUBTFUL, ground=f"a second reading is {others[0]}")
    return decision


def _filled(again: Sequence[Again]) -> Decision:
    """Return the value of a field that was not found at first."""
    best = max(again, key=lambda each: (each.common is not None, len(each.values), each.confidence))
    candidate = next(candidates_of([best], best.place.rule.name))
    if best.common is None or candidate.doubt:
        return Decision(candidate, Standing.DOUBTFUL, candidate.doubt or "readings of a second look differ")
    if len(best.values) == 1:
        return Decision(candidate, Standing.DOUBTFUL, "only one reading has it, of a second look")
    return Decision(candidate, Standing.READ, "it was found in a second look")


def _with_decimal_sign(candidate: Candidate, again: Sequence[Again]) -> Candidate | None:
    """Return a second reading of an amount that has the digits of a first one without decimals; None if none has."""
    if candidate.doubt != NO_DECIMALS:
        return None
    digits = candidate.value.removesuffix(".00")
    others = candidates_of(again, again[0].place.rule.name)
    return next((other for other in others if not other.doubt and other.value.replace(".", "") == digits), None)


def _around(candidate: Candidate, rule: FieldRule) -> Place:
    place = _enlarged(candidate.box)
    return Place(rule, place, candidate.label, candidate.rank, candidate.line, candidate.value, candidate.place)


def _enlarged(box: Extent) -> Extent:
    return Extent(box.left - _BESIDE, box.top - _ABOVE, box.right + _BESIDE, box.bottom + _ABOVE)


def _beside(label: Label, rule: FieldRule, right: float) -> Place:
    """Return the strip from a label to the right end of the text on the page."""
    box = extent(label.line.words_between(label.start, label.end))
    strip = Extent(box.right, box.top - _ABOVE, right + _BESIDE, box.bottom + _ABOVE)
    return Place(rule, strip, label.text, label.ranks[rule.name], label.line.number)


def _below(label: Label, rule: FieldRule, page: FieldPage, right: float) -> Place:
    """Return the strip below a label, up to what is beside the label, or below that."""
    box = extent(label.line.words_between(label.start, label.end))
    lines = [line for line in page.lines[label.line.number + 1 :] if box.bottom < line.y < box.bottom + _BELOW]
    beside = [word.left for word in label.line.words if word.left > box.right + _BESIDE]
    texts = (extent(line.words_between(*piece)) for line in lines for piece in line.pieces)
    farther = [text.left for text in texts if text.left > box.right + ASIDE]
    strip = Extent(
        box.left - _BESIDE, box.bottom, min([*beside, *farther, right + _BESIDE]), box.bottom + _BELOW
    )  # fmt: skip
    words = frozenset(word.index for line in lines for word in line.words if strip.holds(word))
    return Place(rule, strip, label.text, label.ranks[rule.name], label.line.number, words=words)


def _has_words_after(label: Label) -> bool:
    return any(start >= label.end for start in label.line.starts)


def _without_value(rule: FieldRule, page: FieldPage, worst: int) -> Iterator[Place]:
    """Yield where the value of a field may be.

    That is at its labels, if they are better than ``worst``, and if it is a date, also where there is nearly one.
    """
    right = max((word.right for line in page.lines for word in line.words), default=0.0)
    for label in page.labels:
        if label.ranks.get(rule.name, worst) < worst:
            beside, below = _beside(label, rule, right), _below(label, rule, page, right)
            places = [below if page.is_above_value(label, rule) else beside]
            if not below.words and not _has_words_after(label):
                # Nothing was read beside and below it: the value may be in a box below.
                places = [beside, below]
            yield from (place for place in places if place.extent.width > 1 + _BESIDE)
    if rule.type == "date" and page.is_anywhere(rule) and worst > len(rule.near):
        for line in page.lines:
            for match in _NEARLY_DATE.finditer(line.text):
                box = extent(line.words_between(match.start(), match.end()))
                yield Place(rule, _enlarged(box), "", len(rule.near), line.number)
