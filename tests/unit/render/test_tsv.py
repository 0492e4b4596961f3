"""The table of words reads like Tesseract's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from pytesseract.pytesseract import file_to_dict

from ocrwatch.document import UNPLACED, Box, Word
from ocrwatch.recognise.engines.tsv import parse
from ocrwatch.render.tsv import COLUMNS, cell
from tests.unit.render.made_pages import LINES, line, page, page_of, paragraphs, rendered

PAGE = page(paragraphs("Harbour office\nopened", "on Monday"), paragraphs("second block"))


def test_rows_of_a_page() -> None:
    """Page, blocks, paragraphs, lines and words each have a row with Tesseract's numbers."""
    rows = [row.split("\t") for row in rendered(PAGE, "tsv").splitlines()]
    assert tuple(rows[0]) == COLUMNS
    assert rows[1] == ["1", "1", "0", "0", "0", "0", "0", "0", "2000", "3000", "-1", ""]
    assert [row[0] for row in rows[1:]] == list("123455453455" + "23455")
    assert rows[5] == ["5", "1", "1", "1", "1", "1", "0", "0", "140", "29", "90.000000", "Harbour"]
    assert rows[-1] == ["5", "1", "2", "1", "1", "2", "140", "0", "100", "29", "90.000000", "block"]


def test_the_engine_reads_it_back() -> None:
    """What reads Tesseract's table gets the same page."""
    found = parse(rendered(PAGE, "tsv"))
    assert [line.text for block in found for line in block.lines] == [line.text for line in PAGE.lines]
    assert [word.box for block in found for line in block.lines for word in line.words] == [
        word.box for word in PAGE.words
    ]


@given(LINES)
def test_any_text_stays_in_its_row(lines: list[list[str]]) -> None:
    """Whatever characters a word has, pytesseract's parser finds one row for each."""
    given_page = page_of(lines)
    table = file_to_dict(rendered(given_page, "tsv"), "\t", -1)
    words = [text for level, text in zip(table["level"], table["text"], strict=True) if level == 5]
    assert words == [cell(word.text) for word in given_page.words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("word", "word"),
        ('"=1+1"', '\'"=1+1"'),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("'quoted'", "'quoted'"),
        ("=1+2", "'=1+2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-cmd", "'-cmd"),
        ("+A1", "'+A1"),
        ("-12.50", "-12.50"),
        ("+49", "+49"),
        ("-", "-"),
        ("a\tb\nc", "a b c"),
        ("\t=1", "'=1"),
    ],
)
def test_no_cell_is_a_formula(text: str, expected: str) -> None:
    """A quote stands in front of what a spreadsheet would calculate; numbers stay numbers."""
    assert cell(text) == expected


def test_what_is_unknown() -> None:
    """A word without a confidence has -1, like the rows that are no words; without a position it has zeros."""
    bare = replace(line("word"), words=(Word("word", UNPLACED, None),), box=UNPLACED, baseline=None)
    row = rendered(page(replace(paragraphs("x"), lines=(bare,), box=UNPLACED)), "tsv").splitlines()[-1]
    assert row.split("\t") == ["5", "1", "1", "1", "1", "1", "0", "0", "0", "0", "-1", "word"]
    assert Box(0, 0, 0, 0) == UNPLACED
