"""Text that only looks like a table in parts is none."""

from __future__ import annotations

import pytest

from ocrwatch.recognise.extract.tables import with_tables
from tests.unit.recognise.extract.sheets import PROSE, Sheet, find

WORDS = " ".join(PROSE).split()
NARROW = [" ".join(WORDS[at : at + 6]) for at in range(0, len(WORDS), 6)]
ADDRESS = ("Anna Berg", "Harbour Road 12", "5003 Bergen", "Norway")
OTHER_ADDRESS = ("Olav Dahl", "Mill Lane 7", "0150 Oslo", "Sweden")
THINGS = ("ropes and chains", "two barrels of tar", "lamp oil", "nails and hooks", "a new compass")


def test_a_paragraph_is_none() -> None:
    """However the spaces of its lines fall."""
    sheet = Sheet(1300, 500)
    for number, line in enumerate(PROSE):
        sheet.write(line, 80, 80 + 40 * number)
    assert find(sheet.drawn) == ()


def test_justified_text_is_none() -> None:
    """Wide spaces below each other are no columns."""
    sheet = Sheet(1300, 500)
    for number, line in enumerate(PROSE):
        sheet.justify(line, 80, 1220, 80 + 40 * number)
    assert find(sheet.drawn) == ()


@pytest.mark.parametrize("gutter", [40, 80, 160])
def test_text_in_two_columns_is_none(gutter: int) -> None:
    """A newspaper's columns have a gap at the same place in all lines, too."""
    sheet = Sheet(1400, 800)
    for number, (one, other) in enumerate(zip(NARROW[:14], NARROW[7:], strict=False)):
        sheet.justify(one, 80, 600, 80 + 40 * number)
        sheet.justify(other, 600 + gutter, 1120 + gutter, 80 + 40 * number)
    assert find(sheet.drawn) == ()


def test_text_in_three_columns_is_none() -> None:
    """With ragged lines."""
    sheet = Sheet(1800, 800)
    for number in range(10):
        for column in range(3):
            sheet.write(NARROW[(3 * number + column) % len(NARROW)], 60 + 580 * column, 80 + 40 * number)
    assert find(sheet.drawn) == ()


def test_framed_text_is_none() -> None:
    """A frame alone makes no table of a paragraph."""
    sheet = Sheet(1400, 600)
    for number, line in enumerate(PROSE):
        sheet.write(line, 80, 80 + 40 * number)
    for ends in ((50, 50, 1300, 50), (50, 450, 1300, 450), (50, 50, 50, 450), (1300, 50, 1300, 450)):
        sheet.rule(*ends)
    assert find(sheet.drawn) == ()


def test_text_between_rules_is_none() -> None:
    """As below the title of a page, and above its foot."""
    sheet = Sheet(1400, 600)
    for number, line in enumerate(PROSE):
        sheet.write(line, 80, 80 + 40 * number)
    for y in (60, 240, 430):
        sheet.rule(80, y, 1220, y)
    assert find(sheet.drawn) == ()


def test_an_address_is_none() -> None:
    """Nor are two of them, one above the other."""
    sheet = Sheet(1000, 600)
    for number, line in enumerate((*ADDRESS, "", *OTHER_ADDRESS)):
        sheet.write(line, 80, 60 + 40 * number)
    assert find(sheet.drawn) == ()


def test_addresses_side_by_side_are_none() -> None:
    """Sender and receiver of a letter."""
    sheet = Sheet(1400, 400)
    for number, (one, other) in enumerate(zip(ADDRESS, OTHER_ADDRESS, strict=True)):
        sheet.write(one, 80, 80 + 40 * number)
        sheet.write(other, 800, 80 + 40 * number)
    assert find(sheet.drawn) == ()


@pytest.mark.parametrize("lines", [("12", "7", "31", "4", "905"), THINGS, ("Bergen", "Oslo", "Riga", "Malmo")])
def test_a_list_in_one_column_is_none(lines: tuple[str, ...]) -> None:
    """Of numbers or of words."""
    sheet = Sheet(1000, 400)
    for number, line in enumerate(lines):
        sheet.write(line, 80, 60 + 40 * number)
    assert find(sheet.drawn) == ()


@pytest.mark.parametrize("marks", [("-",) * 5, ("1.", "2.", "3.", "4.", "5."), ("a)", "b)", "c)", "d)", "e)")])
@pytest.mark.parametrize(
    "lines",
    [pytest.param(PROSE[:5], id="sentences"), pytest.param(THINGS, id="things")],
)
def test_a_list_with_marks_is_none(marks: tuple[str, ...], lines: tuple[str, ...]) -> None:
    """What stands before each point of a list is no column of data."""
    sheet = Sheet(1400, 400)
    for number, (mark, line) in enumerate(zip(marks, lines, strict=True)):
        sheet.write(mark, 80, 80 + 40 * number)
        sheet.write(line, 150, 80 + 40 * number)
    assert find(sheet.drawn) == ()


def test_a_title_between_rules_is_none() -> None:
    """A line with a date at its other end."""
    sheet = Sheet(1400, 300)
    sheet.rule(80, 60, 1300, 60)
    sheet.write("The Harbour Chronicle", 80, 80)
    sheet.write_to(1300, "4 March 1911", 80)
    sheet.rule(80, 130, 1300, 130)
    assert find(sheet.drawn) == ()


def test_underlined_words_are_none() -> None:
    """Short rules below words are no rows."""
    sheet = Sheet(1300, 500)
    for number, line in enumerate(PROSE):
        sheet.write(line, 80, 80 + 40 * number)
    for _, box in sheet.words[3::9]:
        sheet.rule(box.left, box.bottom + 4, box.right, box.bottom + 4, width=2)
    assert find(sheet.drawn) == ()


def test_stems_that_meet_from_line_to_line_are_no_rules() -> None:
    """In old books with close lines they seem to run through many of them; no word is divided there."""
    sheet = Sheet(1400, 700)
    for number in range(12):
        sheet.write(PROSE[number % len(PROSE)], 60, 60 + 30 * number, size=28)
    boxes = [box for _, box in sheet.drawn.words]
    for box in (boxes[2], boxes[4], boxes[6]):
        middle = (box.left + box.right) // 2
        sheet.rule(middle, 60, middle, 60 + 12 * 30)
    for row in (2, 5, 8):
        sheet.rule(60, 60 + 30 * row + 17, 900, 60 + 30 * row + 17)
    page = with_tables(sheet.drawn.gray, 1, sheet.drawn.page())
    assert page.tables == ()
    assert page.words == sheet.drawn.page().words
