"""What tells print from rules, pictures, grain and codes: marks that stand in rows with others of their size."""

from __future__ import annotations

import gc
import weakref

import cv2
import numpy as np
import pytest

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.illumination import background, ink_contrast
from ocrwatch.recognise.enhance.invert import is_inverted
from ocrwatch.recognise.enhance.noise import smoothed
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.enhance.scale import measure_text
from ocrwatch.recognise.enhance.sharpen import sharpened
from ocrwatch.recognise.enhance.skew import lies_on_its_side, skew_angle
from ocrwatch.recognise.evidence import letter_centres
from tests.rendering import draw

LINES = [
    "The harbour office opened on Monday",
    "and Bill Hill paid 2041 invoices before",
    "noon while gulls were circling above",
    "every ship that waited outside until",
    "Captain Brown had signed his papers",
] * 3


def page(size: float = 32, ink: int = 0) -> Gray:
    """Draw fifteen lines of text."""
    return np.asarray(draw("\n".join(LINES), size=size, ink=ink)).copy()


def halftone(height: int, width: int) -> Gray:
    """Draw a picture made of dots, as newspapers print it."""
    y, x = np.mgrid[:height, :width]
    tone = 0.5 * np.sin(x / 90) * np.cos(y / 70)
    return np.where(np.sin(x / 1.6) * np.sin(y / 1.7) > tone, 255, 0).astype(np.uint8)


def test_letters_are_letter_like() -> None:
    """Nearly every letter of a page counts, once, on lines that run across it."""
    found = Pixels(page())
    letters = sum(map(str.isalnum, "".join(LINES)))
    assert 0.8 * letters < np.count_nonzero(found.letters) < 1.1 * letters
    assert np.count_nonzero(found.letters_across) > 2 * np.count_nonzero(found.letters_down)


@pytest.mark.parametrize("degrees", [15, 90, 180])
def test_letters_are_found_however_the_page_lies(degrees: int) -> None:
    """Crooked lines and lines that run down the page have as many."""
    given = page()
    side = 1400
    matrix = cv2.getRotationMatrix2D((given.shape[1] / 2, given.shape[0] / 2), degrees, 1.0)
    matrix[:, 2] += (side - given.shape[1]) / 2, (side - given.shape[0]) / 2
    turned = cv2.warpAffine(given, matrix, (side, side), flags=cv2.INTER_CUBIC, borderValue=255)
    expected = np.count_nonzero(Pixels(given).letters)
    assert np.count_nonzero(Pixels(turned).letters) == pytest.approx(expected, rel=0.25)  # type: ignore[arg-type]


def test_rules_frames_dashes_and_pictures_are_not() -> None:
    """What stands beside print has next to no letter-like marks of its own."""
    given = np.full((1200, 1000), 255, np.uint8)
    cv2.rectangle(given, (50, 50), (950, 500), 0, 3)
    for top in (150, 250, 350):
        given[top : top + 3, 50:950] = 0
        for left in range(60, 940, 20):
            given[top + 50 : top + 54, left : left + 12] = 0
    given[600:1100, 100:900] = cv2.GaussianBlur(halftone(500, 800), (0, 0), 4)
    assert len(letter_centres(Pixels(given))) < 10


def test_noise_has_no_letters() -> None:
    """Grains stand in rows by chance where they are dense; smoothed away, next to none do."""
    for deviation in (5, 20, 40, 70):
        noise = np.random.default_rng(1).normal(235, deviation, (1100, 850))
        assert not len(letter_centres(Pixels(np.clip(noise, 0, 255).astype(np.uint8)))), deviation


def test_small_print_on_a_large_page_is_found() -> None:
    """Letters that vanish on the survey copy are looked for on a larger one."""
    given = np.full((3300, 2550), 255, np.uint8)
    small = page(14)
    given[1500 : 1500 + small.shape[0], 900 : 900 + small.shape[1]] = small
    places = letter_centres(Pixels(given))
    assert len(places) > 100
    assert 900 < places[:, 0].min() < places[:, 0].max() < 900 + small.shape[1]
    assert 1500 < places[:, 1].min() < places[:, 1].max() < 1500 + small.shape[0]


def test_a_page_is_let_go_at_once() -> None:
    """Nothing that is measured on a page holds on to it, so that its pixels wait for no collection of garbage."""
    found = Pixels(page())
    assert found.with_fine_survey is found
    gone = weakref.ref(found)
    gc.disable()
    try:
        del found
        assert gone() is None
    finally:
        gc.enable()


def test_a_frame_takes_no_letters_with_it() -> None:
    """Only a frame's own pixels are left out of what the skew is measured on."""
    given = cv2.copyMakeBorder(page(), *(60,) * 4, cv2.BORDER_CONSTANT, value=255)
    height, width = given.shape
    cv2.rectangle(given, (20, 20), (width - 20, height - 20), 0, 2)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -7, 0.8)
    crooked = cv2.warpAffine(given, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=255)
    assert skew_angle(Pixels(crooked)) == pytest.approx(7, abs=0.3)  # type: ignore[arg-type]


def test_an_upright_table_is_not_turned() -> None:
    """Columns of figures between rules are no lines that run down the page."""
    rows = "\n".join("   ".join(f"{row * column % 97:02}" for column in range(1, 9)) for row in range(1, 25))
    given = np.asarray(draw(rows, size=28)).copy()
    for left in range(40, given.shape[1], 90):
        given[40:-40, left : left + 2] = 0
    assert not lies_on_its_side(Pixels(given))
    assert lies_on_its_side(Pixels(np.ascontiguousarray(np.rot90(given))))


def test_sharpening_leaves_no_halo() -> None:
    """Nothing becomes brighter than the paper was: a halo round each stroke would be taken for paper."""
    soft = cv2.GaussianBlur(page(ink=40), (0, 0), 2.5)
    soft = cv2.min(soft, np.full_like(soft, 200))
    assert sharpened(soft, 0.3).max() <= 200  # type: ignore[arg-type]


def test_the_depth_of_ink_is_that_of_letters() -> None:
    """Stains and streaks are fainter, and more; black print stays what is made black."""
    given = page()
    for left in range(5, given.shape[1], 11):
        given[:, left : left + 4] = np.minimum(given[:, left : left + 4], 225)
    found = Pixels(given)
    depth = ink_contrast(found, background(found.survey))
    assert depth is not None
    assert depth > 0.5


def test_a_picture_does_not_outvote_the_print() -> None:
    """A page with white print on black is inverted, however much of it is a bright picture."""
    given = np.invert(page())
    picture = np.full((given.shape[0] * 2, given.shape[1]), 190, np.uint8)
    assert is_inverted(Pixels(np.vstack([given, picture])))
    assert not is_inverted(Pixels(np.vstack([page(), np.full_like(picture, 20)])))


@pytest.mark.parametrize("beside", ["bars", "halftone", "blocks"])
def test_height_is_that_of_the_print(beside: str) -> None:
    """Bars, pictures and codes beside the print do not change what it measures."""
    given = page()
    expected = measure_text(Pixels(given))
    other = np.full((700, given.shape[1]), 255, np.uint8)
    if beside == "bars":
        for left in range(40, given.shape[1] - 40, 14):
            other[60:640, left : left + 7] = 0
    elif beside == "halftone":
        other[50:650, 50:-50] = halftone(600, given.shape[1] - 100)
    else:
        blocks = np.random.default_rng(1).integers(0, 2, (30, 30), dtype=np.uint8) * 255
        other[50:650, 50:650] = np.kron(blocks, np.ones((20, 20), np.uint8))
    found = measure_text(Pixels(np.vstack([given, other])))
    assert expected is not None
    assert found is not None
    assert found.height == pytest.approx(expected.height, rel=0.15)


def test_noise_has_no_height() -> None:
    """What is no print is not brought to a size of print: enlarged, it takes the engine minutes."""
    random = np.random.default_rng(1)
    blocks = np.kron(random.integers(0, 2, (400, 300), dtype=np.uint8) * 255, np.ones((4, 4), np.uint8))
    assert measure_text(Pixels(blocks)) is None
    grain = np.clip(random.normal(200, 60, (1600, 1200)), 0, 255).astype(np.uint8)
    assert measure_text(Pixels(smoothed(grain, 40.0))) is None
