"""What an admin sets is done to every page; and what is no print gives no text."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ocrwatch.document import Block, Box, Line, Word
from ocrwatch.recipe import EnhanceOptions, Recipe, Threshold
from ocrwatch.recognise.enhance import enhance
from ocrwatch.recognise.enhance.fixed_steps import binarise, crop_region
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.reader import drop_low_confidence
from tests.rendering import draw, drawn_words, encode, render

FIRST = "The harbour office opened on Monday"
TEXT = f"{FIRST}\nand Bill Hill paid the 2041 invoices\nThat is All There Is To Tell Here"


def line(confidence: float) -> Line:
    """Make a line of one word."""
    box = Box(0, 0, 10, 10)
    return Line((Word("word", box, confidence),), box)


def test_only_the_region_is_read() -> None:
    """Text outside the region is not read; boxes are still the whole page's."""
    scan = render(TEXT, size=32)
    whole = recognise(scan, Recipe())
    first = recognise(scan, Recipe(region=(0.0, 0.0, 1.0, 0.42)))
    assert first.text == FIRST + "\n"
    assert (first.width, first.height) == (whole.width, whole.height)
    assert "region" in first.steps
    right = recognise(scan, Recipe(region=(0.5, 0.0, 1.0, 1.0)))
    (monday,) = [word.box for word in right.words if word.text == "Monday"]
    assert monday.left == pytest.approx(dict(drawn_words(TEXT, size=32))["Monday"].left, abs=4)


def test_a_region_has_at_least_one_pixel() -> None:
    """However small a region is, something is left of the page."""
    part, back = crop_region(np.zeros((3, 3), np.uint8), (0.99, 0.99, 1.0, 1.0))
    assert part.shape == (1, 1)
    assert back[:, 2].tolist() == [2, 2]


@pytest.mark.parametrize("method", ["fixed", "otsu", "adaptive", "sauvola"])
def test_thresholds_give_black_and_white(method: Threshold) -> None:
    """Whatever the method, grey print is black and grey paper white."""
    given = np.asarray(draw(TEXT, size=32, ink=90, paper=200))
    result = binarise(given, method, 140)
    assert set(np.unique(result)) == {0, 255}
    assert np.mean((result == 0) == (given < 140)) > 0.97


def test_sizes_can_be_fixed() -> None:
    """A fixed size or resolution replaces the measured scale; without a known resolution the page is measured."""
    given = np.asarray(draw(TEXT, size=64))
    assert max(enhance(Pixels(given), EnhanceOptions(fixed_size=800, margins=False)).gray.shape) == 800
    halved = enhance(Pixels(given), EnhanceOptions(fixed_dpi=150, margins=False), 300.0)
    assert halved.gray.shape == (given.shape[0] // 2, given.shape[1] // 2)
    unknown = EnhanceOptions(fixed_dpi=150, margins=False)
    assert (
        enhance(Pixels(given), unknown).gray.shape == enhance(Pixels(given), EnhanceOptions(margins=False)).gray.shape
    )


def test_blur_and_threshold_are_applied_last() -> None:
    """They work on the page as the engine is to see it, and are told among the steps."""
    enhanced = enhance(
        Pixels(np.asarray(draw(TEXT, size=64))), EnhanceOptions(blur=1.5, threshold="otsu", margins=False)
    )
    assert [step.split()[0] for step in enhanced.steps] == ["scale", "blur", "threshold"]
    assert set(np.unique(enhanced.gray)) == {0, 255}


def test_switched_off_nothing_is_done() -> None:
    """Without enhancement the fixed settings rest, too."""
    given = np.asarray(draw(TEXT, size=64))
    assert (
        enhance(Pixels(given), EnhanceOptions(enabled=False, blur=1.5, threshold="otsu", fixed_size=99)).gray is given
    )


@pytest.mark.parametrize("kind", ["white", "texture", "noise", "specks", "shadow"])
def test_a_blank_page_is_blank(kind: str) -> None:
    """Paper without print gives no text and says so, whatever the scanner made of it."""
    random = np.random.default_rng(1)
    paper = np.full((1100, 850), 245.0)
    if kind == "texture":
        paper += random.normal(0, 3, paper.shape)
    elif kind == "noise":
        paper += random.normal(0, 40, paper.shape)
    elif kind == "specks":
        for top, left in random.integers(50, 800, (25, 2)):
            paper[top : top + random.integers(2, 9), left : left + random.integers(2, 9)] = 40
    elif kind == "shadow":
        paper *= np.linspace(0.4, 1.0, paper.shape[1])[None, :]
    page = recognise(encode(Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))), Recipe())
    assert page.text == ""
    assert page.steps[-1] == "blank"
    assert page.confidence is None


@pytest.mark.parametrize("text", ["42", "Page 12", "Received"])
def test_a_single_word_is_no_blank_page(text: str) -> None:
    """However little is printed on a page, it is read."""
    page = recognise(render(text, size=40, width=1200, height=1600), Recipe())
    assert page.text == text + "\n"
    assert "blank" not in page.steps


def test_lines_without_confidence_are_left_out() -> None:
    """Lines below the limit go, with the blocks that held nothing else; a limit of 0 keeps all."""
    good, bad = line(80), line(20)
    blocks = (Block((good, bad), good.box), Block((bad,), bad.box))
    assert drop_low_confidence(blocks, 30) == (Block((good,), good.box),)
    assert drop_low_confidence(blocks, 0) == blocks
