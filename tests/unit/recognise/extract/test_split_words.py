"""Words that were read across a rule or a wide gap are divided, and no others."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.document import Block, Box, Line, Page, Word
from ocrwatch.recognise.extract.split_words import divide_text
from ocrwatch.recognise.extract.tables import with_tables
from tests.table_images import DrawnTable, draw_table, simple
from tests.unit.recognise.extract.sheets import Sheet

ROWS = (("Harbour", "Summer", "Winter"), ("North", "82,327", "45,382"), ("South", "10,310", "20,088"))


def _joined(drawn: DrawnTable, first: str, second: str, between: str = "", page: Page | None = None) -> Page:
    """Return the page as if two words had been read as one."""
    page = page or drawn.page()
    boxes = dict(drawn.words)
    left, right = boxes[first], boxes[second]
    box = Box(left.left, min(left.top, right.top), right.right, max(left.bottom, right.bottom))
    word = Word(first + between + second, box, 96.0, box.right - box.left, box.bottom - box.top)
    blocks = []
    for block in page.blocks:
        if block.lines[0].text == first:
            blocks.append(Block((Line((word,), box),), box))
        elif block.lines[0].text != second:
            blocks.append(block)
    return replace(page, blocks=tuple(blocks))


@pytest.mark.parametrize("between", ["", "|", "]"])
def test_word_across_a_rule_is_divided(between: str) -> None:
    """Both parts lie where they are printed, and are marked as unsure."""
    drawn = draw_table(simple(ROWS))
    page = with_tables(drawn.gray, 1, _joined(drawn, "82,327", "45,382", between))
    boxes = dict(drawn.words)
    for text in ("82,327", "45,382"):
        word = next(word for word in page.words if word.text == text)
        assert word.confidence == 50
        assert word.box.left <= boxes[text].left <= boxes[text].right <= word.box.right
    assert page.tables is not None
    assert [cell.text for cell in page.tables[0].cells] == [text for row in ROWS for text in row]


def test_words_across_a_rule_are_divided_in_all_rows() -> None:
    """Then most of the rule lies within words, as stems of their letters do; but these have letters on both sides."""
    rows = (("Year", "18,450", "18,460"), ROWS[1], ("South", "36,940", "20,088"))
    drawn = draw_table(simple(rows))
    page = drawn.page()
    for _, first, second in rows:
        page = _joined(drawn, first, second, page=page)
    tables = with_tables(drawn.gray, 1, page).tables
    assert tables is not None
    assert [[cell.text for cell in table.cells] for table in tables] == [[text for row in rows for text in row]]


def test_word_in_a_box_as_tall_as_its_cell_is_divided() -> None:
    """It is its print that would be too tall: that of a title."""
    drawn = draw_table(simple(ROWS))
    page = _joined(drawn, "82,327", "45,382")
    blocks = []
    for block in page.blocks:
        (word,) = block.lines[0].words
        if word.text == "82,32745,382":
            box = replace(word.box, top=word.box.top - 14, bottom=word.box.bottom + 8)
            word = replace(word, box=box, height=box.bottom - box.top)
            assert word.height > 1.8 * 22
        blocks.append(Block((Line((word,), word.box),), word.box))
    tables = with_tables(drawn.gray, 1, replace(page, blocks=tuple(blocks))).tables
    assert tables is not None
    assert [[cell.text for cell in table.cells] for table in tables] == [[text for row in ROWS for text in row]]


@pytest.mark.parametrize(
    ("widths", "parts"),
    [
        ((56, 92), ["70%", "98,105"]),
        ((85, 92, 92), ["32623", "737.61", "461.19"]),
        ((113, 91), ["Summer", "Winter"]),
        ((21, 57), ["ill", "mild"]),
    ],
)
def test_text_is_divided_where_its_characters_fit(widths: tuple[int, ...], parts: list[str]) -> None:
    """A point is narrower than a digit, and a percent sign wider."""
    assert divide_text("".join(parts), widths) == parts


def test_rules_within_the_boxes_of_words_are_kept() -> None:
    """Tesseract's boxes may be as large as cells, and have a rule in them."""
    drawn = draw_table(simple(ROWS))
    drawn.words = [
        (text, Box(box.left - 12, box.top - 6, box.right + 12, box.bottom + 20)) for text, box in drawn.words
    ]
    tables = with_tables(drawn.gray, 1, drawn.page()).tables
    assert tables is not None
    assert [[cell.text for cell in table.cells] for table in tables] == [[text for row in ROWS for text in row]]


def test_word_across_a_wide_gap_is_divided() -> None:
    """Where no rule runs, the white space in it shows that it is two."""
    drawn = draw_table(simple((*ROWS, ("East", "1,500", "70,310"), ("West", "300", "90,118"))), rules="none")
    page = with_tables(drawn.gray, 1, _joined(drawn, "82,327", "45,382"))
    assert {"82,327", "45,382"} <= {word.text for word in page.words}


def test_title_in_large_type_stays() -> None:
    """The stems of its letters are as long as rules."""
    sheet = Sheet(1240, 700)
    sheet.write("HOTEL", 100, 60, size=90)
    sheet.write("MENU", 500, 60, size=90)
    for number in range(8):
        sheet.write("Soup of the day with bread and butter, and a glass of water", 100, 250 + 40 * number, size=22)
    page = sheet.drawn.page()
    found = with_tables(sheet.drawn.gray, 1, page)
    assert found.words == page.words
    assert found.tables == ()


@given(st.text(alphabet="ab1|]", min_size=1, max_size=8), st.lists(st.integers(0, 9), min_size=2, max_size=4))
def test_no_character_but_a_rule_is_lost(text: str, widths: list[int]) -> None:
    """Wherever the rules are: the parts are the text, at most without one sign for each rule."""
    parts = divide_text(text, widths)
    assert len(parts) == len(widths)
    left_out = list(text)
    for character in "".join(parts):
        left_out.remove(character)
    assert set(left_out) <= set("|]")
    assert len(left_out) < len(widths)
    assert re.sub(r"[|\]]", "", "".join(parts)) == re.sub(r"[|\]]", "", text)
