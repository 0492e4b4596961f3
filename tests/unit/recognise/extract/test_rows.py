"""Rows of data: lines that belong together, whatever their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.recognise.extract.body_rows import number_rows
from ocrwatch.recognise.extract.columns import Piece
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.table_words import TableWord

PLACE = Extent(0.0, 0.0, 80.0, 100.0)
COLUMNS = 8


def _piece(column: int, y: float, text: str) -> Piece:
    word = TableWord(10.0 * column, y - 0.5, 10.0 * column + 4, y + 0.5, text, 0, 90.0)
    return Piece(column, column, [word])


def _rows(lines: list[tuple[float, set[int], str]]) -> list[int]:
    rows = [[_piece(column, y, text) for column in sorted(columns)] for y, columns, text in lines]
    return number_rows(rows, [y for y, _, _ in lines], (), PLACE)


def test_wrapped_texts_in_two_columns_around_numbers_are_one_row() -> None:
    """Each line overlaps the next one: this ended in a circle once, and did not end."""
    lines: list[tuple[float, set[int], str]] = []
    for top in (0.0, 10.0, 20.0):
        lines += [
            (top + 8.6, {0}, "label"),
            (top + 9.3, {0, 1}, "and"),
            (top + 10.0, {2, 3, 4, 5, 6, 7}, "12"),
            (top + 10.7, {1}, "more"),
        ]
    assert _rows(lines) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


_lines = st.lists(
    st.tuples(
        st.floats(0.05, 3.0),
        st.sets(st.integers(0, COLUMNS - 1), min_size=1),
        st.sampled_from(["12", "label", "and", "(more)", "Total", "-"]),
    ),
    max_size=20,
)


@given(_lines)
def test_rows_are_numbered_from_the_top_without_gaps(steps: list[tuple[float, set[int], str]]) -> None:
    """Whatever lines there are: it ends, and each row has a line."""
    y, lines = 0.0, []
    for step, columns, text in steps:
        y += step
        lines.append((y, columns, text))
    numbers = _rows(lines)
    assert sorted(set(numbers)) == list(range(len(set(numbers))))
    firsts = list(dict.fromkeys(numbers))
    assert firsts == sorted(firsts)
