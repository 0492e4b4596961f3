"""Scores fields: which values are right, and whether those said to be verified are."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self

from ocrwatch.document import Field, Standing

Outcome = Literal["right", "wrong", "missing"]

_NUMBERS: Final = re.compile(r"\d+")
_LETTERS: Final = re.compile(r"[A-Z]{3}")
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_CENTURY: Final = 2000
_MOST_DAYS: Final = 31


@dataclass(slots=True)
class FieldScore:
    """How the values of one field, or of several, were found."""

    outcomes: Counter[tuple[Standing, Outcome]] = field(default_factory=Counter)

    def add(self, standing: Standing, outcome: Outcome) -> None:
        """Count a value."""
        self.outcomes[standing, outcome] += 1

    def __iadd__(self, other: FieldScore) -> Self:
        self.outcomes.update(other.outcomes)
        return self

    @property
    def all(self) -> int:
        """Values of the truth, and wrong ones of fields that it has not."""
        return self.outcomes.total()

    def of(self, outcome: Outcome) -> int:
        """Return how many values are right, wrong or missing."""
        return sum(count for (_, each), count in self.outcomes.items() if each == outcome)

    def at(self, standing: Standing, *outcomes: Outcome) -> int:
        """Return how many values of a standing have one of these outcomes, or any."""
        return sum(
            count
            for (each, outcome), count in self.outcomes.items()
            if each == standing and (not outcomes or outcome in outcomes)
        )


def outcome_of(found: Field, truth: str, *, is_printed: bool = True) -> Outcome | None:
    """Compare a field with its true value.

    None if it is missing, and the document does not have it, or not as one value beside a label.
    """
    if not found.value:
        return "missing" if is_printed else None
    return "right" if found.value.replace(" ", "") == truth.replace(" ", "") else "wrong"


def read_key(path: Path, names: Mapping[str, str]) -> dict[str, str]:
    """Return the truth of a receipt for fields that are in its file; ``names`` has the types of fields by name.

    Amounts may have a currency before them, and dates are in any notation with the day before the month.
    """
    key = json.loads(path.read_text("utf-8"))
    return {name: _normalised(str(key[name]), kind) for name, kind in names.items() if name in key}


def _normalised(text: str, kind: str) -> str:
    if kind == "amount":
        return f"{float(re.sub(r'[^0-9.-]', '', text)):.2f}"
    return true_date(text) if kind == "date" else text


def true_date(text: str) -> str:
    """Return a date with the day before the month as ``2026-11-27``; raises ValueError."""
    numbers = [int(number) for number in _NUMBERS.findall(text)]
    month = next((_MONTHS.index(name) + 1 for name in _LETTERS.findall(text.upper()) if name in _MONTHS), None)
    if month is not None:
        day, year = numbers
    elif numbers[0] > _MOST_DAYS:
        year, month, day = numbers
    else:
        day, month, year = numbers
    return dt.date(year if year > 99 else _CENTURY + year, month, day).isoformat()
