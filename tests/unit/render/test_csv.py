"""The CSV has the tables as rows, and nothing in it runs in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given

from ocrwatch.document import Page
from ocrwatch.render.csv import harmless
from ocrwatch.render.registry import render
from tests.unit.render.made_pages import MARKUP, ORIGINAL, WORDS, page
from tests.unit.render.made_tables import PAGE, page_with, table_of


def rows(data: bytes) -> list[list[str]]:
    """Read CSV as a spreadsheet does."""
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def rendered_csv(given_page: Page) -> bytes:
    """Render the format."""
    ((ending, data),) = render(given_page, ORIGINAL, ("csv",))
    assert ending == "tables.csv"
    return data


def test_the_rows_of_a_table() -> None:
    """A cell that takes several rows or columns has its text in the first of them. Excel sees that it is UTF-8."""
    assert rendered_csv(PAGE) == b"\xef\xbb\xbfItem,Price,\r\n,of,each\r\nScrew,12.50,\r\nNail,,-3\r\n"


def test_several_tables_are_separated_by_an_empty_line() -> None:
    """An empty cell alone in its row is no empty line."""
    given_page = page_with(table_of(["Gr\u00fc\u00dfe", 'a "b", c']), table_of([""], ["\u6f22\u5b57\nx"]))
    data = rendered_csv(given_page)
    assert data.decode("utf-8-sig") == 'Gr\u00fc\u00dfe,"a ""b"", c"\r\n\r\n""\r\n\u6f22\u5b57 x\r\n'
    assert rows(data) == [["Gr\u00fc\u00dfe", 'a "b", c'], [], [""], ["\u6f22\u5b57 x"]]


def test_pages_without_tables_have_empty_files() -> None:
    """There is a file: the scan was done."""
    assert rendered_csv(page()) == rendered_csv(page_with()) == b""


@pytest.mark.parametrize(
    "text",
    [
        "-5",
        "+3.5",
        "-",
        "+",
        "--",
        "-1,234.50",
        "-12,50 \u20ac",
        "- 7",
        "+49 30 1234",
        "-5 %",
        "a=b",
        "12",
        "; -5",
        "3-4",
        "",
    ],
)
def test_numbers_and_signs_stay_as_they_are(text: str) -> None:
    """Nothing in them can run."""
    assert harmless(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("=1+2", "=cmd|' /C calc'!A0", "@SUM(A1)", "+cmd", "-cmd", "-2+3", "+1-1", "-A1", "-5x", "+-", "==", "=", "@"),
        *("\uff1d1+2", "\uff0bA1", "\uff0dA1", "\uff20SUM(A1)", "'=1", '"=1', "-5(1)", "-1*2", "-1:2"),
    ],
)
def test_formulas_get_an_apostrophe(text: str) -> None:
    """OWASP, CSV injection."""
    assert harmless(text) == f"'{text}"


def test_a_semicolon_may_begin_a_cell() -> None:
    """It does where commas are decimal points."""
    assert harmless("a; =1;b;-2;-x") == "a; '=1;b;-2;'-x"


@given(WORDS | MARKUP, WORDS | MARKUP)
def test_any_text_stays_in_its_cell_and_runs_nowhere(one: str, other: str) -> None:
    """Whatever separates cells for the program that opens the file."""
    data = rendered_csv(page_with(table_of([one, "2"], [other, "4"])))
    assert [(len(row), row[1]) for row in rows(data)] == [(2, "2"), (2, "4")]
    assert all(
        re.sub(r"\s|'", "", row[0]) in re.sub(r"\s|'|[\x00-\x1f\x7f-\x9f]", "", one + other) for row in rows(data)
    )
    for found in re.split("[,;\t\r\n]", data.decode("utf-8-sig")):
        begun = found.strip(' "')
        assert not begun.startswith(("=", "@")), begun
