"""The bench of photographs measures what it says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench import perspective
from tests.bench.scoring import Score, total
from tests.photographs import Camera, Desk, View


def test_rendered_pages_are_the_same_every_time() -> None:
    """Figures of two runs can be compared, and the pages differ."""
    one, again, other = perspective._rendered(1), perspective._rendered(1), perspective._rendered(2)
    assert one.truth == again.truth != other.truth
    assert np.array_equal(one.gray, again.gray)


def test_sums_are_over_all_that_have_something_in_common() -> None:
    """Each direction, each desk and all are summed up."""
    kinds = [f"{direction}, {place}" for direction in perspective._DIRECTIONS for place in perspective._PLACES]
    sums = perspective._summed({kind: {"straightened": [Score(common=1)]} for kind in kinds})
    assert total(sums["= all"]["straightened"]).common == len(kinds)
    assert total(sums["= from below"]["straightened"]).common == len(perspective._PLACES)
    assert total(sums["= dark desk"]["straightened"]).common == len(perspective._DIRECTIONS)


@pytest.mark.parametrize("bend", [0.0, 0.08])
def test_a_camera_sees_points_where_its_picture_has_them(bend: float) -> None:
    """What is said to be at a place of the picture is there, also on a bent page."""
    page = np.full((1400, 1000), 255, np.uint8)
    places = [(150, 200), (800, 300), (500, 700), (300, 1200)]
    for x, y in places:
        page[y - 20 : y + 20, x - 20 : x + 20] = 0
    camera = Camera((1000, 1400), View(pitch=15, yaw=20, roll=4, bend=bend), (900, 1200))
    picture = camera.picture(page, Desk(120.0))
    for x, y in camera.seen(np.array(places, np.float64)):
        left, top = int(x) - 20, int(y) - 20
        rows, columns = np.nonzero(picture[top : top + 41, left : left + 41] < 50)
        assert (columns.mean() + left + 0.5, rows.mean() + top + 0.5) == pytest.approx((x, y), abs=1.0)
