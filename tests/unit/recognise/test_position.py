"""However a page lies on the glass, its print is brought level, and its boxes back to where they are on the scan."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
import pytest
from PIL import Image

from ocrwatch.document import Page
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance import enhance
from ocrwatch.recognise.enhance.crop import sample_strip
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.enhance.skew import skew_angle
from ocrwatch.recognise.evidence import letter_centres
from ocrwatch.recognise.page import recognise
from tests.rendering import draw, drawn_words, encode, render

LINES = [
    "The harbour office opened on Monday",
    "and Bill Hill paid 2041 invoices before",
    "noon while gulls were circling above",
    "every ship that waited outside until",
    "Captain Brown had signed his papers",
]
TEXT = "\n".join(LINES)


def page() -> Gray:
    """Draw the text."""
    return np.asarray(draw(TEXT, size=32))


def turned(given: Gray, degrees: float) -> tuple[Gray, np.ndarray]:
    """Turn counter-clockwise by ``degrees`` on a larger canvas; with the matrix that takes given points there."""
    height, width = given.shape
    side = math.ceil(math.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += (side - width) / 2, (side - height) / 2
    return cv2.warpAffine(given, matrix, (side, side), flags=cv2.INTER_CUBIC, borderValue=255), matrix  # type: ignore[return-value]


def read(given: Gray) -> Page:
    """Read it as a scan of high quality, at its own size: scaled down, the engine's own boxes get coarse."""
    return recognise(encode(Image.fromarray(given), quality=95), Recipe(enhance=EnhanceOptions(scale=False)))


@pytest.mark.parametrize("degrees", [-18.0, -7.3, -1.2, 0.6, 2.0, 15.0])
def test_skew_is_measured(degrees: float) -> None:
    """The angle is found to a tenth of a degree over 20 degrees to either side."""
    crooked, _ = turned(page(), -degrees)
    assert skew_angle(Pixels(crooked)) == pytest.approx(degrees, abs=0.15)


@pytest.mark.parametrize("degrees", [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
def test_skew_of_a_table_of_small_print(degrees: float) -> None:
    """The rows of a table also line up, less well, where the next row begins: this angle is not taken for its skew."""
    amounts = random.Random(4)
    rows = "\n".join((" " * 50).join(f"{amounts.randrange(100, 10000)}" for _ in range(6)) for _ in range(50))
    crooked, _ = turned(np.asarray(draw(rows, size=18)), -degrees)
    assert skew_angle(Pixels(crooked)) == pytest.approx(degrees, abs=0.15)


def test_what_is_straight_stays() -> None:
    """Straight print, blank paper and noise have no angle."""
    noise = np.random.default_rng(1).integers(0, 256, (900, 700), dtype=np.uint8)
    for given in (page(), np.full((900, 700), 255, np.uint8), noise):
        assert skew_angle(Pixels(given)) == 0.0


@pytest.mark.parametrize("degrees", [-15.0, -2.0, 7.0])
def test_the_map_of_a_crooked_page_is_exact(degrees: float) -> None:
    """The print's outline on the enhanced page lies within a pixel of where the map back says that it is."""
    crooked, matrix = turned(page(), degrees)
    enhanced = enhance(Pixels(crooked), EnhanceOptions())
    drawn = np.array([(box.left, box.top, box.right, box.bottom) for _, box in drawn_words(TEXT, size=32)])
    (left, top), (right, bottom) = drawn[:, :2].min(axis=0), drawn[:, 2:].max(axis=0)
    corners = np.array([[x, y, 1] for x in (left, right) for y in (top, bottom)]) @ matrix.T
    there = np.hstack([corners, np.ones((4, 1))]) @ cv2.invertAffineTransform(enhanced.to_input).T
    rows, columns = np.nonzero(enhanced.gray < 128)
    ink = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert (*there.min(axis=0), *there.max(axis=0)) == pytest.approx(ink, abs=1.5)


@pytest.mark.parametrize("degrees", [-15.0, -2.0, 7.0])
def test_boxes_of_a_crooked_page_are_where_its_words_are(degrees: float) -> None:
    """A word's box surrounds the word's corners on the scan."""
    crooked, matrix = turned(page(), degrees)
    found = read(crooked)
    assert found.text.split() == TEXT.split()
    words = {word.text: word.box for word in found.words}
    off = []
    for text, box in drawn_words(TEXT, size=32):
        corners = np.array([[x, y, 1] for x in (box.left, box.right) for y in (box.top, box.bottom)]) @ matrix.T
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        there = words[text]
        off.append(
            max(abs(there.left - left), abs(there.top - top), abs(there.right - right), abs(there.bottom - bottom))
        )
    # The engine draws a box now and then a line too tall.
    assert sorted(off)[-4] <= 7


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns(quarters: int) -> None:
    """A page on its side or upside down is read, and its boxes are where the words are on the scan as it is."""
    given = page()
    found = read(np.ascontiguousarray(np.rot90(given, -quarters)))
    assert found.text.split() == TEXT.split()
    words = {word.text: word.box for word in found.words}
    width, height = given.shape[1], given.shape[0]
    for text, box in drawn_words(TEXT, size=32):
        left, top, right, bottom = {
            1: (height - box.bottom, box.left, height - box.top, box.right),
            2: (width - box.right, height - box.bottom, width - box.left, height - box.top),
            3: (box.top, width - box.right, box.bottom, width - box.left),
        }[quarters]
        there = words[text]
        for side, drawn in (("left", left), ("top", top), ("right", right), ("bottom", bottom)):
            assert getattr(there, side) == pytest.approx(drawn, abs=5), (text, side)


def test_turning_can_be_switched_off() -> None:
    """Without the step, a page upside down is read as it is."""
    recipe = Recipe(enhance=EnhanceOptions(turn=False))
    upended = recognise(encode(Image.fromarray(page()[::-1, ::-1].copy())), recipe)
    assert not any(step.startswith("turn") for step in upended.steps)
    assert "harbour" not in upended.text


def test_an_upright_page_is_read_once() -> None:
    """What reads well is not tried upside down."""
    assert not any(step.startswith("turn") for step in read(page()).steps)


def test_margins_are_cut_off_and_counted() -> None:
    """Wide margins go, and the map to the scan's pixels knows of them."""
    wide = cv2.copyMakeBorder(page(), 700, 300, 900, 100, cv2.BORDER_CONSTANT, value=255)
    enhanced = enhance(Pixels(wide), EnhanceOptions(scale=False))  # type: ignore[arg-type]
    assert "margins" in enhanced.steps
    assert enhanced.gray.size < wide.size / 2
    (office,) = [word.box for word in read(wide).words if word.text == "office"]  # type: ignore[arg-type]
    drawn = dict(drawn_words(TEXT, size=32))["office"]
    assert office.left == pytest.approx(drawn.left + 900, abs=4)
    assert office.top == pytest.approx(drawn.top + 700, abs=4)


@pytest.mark.parametrize("lying", [False, True])
def test_the_strip_with_most_print_is_found(*, lying: bool) -> None:
    """The strip that stands for the page runs along its lines, where most of its print is."""
    given = np.full((2000, 1600), 255, np.uint8)
    given[1500:1860, 900:1500] = page()[:360, :600]
    if lying:
        given = np.ascontiguousarray(np.rot90(given))
    window = sample_strip(letter_centres(Pixels(given)), given.shape, 0.2, lying=lying)
    strip = given[window]
    assert strip.shape == ((1600, 400) if lying else (400, 1600))
    assert np.count_nonzero(strip < 128) > 0.95 * np.count_nonzero(given < 128)


@pytest.mark.parametrize("lines", [60, 150])
def test_a_long_receipt_is_neither_turned_nor_shrunk_to_specks(lines: int) -> None:
    """A page many times as long as wide is read like any other, to its last line."""
    text = "\n".join(f"item {number} costs little" for number in range(lines))
    found = recognise(render(text, size=34), Recipe())
    assert not any(step.startswith("turn") for step in found.steps)
    assert found.text.split().count("costs") > lines * 0.95
    assert f"item {lines - 1} " in found.text


@pytest.mark.parametrize("size", [32, 60])
def test_a_whitelist_does_not_make_text_rubbish(size: int) -> None:
    """Where only some characters may be read, the engine is sure of nothing, and all that it reads is kept."""
    found = recognise(render("Invoice 4711 of harbour", size=size), Recipe(whitelist="0123456789"))
    assert "4711" in found.text
    assert found.unread is None
