"""Where the text lies on the scan, in which direction it runs, and how the scan becomes straight."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrwatch.document import UNPLACED, Block, Box, Line, Page, Upright, Word
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.baselines import DOWN, LEFT, RIGHT, UP, baseline, direction
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.placement import Placement
from ocrwatch.recognise.reader import TextRegion
from tests.rendering import draw, encode

LINES = [
    "The harbour office opened on Monday",
    "and Bill Hill paid 2041 invoices before",
    "noon while gulls were circling above",
    "every ship that waited outside until",
    "Captain Brown had signed his papers",
    "pygmy yaks jumping quay by quay",
    "and the queue was gone by four",
]
TEXT = "\n".join(LINES)


def line(*words: tuple[str, int, int, int, int]) -> Line:
    """Make a line of words and their boxes."""
    made = tuple(Word(text, Box(*box), 90.0) for text, *box in words)
    return Line(made, Box(0, 0, 1, 1))


def test_text_without_a_place_stays_without() -> None:
    """Some engines give no boxes: nothing is made up from that."""
    placed = Word("here", Box(10, 10, 50, 20), 90.0)
    lost = Word("nowhere", UNPLACED, 90.0)
    lines = (Line((lost,), UNPLACED), Line((placed, lost), placed.box))
    region = TextRegion((Block(lines, placed.box),), scaling(1.0, 1.0), (100, 200))
    (block,) = Placement(scaling(2.0, 2.0), (100, 200), width=400, height=200).blocks(region)
    assert block.lines[0] == lines[0]
    first, second = block.lines[1].words
    assert (first.box, second) == (Box(20, 20, 100, 40), lost)
    assert block.lines[1].baseline is not None


def test_text_without_places_does_not_show_how_the_page_lies() -> None:
    """Only words with a place count, however few they are."""
    placement = Placement(scaling(2.0, 2.0), (100, 200), width=400, height=200)
    lost = Line(tuple(Word("nowhere", UNPLACED, 90.0) for _ in range(9)), UNPLACED)
    region = TextRegion((Block((lost,), UNPLACED),), scaling(1.0, 1.0), (100, 200))
    assert placement.upright((region,)) is None
    down = line(("Harbour", 0, 0, 20, 70), ("office", 0, 80, 20, 140))
    upright = placement.upright((TextRegion((Block((lost, down), UNPLACED),), scaling(1.0, 1.0), (100, 200)),))
    assert upright is not None
    assert upright.turns == 3


def read(page: Image.Image, **options: Any) -> Page:
    """Read a page."""
    return recognise(encode(page, quality=95), Recipe(enhance=EnhanceOptions(**options), second="none"))


def straightened(page: Page, image: Image.Image) -> Image.Image:
    """Return the straight page's pixels, by the map that the page gives."""
    upright = page.upright
    assert upright is not None
    back = np.linalg.inv(np.array(upright.matrix).reshape(3, 3))
    back /= back[2, 2]
    return image.transform(
        (round(upright.width), round(upright.height)),
        Image.Transform.PERSPECTIVE,
        tuple(back.ravel()[:8].tolist()),
        Image.Resampling.BICUBIC,
        fillcolor=255,
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([("Harbour", 0, 0, 70, 20), ("office", 80, 0, 140, 20)], RIGHT),
        ([("Harbour", 0, 0, 20, 70), ("office", 0, 80, 20, 140)], DOWN),
        ([("Harbour", 0, 80, 20, 150), ("office", 0, 0, 20, 60)], UP),
        ([("Harbour", 80, 0, 150, 20), ("office", 0, 0, 60, 20)], LEFT),
        ([("מכתב", 80, 0, 150, 20), ("שלום", 0, 0, 60, 20)], RIGHT),
        ([("Harbour", 0, 0, 20, 70)], UP),
        ([("1", 0, 0, 5, 20)], RIGHT),
        ([("a", 0, 0, 10, 20), ("b", 2, 30, 12, 50)], DOWN),
        # The engine took two rows for one line.
        ([("Harbour", 0, 0, 70, 20), ("office", 0, 30, 60, 50)], RIGHT),
    ],
)
def test_direction_of_a_line(words: list[tuple[str, int, int, int, int]], expected: int) -> None:
    """The order and the shape of its words say where a line runs; Hebrew runs to the left and is upright."""
    assert direction(line(*words)) == expected


@pytest.mark.parametrize("turns", [RIGHT, DOWN, LEFT, UP])
def test_descenders_hang_below_the_baseline(turns: int) -> None:
    """A baseline is where most letters stand, whatever descends below it or floats above it."""
    upright = [("gulls", 0, 10, 50, 34), ("were", 60, 15, 100, 30), ("-", 105, 20, 110, 22), ("Hill", 120, 10, 150, 30)]
    boxes = {
        RIGHT: lambda left, top, right, bottom: (left, top, right, bottom),
        DOWN: lambda left, top, right, bottom: (100 - bottom, left, 100 - top, right),
        LEFT: lambda left, top, right, bottom: (200 - right, 100 - bottom, 200 - left, 100 - top),
        UP: lambda left, top, right, bottom: (top, 200 - right, bottom, 200 - left),
    }
    fitted = baseline(line(*((text, *boxes[turns](*box)) for text, *box in upright)), turns)
    expected = {
        RIGHT: (0, 30, 150, 30),
        DOWN: (70, 0, 70, 150),
        LEFT: (200, 70, 50, 70),
        UP: (30, 200, 30, 50),
    }
    assert fitted == pytest.approx(expected[turns], abs=1.0)


def test_a_line_of_small_descending_words_has_a_baseline() -> None:
    """If every word descends, the share of a descender is taken off."""
    fitted = baseline(line(("pygmy", 0, 0, 50, 76), ("gypsy", 60, 0, 110, 76)), RIGHT)
    assert fitted.y0 == pytest.approx(55, abs=2)


def test_a_line_of_signs_has_a_baseline() -> None:
    """Where no letter stands on the line, its lowest edge is taken."""
    assert baseline(line(("--", 0, 10, 20, 12)), RIGHT).y0 == pytest.approx(12)


@pytest.mark.parametrize("skew", [-7.0, -2.5, 0.0, 4.0])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_every_scan_becomes_straight(quarters: int, skew: float) -> None:
    """Turns and skew are named, and the map gives the page as it was before them."""
    drawn = draw(TEXT, size=32, width=900, height=700)
    tilted = drawn.rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255)
    scan = tilted.rotate(-90 * quarters, expand=True)
    page = read(scan)
    assert page.upright is not None
    assert page.upright.turns == -quarters % 4
    assert page.upright.angle == pytest.approx(skew, abs=0.3)
    assert (page.upright.width, page.upright.height) == drawn.size
    difference = np.abs(np.asarray(straightened(page, scan), int) - np.asarray(drawn, int))
    # A stroke is 3 pixels wide: a page that is off by 3 pixels has nothing in common with the drawn one.
    assert difference.mean() < 0.5 * (255 - np.asarray(drawn, int)).mean()


@pytest.mark.parametrize("skew", [-5.0, 0.0, 3.0])
@pytest.mark.parametrize("quarters", [0, 1, 3])
def test_baselines_and_sizes_of_words_on_the_scan(quarters: int, skew: float) -> None:
    """Baselines are straight and as far apart as drawn; words are as long and as tall as on the upright page."""
    drawn = draw(TEXT, size=32, width=900, height=700)
    upright = read(drawn)
    scan = drawn.rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255).rotate(-90 * quarters, expand=True)
    page = read(scan)
    assert page.upright is not None
    assert [line.text for line in page.lines] == [line.text for line in upright.lines]
    off = []
    for there, here in zip(page.lines, upright.lines, strict=True):
        assert there.baseline is not None
        assert here.baseline is not None
        begin = page.upright.straight(there.baseline.x0, there.baseline.y0)
        end = page.upright.straight(there.baseline.x1, there.baseline.y1)
        assert (*begin, *end) == pytest.approx(
            (here.baseline.x0, here.baseline.y0, here.baseline.x1, here.baseline.y1), abs=3.0
        )
        for word, other in zip(there.words, here.words, strict=True):
            off.append(max(abs(word.width - other.width), abs(word.height - other.height)))
    # The engine's own boxes of some words reach into the next line.
    assert sorted(off)[9 * len(off) // 10] < 4.0


def test_text_that_the_engine_turned() -> None:
    """A page that the engine and not the cleaning read sideways says so."""
    scan = draw(TEXT, size=32, width=900, height=700).rotate(-90, expand=True)
    page = read(scan, enabled=False)
    assert "harbour office" in page.text
    assert page.upright is not None
    assert page.upright.turns == 3


def test_baselines_stand_under_the_letters() -> None:
    """A baseline is where letters without descenders end: their ink is above it, and hardly any below."""
    size, drawn = 40, draw(TEXT, size=40, width=1100, height=700)
    font = ImageFont.load_default(size)
    for number, found in enumerate(read(drawn).lines):
        alone = Image.new("L", drawn.size, 0)
        ImageDraw.Draw(alone).text((60, 60 + number * size * 1.5), "H", fill=255, font=font)
        foot = alone.getbbox()
        assert foot is not None
        assert found.baseline is not None
        assert found.baseline.y0 == pytest.approx(foot[3], abs=2.0)
        assert found.baseline.y1 == pytest.approx(foot[3], abs=2.0)


def test_a_page_without_text_says_nothing_of_how_it_lies() -> None:
    """Nothing shows the direction of a page on which nothing was read."""
    page = read(Image.new("L", (600, 400), 255))
    assert page.upright is None


def test_points_of_a_projective_map() -> None:
    """A projective map divides by its last row."""
    upright = Upright(0, 0.0, 10, 10, (1, 0, 0, 0, 1, 0, 0.5, 0, 1))
    assert upright.straight(2, 4) == (1, 2)
    assert not upright.is_affine
    assert math.isclose(upright.straight(0, 3)[1], 3)
