"""Text is brought to the height at which it is read best, and its boxes back."""

from __future__ import annotations

import numpy as np
import pytest

from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance import enhance
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.enhance.scale import BEST_TEXT_HEIGHT, MAX_ENLARGEMENT, scale_factor, text_height
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.page_view import REDUCE_FROM
from tests.rendering import draw, drawn_words, render

TEXT = "The harbour office opened on Monday\nand Bill Hill paid the 2041 invoices\nThat is All There Is To Tell Here"
CAPITAL_OF_FONT = 0.72
"""Height of a capital in the rendering font, as a share of the font's size."""


def page(size: float, *, ink: int = 0, paper: int = 255) -> Gray:
    """Draw the text in a font of ``size`` pixels."""
    return np.asarray(draw(TEXT, size=size, ink=ink, paper=paper))


@pytest.mark.parametrize("size", [16, 24, 40, 64, 120])
def test_height_of_capitals_is_measured(size: int) -> None:
    """The measured height is that of the font's capitals, within a pixel or a tenth."""
    measured = text_height(page(size))
    assert measured == pytest.approx(CAPITAL_OF_FONT * size, abs=1.5, rel=0.1)


def test_faint_print_is_measured_too() -> None:
    """Grey on grey has the same height as black on white."""
    assert text_height(page(40, ink=130, paper=190)) == pytest.approx(CAPITAL_OF_FONT * 40, abs=1.5)


def test_a_heading_does_not_decide() -> None:
    """Words in type twice as tall leave the measure of the running text alone."""
    heading = np.asarray(draw("HEADING", size=80, width=900))
    body = np.asarray(draw(TEXT, size=32, width=900))
    assert text_height(np.vstack([heading, body])) == text_height(body)


@pytest.mark.parametrize("text", ["", "Four words of text"])
def test_too_little_text_is_left_alone(text: str) -> None:
    """A page with next to no letters has no measured height, and keeps its size."""
    given = np.asarray(draw(text, size=80, width=1500, height=900))
    assert text_height(given) is None
    assert enhance(Pixels(given), EnhanceOptions(margins=False)).steps == ()


def test_noise_is_left_alone() -> None:
    """Random grains are not letters."""
    noise = np.random.default_rng(1).integers(0, 256, (900, 700), dtype=np.uint8)
    assert text_height(noise) is None


@pytest.mark.parametrize("size", [10, 20, 40, 80])
def test_text_is_brought_near_its_best_height(size: int) -> None:
    """Afterwards the text has the best height, or was close to it before, or was too small to be enlarged that far."""
    measured = text_height(enhance(Pixels(page(size)), EnhanceOptions()).gray)
    assert measured is not None
    assert measured >= min(BEST_TEXT_HEIGHT / 1.5, MAX_ENLARGEMENT * CAPITAL_OF_FONT * size * 0.8)
    assert measured <= BEST_TEXT_HEIGHT * 1.25


def test_the_target_can_be_set() -> None:
    """A text height of one's own replaces the measured default."""
    enhanced = enhance(Pixels(page(80)), EnhanceOptions(text_height=40))
    assert text_height(enhanced.gray) == pytest.approx(40, abs=2)


@pytest.mark.parametrize("options", [EnhanceOptions(enabled=False), EnhanceOptions(scale=False)])
def test_switched_off_it_does_nothing(options: EnhanceOptions) -> None:
    """Without the step, or without any, the pixels are those given."""
    given = page(80)
    enhanced = enhance(Pixels(given), options)
    assert enhanced.gray is given
    assert enhanced.steps == ()


def test_small_changes_are_not_made() -> None:
    """Text that is nearly right keeps its pixels; enlargement has a limit; the unknown is left alone."""
    assert scale_factor(BEST_TEXT_HEIGHT * 1.05, BEST_TEXT_HEIGHT) == 1.0
    assert scale_factor(BEST_TEXT_HEIGHT / 1.05, BEST_TEXT_HEIGHT) == 1.0
    assert scale_factor(1.0, BEST_TEXT_HEIGHT) == MAX_ENLARGEMENT
    assert scale_factor(None, BEST_TEXT_HEIGHT) == 1.0


@pytest.mark.parametrize("size", [12, 32, 100])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_boxes_are_in_the_originals_pixels(size: int, orientation: int) -> None:
    """However a page was scaled and turned, boxes are where the words are on the upright original."""
    page = recognise(render(TEXT, size=size, exif_orientation=orientation), Recipe())
    drawn = dict(drawn_words(TEXT, size=size))
    found = [word for word in page.words if word.text in drawn]
    assert len(found) > 15
    for side in ("left", "top", "right", "bottom"):
        off = sorted(abs(getattr(word.box, side) - getattr(drawn[word.text], side)) for word in found)
        # The engine draws a box in ten a line too tall.
        assert off[-3] <= 3 + size / 25, side


def test_a_large_page_is_reduced_while_it_is_decoded() -> None:
    """Large text on a large page is decoded at half its size, and its boxes are still the original's."""
    # Not so small that the engine's own boxes get coarse: it is the map back that is looked at here.
    recipe = Recipe(enhance=EnhanceOptions(text_height=40))
    page = recognise(render(TEXT, size=140, height=REDUCE_FROM + 1), recipe)
    assert page.steps[0] == "reduce 0.50"
    assert page.height == REDUCE_FROM + 1
    drawn = dict(drawn_words(TEXT, size=140))
    found = [word for word in page.words if word.text in drawn]
    assert len(found) > 15
    off = sorted(abs(word.box.left - drawn[word.text].left) for word in found)
    # Six pixels are one of those that the engine saw; it draws a box in ten too large.
    assert off[-3] <= 6


def test_small_text_on_a_large_page_keeps_its_pixels() -> None:
    """A large page with small text is not reduced, and the text is read."""
    page = recognise(render(TEXT, size=26, height=REDUCE_FROM + 1), Recipe())
    assert "reduce 0.50" not in page.steps
    assert "harbour office" in page.text


def test_timings_and_steps_are_on_the_page() -> None:
    """A page tells how long its stages took, in milliseconds, and what was done to it."""
    page = recognise(render(TEXT, size=64), Recipe())
    assert [name for name, _ in page.timings] == ["decode", "enhance", "engine"]
    assert all(milliseconds >= 0 for _, milliseconds in page.timings)
    assert page.steps[-1].startswith("scale ")


def test_resolution_follows_the_scaling() -> None:
    """The text does not depend on whether the scan declares its resolution."""
    declared = recognise(render(TEXT, size=64, dpi=600), Recipe())
    unknown = recognise(render(TEXT, size=64, dpi=None), Recipe())
    assert (declared.dpi, unknown.dpi) == (600.0, None)
    assert declared.text == unknown.text == TEXT + "\n"
