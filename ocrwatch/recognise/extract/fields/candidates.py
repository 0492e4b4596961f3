"""Finds what may be the value of a field: beside or below its labels, or anywhere on the page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.extract.extents import Extent, extent
from ocrwatch.recognise.extract.fields.dates import NO_CENTURY
from ocrwatch.recognise.extract.fields.found_value import FoundValue
from ocrwatch.recognise.extract.fields.labelled_lines import LabelledLines, has_colon
from ocrwatch.recognise.extract.fields.labels import ANYWHERE, Label
from ocrwatch.recognise.extract.fields.text_lines import TextLine
from ocrwatch.recognise.extract.fields.value_types import find_values
from ocrwatch.recognise.extract.table_words import TableWord

_LOWEST: Final = 4.0
"""How far below its label a value is, at most, in heights of a word."""

_MOST_LABELS: Final = 50
_MOST_VALUES: Final = 8
"""Labels of a field, and values beside each, that are considered: a hostile page may have thousands."""

_DIGIT: Final = re.compile(r"\d")
_FEWEST_DIGITS: Final = 4
"""Digits of a value whose type is unknown, at least."""

ASIDE: Final = 1.0
"""How far left or right of its label a value below it may begin, in heights of a word."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be the value of a field."""

    value: str
    text: str
    """As it was read."""
    words: tuple[TableWord, ...]
    doubt: str
    is_checked: bool
    label: str = ""
    """The label as it was read; empty if there is none."""
    rank: int = 0
    """How good the label is, 0 for the best."""
    is_below: bool = False
    """Whether it is below the label, and not to the right of it."""
    is_contested: bool = False
    """Whether the label of another field is between the label and the value."""
    line: int = 0
    """Number of its line on the page."""
    order: int = 0
    """How many values of the line are better."""
    extent: Extent | None = None
    """Where it was read in a second look, without words of the page."""
    sure: float | None = None
    """Confidence of a second look, 0 to 100."""
    is_reread: bool = False
    """Whether it was read beside a leader in a strip of its own, as in a second look, and not with the page."""
    around: frozenset[int] = frozenset()
    """What tells the place of a second look from others: indices of the words there, or a negative number."""

    @property
    def box(self) -> Extent:
        """Its place on the straight page, in heights of a word."""
        return self.extent or extent(self.words)

    @property
    def place(self) -> frozenset[int]:
        """What tells the place where it was read from others: the indices of its words."""
        return self.around or frozenset(word.index for word in self.words)

    def is_at_place_of(self, other: Candidate) -> bool:
        """Return whether both were read from the same print.

        Words beside a leader that were read again are other words at the place of the page's.
        """
        if self.place & other.place:
            return True
        have_words = self.words and other.words
        return bool(have_words) and self.box.holds(other.box) and other.box.holds(self.box)

    @property
    def confidence(self) -> float | None:
        """The lowest confidence of its words, 0 to 100; None if it is unknown."""
        return min((word.confidence for word in self.words if word.confidence is not None), default=self.sure)


@dataclass(frozen=True)
class FieldPage:
    """The text of a page with its labels."""

    lines: Sequence[TextLine]
    labels: Sequence[Label]
    rules: Sequence[FieldRule]
    languages: tuple[str, ...]
    words: int
    """How many words the page has: those with greater indices were read beside a leader."""

    @cached_property
    def _labelled_lines(self) -> LabelledLines:
        return LabelledLines(self.labels)

    def candidates(self) -> dict[str, list[Candidate]]:
        """Return what may be the value of each field without a zone, the best first, by its name."""
        rules = [rule for rule in self.rules if rule.zone is None]
        beside = self._with_form | {rule.name: self._labelled(rule) for rule in rules if _is_any_text(rule)}
        beside = {rule.name: in_order(beside[rule.name], rule) for rule in rules}
        found = {}
        for rule in rules:
            # What is beside the label of another field is that field's, wherever it is repeated.
            taken = {
                (other.type, candidates[0].value)
                for other in rules
                if other is not rule and (candidates := beside[other.name]) and not candidates[0].is_contested
            }
            labelled = {candidate.place for candidate in beside[rule.name]}
            anywhere = self._anywhere(rule) if self.is_anywhere(rule) else ()
            others = (
                each
                for each in anywhere
                if each.place not in labelled and (rule.type == "amount" or (rule.type, each.value) not in taken)
            )
            found[rule.name] = in_order([*beside[rule.name], *others], rule)
        return found

    @cached_property
    def _with_form(self) -> dict[str, list[Candidate]]:
        """What is beside or below the labels of the fields whose values have a known form, by their names."""
        rules = (rule for rule in self.rules if rule.zone is None and not _is_any_text(rule))
        return {rule.name: self._labelled(rule) for rule in rules}

    @cached_property
    def _has_values_below(self) -> bool:
        """Whether the page has most of its values with a known form below their labels, at least two, as cards have."""
        rules = {rule.name: rule for rule in self.rules}
        best = [in_order(found, rules[name])[0] for name, found in self._with_form.items() if found]
        sides = [candidate.is_below for candidate in best if not candidate.is_contested]
        return sum(sides) > max(1, len(sides) / 2)

    def is_above_value(self, label: Label, rule: FieldRule) -> bool:
        """Return whether the value of a label is expected below it, although there may be text to the right of it.

        That text is then the next label, with another value below it, or if the value has digits, a part of the label.
        """
        if not self._has_values_below:
            return False
        after = self._labelled_lines.text_after(label)
        if any(map(str.isalnum if _is_any_text(rule) else str.isdigit, after)):
            return False
        beside = next((piece for piece in label.line.pieces if piece[0] >= label.end), None)
        if beside is None:
            return True
        place = extent(label.line.words_between(*beside))
        return not has_colon(label) and any(_pieces_below(line, place) for line in self._lines_below(label.line))

    def _labelled(self, rule: FieldRule) -> list[Candidate]:
        """Return what is beside or below the labels of a field."""
        found: list[Candidate] = []
        mine = (label for label in self.labels if rule.name in label.ranks)
        for label in itertools.islice(mine, _MOST_LABELS):
            if _is_any_text(rule):
                found += self._text_at(label, rule)
            else:
                found += self._right_of(label, rule, label.end) or self._below(label, rule)
        return found

    def _text_at(self, label: Label, rule: FieldRule) -> list[Candidate]:
        """Return the text beside or below a label."""
        is_above = self.is_above_value(label, rule)
        end = self._labelled_lines.end_of_label(label, is_above=is_above)
        below, beside = self._text_below(label, rule), self._right_of(label, rule, end)
        # If nothing else is there, what looked like a translation of the label is the text.
        return (below or beside if is_above else beside or below) or self._right_of(label, rule, label.end)

    @staticmethod
    def is_anywhere(rule: FieldRule) -> bool:
        """Return whether the value may be anywhere on the page."""
        return not rule.near or any(group.strip() == ANYWHERE for group in rule.near)

    def _right_of(self, label: Label, rule: FieldRule, start: int) -> list[Candidate]:
        """Return what is to the right of a label that ends at ``start``."""
        line, end = label.line, len(label.line.text)
        if _is_any_text(rule):
            end = self._end_of_text(label, start)
        rest = line.text[start:end]
        values = find_values(rest, rule, self.languages)
        if rule.type == "amount":
            # The last column of a line is its sum.
            values.reverse()
        return [
            self._candidate(line, value, rule, label, order=order, contested=self._is_contested(label, rule, value))
            for order, value in enumerate(_shifted(values[:_MOST_VALUES], start))
        ]

    def _is_contested(self, label: Label, rule: FieldRule, value: FoundValue) -> bool:
        """Return whether a value is as well that of another field.

        Its label is then between the label and the value, or before the label without a value of its own: "Total incl.
        GST 23.26" and "Total GST 1.31" cannot be told apart.
        """
        line = label.line
        others = [other for other in self._labelled_lines.labels_by_line[line.number] if rule.name not in other.ranks]
        if any(label.end <= other.start and other.end <= value.start for other in others):
            return True
        piece = line.piece_at(label.start)
        before = [other for other in others if piece[0] <= other.start and other.end <= label.start]
        return self._waits_for_value(before, label.start)

    def _has_label_of_its_own(self, line: TextLine, rule: FieldRule, value: FoundValue) -> bool:
        """Return whether a value below a label is beside the label of another field."""
        labels = self._labelled_lines.labels_by_line.get(line.number, ())
        before = [label for label in labels if label.end <= value.start and rule.name not in label.ranks]
        return self._waits_for_value(before, value.start)

    def _waits_for_value(self, labels: Sequence[Label], end: int) -> bool:
        """Return whether the last of the labels before ``end`` in a line has no value up to there."""
        return bool(labels) and not self._has_value(labels[-1], labels[-1].line.text[labels[-1].end : end])

    def _has_value(self, label: Label, text: str) -> bool:
        """Return whether a text after a label has a value for it. Only its form tells if the label is of no field."""
        mine = [rule for rule in self.rules if rule.name in label.ranks]
        if not mine:
            return len(_DIGIT.findall(text)) >= _FEWEST_DIGITS
        return any(find_values(text, rule, self.languages) for rule in mine)

    def _end_of_text(self, label: Label, begin: int) -> int:
        """Return where the text beside a label, which ends at ``begin``, ends: with its piece, or at the next label.

        If nothing else is in the label's piece, the text is the next piece.
        """
        line = label.line
        ends = (end for start, end in line.pieces if any(map(str.isalnum, line.text[max(start, begin) : end])))
        return min(next(ends, len(line.text)), self._labelled_lines.next_label(line, begin))

    def _lines_below(self, line: TextLine) -> Iterator[TextLine]:
        """Yield the lines in which the values of labels in a line may be."""
        return itertools.takewhile(lambda other: other.y - line.y <= _LOWEST, self.lines[line.number + 1 :])

    def _below(self, label: Label, rule: FieldRule) -> list[Candidate]:
        place = extent(label.line.words_between(label.start, label.end))
        for line in self._lines_below(label.line):
            values = find_values(line.text, rule, self.languages)
            below = [value for value in values if _is_below(line, value.start, value.end, place)]
            if below:
                return [
                    self._candidate(
                        line,
                        value,
                        rule,
                        label,
                        order=order,
                        below=True,
                        contested=self._has_label_of_its_own(line, rule, value),
                    )
                    for order, value in enumerate(below)
                ]
        return []

    def _text_below(self, label: Label, rule: FieldRule) -> list[Candidate]:
        """Return the pieces below a label; none if the first one is the label of another value."""
        place = extent(label.line.words_between(label.start, label.end))
        for line in self._lines_below(label.line):
            pieces = _pieces_below(line, place)
            if pieces and self._is_label_with_value(line, *pieces[0]):
                break
            found = [_shifted(find_values(line.text[start:end], rule), start) for start, end in pieces]
            values = list(itertools.chain(*found))
            if values:
                return [
                    self._candidate(line, value, rule, label, order=order, below=True)
                    for order, value in enumerate(values)
                ]
        return []

    def _is_label_with_value(self, line: TextLine, start: int, end: int) -> bool:
        """Return whether a piece is a label with a value of its own. Otherwise, it is a text that is like a label."""
        label = self._labelled_lines.label_of(line, start, end)
        if label is None:
            return False
        if has_colon(label) or (not self._has_values_below and line.text[end:].strip()):
            return True
        place = extent(line.words_between(start, end))
        for below in self._lines_below(line):
            pieces = _pieces_below(below, place)
            if pieces:
                return any(self._labelled_lines.label_of(below, *piece) is None for piece in pieces)
        return False

    def _anywhere(self, rule: FieldRule) -> Iterator[Candidate]:
        for line in self.lines:
            for value in find_values(line.text, rule, self.languages):
                yield self._candidate(line, value, rule, None)

    def _candidate(
        self,
        line: TextLine,
        value: FoundValue,
        rule: FieldRule,
        label: Label | None,
        *,
        order: int = 0,
        below: bool = False,
        contested: bool = False,
    ) -> Candidate:
        words = tuple(line.words_between(value.start, value.end))
        return Candidate(
            value.value,
            line.text[value.start : value.end].strip(),
            words,
            value.doubt,
            value.is_checked,
            "" if label is None else label.text,
            len(rule.near) if label is None else label.ranks[rule.name],
            below,
            contested,
            line.number,
            order,
            is_reread=any(word.index >= self.words for word in words),
        )


def _is_any_text(rule: FieldRule) -> bool:
    """Return whether only its place tells the value of a field: its form may be any."""
    return rule.type == "text" and not rule.pattern


def _pieces_below(line: TextLine, label: Extent) -> list[tuple[int, int]]:
    return [piece for piece in line.pieces if _is_below(line, *piece, label)]


def _is_below(line: TextLine, start: int, end: int, label: Extent) -> bool:
    """Return whether a part of a line is below a label, not farther to the left or right than a value may be."""
    box = extent(line.words_between(start, end))
    return box.left <= label.right + ASIDE and box.right >= label.left - ASIDE


def _shifted(values: Sequence[FoundValue], by: int) -> list[FoundValue]:
    return [value._replace(start=value.start + by, end=value.end + by) for value in values]


def in_order(found: Iterable[Candidate], rule: FieldRule) -> list[Candidate]:
    """Return candidates by the quality of their labels, then as the rule picks."""

    def key(candidate: Candidate) -> tuple[bool, int, bool, bool, int, float]:
        if rule.pick == "largest" and rule.type in ("amount", "integer"):
            place = -float(Decimal(candidate.value))
        else:
            place = -candidate.line if rule.pick == "last" else candidate.line
        # The century says nothing about the place.
        has_doubt = candidate.doubt not in ("", NO_CENTURY)
        return candidate.is_contested, candidate.rank, has_doubt, candidate.is_below, candidate.order, place

    return sorted(found, key=key)
