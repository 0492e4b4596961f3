"""Dotted leaders are found, and erased; what they connect is read without the dots."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrwatch.document import Box, Line, Standing, Word
from ocrwatch.recipe import FieldRule, Recipe
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.fields.leader_lines import BesideLeaders
from ocrwatch.recognise.extract.fields.leaders import Leaders, erased, find_leaders
from ocrwatch.recognise.page import recognise
from tests.rendering import encode
from tests.unit.recognise.fields.test_second_look import Again
from tests.unit.recognise.fields.text_pages import field_of, fields_of

_UNIT = 14.0
"""Height of a word on a straight page."""

_SIZE = 17
"""Of type in which a word is as tall as that."""

ROWS = (("Invoice number", "2024-117"), ("Invoice date", "24/11/2026"), ("Net amount", "100.00"), ("Total", "120.00"))


def page_of(*texts: tuple[float, float, str], size: float = _SIZE, width: int = 900, height: int = 400) -> Gray:
    """Return a page with texts; x and y are those of their baselines' left ends."""
    image = Image.new("L", (width, height), 235)
    pen = ImageDraw.Draw(image)
    for x, y, text in texts:
        pen.text((x, y), text, fill=20, font=ImageFont.load_default(size), anchor="ls")
    return np.asarray(image)


def with_leaders(
    rows: tuple[tuple[str, str], ...] = ROWS, *, size: float = _SIZE, right: float = 600, mark: str = "."
) -> Gray:
    """Return a page of labels and values with dots between them."""
    font = ImageFont.load_default(size)
    texts = []
    for number, (label, value) in enumerate(rows):
        y = (3 + 1.5 * number) * size
        begin, end = 50 + font.getlength(label) + 0.3 * size, right - font.getlength(value) - 0.3 * size
        dots = mark * int((end - begin) / font.getlength(mark))
        texts += [(50.0, y, label), (right - font.getlength(value), y, value), (end - font.getlength(dots), y, dots)]
    return page_of(*texts, size=size, width=round(right) + 300, height=round(12 * size))


def _grainy(image: Gray, deviation: float) -> Gray:
    noise = np.random.default_rng(1).normal(0, deviation, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _turned(image: Gray, degrees: float) -> Gray:
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderValue=235), np.uint8)


def _without_dots(image: Gray, leaders: Leaders) -> Gray:
    corners = [
        tuple(
            _UNIT * at
            for at in (each.left, each.top, each.right, each.top, each.right, each.bottom, each.left, each.bottom)
        )
        for each in leaders.dots
    ]
    return erased(image, corners, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("mark", [".", ". "])
@pytest.mark.parametrize("degrees", [0.0, 0.2])
def test_leaders_are_found_with_their_labels_and_values(mark: str, degrees: float) -> None:
    """Also on a page that is not quite straight, and with grain."""
    found = find_leaders(_grainy(_turned(with_leaders(mark=mark), degrees), 5), _UNIT)
    assert len(found.dots) == len(ROWS)
    assert len(found.texts) == 2 * len(ROWS)
    assert all(0.8 < text.bottom - text.top < 1.8 for text in found.texts)


def test_leaders_are_erased_and_nothing_else() -> None:
    """The page is that of labels and values alone."""
    image = with_leaders()
    without = _without_dots(image, find_leaders(image, _UNIT))
    expected = with_leaders(mark=" ")
    assert np.abs(without.astype(int) - expected).max() <= 20


def test_a_value_that_touches_the_dots_keeps_its_characters() -> None:
    """Only dots are erased, not the first digit, and no decimal point is left."""
    image = page_of((50, 60, "Total"), (50 + 45, 60, "." * 40 + "120.50"))
    without = _without_dots(image, find_leaders(image, _UNIT))
    digits = page_of((95 + ImageFont.load_default(_SIZE).getlength("." * 40), 60, "120.50"))
    columns = np.flatnonzero((digits < 128).any(axis=0))
    assert np.array_equal(without[:, columns[0] : columns[-1]] < 128, digits[:, columns[0] : columns[-1]] < 128)
    assert (without[:, 100 : columns[0] - 1] > 200).all()


@pytest.mark.parametrize(
    "line",
    [
        "Wait for it... and then ... nothing came of it....",
        "minimum, immunity, illumination, mmmmmmmm, iiiiiiiiiiiiii, nnnnnnnn",
        "GB85 MKMA 2614 4882 4163 00   1.111.111,11   1.1.1.1",
        "||||||||||||||||||||   1111111111111111   0000000000000000",
    ],
)
def test_text_has_no_leaders(line: str) -> None:
    """In no size of type."""
    for size in (9, 12, 14, 17, 22, 30):
        image = page_of(*((20, 40 + 1.4 * size * row, line) for row in range(4)), size=size, width=1400)
        assert not find_leaders(image, _UNIT).dots, size


def test_grain_halftone_hatching_and_dot_grids_have_no_leaders() -> None:
    """They have dots above and below."""
    grain = _grainy(np.full((800, 800), 200, np.uint8), 40)
    halftone = np.full((800, 800), 235, np.uint8)
    halftone[::4, ::4] = halftone[1::4, ::4] = 40
    bars = np.full((200, 800), 235, np.uint8)
    bars[50:150, ::5] = 20
    assert not any(find_leaders(image, _UNIT).dots for image in (grain, halftone, bars))


def test_a_dashed_rule_between_lines_connects_no_texts() -> None:
    """Neither do asterisks around a title, since nothing is on their line but that."""
    rule = page_of((50, 60, "Total 12.50"), (130, 76, "-  " * 30), (50, 92, "Cash 20.00"))
    assert find_leaders(rule, _UNIT).texts == ()


def test_text_on_a_dotted_line_of_a_form_stays() -> None:
    """It is a text beside the dots before and after it."""
    line = page_of((50, 60, "Name"), (100, 60, "." * 120))
    name = page_of((300, 57, "John Smith"))
    image = np.minimum(line, name)
    found = find_leaders(image, _UNIT)
    without = _without_dots(image, found)
    ink = name < 128
    assert (without[ink] < 128).mean() > 0.99
    assert any(text.left < 301 / _UNIT and text.right > 384 / _UNIT for text in found.texts)


@pytest.mark.parametrize("space", [" ", "  "])
def test_a_number_among_wide_dots_is_not_erased(space: str) -> None:
    """Its feet are as small as dots, but have ink above."""
    dots = f".{space}" * 12
    width = ImageFont.load_default(_SIZE).getlength(dots)
    page = page_of((50, 60, "Quantity"), (130, 60, dots), (136 + width, 60, "53"), (165 + width, 60, dots), width=1100)
    number = page_of((136 + width, 60, "53"), width=1100) < 128
    found = find_leaders(page, _UNIT)
    assert len(found.dots) == 2
    assert (_without_dots(page, found)[number] < 128).all()
    assert any(text.left < (137 + width) / _UNIT and text.right > (153 + width) / _UNIT for text in found.texts)


@pytest.mark.parametrize("lower", [0, 1, 2])
def test_a_text_between_two_leaders_is_one(lower: int) -> None:
    """Although their dots may not be in the same rows of pixels."""
    page = page_of((50, 60, "." * 30), (190, 60, "2024-117"), (265, 60 + lower, "." * 30))
    found = find_leaders(page, _UNIT)
    assert len(found.dots) == 2
    assert len(found.texts) == 1


def test_a_word_and_what_was_read_again_at_its_place_are_one_value() -> None:
    """Both are of the same print; the value does not stand on the page twice."""
    rule = FieldRule("date", "date", near=("date", "*"), locale="en_GB")
    word = Word("24/11/2026", Box(190, 0, 290, 20), 95.0, 100.0, 20.0)
    lines = {
        Extent(-0.3, -0.1, 2.3, 1.1): [],
        Extent(9.2, -0.1, 14.8, 1.1): [Line((word,), word.box)],
    }
    page = "Date...............24/11/2026"
    found = field_of(page, rule, Again(beside=BesideLeaders((Extent(2.0, 0.7, 9.5, 1.0),), lines)))
    assert (found.value, found.standing) == ("2026-11-24", Standing.READ)


def test_a_page_full_of_dots_stays_cheap() -> None:
    """Whoever makes it: rows of dots, and random dots."""
    rows = np.full((2000, 1400), 235, np.uint8)
    rows[10::12, ::6] = rows[11::12, ::6] = 20
    dots = np.where(np.random.default_rng(1).random((2000, 1400)) < 0.1, 20, 235).astype(np.uint8)
    for image in (rows, dots):
        begin = time.process_time()
        found = find_leaders(image, _UNIT)
        assert time.process_time() - begin < 1
        assert len(found.dots) <= 60


def test_an_image_without_room_has_no_leaders() -> None:
    """Nor has an empty line."""
    assert find_leaders(np.zeros((3, 3), np.uint8), _UNIT) == Leaders((), ())
    assert find_leaders(np.full((60, 1), 235, np.uint8), _UNIT) == Leaders((), ())


def _beside(value: str, *, leader: bool = True) -> BesideLeaders:
    """Return what is read beside the leader of a page whose line is "Total .......12.50"."""
    word = Word(value, Box(110, 0, 170, 20), 95.0, 60.0, 20.0)
    dots = (Extent(3.2, 0.7, 5.6, 1.0),) if leader else ()
    return BesideLeaders(dots, {Extent(5.2, -0.1, 8.8, 1.1): [Line((word,), word.box)] if value else []})


_PAGE = "Total .......1250"
_TOTAL = FieldRule("total", "amount", near=("total",))


def test_what_is_read_without_dots_takes_the_place_of_what_was_read_with_them() -> None:
    """Its words are none of the page's, so that only its place says where it is."""
    found = field_of(_PAGE, _TOTAL, Again(beside=_beside("12.50")))
    assert (found.value, found.standing, found.words) == ("12.50", Standing.READ, ())
    assert (found.box.left, found.box.right, found.confidence) == (110, 170, 95.0)


def test_what_cannot_be_read_without_dots_keeps_its_words() -> None:
    """A reading with dots is better than none."""
    assert field_of(_PAGE, _TOTAL, Again(beside=_beside(""))).value == "1250.00"


def test_a_value_is_not_verified_by_one_more_reading_of_a_strip() -> None:
    """The first one was of a strip, too; two more of them may have been read in other sizes."""
    one, two = (Again(["12.50"] * count, beside=_beside("12.50")) for count in (1, 2))
    assert field_of(_PAGE, _TOTAL, one).standing is Standing.READ
    assert field_of(_PAGE, _TOTAL, two).standing is Standing.VERIFIED


def test_leaders_are_not_looked_for_if_all_is_verified_or_nothing_may_be_read_again() -> None:
    """The page has what it needs."""
    again = Again(beside=_beside("99.99"))
    rule = FieldRule("t", "amount", near=("total | sum",))
    assert field_of(f"{_PAGE}.00\nSum 1250.00", rule, again).value == "1250.00"
    rule = FieldRule("t", "amount", near=("total",), second_look=False)
    assert field_of(_PAGE, rule, again).value == "1250.00"


def test_fields_beside_leaders_are_read_from_a_scan() -> None:
    """Labels and values that Tesseract loses among dots are found."""
    rules = (
        FieldRule("number", "code", near=("invoice number",)),
        FieldRule("date", "date", near=("invoice date",), locale="en_GB"),
        FieldRule("net", "amount", near=("net amount",)),
        FieldRule("total", "amount", near=("total",)),
    )
    image = Image.fromarray(_grainy(_turned(with_leaders(size=36, right=1500), 0.4), 4))
    page = recognise(encode(image), Recipe(second="none", fields=rules))
    assert [field.value for field in page.fields or ()] == ["2024-117", "2026-11-24", "100.00", "120.00"]


def test_a_sum_that_has_a_value_beside_a_leader_has_no_words_of_the_page() -> None:
    """Only some of its words are the page's."""
    rules = (
        FieldRule("total", "amount", near=("total",), equals=("sum - net",)),
        FieldRule("sum", "amount", near=("sum",)),
        FieldRule("net", "amount", near=("net",)),
    )
    text = f"{_PAGE}\n\nTotal 2.50\n\nSum 17.00\n\nNet 2.00"
    found = fields_of(text, rules, Again(beside=_beside("12.50")))["total"]
    assert (found.value, found.words) == ("15.00", ())


def test_a_text_does_not_end_at_punctuation() -> None:
    """Periods and commas are as low as the dots."""
    image = with_leaders((("Inv.  no.", "Sep 26,   2021"),))
    label, value = sorted(find_leaders(image, _UNIT).texts, key=lambda text: text.left)
    assert label.left < 52 / _UNIT
    assert value.left < (600 - ImageFont.load_default(_SIZE).getlength("Sep 26,   2021")) / _UNIT
