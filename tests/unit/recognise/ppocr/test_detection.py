"""Lines of print are found where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from ocrwatch.document import Box
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.ppocr.strip import HEIGHT, Strip
from tests.rendering import draw, drawn_words

# Not importorskip: the code of rapidocr takes much time and memory.
if not weights.is_installed():
    pytest.skip("rapidocr is not installed", allow_module_level=True)

from ocrwatch.recognise.ppocr.lines import detected

TEXT = "Invoice 2041 was paid\nby the harbour office\non Monday morning"


@dataclass(frozen=True)
class Ink:
    """Where a line of print is."""

    left: float
    top: float
    right: float
    bottom: float


def ink_of(text: str, size: float) -> list[Ink]:
    """Return the place of each drawn line."""
    words, found = iter(drawn_words(text, size=size)), []
    for line in text.split("\n"):
        boxes: list[Box] = [next(words)[1] for _ in line.split()]
        found.append(
            Ink(
                min(box.left for box in boxes),
                min(box.top for box in boxes),
                max(box.right for box in boxes),
                max(box.bottom for box in boxes),
            )
        )
    return found


def place(strip: Strip) -> Ink:
    """Return the upright rectangle round a strip."""
    corners = np.array([(0, 0), (strip.width, 0), (0, HEIGHT), (strip.width, HEIGHT)])
    xs, ys = (corners @ strip.to_page[:, :2].T + strip.to_page[:, 2]).T
    return Ink(xs.min(), ys.min(), xs.max(), ys.max())


def assert_found(strips: Sequence[Strip], lines: Sequence[Ink], near: float) -> None:
    """Compare places with lines; a place is a little larger than the print in it, on all sides."""
    places = sorted(map(place, strips), key=lambda each: each.top)
    assert len(places) == len(lines)
    for found, line in zip(places, lines, strict=True):
        height = line.bottom - line.top
        assert found.left == pytest.approx(line.left - height / 4, abs=height / 4 + near), (found, line)
        assert found.right == pytest.approx(line.right + height / 4, abs=height / 4 + near), (found, line)
        assert found.top == pytest.approx(line.top - height / 4, abs=height / 4 + near), (found, line)
        assert found.bottom == pytest.approx(line.bottom + height / 4, abs=height / 4 + near), (found, line)


def page_of(size: float, text: str = TEXT, **options: int) -> Gray:
    """Draw a page."""
    return np.asarray(draw(text, size=size, **options))


@pytest.mark.parametrize("size", [16, 32, 64])
def test_drawn_lines_are_found(size: int) -> None:
    """Each line is found once, within a few pixels of its ink, in small and in large print."""
    assert_found(detected(page_of(size)), ink_of(TEXT, size), 5)


@pytest.mark.parametrize("size", [32, 64])
def test_lines_are_found_if_the_height_of_the_text_is_known(size: int) -> None:
    """A page that is reduced because its print is large has its lines in the same places."""
    page = page_of(size)
    strips = detected(page, 0.72 * size)
    assert_found(strips, ink_of(TEXT, size), 8)


def test_the_height_of_the_text_may_be_anything() -> None:
    """A measured height that is far too large or too small costs no line."""
    for height in (1.0, 5.0, 100.0):
        assert len(detected(page_of(32), height)) == 3


def test_lines_on_a_tall_narrow_page_are_found() -> None:
    """A long receipt has all of its lines, though its sides are reduced by much."""
    text = "\n".join(f"Milk and bread {number}" for number in range(10, 60))
    page = page_of(24, text)
    assert page.shape[0] > 4 * page.shape[1]
    assert_found(detected(page), ink_of(text, 24), 8)


def test_white_on_black_is_found() -> None:
    """Light print on dark paper is found in the same places."""
    assert_found(detected(page_of(32, ink=255, paper=0)), ink_of(TEXT, 32), 5)


@pytest.mark.parametrize("degrees", [-6, 4])
def test_crooked_lines_are_found_as_they_lie(degrees: float) -> None:
    """A crooked line has a crooked place, which runs from its left to its right."""
    image = draw(TEXT, size=32).rotate(-degrees, expand=True, fillcolor=255)
    strips = detected(np.asarray(image))
    assert len(strips) == 3
    for strip in strips:
        across = strip.to_page[:, 0]
        assert across[0] > 0
        assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(degrees, abs=1.5)


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (400, 5), (600, 800)])
def test_a_blank_page_has_no_lines(shape: tuple[int, int]) -> None:
    """Nothing is found on white paper, of whatever size."""
    assert detected(np.full(shape, 255, np.uint8)) == []
    assert detected(np.full(shape, 255, np.uint8), 20.0) == []


def test_the_same_page_has_the_same_lines() -> None:
    """What was looked at before changes nothing."""
    first = detected(page_of(32))
    detected(page_of(20, "Something else altogether"))
    again = detected(page_of(32))
    assert [(strip.width, strip.to_page.tolist()) for strip in first] == [
        (strip.width, strip.to_page.tolist()) for strip in again
    ]
