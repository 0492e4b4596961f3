"""The place of a line on a page, and its pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.ppocr.strip import HEIGHT, Strip, may_be_vertical, pixels_of, quarter_turned, strip_of, whole

BLACK, WHITE = 0, 255


def noise(height: int, width: int) -> Gray:
    """Make a page that is smooth and different everywhere."""
    rough = np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(rough, (0, 0), 3), np.uint8)


def level(left: float, top: float, width: float, height: float) -> Strip:
    """Return the strip of an upright rectangle."""
    return strip_of(np.array([(left, top), (left + width, top), (left, top + height)]))


def turned(middle: tuple[float, float], width: float, height: float, degrees: float) -> Strip:
    """Return the strip of a rectangle that runs down to the right by an angle."""
    angle = math.radians(degrees)
    across, down = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    origin = np.array(middle) - across * width / 2 - down * height / 2
    return strip_of(np.stack([origin, origin + across * width, origin + down * height]))


def mapped(strip: Strip, *points: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Return points of the strip on the page."""
    return np.asarray(np.array(points) @ strip.to_page[:, :2].T + strip.to_page[:, 2])


def test_a_strip_maps_its_corners_to_those_of_the_place() -> None:
    """The edges of a strip are the edges of its place on the page."""
    strip = level(10, 20, 200, 24)
    assert strip.width == 400
    corners = mapped(strip, (0, 0), (strip.width, 0), (0, HEIGHT))
    assert corners == pytest.approx(np.array([(10, 20), (210, 20), (10, 44)]))


def test_pixels_of_a_level_strip_at_its_size_are_the_pages() -> None:
    """A place that is as high as a strip is cut out as it is, without a shift."""
    page = noise(200, 400)
    found = pixels_of(page, level(30, 50, 300, HEIGHT))
    assert np.array_equal(found, page[50 : 50 + HEIGHT, 30:330])


@pytest.mark.parametrize("height", [12, 24, 96, 100, 384, 480])
def test_pixels_are_scaled_about_the_same_places(height: int) -> None:
    """A bar stays where it is, to half a pixel of the strip, however much that is enlarged or reduced."""
    page = np.full((height * 2, height * 10), WHITE, np.uint8)
    left, right = height * 3, height * 4
    page[:, left:right] = BLACK
    strip = level(height, height // 2, height * 8, height)
    row = pixels_of(page, strip)[HEIGHT // 2].astype(float)
    dark = (WHITE - row) / WHITE
    assert strip.width == 8 * HEIGHT
    assert dark.sum() == pytest.approx(HEIGHT, abs=0.5)
    assert (dark * (np.arange(strip.width) + 0.5)).sum() / dark.sum() == pytest.approx(2.5 * HEIGHT, abs=0.5)


@pytest.mark.parametrize("factor", [2, 5, 8])
def test_a_large_place_is_averaged(factor: int) -> None:
    """Fine grain of a large place becomes grey in the strip and no pattern: no pixel is skipped."""
    rough = np.random.default_rng(1).integers(0, 2, (HEIGHT * factor, 300 * factor), dtype=np.uint8) * 255
    found = pixels_of(rough, whole(rough)).astype(float)
    assert found.mean() == pytest.approx(127.5, abs=2)
    assert found.std() < 1.3 * 127.5 / factor


@pytest.mark.parametrize("degrees", [-30, -5, 5, 40, 90, 180])
def test_pixels_of_a_crooked_strip_are_upright(degrees: float) -> None:
    """A crooked line comes out level, from its left to its right."""
    page = np.full((600, 600), WHITE, np.uint8)
    upright = turned((300, 300), 300, HEIGHT, degrees)
    # A bar along the line, in the upper half of its first third.
    bar = mapped(upright, (0, 8), (100, 8), (100, 20), (0, 20))
    cv2.fillPoly(page, [np.round(bar).astype(np.int32)], BLACK)
    found = pixels_of(page, upright)
    assert found.shape == (HEIGHT, 300)
    assert found[11:17, 4:96].max() < 64
    assert found[24:].min() > 192
    assert found[:, 104:].min() > 192


def test_what_lies_outside_of_the_page_is_like_its_edge() -> None:
    """A place that reaches over the edges of the page has no black or white margins of its own."""
    page = np.full((60, 100), 90, np.uint8)
    page[:, :50] = 160
    found = pixels_of(page, level(-50, -20, 200, 100))
    assert set(np.unique(found).tolist()) <= set(range(90, 161))
    assert set(np.unique(found[:, :40]).tolist()) == {160}
    assert set(np.unique(found[:, -40:]).tolist()) == {90}
    assert set(np.unique(pixels_of(page, level(500, 500, 100, HEIGHT))).tolist()) == {90}


def test_the_page_is_left_alone() -> None:
    """Cutting out a strip does not write into the page, nor into the place."""
    page, strip = noise(100, 100), level(0, 0, 100, 100)
    before, place = page.copy(), strip.to_page.copy()
    pixels_of(page, strip)
    assert np.array_equal(page, before)
    assert np.array_equal(strip.to_page, place)


@pytest.mark.parametrize("size", [(0, 0), (0.2, 0.1), (1, 400), (100_000, 10)])
def test_any_place_has_a_strip(size: tuple[float, float]) -> None:
    """A place without an extent, and one that is very long or tall, has pixels, and not too many."""
    strip = level(10, 10, *size)
    assert 8 <= strip.width <= 3200
    assert pixels_of(noise(50, 50), strip).shape == (HEIGHT, strip.width)


def test_the_whole_page_is_one_strip() -> None:
    """A page of one line is that line, from edge to edge."""
    page = noise(HEIGHT, 333)
    assert np.array_equal(pixels_of(page, whole(page)), page)
    assert whole(noise(24, 100)).width == 200


@pytest.mark.parametrize(
    ("width", "height", "upended"), [(100, 20, False), (20, 20, False), (20, 29, False), (20, 30, True), (20, 90, True)]
)
def test_a_place_is_upended_if_it_is_taller_than_wide(width: int, height: int, *, upended: bool) -> None:
    """A place half as tall again as it is wide may hold vertical writing."""
    assert may_be_vertical(level(0, 0, width, height)) == upended


def test_a_quarter_turned_place_is_read_from_the_top_down() -> None:
    """The top of a column becomes the left of its strip, and the column's right side the strip's top."""
    page = np.full((400, 100), WHITE, np.uint8)
    page[20:120, 70:90] = BLACK
    strip = quarter_turned(level(10, 20, 80, 360))
    assert strip.width == round(HEIGHT * 360 / 80)
    assert mapped(strip, (0, 0), (strip.width, 0), (0, HEIGHT)) == pytest.approx(
        np.array([(90, 20), (90, 380), (10, 20)])
    )
    found = pixels_of(page, strip)
    assert found[1:11, 1:58].max() < 64
    assert found[14:].min() > 192
    assert found[:, 62:].min() > 192
