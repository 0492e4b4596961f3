"""Tables have their place on the original, however the page lies on it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ocrwatch.document import Box, Cell, Table
from tests.table_images import DrawnTable, Rules, draw_table, simple, skewed
from tests.unit.recognise.extract.sheets import (
    PORTS,
    Scan,
    cells_of,
    corners_of,
    find,
    mapped,
    points_of,
    scan_of,
    skewed_scan,
    truth_of,
)

PLAIN = simple(PORTS)
KINDS: tuple[Rules, ...] = ("grid", "rows", "frame", "header", "none")
NEAR = 6.0
"""Pixels by which places may be off."""


def assert_holds_words(table: Table, scan: Scan) -> None:
    """Check that corners and boxes of table and cells hold their words."""
    words = scan.page.words
    for cell in table.cells:
        for index in cell.words:
            box = words[index].box
            middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
            assert is_inside(middle, points_of(cell.corners))
            assert is_inside(middle, points_of(table.corners))
            assert cell.box.left - NEAR <= box.left
            assert cell.box.right + NEAR >= box.right
            assert cell.box.top - NEAR <= box.top
            assert cell.box.bottom + NEAR >= box.bottom


def is_inside(point: tuple[float, float], corners: list[tuple[float, float]]) -> bool:
    """Return whether a point is on the right of all sides, which go clockwise."""
    x, y = point
    return all(
        (right - left) * (y - top) - (bottom - top) * (x - left) > 0
        for (left, top), (right, bottom) in zip(corners, [*corners[1:], corners[0]], strict=True)
    )


def assert_boxes_fit(table: Table) -> None:
    """Check that boxes are the bounding boxes of corners."""
    places: list[Table | Cell] = [table, *table.cells]
    for each in places:
        xs, ys = each.corners[::2], each.corners[1::2]
        bounds = (min(xs), min(ys), max(xs), max(ys))
        box = (each.box.left, each.box.top, each.box.right, each.box.bottom)
        assert box == pytest.approx(bounds, abs=1)


def straight_place(drawn: DrawnTable) -> list[tuple[float, float]]:
    """Return the corners of the table on the page as it was drawn."""
    (table,) = find(drawn)
    return points_of(table.corners)


def assert_lies(scan: Scan, drawn: DrawnTable, table: Table) -> None:
    """Check that it is the table of the drawing, where the scan has it."""
    assert cells_of(table) == truth_of(PLAIN)
    assert_boxes_fit(table)
    assert_holds_words(table, scan)
    expected = mapped(straight_place(drawn), scan.to_original)
    for corner, wanted in zip(points_of(table.corners), expected.tolist(), strict=True):
        assert math.dist(corner, wanted) < NEAR


@pytest.mark.parametrize("rules", KINDS)
def test_a_cell_is_between_its_neighbours(rules: Rules) -> None:
    """Cells of a straight page meet edge to edge, and fill the table."""
    drawn = draw_table(PLAIN, rules=rules)
    (table,) = find(drawn)
    assert_lies(Scan(drawn.gray, drawn.page(), np.eye(3)), drawn, table)
    for cell in table.cells:
        beside = [each for each in table.cells if (each.row, each.column) == (cell.row, cell.column + 1)]
        below = [each for each in table.cells if (each.row, each.column) == (cell.row + 1, cell.column)]
        assert (beside[0].box.left if beside else table.box.right) == pytest.approx(cell.box.right, abs=1)
        assert (below[0].box.top if below else table.box.bottom) == pytest.approx(cell.box.bottom, abs=1)


def test_the_edges_of_a_grid_are_its_rules() -> None:
    """The outer rules are around the table's box, and the inner ones between its cells."""
    drawn = draw_table(PLAIN)
    (table,) = find(drawn)
    ink = np.asarray(drawn.image) < 128
    downs = np.flatnonzero(ink.sum(axis=0) > 200)
    found = sorted({cell.box.left for cell in table.cells} | {table.box.right})
    wanted = [group.mean() for group in np.split(downs, np.flatnonzero(np.diff(downs) > 5) + 1)]
    assert found == pytest.approx(wanted, abs=3)


@pytest.mark.parametrize("rules", ["frame", "rows", "header"])
def test_a_table_has_its_outer_rules(rules: Rules) -> None:
    """Cells are between rules where there are some: the table reaches to its frame."""
    drawn = draw_table(PLAIN, rules=rules)
    (table,) = find(drawn)
    ys, xs = np.nonzero(np.asarray(drawn.image) < 128)
    box = (table.box.left, table.box.top, table.box.right, table.box.bottom)
    assert box == pytest.approx((xs.min(), ys.min(), xs.max(), ys.max()), abs=4)


@pytest.mark.parametrize("degrees", [-3.0, -0.7, 0.7, 3.0])
@pytest.mark.parametrize("rules", KINDS)
def test_corners_follow_the_skew(rules: Rules, degrees: float) -> None:
    """They are those of a turned rectangle; boxes are around them."""
    drawn = draw_table(PLAIN, rules=rules)
    scan = skewed_scan(drawn, skewed(drawn, degrees).image, degrees)
    (table,) = scan.tables()
    assert_lies(scan, drawn, table)
    places: list[Table | Cell] = [table, *table.cells]
    for each in places:
        left, top, right, bottom = each.corners[:4]
        assert math.degrees(math.atan2(bottom - top, right - left)) == pytest.approx(degrees, abs=0.2)


def test_grain_changes_no_cell() -> None:
    """Rules of a skewed scan with noise are still rules."""
    drawn = draw_table(PLAIN, size=36)
    scan = skewed_scan(drawn, skewed(drawn, 2.0, grain=12.0).image, 2.0)
    (table,) = scan.tables()
    assert table.kind == "grid"
    assert_lies(scan, drawn, table)


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("rules", KINDS)
def test_a_page_may_lie_on_its_side(rules: Rules, turns: int) -> None:
    """Corners begin at the top left one of the upright text; boxes are the original's."""
    drawn = draw_table(PLAIN, rules=rules)
    width, height = drawn.image.size
    to_original, size = {
        1: (np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, width], [0.0, 0.0, 1.0]]), (height, width)),
        2: (np.array([[-1.0, 0.0, width], [0.0, -1.0, height], [0.0, 0.0, 1.0]]), (width, height)),
        3: (np.array([[0.0, -1.0, height], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), (height, width)),
    }[turns]
    scan = scan_of(drawn, to_original, size, turns=turns)
    (table,) = scan.tables()
    assert_lies(scan, drawn, table)
    left, top, right, bottom = table.corners[:4]
    direction = round(math.degrees(math.atan2(bottom - top, right - left)) / 90) % 4
    assert direction == -turns % 4


@pytest.mark.parametrize("rules", KINDS)
def test_places_are_those_of_the_whole_original_if_it_was_reduced(rules: Rules) -> None:
    """Large scans are decoded at half their size; boxes are not."""
    drawn = draw_table(PLAIN, rules=rules, size=56)
    scan = scan_of(drawn, np.eye(3), drawn.image.size)
    (table,) = scan.tables(2)
    assert_lies(scan, drawn, table)


@pytest.mark.parametrize("rules", KINDS)
def test_corners_of_a_photographed_table_are_no_rectangle(rules: Rules) -> None:
    """The page was rectified to be read: its table has the perspective of the photograph."""
    drawn = draw_table(PLAIN, rules=rules)
    to_original = np.array([[1.0, 0.06, 20.0], [0.04, 1.1, 10.0], [2e-4, -1e-4, 1.0]])
    scan = scan_of(drawn, to_original, (900, 700))
    (table,) = scan.tables()
    assert_lies(scan, drawn, table)
    (left, _), (right, _), (last_right, _), (last_left, _) = points_of(table.corners)
    assert abs((right - left) - (last_right - last_left)) > NEAR


def test_corners_of_a_box_go_clockwise() -> None:
    """What these tests take for granted."""
    assert is_inside((5, 5), corners_of(Box(0, 0, 10, 10)))
    assert not is_inside((15, 5), corners_of(Box(0, 0, 10, 10)))
