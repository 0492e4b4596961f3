"""The pixels of a line become words, in the letters that are allowed."""

# ruff: noqa: RUF001 - Chinese has a comma of its own

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrwatch.document import Line
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.affine import quarter_turns, scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.ppocr.strip import may_be_vertical, whole
from tests.rendering import MARGIN, draw, drawn_words

# Not importorskip: the code of rapidocr takes much time and memory.
if not weights.is_installed():
    pytest.skip("rapidocr is not installed", allow_module_level=True)

from ocrwatch.recognise.ppocr.calibration import TABLE, confidence_of
from ocrwatch.recognise.ppocr.lines import detected, read_line, to_line
from ocrwatch.recognise.ppocr.networks import alphabet, networks

LINE = "Invoice 2041 was paid"
ENGLISH, CHINESE = Recipe(), Recipe(languages=("chi_sim", "eng"))
MICROHEI = "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"
HAN = re.compile("[\u2e80-\u9fff\uff00-\uffef]")


def cropped(text: str = LINE, size: float = 32, ink: int = 0, paper: int = 255) -> tuple[Gray, int, int]:
    """Draw a line with a narrow margin; return it with its left and top on the page that was drawn."""
    boxes = [box for _, box in drawn_words(text, size=size)]
    margin = round(size / 6)
    left, top = min(box.left for box in boxes) - margin, min(box.top for box in boxes) - margin
    right, bottom = max(box.right for box in boxes) + margin, max(box.bottom for box in boxes) + margin
    page = np.asarray(draw(text, size=size, ink=ink, paper=paper))
    return np.ascontiguousarray(page[top:bottom, left:right]), left, top


def read(page: Gray, recipe: Recipe = ENGLISH) -> Line | None:
    """Read a page of one line."""
    return to_line(read_line(page, whole(page), recipe), scaling(1.0, 1.0))


def text_of(page: Gray, recipe: Recipe = ENGLISH) -> str:
    """Return what was read."""
    line = read(page, recipe)
    return "" if line is None else " ".join(word.text for word in line.words)


def in_chinese(text: str, size: int = 40) -> Gray:
    """Draw a line in a font that has Chinese characters; skipped if that is not installed."""
    if not Path(MICROHEI).exists():
        pytest.skip(f"the font {MICROHEI} is missing; run: apt-get install fonts-wqy-microhei")
    font = ImageFont.truetype(MICROHEI, size)
    left, top, right, bottom = font.getbbox(text)
    page = Image.new("L", (round(right - left) + 16, round(bottom - top) + 16), 255)
    ImageDraw.Draw(page).text((8 - left, 8 - top), text, fill=0, font=font)
    return np.asarray(page)


@pytest.mark.parametrize("size", [16, 32, 80])
def test_drawn_text_is_read(size: int) -> None:
    """A clean line is read without an error, in small and in large print, with much confidence."""
    line = read(cropped(size=size)[0])
    assert line is not None
    assert [word.text for word in line.words] == LINE.split()
    assert all(word.confidence is not None and 85 < word.confidence <= 100 for word in line.words)


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (150, 200)])
@pytest.mark.parametrize("size", [20, 32, 64])
def test_boxes_are_close_to_the_ink(size: int, ink: int, paper: int) -> None:
    """A word's box is within three pixels of its ink, or one of the strip, also in white on black and pale print."""
    page, left, top = cropped(size=size, ink=ink, paper=paper)
    line = read(page)
    assert line is not None
    near = max(3, page.shape[0] / 24)
    for word, (text, box) in zip(line.words, drawn_words(LINE, size=size), strict=True):
        assert word.text == text
        found = word.box
        assert found.left + left == pytest.approx(box.left, abs=near)
        assert found.right + left == pytest.approx(box.right, abs=near)
        assert found.top + top == pytest.approx(box.top, abs=near)
        assert found.bottom + top == pytest.approx(box.bottom, abs=near)


def test_boxes_are_in_the_pixels_that_are_asked_for() -> None:
    """A line of a page that is read turned or reduced has its boxes where these lie on the page as it is."""
    page, _, _ = cropped()
    height, width = page.shape
    seen = read_line(page, whole(page), ENGLISH)
    plain, twice = to_line(seen, scaling(1.0, 1.0)), to_line(seen, scaling(2.0, 2.0))
    upended = to_line(seen, quarter_turns(2, width, height))
    assert plain is not None
    assert twice is not None
    assert upended is not None
    for one, two, other in zip(plain.words, twice.words, upended.words, strict=True):
        assert two.box.left == pytest.approx(2 * one.box.left, abs=1)
        assert two.box.bottom == pytest.approx(2 * one.box.bottom, abs=1)
        assert other.box.left == pytest.approx(width - one.box.right, abs=1)
        assert other.box.bottom == pytest.approx(height - one.box.top, abs=1)


@pytest.mark.parametrize("paper", [0, 128, 255])
@pytest.mark.parametrize("shape", [(40, 400), (1, 1), (300, 20)])
def test_a_blank_strip_has_no_words(paper: int, shape: tuple[int, int]) -> None:
    """A place without print has no line, whatever its colour and size."""
    page = np.full(shape, paper, np.uint8)
    seen = read_line(page, whole(page), ENGLISH)
    assert seen.words == ()
    assert (seen.text, seen.score) == ("", 0.0)
    assert to_line(seen, scaling(1.0, 1.0)) is None


def test_a_line_that_runs_down_is_read_from_the_top_down() -> None:
    """A line that was turned clockwise by a quarter is read as it was before."""
    page = np.ascontiguousarray(np.rot90(cropped()[0], -1))
    assert may_be_vertical(whole(page))
    assert text_of(page) == LINE


@pytest.mark.parametrize("figure", "147")
def test_a_narrow_figure_is_read_upright(figure: str) -> None:
    """A place that is taller than wide may be a single figure: it is not turned."""
    assert text_of(cropped(figure, 20)[0]) == figure


def test_a_whitelist_has_the_only_characters() -> None:
    """A figure is read in place of a letter if only figures are allowed; spaces always are."""
    found = text_of(cropped()[0], Recipe(whitelist="0123456789"))
    assert "2041" in found
    assert set(found) <= set("0123456789 ")


def test_a_blacklist_has_characters_that_are_not_read() -> None:
    """A character that is not allowed is never read, and the others are as before."""
    found = text_of(cropped()[0], Recipe(blacklist="0v"))
    assert not set(found) & set("0v")
    assert found.endswith("was paid")


def test_the_alphabet_is_in_order_and_has_the_separator_and_spaces() -> None:
    """The classes for nothing and for a space are always allowed, and classes come in ascending order."""
    characters = networks().characters
    for options in ({}, {"whitelist": "01"}, {"blacklist": "abc"}, {"whitelist": "a", "blacklist": "a"}):
        for languages in (("eng",), ("chi_sim",)):
            classes = alphabet(languages, **options)
            assert (np.diff(classes) > 0).all()
            assert classes[0] == 0
            assert " " in {characters[number] for number in classes}
    assert {characters[number] for number in alphabet(("eng",), "01")} - {"0", "1"} <= {"", " ", "\u3000"}


def test_an_english_alphabet_has_no_chinese() -> None:
    """Languages in Latin letters have accents and signs, but neither Chinese nor Greek nor Cyrillic letters."""
    characters = networks().characters
    english = "".join(characters[number] for number in alphabet(("eng", "fra")))
    assert not HAN.search(english.replace("\u3000", ""))
    assert set("azAZ09éßœ€&%$.,;:!?()[]'\"/@#") <= set(english)
    assert not set("αΩЖя") & set(english)
    both = {characters[number] for number in alphabet(("eng", "chi_sim"))}
    assert set("中国a1，") <= both
    assert len(both) > 5000


def test_an_english_recipe_never_gives_chinese_characters() -> None:
    """Chinese print and smudges are read as Latin letters or not at all if only English is asked for."""
    random = np.random.default_rng(1)
    pages = [random.integers(0, 256, (48, 320), dtype=np.uint8), in_chinese("发票已经付清，请联系办公室。")]
    assert not any(HAN.search(text_of(page)) for page in pages)
    assert HAN.search(text_of(pages[1], CHINESE))


@pytest.mark.parametrize(
    "text", ["请联系 Harbour Office 办公室", "电话号码 555-0147 星期一", "谢谢 Thank you very much 祝您愉快"]
)
def test_spaces_between_chinese_and_latin(text: str) -> None:
    """Chinese and Latin words that stand apart are words of their own."""
    assert text_of(in_chinese(text), CHINESE) == text


@pytest.mark.parametrize("text", ["第12章", "共3页"])
def test_no_spaces_between_chinese_and_latin_that_are_close(text: str) -> None:
    """Chinese and Latin characters that stand close together are one word."""
    assert text_of(in_chinese(text), CHINESE) == text


def test_a_page_of_lines() -> None:
    """Lines that are found on a page are read with their boxes on the page."""
    text = "Invoice 2041 was paid\nby the harbour office"
    page = np.asarray(draw(text))
    lines = [to_line(read_line(page, strip, ENGLISH), scaling(1.0, 1.0)) for strip in detected(page)]
    found = sorted((line for line in lines if line is not None), key=lambda line: line.box.top)
    assert [line.text for line in found] == text.split("\n")
    assert all(line.box.left == pytest.approx(MARGIN, abs=6) for line in found)


def test_the_same_strip_is_read_alike() -> None:
    """What was read before, and in which letters, changes nothing."""
    page = cropped()[0]
    first = read(page)
    read(page, Recipe(whitelist="abc"))
    read(cropped("Something else altogether", 20)[0], CHINESE)
    assert read(page) == first


def test_confidences_rise_with_scores() -> None:
    """A word with a higher score has at least as much confidence, and none has less than 0 or more than 100."""
    found = [confidence_of(score) for score in np.linspace(-0.1, 1.1, 500)]
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] <= 100
    assert [confidence_of(score) for score, _ in TABLE] == [confidence for _, confidence in TABLE]
