"""Brightness: what a scanner, a lamp or a faded ribbon did to the print is undone, and only that."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import cv2
import numpy as np
import pytest

from ocrwatch.recipe import EnhanceOptions
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance import enhance
from ocrwatch.recognise.enhance.dot_matrix import MIN_FRAGMENTATION, join_dots
from ocrwatch.recognise.enhance.noise import noise_level
from ocrwatch.recognise.enhance.pixels import Pixels, find_components, ink_of
from ocrwatch.recognise.enhance.scale import MOST_UNMEASURED, fragmentation
from tests.rendering import MARGIN, draw

TEXT = "\n".join(["The harbour office opened on Monday at nine", "and Bill Hill paid the 2041 invoices there"] * 4)
SWITCHES = [field.name for field in fields(EnhanceOptions) if field.type == "bool"]


def only(*names: str) -> EnhanceOptions:
    """Switch on these steps alone."""
    switches: dict[str, Any] = {name: name in ("enabled", *names) for name in SWITCHES}
    return EnhanceOptions(**switches)


def page(size: float = 32, *, ink: int = 0, paper: int = 255) -> Gray:
    """Draw the text with wide margins."""
    return cv2.copyMakeBorder(  # type: ignore[return-value]
        np.asarray(draw(TEXT, size=size, ink=ink, paper=paper)), *(80,) * 4, cv2.BORDER_CONSTANT, value=paper
    )


def grain(given: Gray, deviation: float) -> Gray:
    """Add noise, the same every time."""
    noise = np.random.default_rng(1).normal(0, deviation, given.shape)
    return np.clip(given + noise, 0, 255).astype(np.uint8)


def steps_of(given: Any, *names: str) -> tuple[str, ...]:
    """Names of what is done to a page where only these steps are on."""
    return tuple(step.split()[0] for step in enhance(Pixels(given), only(*names)).steps)


def test_a_clean_page_is_left_alone() -> None:
    """Black print on white needs nothing but its size."""
    assert {step.split()[0] for step in enhance(Pixels(page()), EnhanceOptions()).steps} <= {"margins", "scale"}


def test_white_print_becomes_black() -> None:
    """Of an inverted page every pixel becomes its opposite."""
    given = page()
    enhanced = enhance(Pixels(np.invert(given)), only("invert"))
    assert enhanced.steps == ("invert",)
    assert np.array_equal(enhanced.gray, given)


def barred() -> Gray:
    """Draw a page with a line of white print on a black bar."""
    given = page().copy()
    top = 80 + MARGIN + 2 * 48
    given[top - 6 : top + 42, 100:-100] = np.invert(given[top - 6 : top + 42, 100:-100])
    return given


def test_white_print_on_bars_becomes_black() -> None:
    """A bar with white print in it becomes paper with black print, and nothing else changes."""
    enhanced = enhance(Pixels(barred()), only("invert"))
    assert enhanced.steps == ("shades 1",)
    assert np.array_equal(enhanced.gray[10:-10, 110:-110], page()[10:-10, 110:-110])
    assert steps_of(page(120), "invert") == ()


def test_black_bars_without_print_stay() -> None:
    """A bar that is all black, one as tall as a picture, and one that leaves the page are none to turn."""
    given = page().copy()
    given[200:240, 100:800] = 0
    assert steps_of(given, "invert") == ()
    tall = np.vstack([page()] * 3)
    tall[100:400] = np.invert(tall[100:400])
    assert steps_of(tall, "invert") == ()


def test_paper_on_a_dark_table_is_not_inverted() -> None:
    """A page may be dark for the most part because of what lies round it."""
    given = cv2.copyMakeBorder(page(), *(700,) * 4, cv2.BORDER_CONSTANT, value=15)
    assert np.median(given) == 15
    assert steps_of(given, "invert") == ()


@pytest.mark.parametrize("deviation", [10, 25, 40])
def test_noise_is_measured(deviation: float) -> None:
    """The level of the grain is found beside print; what is clipped at white and black is missing."""
    assert noise_level(grain(page(ink=60, paper=180), deviation)) == pytest.approx(deviation, rel=0.2)


def test_noise_is_smoothed() -> None:
    """Grain goes, and a clean page keeps its pixels."""
    given = grain(page(ink=60, paper=180), 30)
    enhanced = enhance(Pixels(given), only("noise"))
    assert noise_level(enhanced.gray) < 8
    assert steps_of(page(), "noise") == ()


def test_specks_are_taken_out() -> None:
    """Pixels that are black or white at random go, strokes stay as they are; grain is not taken for specks."""
    given = page(ink=60, paper=180)
    chance = np.random.default_rng(1).random(given.shape)
    specked = np.where(chance < 0.02, np.uint8(0), np.where(chance > 0.98, np.uint8(255), given))
    enhanced = enhance(Pixels(specked), only("noise"))
    assert enhanced.steps == ("specks",)
    assert np.count_nonzero(enhanced.gray != given) < 0.2 * np.count_nonzero(specked != given)
    assert steps_of(grain(given, 30), "noise") == ("noise",)


def test_surroundings_become_paper() -> None:
    """The dark lid round a page goes; the page keeps its pixels."""
    sheet = page(paper=230)
    given: Any = cv2.copyMakeBorder(sheet, 120, 60, 180, 40, cv2.BORDER_CONSTANT, value=15)
    enhanced = enhance(Pixels(given), only("border"))
    assert enhanced.steps == ("border",)
    assert enhanced.gray[:100, :].min() == 230
    inner = (slice(20, -20), slice(20, -20))
    assert np.array_equal(enhanced.gray[120:-60, 180:-40][inner], sheet[inner])


@pytest.mark.parametrize("given", [page(), page(120)], ids=["print", "large print"])
def test_print_is_no_surroundings(given: Gray) -> None:
    """Nothing is cleared where the edge of the page is paper."""
    assert steps_of(given, "border") == ()


def test_pale_print_becomes_black() -> None:
    """Grey on grey becomes black on white."""
    enhanced = enhance(Pixels(page(ink=190, paper=225)), only("light"))
    assert enhanced.steps[0].startswith("light")
    assert enhanced.gray.max() == 255
    assert np.percentile(enhanced.gray, 2) < 30


def test_a_shadow_goes() -> None:
    """Under a shadow that leaves a third of the light, paper becomes as white and print as black as beside it."""
    given = page(paper=230)
    light = np.linspace(0.35, 1.0, given.shape[1])[None, :]
    enhanced = enhance(Pixels((given * light).astype(np.uint8)), only("light"))
    third = given.shape[1] // 3
    dark, bright = enhanced.gray[:, :third], enhanced.gray[:, -third:]
    assert abs(int(np.median(dark)) - int(np.median(bright))) < 5
    assert dark.min() == bright.min() == 0


def test_light_does_not_invent_print() -> None:
    """The texture of blank paper is not made black."""
    assert steps_of(grain(np.full((900, 700), 220, np.uint8), 3), "light") == ()


def test_blurred_print_is_sharpened() -> None:
    """Blurred print is; small print, soft for want of pixels, and enlarged print, which has enough, are not."""
    given = page(48)
    assert steps_of(cv2.GaussianBlur(given, (0, 0), 2.2), "sharpen") == ("sharpen",)
    assert steps_of(given, "sharpen") == ()
    assert steps_of(page(16), "sharpen") == ()
    enlarged = cv2.resize(given, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert steps_of(enlarged, "sharpen") == ()


def test_print_made_of_dots_is_told_and_joined() -> None:
    """The dots of dotted letters are pieces, whole letters are none; and joined, the dots are whole letters again."""
    given = page(48)
    rows, columns = np.indices(given.shape)
    dotted = np.where((rows % 5 < 1) | (columns % 5 < 1), np.uint8(255), given)

    def pieces(dots: Gray) -> float:
        return fragmentation(find_components(ink_of(dots, 50)), 35.0)

    assert pieces(dotted) > MIN_FRAGMENTATION > pieces(given)
    assert pieces(join_dots(dotted, 35.0)) < MIN_FRAGMENTATION
    assert steps_of(given, "mend") == ()


def test_dust_is_taken_out() -> None:
    """A page that is nothing but thousands of grains is blank; a page of print keeps its dots and commas."""
    rng = np.random.default_rng(1)
    grains = np.kron(rng.random((1400, 1000)) < 0.012, np.ones((2, 2), bool))
    dusty = np.where(grains, np.uint8(0), np.uint8(255))
    enhanced = enhance(Pixels(dusty), EnhanceOptions(margins=False))
    assert enhanced.steps[-1] == "dust"
    assert enhanced.empty
    assert steps_of(page(14), "noise") == ()


def test_a_huge_page_without_print_is_reduced() -> None:
    """What has no measurable print is not larger than the engine can take."""
    given = np.full((6000, 5000), 255, np.uint8)
    given[1000:1400, 1000:1400] = 0
    assert enhance(Pixels(given), EnhanceOptions(margins=False)).gray.size <= MOST_UNMEASURED * 1.01
