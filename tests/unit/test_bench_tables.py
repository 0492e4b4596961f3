"""The bench's score of tables, the tables that it renders, and its truth."""

from __future__ import annotations

import json
from dataclasses import astuple
from itertools import islice
from pathlib import Path

import pytest

from ocrwatch.document import Box
from tests.bench.rendered_tables import rendered_tables
from tests.bench.table_scoring import TableScore, TrueCell, found_cells, normalised, read_truth, relations, score
from tests.table_images import draw_table, simple
from tests.unit.recognise.extract.sheets import the_table


def cell(row: int, column: int, text: str, last_row: int = -1, last_column: int = -1) -> TrueCell:
    """Make a cell."""
    return TrueCell((row, max(row, last_row)), (column, max(column, last_column)), text)


def table(*rows: tuple[str, ...], down: int = 0, across: int = 0) -> list[TrueCell]:
    """Make a table without spans."""
    return [
        cell(row + down, column + across, text)
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
        if text
    ]


PORTS = table(("Port", "Ships", "Fees"), ("Oslo", "7", "41.75"), ("Riga", "4", "9.50"))


def test_neighbours_are_related() -> None:
    """Side by side and one above the other; not across a corner."""
    assert sorted(relations(table(("A", "B"), ("C", "D")))) == [
        ("a", "b", "right"),
        ("a", "c", "below"),
        ("b", "d", "below"),
        ("c", "d", "right"),
    ]


def test_a_spanning_cell_is_related_to_all_beside_it() -> None:
    """A heading of two columns is above both; once, even if a cell below spans as many."""
    cells = [cell(0, 0, "Ships", last_column=1), cell(1, 0, "in"), cell(1, 1, "out"), cell(2, 0, "none", last_column=1)]
    assert sorted(relations(cells)) == [
        ("in", "none", "below"),
        ("in", "out", "right"),
        ("out", "none", "below"),
        ("ships", "in", "below"),
        ("ships", "out", "below"),
    ]


def test_an_empty_cell_is_looked_over() -> None:
    """What is on both sides of it is related."""
    assert relations(table(("A", "", "C"), ("D",), ("", "", "F"))) == [
        ("a", "c", "right"),
        ("a", "d", "below"),
        ("c", "f", "below"),
    ]
    assert relations([cell(0, 0, "A"), cell(0, 1, " "), cell(0, 2, "C")]) == [("a", "c", "right")]


def test_texts_are_compared_by_letters_and_digits() -> None:
    """Signs count only where there is nothing else."""
    assert normalised(" 1,340.5 kg ") == "13405kg"
    assert normalised("- -") == "--"
    assert normalised(" ") == ""


def test_the_truth_is_perfect() -> None:
    """All relations and cells are right."""
    result = score([PORTS], [PORTS])
    assert astuple(result) == (12, 12, 12, 9, 9, 9)
    assert (result.f1, result.cells, result.placed) == (1.0, 1.0, 1.0)


def test_nothing_found_is_nothing_right() -> None:
    """Of a page with tables, and of one without."""
    assert astuple(score([PORTS], [])) == (12, 0, 0, 9, 0, 0)
    assert score([PORTS], []).f1 == 0.0
    assert astuple(score([], [])) == (0,) * 6
    assert (score([], []).f1, score([], []).cells, score([], []).placed) == (0.0, 0.0, 0.0)


def test_what_is_no_table_costs_precision() -> None:
    """Relations that are not true count as found."""
    other = table(("x", "y"), ("z", "w"))
    assert astuple(score([PORTS], [PORTS, other])) == (12, 16, 12, 9, 9, 9)
    assert score([], [other]).f1 == 0.0


def test_a_relation_counts_as_often_as_it_is_true() -> None:
    """Finding the same table twice finds nothing more."""
    zeros = table(("0", "0", "0"))
    assert astuple(score([zeros], [zeros, zeros]))[:3] == (2, 4, 2)


@pytest.mark.parametrize(("down", "across"), [(1, 0), (3, 0), (0, 1), (2, 1)])
def test_a_title_that_was_found_as_a_row_shifts_the_others(down: int, across: int) -> None:
    """Up to three rows and one column are as good as none, whichever of both tables has them."""
    shifted = [
        TrueCell(
            (each.rows[0] + down, each.rows[1] + down),
            (each.columns[0] + across, each.columns[1] + across),
            each.text,
        )
        for each in PORTS
    ]
    assert score([PORTS], [shifted]).cells == score([shifted], [PORTS]).cells == 1.0


def test_a_table_that_is_shifted_further_is_not_in_place() -> None:
    """But for cells that are where others should be."""
    result = score([PORTS], [table(("Port", "Ships", "Fees"), ("Oslo", "7", "41.75"), down=6)])
    assert (result.right_cells, result.placed_cells) == (0, 0)


def test_wrong_text_is_in_place_but_not_right() -> None:
    """The table has its cells, but one was misread."""
    misread = table(("Port", "Ships", "Fees"), ("Oslo", "1", "41.75"), ("Riga", "4", "9.50"))
    result = score([PORTS], [misread])
    assert (result.right_cells, result.placed_cells, result.right_relations) == (8, 9, 8)


def test_a_span_that_was_not_found_is_not_in_place() -> None:
    """Rows and columns must be the same, first and last."""
    truth = [cell(0, 0, "Ships", last_column=1), cell(1, 0, "in"), cell(1, 1, "out")]
    found = [cell(0, 0, "Ships"), cell(1, 0, "in"), cell(1, 1, "out")]
    result = score([truth], [found])
    assert (result.right_cells, result.placed_cells, result.right_relations) == (2, 2, 2)


def test_a_table_that_was_found_in_two_parts_has_the_cells_of_the_larger() -> None:
    """Cells are those of one found table; relations may be in any."""
    result = score([PORTS], [PORTS[:6], PORTS[6:]])
    assert (result.right_cells, result.right_relations, result.found_relations) == (6, 9, 9)


def test_scores_add_up() -> None:
    """Means are of relations and cells, not of pages."""
    both = score([PORTS], [PORTS]) + score([PORTS], [])
    assert astuple(both) == (24, 12, 12, 18, 9, 9)
    assert both.f1 == 2 / 3
    assert both.cells == 0.5
    assert sum([both], TableScore()) == both


def test_a_found_table_has_the_cells_with_text() -> None:
    """With the last row and column, as the truth has them."""
    texts = [("Port", "Ships", "Fees"), ("Oslo", "", "41.75"), ("Riga", "4", "9.50")]
    found = found_cells(the_table(draw_table(simple(texts))))
    assert [(each.rows, each.columns, each.text) for each in found] == [
        ((row, row), (column, column), text) for row, its in enumerate(texts) for column, text in enumerate(its) if text
    ]
    assert all(each.box is not None for each in found)


def test_the_same_seed_renders_the_same_tables() -> None:
    """Pixels, words and truth; another seed gives others."""
    one, same, other = (list(rendered_tables(5, seed)) for seed in (1, 1, 2))
    for table_, again in zip(one, same, strict=True):
        assert table_.drawn.image.tobytes() == again.drawn.image.tobytes()
        assert (table_.kind, table_.drawn.words, table_.truth) == (again.kind, again.drawn.words, again.truth)
    assert [each.truth for each in one] != [each.truth for each in other]


def test_more_tables_begin_with_the_same() -> None:
    """Their number changes none of them."""
    few, many = rendered_tables(3, 1), islice(rendered_tables(8, 1), 3)
    assert [each.truth for each in few] == [each.truth for each in many]


def test_rendered_tables_are_of_all_kinds_with_their_truth() -> None:
    """Each word of the truth is on the page, and no two cells take the same place."""
    found = list(rendered_tables(10, 3))
    assert {each.kind for each in found} == {"grid", "rows", "header", "frame", "none"}
    for each in found:
        words = {word for word, _ in each.drawn.words}
        places = [
            (row, column)
            for cell_ in each.truth
            for row in range(cell_.rows[0], cell_.rows[1] + 1)
            for column in range(cell_.columns[0], cell_.columns[1] + 1)
        ]
        assert len(places) == len(set(places))
        assert words.issuperset(word for cell_ in each.truth for word in cell_.text.split())


def test_most_rendered_tables_are_found() -> None:
    """As if each word had been read: what is lost is the finder's."""
    scores = [score([each.truth], [found_cells(the_table(each.drawn))]) for each in rendered_tables(10, 4)]
    assert sum(scores, TableScore()).f1 > 0.9


def test_truth_is_read_from_a_file(tmp_path: Path) -> None:
    """Each table has its cells with rows, columns, text and box."""
    path = tmp_path / "a.tables.json"
    cells = [
        {"rows": [0, 0], "columns": [0, 1], "text": "Ships", "box": [1, 2, 30, 12]},
        {"rows": [1, 1], "columns": [0, 0], "text": "7", "box": [1, 14, 9, 24]},
    ]
    path.write_text(json.dumps({"tables": [{"cells": cells}, {"cells": []}]}))
    assert read_truth(path) == [
        [TrueCell((0, 0), (0, 1), "Ships", Box(1, 2, 30, 12)), TrueCell((1, 1), (0, 0), "7", Box(1, 14, 9, 24))],
        [],
    ]
