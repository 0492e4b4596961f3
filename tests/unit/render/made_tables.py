"""Tables for the tests of formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies

from ocrwatch.document import Box, Cell, Page, Quad, Table, bounding_box
from tests.unit.render.made_pages import page, page_of, paragraphs

WIDTH, HEIGHT = 100, 50
"""Size of a row and column in pixels."""


def corners(box: Box, fall: float = 0.0) -> Quad:
    """Return the corners of a box, the right ones lower by ``fall``."""
    return (
        *(float(box.left), float(box.top), float(box.right), box.top + fall),
        *(float(box.right), box.bottom + fall, float(box.left), float(box.bottom)),
    )


def cell(
    row: int, column: int, text: str = "", *words: int, rows: int = 1, columns: int = 1, is_header: bool = False
) -> Cell:
    """Make a cell."""
    box = Box(column * WIDTH, row * HEIGHT, (column + columns) * WIDTH, (row + rows) * HEIGHT)
    confidence = 90.126 if text else None
    return Cell(row, column, rows, columns, text, box, corners(box), words, confidence, is_header)


def table(*cells: Cell) -> Table:
    """Make a table of cells that cover it."""
    rows, columns = max(each.row + each.rows for each in cells), max(each.column + each.columns for each in cells)
    box = bounding_box(each.box for each in cells)
    return Table("grid", rows, columns, box, corners(box), cells, 97.123)


def table_of(*rows: Sequence[str]) -> Table:
    """Make a table whose cells have these texts."""
    return table(*(cell(row, column, text) for row, texts in enumerate(rows) for column, text in enumerate(texts)))


def page_with(*tables: Table) -> Page:
    """Make a page with tables, and no other text."""
    return replace(page(), tables=tables)


PAGE = replace(
    page(paragraphs("Bill for Anna\nItem Price aside\nof each\nScrew 12.50\nNail -3", "Thank you")),
    tables=(
        table(
            cell(0, 0, "Item", 3, rows=2, is_header=True),
            cell(0, 1, "Price", 4, columns=2, is_header=True),
            cell(1, 1, "of", 6, is_header=True),
            cell(1, 2, "each", 7, is_header=True),
            cell(2, 0, "Screw", 8),
            cell(2, 1, "12.50", 9, rows=2),
            cell(2, 2),
            cell(3, 0, "Nail", 10),
            cell(3, 2, "-3", 11),
        ),
    ),
)
"""A heading, a table with two rows of headings beside which a word stands, and a paragraph."""


@strategies.composite
def pages_with_tables(draw: strategies.DrawFn) -> Page:
    """Draw a page whose words ``w0``, ``w1``, … are in cells of two tables, or in none."""
    lengths = draw(strategies.lists(strategies.integers(1, 5), min_size=1, max_size=6))
    numbers = iter(range(sum(lengths)))
    made = page_of([[f"w{next(numbers)}" for _ in range(length)] for length in lengths])
    sizes = [(draw(strategies.integers(1, 3)), draw(strategies.integers(1, 3))) for _ in range(2)]
    places: dict[tuple[int, int, int], list[int]] = {
        (number, row, column): []
        for number, (rows, columns) in enumerate(sizes)
        for row in range(rows)
        for column in range(columns)
    }
    for at in range(sum(lengths)):
        place = draw(strategies.none() | strategies.sampled_from(sorted(places)))
        if place is not None:
            places[place].append(at)
    headers = [draw(strategies.integers(0, 3)) for _ in sizes]
    tables = [
        table(
            *(
                cell(row, column, " ".join(f"w{at}" for at in words), *words, is_header=row < headers[number])
                for (of, row, column), words in places.items()
                if of == number
            )
        )
        for number in range(len(sizes))
    ]
    return replace(made, tables=tuple(tables))
