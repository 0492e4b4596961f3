"""Edges between words are where the white space is, whatever boxes the engine gave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ocrwatch.document import UNPLACED, Block, Box, Line, Word, bounding_box
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.word_edges import fit_edges
from tests.rendering import draw, drawn_words, encode

TEXT = "seventeen barrels of oil, a page was blown out by the window"
SIZE = 32.0
PRINTED = [(word, box) for word, box in drawn_words(TEXT, size=SIZE)]
TEXTS = [text for text, _ in PRINTED]
BOXES = [box for _, box in PRINTED]
PAGE = draw(TEXT, size=SIZE, width=1400)


def fitted(boxes: list[Box], page: Image.Image = PAGE) -> list[Box]:
    """Return the boxes of one line after its edges were fitted."""
    words = tuple(Word(text, box, 90.0) for text, box in zip(TEXTS, boxes, strict=True))
    around = bounding_box(boxes)
    (block,) = fit_edges((Block((Line(words, around),), around),), np.asarray(page))
    assert [word.text for word in block.lines[0].words] == TEXTS
    return [word.box for word in block.lines[0].words]


def with_boxes(**given: Box) -> list[Box]:
    """Return the boxes of the print, some of them replaced."""
    return [given.get(text, box) for text, box in PRINTED]


def near(found: list[Box], expected: list[Box], pixels: int = 1) -> bool:
    """Return whether columns agree."""
    return all(
        abs(a.left - b.left) <= pixels and abs(a.right - b.right) <= pixels
        for a, b in zip(found, expected, strict=True)
    )


def box_of(text: str) -> Box:
    """Return the box of a word's print."""
    return BOXES[TEXTS.index(text)]


def test_good_boxes_stay() -> None:
    """Each word keeps its own print."""
    assert near(fitted(BOXES), BOXES)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"barrels": replace(box_of("barrels"), right=box_of("barrels").right - 14)}, id="letter lost"),
        pytest.param(
            {
                "oil,": replace(box_of("oil,"), left=box_of("oil,").left - 17),
                "of": replace(box_of("of"), right=box_of("of").right - 14),
            },
            id="letter given to the neighbour",
        ),
        pytest.param({"blown": replace(box_of("blown"), right=box_of("out").left + 20)}, id="overlap"),
        pytest.param({"out": replace(box_of("out"), top=0, bottom=70)}, id="rows of other lines"),
    ],
)
def test_edges_move_to_white_space(given: dict[str, Box]) -> None:
    """Also if boxes are short or overlap; rows of other lines are cut off."""
    found = fitted(with_boxes(**given))
    assert near(found, BOXES)
    assert all(box.bottom - box.top <= 40 for box in found)


def test_white_print_on_black() -> None:
    """It has spaces as well."""
    black = Image.eval(PAGE, lambda value: 255 - value)
    short = with_boxes(barrels=replace(box_of("barrels"), right=box_of("barrels").right - 14))
    assert near(fitted(short, black), BOXES)


def test_noise_is_no_print() -> None:
    """Specks in the space between two words do not close it."""
    noise = np.random.default_rng(5).random((PAGE.height, PAGE.width)) < 0.002
    noisy = Image.fromarray(np.where(noise, 0, np.asarray(PAGE)).astype(np.uint8))
    short = with_boxes(barrels=replace(box_of("barrels"), right=box_of("barrels").right - 14))
    assert near(fitted(short, noisy), BOXES, 2)


def test_a_rule_between_columns_is_in_no_word() -> None:
    """It is ink, but not of a word."""
    page = PAGE.copy()
    last, first = BOXES[5], BOXES[6]
    wide = page.crop((first.left - 2, 0, page.width - 60, page.height))
    page.paste(255, (first.left - 2, 0, page.width, page.height))
    page.paste(wide, (first.left + 58, 0))
    ImageDraw.Draw(page).line((last.right + 30, 0, last.right + 30, page.height), fill=0, width=3)
    moved = [box if at < 6 else replace(box, left=box.left + 60, right=box.right + 60) for at, box in enumerate(BOXES)]
    assert near(fitted(moved, page), moved)


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([UNPLACED] * len(BOXES), id="unknown"),
        pytest.param([Box(10, 20 * at, 60, 20 * at + 18) for at in range(len(BOXES))], id="below each other"),
        pytest.param([replace(box, top=box.top + 9 * at, bottom=box.bottom + 9 * at) for at, box in enumerate(BOXES)]),
    ],
)
def test_lines_that_are_not_level_stay(boxes: list[Box]) -> None:
    """Nothing is known of their spaces."""
    assert fitted(boxes, draw(TEXT, size=SIZE, width=1400, height=600)) == boxes


def test_boxes_may_reach_over_the_edge() -> None:
    """Some engines return such; what is on the image is still fitted, and nothing fails."""
    page = PAGE.crop((BOXES[0].left + 3, 0, PAGE.width, PAGE.height))
    shifted = [
        replace(box, left=box.left - BOXES[0].left - 3, right=box.right - BOXES[0].left - 3)
        for box in with_boxes(barrels=replace(box_of("barrels"), right=box_of("barrels").right - 14))
    ]
    assert shifted[0].left < 0
    assert fitted(shifted, page)[1].right - shifted[1].right == pytest.approx(14, abs=1)
    outside = [replace(box, left=box.left + 5000, right=box.right + 5000) for box in BOXES]
    assert fitted(outside) == outside


@pytest.mark.parametrize("skew", [-5.0, 0.0, 3.0])
def test_words_of_a_page_are_where_they_are_printed(skew: float) -> None:
    """Each word is within half a millimetre, in its line's direction."""
    lines = ["The harbour office opened on Monday at half past", "wind from the sea. Captain Brown signed for oil,"] * 4
    text = "\n".join(lines)
    page = draw(text, size=42, width=1600, height=1000)
    read = recognise(
        encode(page.rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255), dpi=300, quality=90),
        Recipe(enhance=EnhanceOptions(perspective=False), second="none"),
    )
    assert read.upright is not None
    printed = drawn_words(text, size=42)
    assert [word.text for word in read.words] == [word for word, _ in printed]
    for word, (_, box) in zip(read.words, printed, strict=True):
        x, _ = read.upright.straight((word.box.left + word.box.right) / 2, (word.box.top + word.box.bottom) / 2)
        assert abs(x - (box.left + box.right) / 2) <= 6, word
