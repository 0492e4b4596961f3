"""Tables of each kind are found with their texts, rows, columns, spans and headings."""

from __future__ import annotations

from typing import get_args

import pytest

from ocrwatch.document import Box, Table, TableKind
from tests.table_images import DrawnCell, Rules, draw_table, simple
from tests.unit.recognise.extract.sheets import (
    PORTS,
    PROSE,
    Sheet,
    cells_of,
    find,
    header_rows,
    texts_of,
    the_table,
    truth_of,
)

KINDS: dict[Rules, TableKind] = {
    "grid": "grid",
    "rows": "rules",
    "frame": "rules",
    "header": "rules",
    "none": "aligned",
}
"""What is drawn, and what the table is then."""

PLAIN = simple(PORTS)
EMPTY = simple([
    PORTS[0],
    ("Bergen", "12", "", "88.20"),
    ("Oslo", "", "905", "41.75"),
    ("Malmo", "31", "2,218", ""),
    ("Riga", "4", "77", "9.50"),
    ("Turku", "9", "", "7.00"),
])  # fmt: skip
SPANNING = (
    DrawnCell(0, 0, "Port", 1),
    DrawnCell(0, 1, "Ships", 0, 2),
    DrawnCell(0, 3, "Cargo", 0, 4),
    *(DrawnCell(1, column, text) for column, text in enumerate(("summer", "winter", "coal", "salt"), 1)),
    *(
        DrawnCell(row, column, text)
        for row, texts in enumerate(
            [
                ("Bergen", "12", "3", "1,340", "55"),
                ("Oslo", "7", "2", "905", "61"),
                ("Malmo", "31", "11", "2,218", "70"),
                ("Riga", "4", "1", "77", "8"),
            ],
            2,
        )
        for column, text in enumerate(texts)
    ),
)
"""Two headings above two columns each, and one that is two rows tall."""

WRAPPED = simple([
    ("Port", "Ships", "Cargo"),
    ("Oslo", "7", "905"),
    ("Bergen and\nthe western coast", "12", "1,340"),
    ("Riga", "4", "77"),
    ("Malmo with\nall its quays", "31", "2,218"),
    ("Turku", "4", "78"),
])  # fmt: skip
COASTS = (
    *(DrawnCell(0, column, text) for column, text in enumerate(("Coast", "Port", "Ships", "Fees"))),
    DrawnCell(1, 0, "North", 3),
    DrawnCell(4, 0, "South", 5),
    *(
        DrawnCell(row, column, text)
        for row, texts in enumerate(
            [
                ("Bergen", "12", "88.20"),
                ("Bodo", "3", "8.20"),
                ("Alta", "31", "18.20"),
                ("Oslo", "12", "88.20"),
                ("Moss", "3", "8.20"),
            ],
            1,
        )
        for column, text in enumerate(texts, 1)
    ),
)
"""The first column has a cell of three rows, and one of two."""


def assert_is(table: Table, cells: tuple[DrawnCell, ...], rules: Rules, *, headers: int = 1) -> None:
    """Check kind, size, texts, places, spans and headings."""
    assert cells_of(table) == truth_of(cells)
    assert table.kind == KINDS[rules]
    assert table.rows == 1 + max(cell.rows[1] for cell in cells)
    assert table.columns == 1 + max(cell.columns[1] for cell in cells)
    assert header_rows(table) == set(range(headers))


def test_every_kind_is_tested() -> None:
    """Each value that ``Table.kind`` may have is that of a drawing."""
    assert set(KINDS.values()) == set(get_args(TableKind))


@pytest.mark.parametrize("size", [20, 30, 44])
@pytest.mark.parametrize("rules", KINDS)
def test_a_plain_table_is_found(rules: Rules, size: int) -> None:
    """Words have no place that depends on the resolution: type of any size gives the same table."""
    table = the_table(draw_table(PLAIN, rules=rules, size=size))
    assert_is(table, PLAIN, rules)
    assert table.confidence > 80


@pytest.mark.parametrize("rules", KINDS)
def test_headings_span_the_columns_that_they_stand_above(rules: Rules) -> None:
    """Where no rule shows it, the middle of a heading does."""
    assert_is(the_table(draw_table(SPANNING, rules=rules, headers=2)), SPANNING, rules, headers=2)


@pytest.mark.parametrize("rules", KINDS)
def test_a_heading_beside_two_rows_is_below_no_other(rules: Rules) -> None:
    """The one at the right stands in the middle of both rows of headings, not under that of the columns beside it."""
    cells = (
        DrawnCell(0, 0, "Month", 1),
        DrawnCell(0, 1, "South", 0, 2),
        DrawnCell(0, 3, "Account", 0, 4),
        DrawnCell(0, 5, "Winter", 1),
        *(DrawnCell(1, column, text) for column, text in enumerate(("Office", "Month", "Delivery", "Customer"), 1)),
        *(
            DrawnCell(row, column, text)
            for row, texts in enumerate(
                [
                    ("Amount", "604.70", "67874", "614.22", "2834", "34,442"),
                    ("Delivery report", "32360", "894", "7,988", "101.22", "438.15"),
                    ("Income budget", "31%", "48,467", "29823", "73%", "43%"),
                    ("Expense material", "16%", "630.58", "3,772", "2,714", "771"),
                    ("Insurance report", "83%", "54213", "33,690", "87%", "7,330"),
                ],
                2,
            )
            for column, text in enumerate(texts)
        ),
    )
    assert_is(the_table(draw_table(cells, rules=rules, headers=2)), cells, rules, headers=2)


@pytest.mark.parametrize("above", ["Ships", "Ships of all towns"])
@pytest.mark.parametrize("rules", KINDS)
def test_a_heading_may_be_in_the_middle_of_headings_only(rules: Rules, above: str) -> None:
    """Numbers are at the right of wide columns, headings in their middle: so is the one above two of them."""
    cells = (
        DrawnCell(0, 0, "Port", 1),
        DrawnCell(0, 1, above, 0, 2),
        DrawnCell(0, 3, "Fees", 1),
        DrawnCell(1, 1, "Summer"),
        DrawnCell(1, 2, "Winter"),
        *(
            DrawnCell(row + 1, column, text)
            for row, texts in enumerate(PORTS)
            for column, text in enumerate(texts)
            if row
        ),
    )
    drawn = draw_table(cells, rules=rules, headers=2, gap=90, above=PROSE[:2], below=PROSE[2:4])
    assert_is(the_table(drawn), cells, rules, headers=2)


@pytest.mark.parametrize("rules", KINDS)
def test_a_cell_may_be_empty(rules: Rules) -> None:
    """It is there with its row and column, and has no words and no confidence."""
    table = the_table(draw_table(EMPTY, rules=rules))
    assert_is(table, EMPTY, rules)
    empty = [cell for cell in table.cells if not cell.text]
    assert [(cell.row, cell.column) for cell in empty] == [(1, 2), (2, 1), (3, 3), (5, 2)]
    assert {(cell.words, cell.confidence, cell.rows, cell.columns) for cell in empty} == {((), None, 1, 1)}


@pytest.mark.parametrize("rules", KINDS)
def test_a_wrapped_text_is_one_cell(rules: Rules) -> None:
    """Its lines are joined with a space; a number beside it stands in the middle of its height."""
    assert_is(the_table(draw_table(WRAPPED, rules=rules)), WRAPPED, rules)


@pytest.mark.parametrize("rules", KINDS)
def test_a_wrapped_text_in_the_first_row_is_no_heading(rules: Rules) -> None:
    """The line of it that is above the numbers belongs to their row."""
    first = ("Bergen and\nthe western coast", "12", "1,340")
    cells = simple([PORTS[0][:3], first, ("Oslo", "7", "905"), ("Riga", "4", "77"), ("Turku", "4", "78")])
    assert_is(the_table(draw_table(cells, rules=rules)), cells, rules)


def test_a_cell_of_a_grid_may_span_rows() -> None:
    """Its edges are drawn."""
    assert_is(the_table(draw_table(COASTS, rules="grid")), COASTS, "grid")


@pytest.mark.xfail(strict=True, reason="a cell of several rows is known in a grid only")
def test_a_cell_between_rules_may_span_rows() -> None:
    """The rules between the other cells of these rows end beside it."""
    assert_is(the_table(draw_table(COASTS, rules="rows")), COASTS, "rows")


@pytest.mark.parametrize("rules", ["frame", "header", "none"])
def test_a_label_of_several_rows_is_in_one_of_them(rules: Rules) -> None:
    """Without rules nothing shows how many rows it is for: those beside are divided all the same."""
    table = the_table(draw_table(COASTS, rules=rules))
    assert (table.rows, table.columns) == (6, 4)
    assert [cell for cell in cells_of(table) if cell.column > 0] == [
        cell for cell in truth_of(COASTS) if cell.column > 0
    ]
    places = {cell.text: cell.row for cell in table.cells if cell.column == 0 and cell.text}
    assert places["Coast"] == 0
    assert places["North"] in (1, 2, 3)
    assert places["South"] in (4, 5)


@pytest.mark.parametrize("texts", [PLAIN, SPANNING, EMPTY, WRAPPED])
def test_a_framed_table_is_never_one_column(texts: tuple[DrawnCell, ...]) -> None:
    """A frame is no grid of one place: the alignment inside counts."""
    table = the_table(draw_table(texts, rules="frame", headers=2 if texts is SPANNING else 1))
    assert table.columns == 1 + max(cell.columns[1] for cell in texts)
    assert table.kind == "rules"


def test_a_frame_with_a_rule_between_two_parts_has_the_columns_of_both() -> None:
    """Only the first column is ruled off, and only the headings: rows and other columns are those of the text."""
    drawn = draw_table(PLAIN, rules="frame")
    sheet = Sheet(*drawn.image.size)
    sheet.paste(drawn, 0, 0)
    bottom = drawn.image.height - 160
    middle = (drawn.words[0][1].right + drawn.words[1][1].left) // 2
    sheet.rule(middle, 120, middle, bottom)
    sheet.rule(120, 168, drawn.image.width - 120, 168)
    assert cells_of(the_table(sheet.drawn)) == truth_of(PLAIN)


@pytest.mark.parametrize("gap", [40, 70, 90, 120])
@pytest.mark.parametrize("rules", ["rows", "header", "none"])
def test_columns_may_be_near_or_far(rules: Rules, gap: int) -> None:
    """Headings are in the middle of their columns, and numbers at the right end."""
    assert_is(the_table(draw_table(SPANNING, rules=rules, headers=2, gap=gap)), SPANNING, rules, headers=2)


@pytest.mark.parametrize("rules", KINDS)
def test_right_aligned_numbers_of_any_length_are_one_column(rules: Rules) -> None:
    """Their left ends say nothing."""
    rows = [("Port", "Cargo"), ("Bergen", "1,234,567"), ("Oslo", "5"), ("Malmo", "-12,040"), ("Riga", "310")]
    cells = simple(rows)
    assert_is(the_table(draw_table(cells, rules=rules)), cells, rules)


@pytest.mark.parametrize("rules", KINDS)
def test_text_above_and_below_is_no_part_of_a_table(rules: Rules) -> None:
    """Nor is it a title or a note in a cell."""
    assert_is(the_table(draw_table(PLAIN, rules=rules, above=PROSE[:3], below=PROSE[3:6])), PLAIN, rules)


@pytest.mark.parametrize("above", KINDS)
@pytest.mark.parametrize("below", KINDS)
def test_two_tables_are_two(above: Rules, below: Rules) -> None:
    """With white space between them they are in order from the top, whatever their kinds."""
    other = simple([("Day", "Tons"), ("Monday", "3"), ("Tuesday", "44"), ("Friday", "12")])
    first, second = draw_table(PLAIN, rules=above), draw_table(other, rules=below)
    sheet = Sheet(1000, first.image.height + second.image.height)
    sheet.paste(first, 0, 0)
    sheet.paste(second, 0, first.image.height)
    one, two = find(sheet.drawn)
    assert_is(one, PLAIN, above)
    assert_is(two, other, below)


BESIDE = pytest.mark.xfail(strict=True, reason="tables side by side are one if no grid holds one of them")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("grid", "grid"),
        ("grid", "none"),
        ("header", "grid"),
        pytest.param("rows", "rows", marks=BESIDE),
        pytest.param("header", "header", marks=BESIDE),
        pytest.param("frame", "frame", marks=BESIDE),
    ],
)
def test_tables_side_by_side_are_two(left: Rules, right: Rules) -> None:
    """Rules show where each of them ends."""
    other = simple([("Day", "Tons"), ("Monday", "3"), ("Tuesday", "44"), ("Friday", "12")])
    first, second = draw_table(PLAIN, rules=left), draw_table(other, rules=right)
    sheet = Sheet(first.image.width + second.image.width, first.image.height)
    sheet.paste(first, 0, 0)
    sheet.paste(second, first.image.width, 0)
    one, two = sorted(find(sheet.drawn), key=lambda table: table.columns, reverse=True)
    assert_is(one, PLAIN, left)
    assert_is(two, other, right)


XS = (100, 300, 450, 600, 780)
YS = tuple(80 + 52 * row for row in range(6))


def write_ports(sheet: Sheet, ink: int = 0) -> None:
    """Write the texts into a grid."""
    for row, texts in enumerate(PORTS):
        for column, text in enumerate(texts):
            sheet.write(text, XS[column] + 20, YS[row] + 14, ink=ink)


def test_white_rules_on_grey_are_rules() -> None:
    """They divide shaded cells as black ones divide white cells."""
    sheet = Sheet(900, 500)
    sheet.shade(XS[0], YS[0], XS[-1], YS[-1], paper=190)
    for x in XS:
        sheet.rule(x, YS[0], x, YS[-1], ink=255, width=4)
    for y in YS:
        sheet.rule(XS[0], y, XS[-1], y, ink=255, width=4)
    write_ports(sheet)
    assert_is(the_table(sheet.drawn), PLAIN, "grid")


def test_a_double_rule_is_one() -> None:
    """The space between its lines is no row, and no column."""
    sheet = Sheet(900, 500)
    for x in XS:
        for off in (0, 9):
            sheet.rule(x + off, YS[0], x + off, YS[-1] + 9)
    for y in YS:
        for off in (0, 9):
            sheet.rule(XS[0], y + off, XS[-1] + 9, y + off)
    write_ports(sheet)
    assert_is(the_table(sheet.drawn), PLAIN, "grid")


def test_print_may_be_white_on_black() -> None:
    """As in a table that a screen shows: rules are lighter than both sides."""
    sheet = Sheet(900, 500, paper=20)
    for x in XS:
        sheet.rule(x, YS[0], x, YS[-1], ink=230)
    for y in YS:
        sheet.rule(XS[0], y, XS[-1], y, ink=230)
    write_ports(sheet, ink=240)
    assert_is(the_table(sheet.drawn), PLAIN, "grid")


def test_a_grid_without_outer_rules_at_the_sides_has_all_columns() -> None:
    """Its horizontal rules show how wide the first and the last column are."""
    sheet = Sheet(900, 500)
    for x in XS[1:-1]:
        sheet.rule(x, YS[0], x, YS[-1])
    for y in YS:
        sheet.rule(XS[0], y, XS[-1], y)
    write_ports(sheet)
    assert_is(the_table(sheet.drawn), PLAIN, "grid")


def test_a_grid_without_numbers_has_one_row_of_headings() -> None:
    """Words above words: the first row is taken for headings, as in most tables."""
    cells = simple([("Name", "Town"), ("Anna", "Bergen"), ("Olav", "Oslo"), ("Kari", "Alta")])
    assert_is(the_table(draw_table(cells, rules="grid")), cells, "grid")


def test_an_empty_grid_is_no_table() -> None:
    """Nor is one with a single text: a form to fill in has nothing to show."""
    sheet = Sheet(900, 500)
    for x in XS:
        sheet.rule(x, YS[0], x, YS[-1])
    for y in YS:
        sheet.rule(XS[0], y, XS[-1], y)
    sheet.write("Ports", XS[0] + 20, YS[0] + 14)
    assert find(sheet.drawn) == ()


def test_a_rule_that_was_read_as_a_letter_is_none() -> None:
    """Tesseract reads upright rules as ``|``: they are in no cell, alone or at the end of a word."""
    drawn = draw_table(PLAIN)
    (first, box), (_, other) = drawn.words[0], drawn.words[4]
    drawn.words[0] = (f"|{first}", Box(box.left - 14, box.top, box.right, box.bottom))
    drawn.words.append(("|", Box(other.left - 16, other.top, other.left - 12, other.bottom)))
    table = the_table(drawn)
    assert cells_of(table) == truth_of(PLAIN)
    assert len(drawn.words) - 1 not in {index for cell in table.cells for index in cell.words}


@pytest.mark.parametrize("rule", ["]", "}", "|", "]|"])
def test_a_rule_that_was_read_as_a_bracket_is_none(rule: str) -> None:
    """What a word ends with where a rule runs is that rule."""
    drawn = draw_table(PLAIN)
    place = [word for word, _ in drawn.words].index("12")
    word, box = drawn.words[place]
    drawn.words[place] = (f"{word}{rule}", Box(box.left, box.top, box.right + 14, box.bottom))
    assert cells_of(the_table(drawn)) == truth_of(PLAIN)


@pytest.mark.parametrize("rules", ["rows", "header", "none"])
def test_brackets_are_text_where_no_rule_runs(rules: Rules) -> None:
    """Alone, in pairs, and in pairs around two words."""
    cells = simple([("Port", "Ships"), ("[Oslo]", "[7]"), ("[Riga", "{4}"), ("Turku]", "[9]"), ("[see note]", "{12}")])
    assert cells_of(the_table(draw_table(cells, rules=rules))) == truth_of(cells)


def test_a_pair_of_brackets_is_text_beside_a_rule() -> None:
    """As around the number of a note."""
    cells = simple([("Port", "Ships"), ("[Oslo]", "[7]"), ("Riga", "{4}"), ("Turku", "9")])
    assert cells_of(the_table(draw_table(cells))) == truth_of(cells)


def test_confidence_is_that_of_the_words() -> None:
    """A cell's is the mean of its words'; texts are shown row by row."""
    table = the_table(draw_table(PLAIN))
    assert {cell.confidence for cell in table.cells} == {95.0}
    assert texts_of(table) == [list(row) for row in PORTS]
