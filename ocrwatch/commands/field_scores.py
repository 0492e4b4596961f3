"""Compares the fields that were found with known values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Final

from rich.console import Console

from ocrwatch.commands.aligned_table import print_rows
from ocrwatch.commands.file_reading import name_of
from ocrwatch.commands.truth_file import Truth
from ocrwatch.document import Standing
from ocrwatch.recipe import FieldRule, Recipe
from ocrwatch.recognise.extract.fields.value_types import find_values, parse_value

_NOTHING: Final = "nothing"
_AMOUNT: Final = re.compile(r"-?\d+(\.\d+)?")
_ONE_DECIMAL: Final = re.compile(r"(?<=\d)[.,]\d(?![\d.,])")
"""The end of an amount such as 12,5. Amounts on documents have two decimals or none."""


@dataclass(frozen=True, slots=True)
class FoundField:
    """A field as a JSON sidecar has it."""

    value: str | None
    """None if it is missing."""
    standing: Standing
    ground: str
    required: bool = False


class Verdict(Enum):
    """How a value compares with the known one."""

    RIGHT = "right"
    WRONG = "wrong"
    """Another value, or one although the document has none."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class _Comparison:
    file: Path
    name: str
    expected: str
    found: FoundField
    verdict: Verdict

    @property
    def is_verified(self) -> bool:
        return self.found.standing is Standing.VERIFIED


class Scores:
    """Counts the values that are right."""

    def __init__(self, truth: Truth, recipe: Recipe) -> None:
        self._truth = truth
        self._rules = {rule.name: rule for rule in recipe.fields}
        self._languages = recipe.languages
        self._comparisons: list[_Comparison] = []

    def add(self, file: Path, found: Mapping[str, FoundField]) -> None:
        """Compare the fields of a file."""
        for name, expected in self._truth.values[file].items():
            field = found[name]
            verdict = compare(self._rules[name], expected, field.value, self._languages)
            self._comparisons.append(_Comparison(file, name, expected, field, verdict))

    @property
    def all_right(self) -> bool:
        """Whether each value is the known one."""
        return all(each.verdict is Verdict.RIGHT for each in self._comparisons)

    def print_to(self, console: Console) -> None:
        """Print the counts of each field, then each value that is not right."""
        heads = ("field", "right", "wrong", "missing", "verified", "of them right")
        print_rows(console, [heads, *self._counts()])
        lacking = [each for each in self._comparisons if each.verdict is not Verdict.RIGHT]
        if lacking:
            console.print("\nNot right:")
            print_rows(console, map(_explained, lacking), indent=2)
        if self._truth.others:
            lines = "1 line is" if self._truth.others == 1 else f"{self._truth.others} lines are"
            console.print(f"\n{lines} of files that were not given.")

    def _counts(self) -> Iterator[tuple[str, ...]]:
        for name in self._truth.names:
            yield _count(name, [each for each in self._comparisons if each.name == name])
        if len(self._truth.names) > 1:
            yield _count("all", self._comparisons)


def compare(rule: FieldRule, expected: str, value: str | None, languages: Sequence[str] = ()) -> Verdict:
    """Compare a value with the known one, which is empty if the document has none.

    The known one may be written as on the document, or in the notation of fields.
    """
    if not expected:
        return Verdict.RIGHT if value is None else Verdict.WRONG
    if value is None:
        return Verdict.MISSING
    known = (expected, _parsed(expected, rule, languages))
    return Verdict.RIGHT if _plain(rule, value) in {_plain(rule, each) for each in known} else Verdict.WRONG


def _parsed(expected: str, rule: FieldRule, languages: Sequence[str]) -> str:
    """Return a known value in the notation of fields, or as it is if it is in none that is known."""
    if rule.type != "amount":
        return parse_value(expected, rule, languages)
    text = _ONE_DECIMAL.sub(r"\g<0>0", expected)
    found = find_values(text, replace(rule, pattern=""), languages)
    if len(found) != 1 or any(map(str.isdigit, text[: found[0].start] + text[found[0].end :])):
        # Such as 1e2, which is neither 1 nor 2.
        return expected
    return found[0].value


def _plain(rule: FieldRule, text: str) -> object:
    """Return a value so that 12.5 equals 12.50, and neither case nor spaces matter."""
    if rule.type == "amount" and _AMOUNT.fullmatch(text):
        # Decimal alone also takes NaN, 1e2 and 1_000.
        return Decimal(text)
    return (" " if rule.type == "text" else "").join(text.casefold().split())


def _count(name: str, comparisons: Sequence[_Comparison]) -> tuple[str, ...]:
    counts = Counter(each.verdict for each in comparisons)
    verified = [each for each in comparisons if each.is_verified]
    right = sum(each.verdict is Verdict.RIGHT for each in verified)
    return (
        name,
        f"{counts[Verdict.RIGHT]} of {len(comparisons)}",
        str(counts[Verdict.WRONG]),
        str(counts[Verdict.MISSING]),
        f"{len(verified)} ({len(verified) / max(len(comparisons), 1):.0%})",
        f"{right} of {len(verified)}" if verified else "-",
    )


def _explained(each: _Comparison) -> tuple[str, ...]:
    return (
        name_of(each.file),
        each.name,
        f"expected {each.expected or _NOTHING}",
        f"got {each.found.value or _NOTHING}",
        each.found.standing,
        each.found.ground,
    )
