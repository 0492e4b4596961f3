"""Pages photographed at an angle are straightened and flat ones left alone; boxes are in the original's pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from ocrwatch.document import Box, Page
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise import projective
from ocrwatch.recognise.affine import map_box, shift
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.page_view import PERSPECTIVE
from ocrwatch.recognise.perspective import rectify
from tests.photographs import Camera, Desk, View
from tests.rendering import draw, drawn_words, encode

LINES = [
    "The harbour office opened on Monday at seven",
    "and William Hill paid 2041 invoices before it",
    "closed at noon while gulls were circling above",
    "every vessel that waited outside until evening",
    "when Captain Brown had signed the last papers",
    "about coffee and sugar and salt for merchants",
    "whose ledgers had not been opened since autumn",
    "because winter storms kept sailors in taverns",
    "where fiddlers played until the lamps went out",
    "and morning came with frost on silent windows",
    "Thirty barrels of herring stood beside a crane",
    "which creaked whenever northern winds returned",
]
TEXT = "\n".join(LINES * 2)
SIZE = (1500, 2000)
"""Width and height of the photographs."""

ASLANT = [View(yaw=25, roll=2), View(pitch=18, yaw=18, roll=5), View(pitch=-15, yaw=25, roll=-6)]
WHITE_DESK = Desk(238.0, 0.8)
"""On which no edge of the paper is seen."""


def page() -> Gray:
    """Draw the text."""
    return np.asarray(draw(TEXT, size=32))


def photographed(view: View, desk: Desk, given: Gray | None = None) -> tuple[Gray, Camera]:
    """Take a picture of the text, or of another page."""
    sheet = page() if given is None else given
    camera = Camera((sheet.shape[1], sheet.shape[0]), view, SIZE)
    return camera.picture(sheet, desk), camera


def read(given: Gray, recipe: Recipe | None = None) -> Page:
    """Read it as a scan of high quality."""
    return recognise(encode(Image.fromarray(given), dpi=None, quality=92), recipe or Recipe())


def share_read(found: Page) -> float:
    """Return the share of the text's words that were read."""
    read_words, words = found.text.split(), TEXT.split()
    return sum(min(words.count(word), read_words.count(word)) for word in set(words)) / len(words)


def corners_of(given: Gray) -> np.ndarray:
    """Return the corners of a page."""
    height, width = given.shape
    return np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])


def on_black(given: Gray, degrees: float) -> Gray:
    """Lay a sheet on a scanner whose lid is black, turned a little."""
    height, width = given.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += 200
    size = (width + 400, height + 400)
    return np.asarray(cv2.warpAffine(given, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(12,)), np.uint8)


def test_flat_pages_are_left_alone() -> None:
    """A page from a glass, a crooked one, a blank one, noise and specks have no perspective."""
    noise = np.random.default_rng(1).integers(0, 256, (900, 700), dtype=np.uint8)
    crooked = on_black(cv2.copyMakeBorder(page(), *(300,) * 4, cv2.BORDER_CONSTANT, value=255), 6)  # type: ignore[arg-type]
    for given in (page(), crooked[300:-300, 300:-300], np.full((900, 700), 255, np.uint8), noise, noise[:9, :700]):
        assert rectify(Pixels(np.ascontiguousarray(given))) is None


@pytest.mark.parametrize("degrees", [0.0, 4.0, -11.0])
def test_a_rotated_receipt_on_black_is_left_alone(degrees: float) -> None:
    """Four edges that are a rectangle, however it lies, are no perspective."""
    assert rectify(Pixels(on_black(page(), degrees))) is None


def test_a_torn_sheet_on_black_is_left_alone() -> None:
    """If an edge runs aslant but the print does not, the edge is not the camera's doing."""
    sheet = on_black(cv2.copyMakeBorder(page(), 0, 200, 0, 0, cv2.BORDER_CONSTANT, value=255), 0.0)  # type: ignore[arg-type]
    height, width = sheet.shape
    cv2.fillPoly(sheet, [np.array([(0, height - 390), (width, height - 210), (width, height), (0, height)])], (12,))
    assert rectify(Pixels(sheet)) is None


@pytest.mark.parametrize("degrees", [-8.0, 3.0])
def test_two_sheets_on_one_glass_are_left_alone(degrees: float) -> None:
    """Lines that run in two directions do not converge: one sheet lies crooked beside the other."""
    upper = np.asarray(draw("\n".join(LINES)))
    height, width = upper.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    lower = cv2.warpAffine(upper, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(255,))
    assert rectify(Pixels(np.concatenate([upper, np.asarray(lower, np.uint8)]))) is None


@pytest.mark.parametrize("desk", [Desk(45.0), Desk(170.0)], ids=["dark", "light"])
@pytest.mark.parametrize("view", [View(pitch=25), *ASLANT])
def test_four_edges_are_found(view: View, desk: Desk) -> None:
    """The straightened page ends at the sheet's corners, to a few pixels, whatever the desk."""
    picture, camera = photographed(view, desk)
    found = rectify(Pixels(picture))
    assert found is not None
    there = projective.mapped(corners_of(found.gray), found.to_input)
    assert there == pytest.approx(camera.seen(corners_of(page())), abs=4)


def test_four_edges_are_found_round_a_single_line() -> None:
    """A sheet with next to nothing on it, in small type, is straightened by its edges."""
    sheet = np.full((2800, 2000), 255, np.uint8)
    line = np.asarray(draw("Received with thanks, the harbour office", size=30))
    sheet[300 : 300 + line.shape[0], 500 : 500 + line.shape[1]] = line
    camera = Camera((2000, 2800), ASLANT[1], (2250, 3000))
    found = rectify(Pixels(camera.picture(sheet, Desk(60.0))))
    assert found is not None
    there = projective.mapped(corners_of(found.gray), found.to_input)
    assert there == pytest.approx(camera.seen(corners_of(sheet)), abs=8)


@pytest.mark.parametrize("view", ASLANT)
def test_converging_lines_are_found(view: View) -> None:
    """If no edge is seen, the lines of print tell how the page lies: they are level once it is straightened."""
    picture, camera = photographed(view, WHITE_DESK)
    found = rectify(Pixels(picture))
    assert found is not None
    from_input = projective.inverse(found.to_input)
    for height in (100, 900):
        ends = np.array([(60.0, height), (page().shape[1] - 60.0, height)])
        left, right = projective.mapped(camera.seen(ends), from_input)
        assert left[1] == pytest.approx(right[1], abs=6)
    assert share_read(read(picture)) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photograph_on_its_side_is_straightened(quarters: int) -> None:
    """However the camera was held, the page is straightened and read."""
    picture, _ = photographed(ASLANT[1], WHITE_DESK)
    found = read(np.ascontiguousarray(np.rot90(picture, quarters)))
    assert PERSPECTIVE in found.steps
    assert share_read(found) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("desk", [Desk(45.0), WHITE_DESK], ids=["edges", "lines"])
def test_boxes_point_to_the_pixels_of_the_photograph(desk: Desk) -> None:
    """A word's box surrounds the word on the photograph as it came."""
    picture, camera = photographed(ASLANT[1], desk)
    found = read(picture)
    assert found.steps[0] == PERSPECTIVE
    assert (found.width, found.height) == SIZE
    boxes = {word.text: word.box for word in found.words[: len(found.words) // 2]}
    off = []
    for text, box in drawn_words(TEXT, size=32)[: len(TEXT.split()) // 2]:
        if len(text) < 5 or text not in boxes:
            continue
        seen = camera.seen(np.array([(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)], np.float64))
        (left, top), (right, bottom) = seen.min(axis=0), seen.max(axis=0)
        there = boxes[text]
        off.append(
            max(abs(there.left - left), abs(there.top - top), abs(there.right - right), abs(there.bottom - bottom))
        )
    assert len(off) > 20
    # The engine draws a box now and then a line too tall.
    assert sorted(off)[int(0.8 * len(off))] <= 8


@pytest.mark.slow
@pytest.mark.parametrize("view", [View(pitch=20, bend=0.08), View(yaw=20, bend=0.08)])
def test_a_bent_page_is_read_as_well_as_it_came(view: View) -> None:
    """What straightens no bent page does not spoil it either."""
    picture, _ = photographed(view, Desk(45.0))
    without = share_read(read(picture, Recipe(enhance=EnhanceOptions(perspective=False))))
    assert share_read(read(picture)) >= without - 0.02


@pytest.mark.slow
def test_the_step_can_be_switched_off() -> None:
    """Without it, or without any, the page is read as it came."""
    picture, _ = photographed(View(pitch=25), Desk(45.0))
    assert PERSPECTIVE in read(picture).steps
    for options in (EnhanceOptions(perspective=False), EnhanceOptions(enabled=False)):
        assert PERSPECTIVE not in read(picture, Recipe(enhance=options)).steps


@pytest.mark.slow
def test_a_region_is_cut_before_it_is_straightened() -> None:
    """Boxes of a region of a photograph point to the whole photograph's pixels."""
    picture, _ = photographed(ASLANT[0], WHITE_DESK)
    wide = cv2.copyMakeBorder(picture, 0, 0, SIZE[0], 0, cv2.BORDER_CONSTANT, value=200)
    whole, part = read(picture), read(wide, Recipe(region=(0.5, 0.0, 1.0, 1.0)))  # type: ignore[arg-type]
    assert part.steps[:2] == ("region", PERSPECTIVE)
    pairs = [
        (one.box, other.box) for one, other in zip(whole.words, part.words, strict=False) if one.text == other.text
    ]
    assert len(pairs) > 0.9 * len(TEXT.split())
    assert np.median([other.left - one.left for one, other in pairs]) == pytest.approx(SIZE[0], abs=4)
    assert np.median([other.top - one.top for one, other in pairs]) == pytest.approx(0, abs=4)


@pytest.mark.slow
def test_what_reads_better_as_it_came_is_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a straightened page reads badly, the page as it came is read, too, and the one with more evidence wins."""
    from ocrwatch.recognise import perspective

    def wrong(given: Pixels) -> perspective.Rectified:
        corners = corners_of(given.gray)
        squeezed = corners * (1.0, 1.0) + np.array([(0.0, 0.0), (0.0, 500.0), (0.0, -500.0), (0.0, 0.0)])
        to_input = projective.between(corners, squeezed)
        size = (given.gray.shape[1], given.gray.shape[0])
        return perspective.Rectified(projective.warped(given.gray, to_input, size, 255), to_input)

    monkeypatch.setattr(perspective, "rectify", wrong)
    found = read(page())
    assert PERSPECTIVE not in found.steps
    assert share_read(found) > 0.95


def test_a_projective_map_that_is_affine_maps_boxes_alike() -> None:
    """Both kinds of maps round and clip boxes in the same way."""
    to = shift(3.4, -20.0)
    for box in (Box(10, 30, 50, 60), Box(0, 0, 5, 8), Box(90, 90, 140, 130)):
        expected = map_box(box, to, width=100, height=100)
        assert projective.map_box(box, projective.as_projective(to), width=100, height=100) == expected


def test_a_map_between_four_points_takes_each_to_its_own() -> None:
    """The map is exact at the four points, and its inverse leads back."""
    square = np.array([(0.0, 0.0), (100.0, 0.0), (100.0, 80.0), (0.0, 80.0)])
    other = np.array([(12.0, 5.0), (210.0, 33.0), (190.0, 260.0), (-20.0, 240.0)])
    to = projective.between(square, other)
    assert projective.mapped(square, to) == pytest.approx(other, abs=1e-8)
    assert projective.mapped(other, projective.inverse(to)) == pytest.approx(square, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("view", ASLANT)
def test_a_rectified_page_says_how_it_becomes_flat(view: View) -> None:
    """The map is projective, and takes the corners of the paper to those of a rectangle with straight lines."""
    picture, camera = photographed(view, Desk())
    found = read(picture)
    assert found.upright is not None
    assert not found.upright.is_affine
    assert found.upright.turns == 0
    straight = [found.upright.straight(*corner) for corner in camera.seen(corners_of(page())).tolist()]
    (left, top), (right, upper), (far, bottom), (near, lower) = straight
    size = max(found.upright.width, found.upright.height)
    assert max(abs(top - upper), abs(bottom - lower), abs(left - near), abs(right - far)) < 0.02 * size
    for line in found.lines:
        assert line.baseline is not None
        begin = found.upright.straight(line.baseline.x0, line.baseline.y0)
        end = found.upright.straight(line.baseline.x1, line.baseline.y1)
        assert abs(begin[1] - end[1]) < 0.01 * size
