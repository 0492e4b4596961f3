"""Lines that were found one by one are put into the order in which people read them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.document import Block, Box, Line, Word, bounding_box
from ocrwatch.recognise.layout import in_reading_order
from ocrwatch.recognise.rows import line_of

HEIGHT, PITCH = 20, 30
"""Height and distance of rows."""

LONG = 300
"""Width of a line of running text."""


def line(text: str, top: float, left: float = 0, width: float = LONG, height: float = HEIGHT) -> Line:
    """Set a line of one word."""
    box = Box(round(left), round(top), round(left + width), round(top + height))
    return line_of([Word(text, box, 90.0)])


def column(name: str, top: float, left: float = 0, count: int = 5, width: float = LONG) -> list[Line]:
    """Set a column of running text."""
    return [line(f"{name}{row}", top + row * PITCH, left, width) for row in range(count)]


def names(name: str, count: int = 5) -> list[str]:
    """Return the words of a column."""
    return [f"{name}{row}" for row in range(count)]


def ordered(lines: Sequence[Line]) -> tuple[Block, ...]:
    """Put lines in order that came in none."""
    mixed = list(lines)
    random.Random(1).shuffle(mixed)
    return in_reading_order(mixed)


def rows(blocks: Sequence[Block]) -> list[str]:
    """Return the text of each row."""
    return [each.text for block in blocks for each in block.lines]


def test_no_lines_are_no_blocks() -> None:
    """A page on which nothing was found has no block."""
    assert in_reading_order([]) == ()


def test_one_line_is_one_block() -> None:
    """A line by itself is a block of its size."""
    only = line("only", 10)
    assert in_reading_order([only]) == (Block((only,), only.box),)


def test_a_row_is_joined_from_left_to_right() -> None:
    """Pieces of a line that stand in one row are one line, though one stands a little lower."""
    (block,) = ordered([line("c", 3, 400, 50), line("a", 0, 0, 100), line("b", 5, 150, 100), line("d", PITCH, 0, 100)])
    assert [[word.text for word in each.words] for each in block.lines] == [["a", "b", "c"], ["d"]]
    assert block.lines[0].box == Box(0, 0, 450, 25)
    assert block.box == Box(0, 0, 450, PITCH + HEIGHT)


def test_columns_of_running_text_are_read_one_after_the_other() -> None:
    """A page of two columns is read down the left one and then down the right one, also if rows are level."""
    blocks = ordered([*column("left", 0), *column("right", 0, left=340)])
    assert rows(blocks) == [*names("left"), *names("right")]
    assert len(blocks) == 2


def test_three_columns() -> None:
    """A page of three columns is read from the left to the right one."""
    found = ordered([each for number, name in enumerate("abc") for each in column(name, 4 * number, 340 * number)])
    assert rows(found) == [*names("a"), *names("b"), *names("c")]


def test_a_heading_above_two_columns_is_read_first() -> None:
    """A line that reaches across both columns does not join them, nor do two."""
    lines = [line("heading", -PITCH, 0, 640), line("second", 0, 0, 640)]
    found = ordered([*lines, *column("left", 60), *column("right", 60, left=340)])
    assert rows(found) == ["heading", "second", *names("left"), *names("right")]


def test_a_foot_below_two_columns_is_read_last() -> None:
    """Columns above a line that reaches across both are each read to their end."""
    found = ordered([*column("left", 0), *column("right", 0, left=340), line("foot", 240, 0, 640)])
    assert rows(found) == [*names("left"), *names("right"), "foot"]


def test_columns_between_a_heading_and_a_foot() -> None:
    """Columns between two lines that reach across both are read one after the other."""
    columns = [*column("left", 60), *column("right", 60, left=340)]
    found = ordered([line("heading", 0, 0, 640), *columns, line("foot", 300, 0, 640)])
    assert rows(found) == ["heading", *names("left"), *names("right"), "foot"]


def test_a_heading_of_each_column_is_read_with_it() -> None:
    """A short line above a column belongs to that."""
    found = ordered(
        [
            *(line(f"over {name}", 0, left, 100) for name, left in (("left", 0), ("right", 340))),
            *column("left", 50),
            *column("right", 50, left=340),
        ]
    )
    assert rows(found) == ["over left", *names("left"), "over right", *names("right")]


@pytest.mark.parametrize("count", [2, 3, 4, 10, 30])
def test_prices_stay_in_their_rows(count: int) -> None:
    """A receipt's prices are read with what they are for, however wide the gap and many the rows."""
    things = [line(f"thing{row}", row * PITCH, 0, 200) for row in range(count)]
    prices = [line(f"{row}.20", row * PITCH, 500, 55) for row in range(count)]
    assert rows(ordered([*things, *prices])) == [f"thing{row} {row}.20" for row in range(count)]


def test_a_table_is_read_across() -> None:
    """Columns of short entries are no running text."""
    cells = [line(f"{row}{name}", row * PITCH, 200 * at, 80) for row in range(6) for at, name in enumerate("abc")]
    assert rows(ordered(cells)) == [f"{row}a {row}b {row}c" for row in range(6)]


def test_a_price_list_with_few_rows_in_its_last_column() -> None:
    """Two lines beside running text are no column: they are read in its rows."""
    found = ordered([*column("text", 0, count=5), line("x", 0, 400, 300), line("y", PITCH, 400, 300)])
    assert rows(found)[:2] == ["text0 x", "text1 y"]


def test_wide_gaps_part_blocks() -> None:
    """Rows that are more than the height of a line apart are in two blocks, nearer ones in one."""
    near = [line("a", 0), line("b", 2 * HEIGHT), line("c", 4 * HEIGHT)]
    assert [len(block.lines) for block in ordered(near)] == [3]
    far = [line("a", 0), line("b", PITCH), line("c", PITCH + 2 * HEIGHT + 1), line("d", 2 * PITCH + 2 * HEIGHT + 1)]
    blocks = ordered(far)
    assert [[each.text for each in block.lines] for block in blocks] == [["a", "b"], ["c", "d"]]
    assert [block.box for block in blocks] == [bounding_box(each.box for each in block.lines) for block in blocks]


@st.composite
def pages(draw: st.DrawFn) -> list[Line]:
    """Scatter lines over a page."""
    left, top, width = st.integers(0, 900), st.integers(0, 900), st.integers(1, 500)
    places = draw(st.lists(st.tuples(top, left, width, st.integers(1, 60)), max_size=25))
    return [line(f"w{number}", *place) for number, place in enumerate(places)]


@given(pages())
def test_every_line_is_read_once(page: list[Line]) -> None:
    """No word is lost or doubled, and boxes are those of the words, however lines are scattered."""
    blocks = in_reading_order(page)
    found = [word for block in blocks for each in block.lines for word in each.words]
    assert sorted(word.text for word in found) == sorted(word.text for each in page for word in each.words)
    assert all(block.lines and block.box == bounding_box(each.box for each in block.lines) for block in blocks)


@given(pages(), st.randoms())
def test_the_order_of_the_page_does_not_depend_on_the_order_of_its_lines(
    page: list[Line], order: random.Random
) -> None:
    """Lines that come in another order are read alike, if no two of them lie at the same place."""
    middles = [each.box.top + each.box.bottom for each in page]
    edges = list(itertools.chain([each.box.left for each in page], [each.box.top for each in page]))
    if len(set(middles)) < len(page) or len(set(edges)) < len(edges):
        return
    other = list(page)
    order.shuffle(other)
    assert in_reading_order(other) == in_reading_order(page)
