"""From what a service read to a page on the original: places, reading order, what was not read, and blank pages."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ocrwatch.document import UNPLACED, Block, Box, Line, Page, Word, bounding_box
from ocrwatch.recipe import EnhanceOptions, Preparation
from ocrwatch.recognise.remote.answered import placed
from ocrwatch.recognise.remote.marks import packed_marks
from ocrwatch.recognise.remote.prepare import prepare
from ocrwatch.recognise.sent_page import SentPage
from ocrwatch.render.review import review_reasons
from tests.rendering import draw, drawn_words, encode
from tests.unit.recognise.remote.service import ANY, ENGINE, LINES, TEXT, each_word, lost, page_of, read, recipe

pytestmark = pytest.mark.slow

DRAWN = draw(TEXT, size=32, width=900, height=700)
SCAN = encode(DRAWN, quality=95)
EXACT = EnhanceOptions(scale=False)
"""Nothing is scaled, so that the engine's boxes are exact."""


def sent_of(scan: bytes = SCAN) -> SentPage:
    """Return what is remembered of a scan that is sent as it is."""
    return prepare(scan, recipe(), ANY, 0)[1]


def turned(quarters: int, skew: float) -> Image.Image:
    """Return the page, its lines falling by ``skew`` degrees, then turned clockwise."""
    return DRAWN.rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255).rotate(-90 * quarters, expand=True)


@functools.cache
def answer(quarters: int, skew: float) -> tuple[Block, ...]:
    """Return what a service that reads text of any direction would read there, with axis-parallel boxes of words."""
    lines = []
    for text in LINES:
        words: list[Word] = []
        for word, box in drawn_words(TEXT):
            if word in text.split() and len(words) < len(text.split()) and text.split()[len(words)] == word:
                alone = Image.new("L", DRAWN.size, 0)
                alone.paste(255, (box.left, box.top, box.right, box.bottom))
                moved = alone.rotate(-skew, Image.Resampling.BICUBIC).rotate(-90 * quarters, expand=True)
                found = moved.point(lambda value: 255 if value > 127 else 0).getbbox()
                assert found is not None
                words.append(Word(word, Box(*found), 90.0))
        lines.append(Line(tuple(words), bounding_box(word.box for word in words)))
    return (Block(tuple(lines), bounding_box(line.box for line in lines)),)


def shuffled(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Return each line as a block, in another order."""
    lines = [line for block in blocks for line in block.lines]
    return tuple(Block((line,), line.box) for line in (*lines[3:], *lines[:3][::-1]))


@pytest.mark.parametrize("mode", ["none", "straighten", "clean"])
@pytest.mark.parametrize("skew", [-2.5, 0.0, 2.0])
def test_words_of_a_skewed_page_are_where_they_are_on_the_scan(mode: Preparation, skew: float) -> None:
    """Whatever was sent, boxes are within two pixels of the word's bounding box on the skewed original."""
    page = page_of(encode(turned(0, skew), quality=95), recipe(mode, enhance=EXACT))
    expected = [word for block in answer(0, skew) for line in block.lines for word in line.words]
    assert [word.text for word in page.words] == [word.text for word in expected]
    off = [
        max(abs((a.left + a.right) - (b.left + b.right)), abs((a.top + a.bottom) - (b.top + b.bottom))) / 2
        for a, b in ((word.box, other.box) for word, other in zip(page.words, expected, strict=True))
    ]
    assert max(off) <= 2.5
    assert page.upright is not None
    assert page.upright.turns == 0
    assert page.upright.angle == pytest.approx(skew, abs=0.3)
    assert page.unread == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("skew", [-7.0, 0.0, 3.0])
def test_a_page_that_is_sent_as_it_is_is_known_to_lie_as_it_does(quarters: int, skew: float) -> None:
    """Turns come from the words, the skew from the image; sizes and baselines are those of the straight text."""
    scan = encode(turned(quarters, skew), quality=95)
    sent = sent_of(scan)
    page = placed(answer(quarters, skew), sent, recipe(), ENGINE)
    assert page.upright is not None
    assert page.upright.turns == -quarters % 4
    assert page.upright.angle == pytest.approx(skew, abs=0.2)
    assert (page.upright.width, page.upright.height) == DRAWN.size
    for word, (text, box) in zip(page.words, drawn_words(TEXT), strict=True):
        assert word.text == text
        assert word.width == pytest.approx(box.right - box.left, abs=3)
        assert word.height == pytest.approx(box.bottom - box.top, abs=4)
    for number, line in enumerate(page.lines):
        assert line.baseline is not None
        ends = [page.upright.straight(line.baseline.x0, line.baseline.y0)]
        ends.append(page.upright.straight(line.baseline.x1, line.baseline.y1))
        # Lines are 48 pixels apart, the first one stands at 91.
        assert [y for _, y in ends] == pytest.approx([91 + 48 * number] * 2, abs=4)
        assert ends[0][0] < ends[1][0]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("skew", [-7.0, 0.0, 7.0])
def test_lines_in_no_order_are_put_into_one(quarters: int, skew: float) -> None:
    """Even if they rise by a whole line over their length, or run down the scan."""
    scan = encode(turned(quarters, skew))
    page = placed(shuffled(answer(quarters, skew)), sent_of(scan), recipe(), ENGINE, in_order=False)
    assert [line.text for line in page.lines] == LINES


def test_lines_in_order_stay_in_it() -> None:
    """A service knows columns better than we do."""
    page = placed(shuffled(answer(0, 0.0)), sent_of(), recipe(), ENGINE)
    assert [line.text for line in page.lines] == [*LINES[3:], *LINES[:3][::-1]]


def test_text_without_places_keeps_its_order() -> None:
    """Nothing is made up: no boxes, no direction, and no share of marks that were not read, since all letters were."""
    for in_order in (True, False):
        page = placed(lost(answer(0, 0.0)), sent_of(), recipe(), ENGINE, in_order=in_order)
        assert page.text == TEXT + "\n"
        assert {word.box for word in page.words} == {UNPLACED}
        assert (page.upright, page.unread, page.warnings) == (None, None, ())
        assert review_reasons(page, 75) == ("no confidence",)


def test_a_short_text_without_places_is_suspicious() -> None:
    """A language model that has read one line of five is not believed."""
    (block,) = lost(answer(0, 0.0))
    page = placed((replace(block, lines=block.lines[:1]),), sent_of(), recipe(), ENGINE)
    assert page.warnings == (
        "the text is much shorter than the print on the page: a part of it may not have been read",
    )
    assert page.unread is not None
    assert page.unread > 0.5
    reasons = review_reasons(page, 75)
    assert any(reason.endswith("% of the marks unread") for reason in reasons)


def test_places_of_some_words_are_used() -> None:
    """Lines without a place come last if lines have no order, and their letters count as marks that were read."""
    (block,) = answer(0, 0.0)
    (bare,) = lost((replace(block, lines=block.lines[3:4]),))
    rest = replace(block, lines=(*block.lines[4:], *block.lines[:3]))
    page = placed((bare, rest), sent_of(), recipe(), ENGINE, in_order=False)
    assert [line.text for line in page.lines] == [*LINES[:3], LINES[4], LINES[3]]
    assert page.upright is not None
    assert (page.unread, page.warnings) == (None, ())
    page = placed((bare, replace(rest, lines=rest.lines[:1])), sent_of(), recipe(), ENGINE)
    assert page.unread is not None
    assert len(page.warnings) == 1


def test_a_line_with_a_word_without_a_place_is_placed() -> None:
    """By its other words."""
    (block,) = answer(0, 0.0)
    first, *words = block.lines[0].words
    line = replace(block.lines[0], words=(replace(first, box=UNPLACED), *words))
    for in_order in (True, False):
        page = placed((replace(block, lines=(line,)),), sent_of(), recipe(), ENGINE, in_order=in_order)
        assert page.words[0].box == UNPLACED
        assert page.words[1].box == words[0].box
        assert page.lines[0].box.left == words[0].box.left


def test_marks_in_no_confident_word_are_unread() -> None:
    """Half of the lines are not read, or with a confidence that no one believes."""
    (block,) = answer(0, 0.0)
    whole = placed((block,), sent_of(), recipe(), ENGINE)
    assert whole.unread == pytest.approx(0.0, abs=0.03)
    part = placed((replace(block, lines=block.lines[:2]),), sent_of(), recipe(), ENGINE)
    assert part.unread == pytest.approx(0.6, abs=0.1)
    unsure = placed(each_word((block,), confidence=40.0), sent_of(), recipe(), ENGINE)
    assert unsure.unread == 1.0


def test_lines_of_low_confidence_are_left_out_as_for_engines() -> None:
    """Those whose confidence is unknown stay."""
    (block,) = answer(0, 0.0)
    assert placed(each_word((block,), confidence=20.0), sent_of(), recipe(), ENGINE).blocks == ()
    assert len(placed(each_word((block,), confidence=20.0), sent_of(), recipe(min_confidence=0.0), ENGINE).lines) == 5
    assert len(placed(each_word((block,), confidence=None), sent_of(), recipe(), ENGINE).lines) == 5


@pytest.mark.parametrize(
    "nothing",
    [
        (),
        (Block((), UNPLACED),),
        (Block((Line((), UNPLACED),), UNPLACED),),
        (Block((Line((Word("", UNPLACED, None), Word(" ", Box(1, 1, 5, 5), 90.0)), UNPLACED),), UNPLACED),),
    ],
)
def test_a_service_that_reads_nothing(nothing: tuple[Block, ...]) -> None:
    """A page with print is marked for review, one without is blank."""
    page = placed(nothing, sent_of(), recipe(), ENGINE, warnings=("cut off",))
    assert (page.blocks, page.unread, page.upright, page.is_blank) == ((), 1.0, None, False)
    assert page.warnings == ("cut off", "the service read nothing, and there is print on the page")
    assert review_reasons(page, 75) == ("no text", "100 % of the marks unread")
    blank = placed(nothing, sent_of(encode(Image.new("L", (800, 1000), 250))), recipe(), ENGINE)
    assert (blank.is_blank, blank.unread) == (True, None)
    assert review_reasons(blank, 75) == ()


def test_text_on_a_blank_page() -> None:
    """Specks are no text; legible words are, and if nothing else vouches for them the page says so."""
    sent = sent_of(encode(Image.new("L", (800, 1000), 250)))

    def of(text: str, confidence: float | None) -> Page:
        box = Box(10, 10, 60, 30)
        return placed((Block((Line((Word(text, box, confidence),), box),), box),), sent, recipe(), ENGINE)

    assert of("'.", 45.0).is_blank
    assert of("'.", 45.0).blocks == ()
    assert of("Harbour", 90.0).warnings == ()
    made_up = of("Harbour", None)
    assert not made_up.is_blank
    assert made_up.warnings == ("the service read text on a page on which nothing looks like a letter",)


def test_boxes_of_other_sizes_than_words() -> None:
    """Boxes outside the image, without an area or with crossed edges do no harm."""
    boxes = [Box(-50, -20, 30, 40), Box(880, 680, 2000, 1500), Box(50, 50, 50, 50), Box(90, 90, 60, 60)]
    lines = tuple(Line((Word("odd", box, 90.0),), box) for box in boxes)
    for skew in (0.0, 5.0):
        page = placed((Block(lines, UNPLACED),), replace(sent_of(), skew=skew), recipe(), ENGINE, in_order=False)
        assert len(page.words) == 4
        for word in page.words:
            assert 0 <= word.box.left < word.box.right <= 900
            assert 0 <= word.box.top < word.box.bottom <= 700


def test_a_photographed_page_is_rectified_and_its_words_are_on_the_photograph() -> None:
    """The map back to the original is projective."""
    page = draw(TEXT + "\n" + TEXT + "\n" + TEXT, size=32, width=800, height=1000)
    corners = np.array([(120, 80), (900, 160), (960, 1120), (60, 1060)], float)
    coefficients = _perspective(corners, [(0, 0), (800, 0), (800, 1000), (0, 1000)])
    photograph = page.transform(
        (1040, 1200), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC, fillcolor=40
    )
    scan = encode(photograph, quality=95)
    _, sent = prepare(scan, recipe("straighten"), ANY, 0)
    assert "perspective" in sent.steps
    assert len(sent.page_to_original) == 9
    found = page_of(scan, recipe("straighten"))
    matrix = np.linalg.inv(np.array([*coefficients, 1.0]).reshape(3, 3))
    (word,) = [word for word in found.words if word.text == "2041"][:1]
    box = dict(drawn_words(TEXT))["2041"]
    x, y, w = matrix @ ((box.left + box.right) / 2, (box.top + box.bottom) / 2, 1.0)
    assert ((word.box.left + word.box.right) / 2, (word.box.top + word.box.bottom) / 2) == pytest.approx(
        (x / w, y / w), abs=3
    )
    assert found.unread == pytest.approx(0.0, abs=0.05)
    assert found.upright is not None
    assert not found.upright.is_affine


def _perspective(corners: np.ndarray, targets: list[tuple[int, int]]) -> tuple[float, ...]:
    """Return Pillow's coefficients of the map from corners to targets."""
    rows, values = [], []
    for (x, y), (u, v) in zip(corners.tolist(), targets, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist())


def test_marks_without_number_say_nothing() -> None:
    """From fewer than ten marks no share is computed."""
    few = replace(sent_of(), marks=packed_marks(np.full((9, 2), 5.0)))
    assert placed(read(SCAN), few, recipe(), ENGINE).unread is None
