"""Pages on which one way of reading fails are read in another, and what is left over is read by itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Word
from ocrwatch.errors import EngineFailed
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise import engines
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance import Enhanced
from ocrwatch.recognise.enhance.noise import without_specks
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.reader import OcrResult, Reader, ReadOptions, TextRegion, drop_low_confidence
from ocrwatch.recognise.result_selection import ReadingPolicy, with_explicit_turns, with_region
from tests.rendering import draw, encode

LINES = [
    "The harbour office opened on Monday",
    "and Bill Hill paid 2041 invoices before",
    "noon while gulls were circling above",
    "every ship that waited outside until",
    "Captain Brown had signed his papers",
]
TEXT = "\n".join(LINES)


def page(size: float = 32, ink: int = 0, paper: int = 255) -> Gray:
    """Draw the text."""
    return np.asarray(draw(TEXT, size=size, ink=ink, paper=paper)).copy()


def read(given: Gray, recipe: Recipe | None = None) -> Page:
    """Read it as a scan of high quality."""
    return recognise(encode(Image.fromarray(given), quality=92), recipe or Recipe(second="none"))


def share_read(found: Page) -> float:
    """Return the share of the text's words that were read."""
    words = TEXT.split()
    return sum(word in found.text.split() for word in words) / len(words)


def on_a4(*parts: tuple[Gray, int, int]) -> Gray:
    """Put parts on a white A4 page of 200 dpi, each with its top and left."""
    whole = np.full((2339, 1654), 255, np.uint8)
    for part, top, left in parts:
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return whole


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_framed_page_is_read_however_it_lies(quarters: int) -> None:
    """A thin frame round the print hides neither its direction nor its skew."""
    given = cv2.copyMakeBorder(page(), *(50,) * 4, cv2.BORDER_CONSTANT, value=255)
    cv2.rectangle(given, (20, 20), (given.shape[1] - 20, given.shape[0] - 20), 0, 2)
    found = read(np.ascontiguousarray(np.rot90(given, quarters)))
    assert share_read(found) > 0.9
    assert found.unread is not None
    assert found.unread < 0.1


def test_a_page_upside_down_beside_a_picture_is_read() -> None:
    """The sample on which the ways are compared is print, not the picture."""
    y, x = np.mgrid[:1000, :1400]
    picture = (127 + 60 * np.sin(x / 60) * np.cos(y / 80)).astype(np.uint8)
    grain = np.random.default_rng(1).normal(0, 12, picture.shape)
    picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    given = on_a4((page(), 150, 300), (picture, 1100, 120))
    found = read(np.ascontiguousarray(given[::-1, ::-1]))
    assert share_read(found) > 0.9
    assert "turn 180" in found.steps


def test_textured_paper_does_not_bury_pale_print() -> None:
    """Paper is amplified with the print only as far as it stays lighter than that."""
    height, width = page().shape
    texture = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 100, (height, width)), (0, 0), 2.5)
    given = 190.0 + texture - (255.0 - page()) * 0.35
    assert share_read(read(np.clip(given, 0, 255).astype(np.uint8))) > 0.8


def test_a_dark_screen_is_read() -> None:
    """Light print on a dark page beside bright pictures is read as it is meant."""
    given = np.full((1440, 720), 40, np.uint8)
    screen = np.asarray(draw("\n".join(LINES), size=24, ink=215, paper=40))[:, :720]
    given[60 : 60 + screen.shape[0], : screen.shape[1]] = screen
    code = np.random.default_rng(1).integers(0, 2, (24, 24), dtype=np.uint8)
    given[560:1060, 110:610] = 175
    given[620:1004, 170:554] = np.kron(np.where(code, 175, 25).astype(np.uint8), np.ones((16, 16), np.uint8))
    given[:50] = 250
    found = read(given)
    assert "invert" in found.steps
    assert share_read(found) > 0.9


def test_small_print_of_a_screen_keeps_its_strokes() -> None:
    """Strokes of one pixel are longer than a speck, and stay."""
    given = page(11)
    assert np.count_nonzero(without_specks(given) < 128) > 0.9 * np.count_nonzero(given < 128)
    random = np.random.default_rng(1)
    specked = given.copy()
    specked[random.random(given.shape) < 0.01] = 0
    left = np.count_nonzero(without_specks(specked) < 128) / np.count_nonzero(given < 128)
    assert left < 1.35
    assert share_read(read(given)) > 0.8


def test_few_small_lines_between_streaks_are_read() -> None:
    """A feeder's streaks all over a page do not decide what is ink on it."""
    given = np.full((3300, 2550), 251, np.uint8)
    random = np.random.default_rng(1)
    for left in range(60, 2500, 90):
        given[:, left : left + 3] = random.integers(228, 244)
        for top in random.integers(0, 3200, 10):
            box = given[top : top + 60, left : left + 70]
            np.minimum(box, np.uint8(random.integers(234, 246)), out=box)
    small = page(18, ink=40)
    box = given[900 : 900 + small.shape[0], 700 : 700 + small.shape[1]]
    np.minimum(box, small, out=box)
    found = read(given)
    assert share_read(found) > 0.9
    assert not found.is_blank


def test_one_line_above_a_picture_is_read() -> None:
    """A picture that is most of the page does not take the line for its own."""
    y, x = np.mgrid[:1300, :1400]
    clouds = 127 + 90 * np.sin(x / 150 + y / 300) * np.cos(y / 170)
    clouds += np.random.default_rng(1).normal(0, 10, clouds.shape)
    line = np.asarray(draw("Page one of the report.", size=24))
    given = on_a4((line, 80, 200), (np.clip(clouds, 0, 255).astype(np.uint8), 240, 120))
    assert "Page one of the report" in read(given).text


@pytest.mark.parametrize("quarters", [0, 1, 2])
def test_what_is_left_of_a_page_is_read_by_itself(quarters: int) -> None:
    """A part that is more crooked than the rest is read, too: once, whole, in its place, with boxes that fit."""
    crooked = cv2.warpAffine(
        np.asarray(draw("\n".join(["Another paper lay across the first", "which had been put there straight"] * 6))),
        cv2.getRotationMatrix2D((400, 300), 13, 1.0),
        (900, 800),
        flags=cv2.INTER_CUBIC,
        borderValue=255,
    )
    given = on_a4((np.asarray(draw("\n".join(LINES * 3))), 60, 200), (crooked, 1300, 350))  # type: ignore[arg-type]
    found = read(np.ascontiguousarray(np.rot90(given, quarters)))
    words = found.text.split()
    assert words.count("harbour") == 3
    assert words.count("straight") >= 4
    assert words.count("Another") <= 6
    assert found.text.rindex("harbour") < found.text.index("across") < found.text.rindex("straight")
    assert any(step.startswith("rest") for step in found.steps)
    if quarters == 0:
        boxes = [word.box for word in found.words if word.text == "straight"]
        assert all(1250 < box.top < box.bottom < 2150 for box in boxes)


def word(text: str, left: int, right: int, confidence: float = 90.0) -> Word:
    """Return a word on the only line."""
    return Word(text, Box(left, 100, right, 130), confidence)


def region(*words: Word) -> TextRegion:
    """Return what was read of one line."""
    box = Box(0, 100, 400, 130)
    return TextRegion((Block((Line(words, box),), box),), scaling(1.0, 1.0), (400, 400))


@pytest.mark.parametrize(
    ("before", "again", "delivered"),
    [
        ([word("days", 300, 380, 60.0)], [word("within", 0, 200), word("days", 300, 380)], ["within", "days"]),
        ([word("1284", 0, 48), word("5017", 76, 124)], [word("12845017", 0, 124)], ["1284", "5017"]),
        ([word("1284", 0, 48)], [word("within", 200, 300)], ["1284", "within"]),
        ([word("1284", 0, 48)], [word("vvilhin", 200, 300, 40.0)], ["1284"]),
        ([word("1284", 0, 48)], [], ["1284"]),
        ([], [word("within", 200, 300)], ["within"]),
    ],
)
def test_no_word_is_delivered_twice(before: list[Word], again: list[Word], delivered: list[str]) -> None:
    """A line that is mostly new replaces fragments of it; one that was read before does not come again."""
    page = region(*before)
    first = OcrResult(ReadOptions(), Enhanced(np.full((400, 400), 255, np.uint8), scaling(1.0, 1.0), ()), page.blocks)
    assert [each.text for each in with_region(first, region(*again)).words] == delivered


def test_a_reading_that_fails_loses_no_other() -> None:
    """If the engine fails on another way, what was read the first time is delivered."""

    class Failing:
        """Reads once."""

        info = EngineInfo("failing", "1", ("eng",))
        calls = 0

        def read(self, _pixels: Gray, _dpi: int, _recipe: Recipe) -> tuple[Block, ...]:
            self.calls += 1
            if self.calls > 1:
                raise EngineFailed("it failed")
            return region(word("Hello", 100, 200, 60.0)).blocks

    engine = Failing()
    reader = Reader(engine, Recipe(), None)  # type: ignore[arg-type]
    pixels = Pixels(page())
    found = ReadingPolicy(reader, pixels).best(
        reader.read_enhanced(reader.enhance(pixels, ReadOptions()), ReadOptions())
    )
    assert [each.text for each in found.words] == ["Hello"]
    assert engine.calls > 1


@pytest.mark.parametrize("turns", [None, 0, 1, 2, 3])
def test_a_way_knows_its_turns(turns: int | None) -> None:
    """A page that was turned because its lines ran down is read again turned as often, not once more."""
    given = Pixels(np.ascontiguousarray(np.rot90(page())))
    reader = Reader(engines.load(Recipe()), Recipe(), None)
    options = ReadOptions(turns=turns)
    assert with_explicit_turns(OcrResult(options, reader.enhance(given, options), ())).turns == (
        1 if turns is None else turns
    )


def test_nothing_is_read_twice() -> None:
    """What is read by itself is only what was not read before."""
    found = read(on_a4((page(), 200, 200)))
    assert found.text.split() == TEXT.split()


def test_a_doubtful_page_is_not_blank() -> None:
    """Marks like letters that no way of reading makes out are no blank page, and are told."""
    random = np.random.default_rng(3)
    given = np.full((1100, 850), 255, np.uint8)
    for top in range(100, 1000, 50):
        for left in range(80, 760, 26):
            glyph = (random.random((6, 4)) < 0.5).astype(np.uint8) * 255
            given[top : top + 24, left : left + 16] = np.invert(
                cv2.dilate(np.kron(glyph, np.ones((4, 4), np.uint8)), np.ones((3, 3), np.uint8))
            )
    found = read(given)
    assert not found.is_blank
    assert found.unread is None or found.unread > 0.3 or (found.confidence or 0) < 75


def test_without_enhancement_a_page_is_read_once() -> None:
    """Who switches all steps off gets the page as the engine reads it, and still learns what is unread."""
    upended = np.ascontiguousarray(page()[::-1, ::-1])
    found = read(upended, Recipe(enhance=EnhanceOptions(enabled=False)))
    assert found.steps == ()
    assert "harbour" not in found.text
    assert found.unread is not None


def test_signs_alone_need_more_confidence() -> None:
    """The dashes of a drawing are no lines of text; a figure read with as much is."""

    def line(text: str, confidence: float) -> Line:
        box = Box(0, 0, 10, 10)
        return Line((Word(text, box, confidence),), box)

    block = Block((line("|", 60.0), line("7", 60.0), line("—", 95.0), line("x", 20.0)), Box(0, 0, 10, 10))
    (kept,) = drop_low_confidence((block,), 30.0)
    assert [each.text for each in kept.lines] == ["7", "—"]
    assert drop_low_confidence((block,), 0.0) == (block,)


def test_steps_say_which_way_won() -> None:
    """What cleaning spoils is read as it came, and the steps say so."""
    code = np.random.default_rng(1).integers(0, 2, (40, 40), dtype=np.uint8) * 255
    given = on_a4((page(22), 150, 300), (np.kron(code, np.ones((24, 24), np.uint8)), 700, 300))
    found = read(given)
    assert share_read(found) > 0.9
    reader = Reader(engines.load(Recipe()), Recipe(), None)
    options = ReadOptions(turns=2, unprocessed=True, enlarged=True)
    assert reader.enhance(Pixels(given), options).steps == ("turn 180", "as it came")
    assert reader.enhance(Pixels(given), ReadOptions(turns=0, enlarged=True)).steps[-1] == "larger"
