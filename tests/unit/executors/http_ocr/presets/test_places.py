"""Places: points and rectangles of all notations become places on the image, and rubbish becomes none."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.document import Baseline, Box
from ocrwatch.executors.http_ocr.presets.places import finite, polygon, rectangle
from tests.unit.executors.http_ocr.presets.services import RECEIVED, is_within

NAN, INFINITE = float("nan"), float("inf")
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


@pytest.mark.parametrize(
    "points",
    [
        [[10, 20], [110, 20], [110, 40], [10, 40]],
        [{"x": 10, "y": 20}, {"x": 110, "y": 20}, {"x": 110, "y": 40}, {"x": 10, "y": 40}],
        [10, 20, 110, 20, 110, 40, 10, 40],
        ["10", "20", "110", "20", "110", "40", "10", "40"],
        [10, 20, 110, 40],
        [[10, 20], [110, 40]],
        [[10, 20], [60, 20], [110, 20], [110, 40], [10, 40], [10, 30]],
    ],
)
def test_points_are_written_in_several_ways(points: Any) -> None:
    """Pairs, objects and plain numbers; two opposite corners, four corners, and more."""
    place = polygon(points, RECEIVED)
    assert place is not None
    assert place.box(RECEIVED) == Box(10, 20, 110, 40)
    assert (place.width, place.height) == (100.0, 20.0)


def test_only_four_corners_in_order_have_a_direction() -> None:
    """A rectangle, and corners that go the other way round, do not tell where the text begins."""
    tilted = polygon([[100, 100], [200, 110], [198, 130], [98, 120]], RECEIVED)
    backwards = polygon([[98, 120], [198, 130], [200, 110], [100, 100]], RECEIVED)
    assert tilted is not None
    assert backwards is not None
    assert not tilted.is_rectangle
    assert tilted.baseline == Baseline(98.5, 115.0, 198.5, 125.0)
    assert backwards.is_rectangle
    assert backwards.baseline is None
    assert backwards.box(RECEIVED) == tilted.box(RECEIVED) == Box(98, 100, 200, 130)


def test_what_is_left_out_is_zero() -> None:
    """Services with Protocol Buffers leave out a coordinate that is 0."""
    place = polygon([{}, {"x": 50}, {"x": 50, "y": 20}, {"y": 20}], RECEIVED)
    assert place is not None
    assert place.box(RECEIVED) == Box(0, 0, 50, 20)


def test_shares_of_the_image_become_pixels() -> None:
    """Coordinates are multiplied by the scale."""
    place = polygon([0.1, 0.25, 0.5, 0.5], RECEIVED, (1000, 800))
    assert place is not None
    assert place.box(RECEIVED) == Box(100, 200, 500, 400)


@pytest.mark.parametrize(
    "points",
    [
        None,
        "10,20,30,40",
        {},
        [],
        [10],
        [10, 20, 30],
        [[10, 20]],
        [[10, 20], [None, 40]],
        [[10, 20], [NAN, 40]],
        [[10, 20], [INFINITE, 40]],
        [[10, 20], [10**400, 40]],
        [[10, 20], [1e300, 40]],
        [[10, 20], [True, 40]],
        ["12", "34"],
        [[10, 20, 30], [40, 50, 60]],
        [0, 0, 0, 0],
        [[5, 5], [5, 5], [5, 5], [5, 5]],
        [-500, -500, -400, -400],
        [1100, 20, 1200, 40],
        [0, 0, 5000, 20],
    ],
)
def test_rubbish_is_no_place(points: Any) -> None:
    """Missing, infinite, huge, empty and outside: there is no place."""
    assert polygon(points, RECEIVED) is None


def test_boxes_are_clipped_to_the_image() -> None:
    """A box reaches to the edge at most, and has at least one pixel, however thin the place is."""
    over = rectangle(-20, -10, 1050, 50, RECEIVED)
    at_the_edge = rectangle(1000, 800, 10, 10, RECEIVED)
    thin = rectangle(500.2, 100, 0, 30, RECEIVED)
    assert over is not None
    assert at_the_edge is not None
    assert thin is not None
    assert over.box(RECEIVED) == Box(0, 0, 1000, 40)
    assert at_the_edge.box(RECEIVED) == Box(999, 799, 1000, 800)
    assert thin.box(RECEIVED) == Box(500, 100, 501, 130)


@pytest.mark.parametrize("numbers", [(0, 0, 0, 0), (10, 10, -5, 5), (None, 0, 5, 5), (0, 0, NAN, 5), ("a", 0, 5, 5)])
def test_a_rectangle_may_be_none(numbers: tuple[Any, Any, Any, Any]) -> None:
    """Zeros are written for an unknown place; negative extents and what is no number are rubbish."""
    assert rectangle(*numbers, RECEIVED) is None


def test_a_part_lies_along_the_line() -> None:
    """Parts of a tilted line lie on it, and those of a turned one run down."""
    tilted = polygon([[100, 100], [300, 140], [296, 160], [96, 120]], RECEIVED)
    column = rectangle(10, 10, 20, 200, RECEIVED)
    assert tilted is not None
    assert column is not None
    assert tilted.part(0.5, 1.0).corners == (200, 120, 300, 140, 296, 160, 196, 140)
    assert column.is_tall
    assert column.turned().part(0.0, 0.5).box(RECEIVED) == Box(10, 10, 30, 110)
    assert column.turned().turned().turned().part(0.0, 0.5).box(RECEIVED) == Box(10, 110, 30, 210)


def test_numbers_may_be_texts() -> None:
    """A number in quotes counts; booleans, words and what is not finite do not."""
    assert [finite(value) for value in (1, 1.5, "2.5", " 3 ")] == [1.0, 1.5, 2.5, 3.0]
    others: list[Any] = [True, None, "a", "", NAN, "inf", 10**400, [], {}]
    assert [finite(value) for value in others] == [None] * len(others)


@given(st.lists(ANYTHING | st.lists(ANYTHING, max_size=3) | st.dictionaries(st.sampled_from("xyz"), ANYTHING)))
def test_any_points_are_a_place_on_the_image_or_none(points: list[Any]) -> None:
    """Whatever a service sends, the box is possible, and nothing is raised."""
    place = polygon(points, RECEIVED)
    assert place is None or is_within(place.box(RECEIVED), RECEIVED)
    assert place is None or all(map(math.isfinite, (*place.corners, place.width, place.height)))


@given(st.lists(st.floats(-1500, 2500), min_size=8, max_size=8))
def test_any_four_corners_are_a_place_on_the_image_or_none(numbers: list[float]) -> None:
    """Corners in any order, inside and outside."""
    place = polygon(numbers, RECEIVED)
    if place is not None:
        assert is_within(place.box(RECEIVED), RECEIVED)
        assert is_within(place.part(0.3, 0.4).box(RECEIVED), RECEIVED)


@given(*[ANYTHING] * 4)
def test_any_four_numbers_are_a_place_on_the_image_or_none(left: Any, top: Any, width: Any, height: Any) -> None:
    """Whatever a service sends as a rectangle."""
    place = rectangle(left, top, width, height, RECEIVED)
    assert place is None or is_within(place.box(RECEIVED), RECEIVED)
