"""Comparing fields with known values."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ocrwatch.commands.field_scores import FoundField, Scores, Verdict, compare
from ocrwatch.commands.truth_file import Truth
from ocrwatch.document import Standing
from ocrwatch.recipe import FieldRule, FieldType, Recipe


@pytest.mark.parametrize(
    ("kind", "expected", "value", "verdict"),
    [
        ("date", "2026-11-27", "2026-11-27", Verdict.RIGHT),
        ("date", "27.11.2026", "2026-11-27", Verdict.RIGHT),
        ("date", "28.11.2026", "2026-11-27", Verdict.WRONG),
        ("amount", "1.234,50 €", "1234.50", Verdict.RIGHT),
        ("amount", "1234.5", "1234.50", Verdict.RIGHT),
        ("amount", "1234.51", "1234.50", Verdict.WRONG),
        ("amount", "12,5", "12.50", Verdict.RIGHT),
        ("amount", "-12,5", "-12.50", Verdict.RIGHT),
        ("amount", "1.234,5", "1234.50", Verdict.RIGHT),
        ("amount", "1.234,5 €", "1234.50", Verdict.RIGHT),
        ("amount", "1'234.5", "1234.50", Verdict.RIGHT),
        ("amount", "12,6", "12.50", Verdict.WRONG),
        ("amount", "12,50", "12.50", Verdict.RIGHT),
        ("amount", "12", "12.00", Verdict.RIGHT),
        ("amount", "1e2", "100.00", Verdict.WRONG),
        ("amount", "1e2", "2.00", Verdict.WRONG),
        ("amount", "1_2.50", "12.50", Verdict.WRONG),
        ("amount", "sNaN", "100.00", Verdict.WRONG),
        ("amount", "NaN", "100.00", Verdict.WRONG),
        ("amount", "-Infinity", "100.00", Verdict.WRONG),
        ("text", "Corner  shop", "Corner Shop", Verdict.RIGHT),
        ("text", "Corner Shops", "Corner Shop", Verdict.WRONG),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000", Verdict.RIGHT),
        ("code", "ab-12", "AB-12", Verdict.RIGHT),
        ("text", "", None, Verdict.RIGHT),
        ("text", "", "x1", Verdict.WRONG),
        ("text", "x1", None, Verdict.MISSING),
    ],
)
def test_values_of_each_type(kind: FieldType, expected: str, value: str | None, verdict: Verdict) -> None:
    """Known values are in the notation of the document or of fields; an empty one is known to be missing."""
    rule = FieldRule("it", kind, locale="de_DE")
    assert compare(rule, expected, value, ("deu",)) is verdict


def test_counts_of_each_field() -> None:
    """Right, wrong and missing ones, and of the verified ones those that are right."""
    files = [Path(f"{number}.jpg") for number in range(4)]
    truth = Truth(Path("truth.csv"), ("code",), {file: {"code": "A1"} for file in files}, 0)
    scores = Scores(truth, Recipe(fields=(FieldRule("code", "code", pattern=".*"),)))
    found = [("A1", Standing.VERIFIED), ("A2", Standing.VERIFIED), ("A1", Standing.READ), (None, Standing.MISSING)]
    for file, (value, standing) in zip(files, found, strict=True):
        scores.add(file, {"code": FoundField(value, standing, "its \x1b[31mground")})
    assert not scores.all_right
    console = Console(file=io.StringIO(), width=200, soft_wrap=True)
    scores.print_to(console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [
        "field  right   wrong  missing  verified  of them right",
        "code   2 of 4  1      1        2 (50%)   1 of 2",
        "",
        "Not right:",
        r"  1.jpg  code  expected A1  got A2       verified  its \x1b[31mground",
        r"  3.jpg  code  expected A1  got nothing  missing   its \x1b[31mground",
    ]
