"""The format explain draws on the scan what was found, at its place, whatever the scan's file is made of."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from ocrwatch.document import (
    BLANK,
    Baseline,
    Block,
    Box,
    Field,
    Line,
    Page,
    Quad,
    Standing,
    StoredImage,
    Upright,
    Word,
    bounding_box,
)  # fmt: skip
from ocrwatch.errors import EnvironmentFault
from ocrwatch.recognise.decode import decode
from ocrwatch.render import explain_marks
from ocrwatch.render.base import Original
from ocrwatch.render.explain_legend import _facts, _keys
from ocrwatch.render.explain_marks import (
    DOUBTFUL,
    DOUBTFUL_FIELD,
    FIELD,
    SURE,
    TABLE,
    UNKNOWN,
    UNSURE,
    corners_of,
    legible,
    mark_of,
)  # fmt: skip
from ocrwatch.render.explain_picture import LONGEST, field_label, label_of
from ocrwatch.render.registry import render
from tests.images import ALL, saved
from tests.unit.render.made_pages import ENGINE
from tests.unit.render.made_tables import cell, table
from tests.unit.render.made_tables import page_with as page_with_tables

WIDTH, HEIGHT = 400, 300
DARK = Box(40, 60, 120, 90)
"""Where the scan is black; elsewhere it is white."""
SCAN = Image.new("L", (WIDTH, HEIGHT), 255)
SCAN.paste(0, (DARK.left, DARK.top, DARK.right, DARK.bottom))
FREE = (300, 250)
"""A point at which nothing is."""


def page_of(*words: Word, **other: Any) -> Page:
    """Make a page of one line."""
    box = bounding_box(word.box for word in words)
    blocks = (Block((Line(words, box),), box),) if words else ()
    return Page(WIDTH, HEIGHT, 300.0, 1, blocks, ENGINE, **other)


def word(confidence: float | None, box: Box = DARK) -> Word:
    """Make a word."""
    return Word("word", box, confidence)


def picture_of(page: Page, content: bytes = saved(SCAN, "PNG"), *reasons: str) -> Image.Image:
    """Render a page, and open the picture."""
    original = Original("sub/scan1.png", len(content), "ab" * 32, reasons, content)
    ((ending, data),) = render(page, original, ("explain",))
    assert ending == "explain.png"
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    return picture


def near(picture: Image.Image, at: tuple[int, int], colour: tuple[int, int, int], reach: int = 3) -> bool:
    """Return whether a colour is in the picture at a point, or a few pixels from it."""
    x, y = at
    part = picture.crop((x - reach, y - reach, x + reach + 1, y + reach + 1))
    return any(found == colour for _, found in part.getcolors(10_000) or ())


def edges(box: Box) -> list[tuple[int, int]]:
    """Return the middle of each edge."""
    x, y = (box.left + box.right) // 2, (box.top + box.bottom) // 2
    return [(x, box.top), (box.right, y), (x, box.bottom), (box.left, y)]


@pytest.mark.parametrize(
    ("confidence", "mark"), [(95.0, SURE), (90.0, SURE), (89.9, DOUBTFUL), (60.0, DOUBTFUL), (59.9, UNSURE),
                             (0.0, UNSURE), (None, UNKNOWN), (float("nan"), UNKNOWN)],
)  # fmt: skip
def test_a_word_is_marked_by_its_confidence(confidence: float | None, mark: explain_marks.Mark) -> None:
    """Around the word, so that it can still be read; the legend has the same mark."""
    picture = picture_of(page_of(word(confidence)))
    assert mark_of(confidence) is mark
    assert all(near(picture, at, mark.colour, reach=8) for at in edges(DARK))
    assert not near(picture, FREE, mark.colour)
    legend = picture.crop((0, HEIGHT, *picture.size))
    assert mark.colour in {colour for _, colour in legend.getcolors(100_000) or ()}


def test_marks_differ_in_more_than_their_colours() -> None:
    """Who sees no colours sees width and kind of the lines."""
    words = (SURE, DOUBTFUL, UNSURE, UNKNOWN)
    assert len({(mark.width, mark.line) for mark in words}) == len(words)


def test_the_scan_is_faded() -> None:
    """Black becomes grey, and white stays white."""
    picture = picture_of(page_of(word(99.0)))
    ink, paper = picture.getpixel((80, 75)), picture.getpixel(FREE)
    assert isinstance(ink, tuple)
    assert len(set(ink)) == 1
    assert 80 < ink[0] < 180
    assert paper == (255, 255, 255)


ORIENTED = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
"""By the orientation in the file: what Pillow does to the upright image to get the stored one."""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", ORIENTED)
def test_the_picture_is_upright(kind: str, orientation: int) -> None:
    """As the pixels are to which all boxes refer."""
    turn = ORIENTED[orientation]
    stored = SCAN if turn is None else SCAN.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(stored, kind, **({"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif}))
    decoded = decode(content, max_pixels=10**6)
    page = replace(page_of(word(30.0)), orientation=decoded.orientation, image=decoded.image)
    assert (decoded.width, decoded.height, decoded.orientation) == (WIDTH, HEIGHT, orientation)
    picture = picture_of(page, content)
    assert picture.width >= WIDTH
    assert isinstance(picture.getpixel((80, 75)), tuple)
    assert _is_darker(picture, (80, 75), FREE)
    assert all(near(picture, at, UNSURE.colour, reach=5) for at in edges(DARK))


def test_the_page_of_a_tiff_that_was_read_is_shown() -> None:
    """By its number."""
    file = io.BytesIO()
    Image.new("L", (WIDTH, HEIGHT), 255).save(file, "TIFF", save_all=True, append_images=[SCAN])
    for number, is_dark in enumerate([False, True]):
        image = StoredImage("tiff", WIDTH, HEIGHT, 1, 8, page=number)
        picture = picture_of(page_of(image=image), file.getvalue())
        assert _is_darker(picture, (80, 75), FREE) is is_dark


@pytest.mark.parametrize("kind", ALL)
def test_all_kinds_of_files_are_shown_as_they_were_read(kind: str) -> None:
    """Palettes, 1 to 16 bits, transparency, faxes: neither inverted nor shifted."""
    content = ALL[kind]()
    decoded = decode(content, max_pixels=10**7)
    page = Page(decoded.width, decoded.height, 300.0, decoded.orientation, (), ENGINE, image=decoded.image)
    picture = picture_of(page, content).convert("L").crop((0, 0, decoded.width, decoded.height))
    read = Image.fromarray(decoded.gray)
    dark, light = (
        _mean(picture, read.point(lambda value: 255 * (value < 64))),
        _mean(picture, read.point(lambda value: 255 * (value > 192))),
    )
    assert dark < 190
    assert light > 235


def test_a_large_scan_is_scaled_and_its_words_with_it() -> None:
    """A picture is for looking at; letters of the legend grow with it."""
    factor = 12
    large = SCAN.resize((WIDTH * factor, HEIGHT * factor))
    box = Box(*(factor * value for value in (DARK.left, DARK.top, DARK.right, DARK.bottom)))
    page = replace(page_of(word(20.0, box)), width=large.width, height=large.height)
    picture = picture_of(page, saved(large, "JPEG"))
    assert picture.width == LONGEST
    scale = LONGEST / large.width
    assert all(near(picture, (round(x * scale), round(y * scale)), UNSURE.colour, reach=8) for x, y in edges(box))
    assert _is_darker(picture, (round(80 * factor * scale), round(75 * factor * scale)), (2000, 1500))


def test_tables_are_drawn_with_their_cells_and_a_label() -> None:
    """Cells that span, and headings, are told apart from others."""
    made = table(
        cell(0, 0, "Item", columns=2, is_header=True),
        cell(1, 0, "Screw"),
        cell(1, 1, "12.50"),
        cell(2, 0, "Nail", is_header=True),
        cell(2, 1),
    )
    shifted = replace(made, cells=tuple(replace(each, corners=_moved(each.corners)) for each in made.cells))
    picture = picture_of(
        replace(page_with_tables(replace(shifted, corners=_moved(made.corners))), width=400, height=300)
    )
    assert near(picture, (150, 200), TABLE.colour)
    assert near(picture, (50, 125), TABLE.colour)
    assert near(picture, (150, 125), explain_marks.CELL.colour)
    assert near(picture, (150, 100), explain_marks.SPANNING.colour)
    assert not near(picture, (150, 75), explain_marks.CELL.colour)
    inside = picture.getpixel((100, 175))
    assert inside not in {(255, 255, 255), picture.getpixel((200, 175))}
    assert label_of(1, made) == "table 1: 3 x 2, grid, 97 %"
    label = picture.crop((120, 34, 250, 46)).getcolors(10_000) or []
    assert max(label)[1] == TABLE.colour


def test_a_skewed_word_has_a_skewed_box() -> None:
    """The boxes of neighbours would cover each other; a level one is left as it is."""
    tilted = Line((), DARK, 0, Baseline(0, 0, 100, 20))
    given = Word("word", DARK, 90.0, 70.0, 15.0)
    (x0, y0), (x1, y1), *_ = corners_of(given, tilted)
    assert (y1 - y0) / (x1 - x0) == pytest.approx(0.2)
    assert corners_of(given, tilted, 10)[0] < (x0, y0)
    for baseline in (None, Baseline(0, 0, 100, 0.5), Baseline(0, 100, 0, 0)):
        level = corners_of(given, replace(tilted, baseline=baseline))
        assert level[0] == (DARK.left, DARK.top)
        assert level[2] == (DARK.right, DARK.bottom)


def test_the_legend_says_what_is_known() -> None:
    """All that helps to judge a page, in words."""
    page = page_of(
        word(95.0),
        word(70.0),
        upright=Upright(1, -1.23, 300.0, 400.0, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)),
        steps=("scale 0.58", "skew 1.2"),
        warnings=("no end marker",),
        tables=(),
        image=StoredImage("tiff", WIDTH, HEIGHT, 1, 8, page=2),
    )
    assert {fact.name: fact.text for fact in _facts(page, Original("a/b.tif", 1, "", ("confidence 54", "late")))} == {
        "Scan": "b.tif",
        "Size": "400 x 300 pixels, 300 dpi, page 3 of the file",
        "Position": "turned by 90° clockwise to be read; skew 1.2°, lines rise to the right",
        "Prepared": "scale 0.58, skew 1.2",
        "Text": "2 words, confidence 82 %, read by tesserocr 5.5.0 (deu, eng)",
        "Tables": "none found",
        "Warnings": "no end marker",
        "Review": "confidence 54; late",
    }
    assert [text for _, text in _keys(page)] == [
        "sure, 90 % and more: 1 word",
        "doubtful, 60 to 90 %: 1 word",
        "unsure, below 60 %: 0 words",
    ]


@pytest.mark.parametrize(
    ("page", "name", "text"),
    [
        (page_of(), "Text", "none was read"),
        (page_of(steps=(BLANK,)), "Text", "the page is blank"),
        (page_of(word(None)), "Text", "1 word, confidence unknown, read by tesserocr 5.5.0 (deu, eng)"),
        (page_of(word(0.0)), "Text", "1 word, confidence 0 %, read by tesserocr 5.5.0 (deu, eng)"),
        (page_of(), "Tables", "not looked for"),
        (page_of(), "Prepared", "as it came"),
        (page_of(), "Position", "unknown"),
        (page_of(), "Scan", "standard input"),
        (page_of(), "Review", "no reason for a review"),
        (replace(page_of(), dpi=None), "Size", "400 x 300 pixels, no resolution declared"),
    ],
)
def test_the_legend_says_what_is_not_known(page: Page, name: str, text: str) -> None:
    """A sentence, not None."""
    assert {fact.name: fact.text for fact in _facts(page, Original("-", 1, ""))}[name] == text


def test_a_reason_for_a_review_stands_out() -> None:
    """In the colour of what is unsure."""
    plain, marked = (picture_of(page_of(), saved(SCAN, "PNG"), *reasons) for reasons in ((), ("no text",)))
    assert _count(plain, UNSURE.colour) < _count(marked, UNSURE.colour)


def test_the_same_page_gives_the_same_bytes() -> None:
    """An interrupted delivery is repeated."""
    original = Original("a.png", 1, "", (), saved(SCAN, "PNG"))
    page = replace(page_of(word(70.0)), tables=(table(cell(0, 0, "x")),))
    assert render(page, original, ("explain",)) == render(page, original, ("explain",))


@pytest.mark.parametrize("content", [b"", b"no image", saved(SCAN, "JPEG")[:200], saved(SCAN, "TIFF")[:30]])
def test_a_scan_that_pillow_cannot_open_leaves_white_paper(content: bytes) -> None:
    """Recognition is more lenient with files: the scan must be delivered all the same."""
    picture = picture_of(page_of(word(95.0)), content)
    assert picture.getpixel((80, 75)) in {(255, 255, 255), picture.getpixel(FREE)}
    assert near(picture, edges(DARK)[0], SURE.colour)


def test_a_jpeg_without_its_end_is_shown() -> None:
    """As far as it goes."""
    assert _is_darker(picture_of(page_of(), saved(SCAN, "JPEG")[:-2]), (80, 75), FREE)


@pytest.mark.parametrize("values", [(float("nan"),) * 8, (float("inf"), 0.0) * 4, (1e300, -1e300) * 4])
def test_places_that_are_none_do_no_harm(values: Quad) -> None:
    """An engine of another package may give any numbers."""
    made = replace(table(cell(0, 0, "x")), corners=values, confidence=values[0])
    page = replace(page_of(word(70.0, Box(-(10**9), 0, 10**9, 10**9))), tables=(made,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture_of(page).size


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_scans_of_any_shape(size: tuple[int, int]) -> None:
    """The legend has room in any case."""
    page = replace(page_of(), width=size[0], height=size[1])
    picture = picture_of(page, saved(Image.new("L", size, 255), "PNG"))
    assert picture.width >= 400
    assert picture.height > 100


@pytest.mark.parametrize(
    ("text", "shown"),
    [("4 \u00d7 7", "4 x 7"), ("Rücksände", "Rucksande"), ("扫描", "??"), ("a\ud800\nb", "a??b"), ("3°…", "3°...")],
)
def test_text_that_the_font_lacks(text: str, shown: str) -> None:
    """It can be told which scan it is, and nothing fails."""
    assert legible(text) == shown
    assert picture_of(page_of(warnings=(text * 200,))).size


def test_a_pillow_without_fonts_is_no_scans_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans wait until it is replaced."""

    def lacks(_size: int) -> None:
        raise ImportError("The _imagingft C module is not installed")

    monkeypatch.setattr("PIL.ImageFont.load_default", lacks)
    with pytest.raises(EnvironmentFault, match="the format explain cannot draw") as caught:
        picture_of(page_of())
    assert "pip install" in caught.value.remedy


def _moved(values: Sequence[float]) -> Any:
    return tuple(value + 50 for value in values)


def _is_darker(picture: Image.Image, one: tuple[int, int], other: tuple[int, int]) -> bool:
    grey = picture.convert("L")
    dark, light = grey.getpixel(one), grey.getpixel(other)
    assert isinstance(dark, int)
    assert isinstance(light, int)
    return dark < light - 40


def _mean(picture: Image.Image, mask: Image.Image) -> float:
    histogram = picture.histogram(mask)
    return sum(value * count for value, count in enumerate(histogram)) / sum(histogram)


def _count(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    return {found: count for count, found in picture.getcolors(100_000) or ()}.get(colour, 0)


def test_cells_that_were_not_read_are_marked() -> None:
    """A person sees at once where text is missing."""
    made = table(cell(0, 0, "Item"), replace(cell(0, 1), is_unread=True))
    shifted = replace(made, cells=tuple(replace(each, corners=_moved(each.corners)) for each in made.cells))
    page = replace(page_with_tables(replace(shifted, corners=_moved(made.corners))), width=400, height=300)
    x, y = shifted.cells[1].corners[:2]
    picture = picture_of(page)
    assert near(picture, (round(x) + 40, round(y)), explain_marks.UNREAD.colour, reach=8)
    x, y = shifted.cells[0].corners[:2]
    assert not near(picture, (round(x) + 10, round(y)), explain_marks.UNREAD.colour)


def test_fields_are_drawn_with_their_names_and_standings() -> None:
    """A doubtful one stands out; the label does not hide the value."""
    corners = (40.0, 60.0, 120.0, 60.0, 120.0, 90.0, 40.0, 90.0)
    sure = Field("total", Standing.VERIFIED, "12.50", "12.50", "it is so", DARK, corners)
    for field, mark in ((sure, FIELD), (replace(sure, standing=Standing.DOUBTFUL), DOUBTFUL_FIELD)):
        page = page_of(word(95.0), fields=(field, Field("date", Standing.MISSING, "", "", "no label was found")))
        picture = picture_of(page)
        assert near(picture, (80, 60), mark.colour, reach=10)
        assert near(picture, (170, 75), mark.colour, reach=15)
        assert _is_darker(picture, (80, 75), FREE)
        assert field_label(field) == f"total: {field.standing.value}"
        facts = {fact.name: fact.text for fact in _facts(page, Original("-", 1, ""))}
        assert facts["Fields"] == f"{field.standing.value}: total; missing: date"
        assert mark in [key for key, _ in _keys(page)]
