"""A searchable PDF: the scan as it came, put straight, and the text exactly over its print."""

from __future__ import annotations

import functools
import io
import math
from dataclasses import replace

import cv2
import numpy as np
import pikepdf
import pypdf
import pypdfium2
import pytest
from PIL import Image, ImageFont

from ocrwatch.document import Baseline, Block, Box, EngineInfo, Line, Page, Word
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.page import recognise
from ocrwatch.render.base import Original
from ocrwatch.render.invisible_font import to_unicode
from ocrwatch.render.pdf import PdfFormat
from ocrwatch.render.planar import Matrix, upright
from tests.rendering import draw, drawn_words, encode

LINES = [
    "The harbour office opened on Monday",
    "and Bill Hill paid 2041 invoices a day",
    "noon while gulls were circling above",
    "every ship that waited outside until",
    "Captain Brown had signed his papers",
    "Four boys were here when the ship",
]
TEXT = "\n".join(LINES)
SIZE = (900, 640)
DPI = 200
TYPE = 28
"""Size of the type in pixels: 10 points."""


@functools.cache
def drawn() -> Image.Image:
    """Draw the text."""
    return draw(TEXT, size=TYPE, width=SIZE[0], height=SIZE[1])


def scan(*, skew: float = 0.0, quarters: int = 0, **how: object) -> bytes:
    """Lay the page on a scanner: turned clockwise by ``skew`` degrees, then by quarters."""
    page = drawn().rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255).rotate(-90 * quarters, expand=True)
    return encode(page, **{"dpi": DPI, "quality": 95, **how})  # type: ignore[arg-type]


def read(jpeg: bytes) -> Page:
    """Read a page."""
    return recognise(jpeg, Recipe(second="none", enhance=EnhanceOptions(scale=False)))


def pdf(page: Page, jpeg: bytes, *, straighten: bool = True) -> bytes:
    """Render a page."""
    return PdfFormat().render(page, Original("a.jpg", len(jpeg), "ab" * 32, content=jpeg, straighten=straighten))


def by_pypdf(data: bytes) -> list[str]:
    """Return the words that pypdf extracts."""
    return pypdf.PdfReader(io.BytesIO(data)).pages[0].extract_text().split()


def by_pdfium(data: bytes) -> list[str]:
    """Return the words that PDFium extracts."""
    with pypdfium2.PdfDocument(data) as document:
        return str(document[0].get_textpage().get_text_range()).split()


def shown(data: bytes) -> Image.Image:
    """Return what PDFium paints."""
    with pypdfium2.PdfDocument(data) as document:
        painted: Image.Image = document[0].render(scale=DPI / 72).to_pil()
        return painted.convert("L")


def boxes(data: bytes) -> list[tuple[float, float, float, float]]:
    """Return the box of each word in PDFium, in pixels of the drawn page."""
    with pypdfium2.PdfDocument(data) as document:
        page = document[0]
        height = page.get_height()
        text = page.get_textpage()
        content = text.get_text_range()
        found, at = [], 0
        for word in content.split():
            at = content.index(word, at)
            corners = [text.get_charbox(number) for number in range(at, at + len(word))]
            at += len(word)
            left, bottom = min(each[0] for each in corners), min(each[1] for each in corners)
            right, top = max(each[2] for each in corners), max(each[3] for each in corners)
            found.append(tuple(value * DPI / 72 for value in (left, height - top, right, height - bottom)))
    return found


def shift(painted: Image.Image, expected: Image.Image) -> float:
    """Return by how many pixels a picture is shifted; infinite if it shows something else."""
    assert painted.size == pytest.approx(expected.size, abs=1)
    first, second = (np.asarray(image.resize(SIZE), np.float64) for image in (painted, expected))
    (across, down), likeness = cv2.phaseCorrelate(255 - first, 255 - second)
    return math.hypot(across, down) if likeness > 0.3 else math.inf


def off(data: bytes) -> float:
    """Return the largest distance, in millimetres, between the middle of a word and that of its print."""
    words = [box for _, box in drawn_words(TEXT, size=TYPE)]
    placed = boxes(data)
    assert len(placed) == len(words)
    pixels = 0.0
    for (left, top, right, bottom), box in zip(placed, words, strict=True):
        across, down = left + right - box.left - box.right, top + bottom - box.top - box.bottom
        pixels = max(pixels, abs(across) / 2, abs(down) / 2)
    return pixels * 25.4 / DPI


@pytest.mark.parametrize(("skew", "quarters"), [(0, 0), (-7, 0), (7, 0), (2, 1), (-3, 2), (5, 3)])
def test_every_scan_becomes_a_straight_page(skew: float, quarters: int) -> None:
    """Whatever its turn and skew: the page is as it was drawn, and the words are in order, each over its print."""
    jpeg = scan(skew=skew, quarters=quarters)
    data = pdf(read(jpeg), jpeg)
    assert by_pypdf(data) == by_pdfium(data) == TEXT.split()
    assert off(data) <= 0.5
    assert shift(shown(data), drawn()) < 2.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations(orientation: int) -> None:
    """A camera's orientation is applied, as viewers of the JPEG do."""
    jpeg = scan(exif_orientation=orientation)
    data = pdf(read(jpeg), jpeg)
    assert by_pdfium(data) == TEXT.split()
    assert off(data) <= 0.5
    assert shift(shown(data), drawn()) < 2.5


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_jpeg_is_embedded_byte_for_byte(mode: str, progressive: bool) -> None:  # noqa: FBT001
    """Whatever its colours, a viewer shows the scan, and the JPEG can be taken out as it came."""
    jpeg = scan(mode=mode, progressive=progressive)
    data = pdf(read(jpeg), jpeg)
    assert jpeg in data
    assert np.asarray(shown(data), int).mean() == pytest.approx(np.asarray(drawn(), int).mean(), abs=3)
    with pikepdf.open(io.BytesIO(data)) as file:
        assert file.pages[0].Resources.XObject.Scan.read_raw_bytes() == jpeg


def test_what_follows_the_image_stays() -> None:
    """Trailers of cameras are part of the file."""
    jpeg = scan() + b"SEFT trailer"
    assert jpeg in pdf(read(jpeg), jpeg)


def test_a_header_that_viewers_refuse_is_tidied() -> None:
    """The image data of a JPEG with bytes between its segments is kept; the header is written anew."""
    jpeg = scan()
    odd = jpeg[:2] + b"odd bytes" + jpeg[2:]
    data = pdf(read(odd), odd)
    assert odd not in data
    assert np.asarray(shown(data), int).mean() == pytest.approx(np.asarray(drawn(), int).mean(), abs=3)


def test_the_same_scan_gives_the_same_bytes() -> None:
    """No date, and no random identifier."""
    jpeg = scan()
    page = read(jpeg)
    assert pdf(page, jpeg) == pdf(page, jpeg)


def test_a_page_may_stay_as_it_was_scanned() -> None:
    """Without straightening the scan is not turned, and the text lies along its lines."""
    jpeg = scan(skew=5)
    data = pdf(read(jpeg), jpeg, straighten=False)
    assert shift(shown(data), drawn().rotate(-5, Image.Resampling.BICUBIC, fillcolor=255)) < 2.5
    assert sorted(by_pdfium(data)) == sorted(TEXT.split())


def test_no_text_is_cut_off() -> None:
    """A page that is skewed so much that text would lie outside grows to hold all of the scan."""
    jpeg = scan()
    page = read(jpeg)
    assert page.upright is not None
    moved = replace(page, upright=replace(page.upright, matrix=(1.0, 0.0, -200.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)))
    assert shown(pdf(moved, jpeg)).size == pytest.approx(SIZE, abs=1)


def words_page(*texts: str, languages: tuple[str, ...] = ("eng",)) -> Page:
    """Make a page of one line."""
    words = tuple(
        Word(text, Box(100 + 200 * at, 100, 250 + 200 * at, 140), 90.0, 150.0, 40.0) for at, text in enumerate(texts)
    )
    line = Line(words, Box(100, 100, 100 + 200 * len(texts), 140), 0, Baseline(100, 135, 100 + 200 * len(texts), 135))
    block = Block((line,), line.box)
    return Page(*SIZE, float(DPI), 1, (block,), EngineInfo("tesserocr", "5.5.0", languages))


@pytest.mark.parametrize(
    "words",
    [
        ("Grüße", "aus", "Köln"),
        ("\U0001d504\U0001f600", "\U00020000", "x"),
        ("ελληνικά", "(κείμενο)"),
        ("a", "b", "c"),
        ("A\x00\x07", "<>()\\"),
    ],
)
def test_characters_of_all_kinds(words: tuple[str, ...]) -> None:
    """Text is extracted as it was read, also beyond the first plane of Unicode; controls become U+FFFD."""
    data = pdf(words_page(*words), scan())
    expected = [word.replace("\x00", "\ufffd").replace("\x07", "\ufffd") for word in words]
    assert by_pypdf(data) == expected
    assert by_pdfium(data) == expected


def test_chinese_characters_are_not_divided() -> None:
    """Between Chinese characters there is no space."""
    page = words_page("港", "口")
    first, second = page.lines[0].words
    close = replace(
        page.lines[0],
        words=(
            replace(first, width=90.0, box=Box(100, 100, 190, 140)),
            replace(second, box=Box(192, 100, 282, 140), width=90.0),
        ),
    )
    data = pdf(replace(page, blocks=(Block((close,), close.box),)), scan())
    assert by_pypdf(data) == by_pdfium(data) == ["港口"]


def test_words_from_right_to_left() -> None:
    """Hebrew is stored as it is seen, which is what programs that extract text expect, and extracted as it is read."""
    page = words_page("שלום", "עולם", "2041")
    first, second, third = page.lines[0].words
    words = (replace(first, box=third.box), second, replace(third, box=first.box))
    line = replace(page.lines[0], words=words)
    data = pdf(replace(page, blocks=(Block((line,), line.box),)), scan())
    assert by_pdfium(data) == ["שלום", "עולם", "2041"]


@pytest.mark.parametrize(("dpi", "expected"), [(300, (216, 154)), (None, (None, None))])
def test_size_of_the_page(dpi: int | None, expected: tuple[float | None, float | None]) -> None:
    """The scan's resolution gives the size; if it is unknown, the text does: its type is 11 points."""
    jpeg = scan(dpi=dpi)
    with pypdfium2.PdfDocument(pdf(read(jpeg), jpeg)) as document:
        width, height = document[0].get_size()
    if expected[0] is not None:
        assert (width, height) == pytest.approx(expected, abs=1)
    else:
        font = ImageFont.load_default(32)
        assert font is not None
        assert width == pytest.approx(SIZE[0] * 11 / TYPE, rel=0.15)


def test_a_page_without_text_or_resolution_is_a4() -> None:
    """It fits on A4."""
    jpeg = encode(Image.new("L", (1000, 2000), 255), dpi=None)
    with pypdfium2.PdfDocument(pdf(read(jpeg), jpeg)) as document:
        assert document[0].get_size() == pytest.approx((421, 842), abs=1)


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000)])
def test_the_narrowest_scans(size: tuple[int, int]) -> None:
    """A page has at least the size that PDF asks for."""
    jpeg = encode(Image.new("L", size, 255), dpi=300)
    with pypdfium2.PdfDocument(pdf(read(jpeg), jpeg)) as document:
        assert min(document[0].get_size()) >= 3


def test_maps_of_all_orientations() -> None:
    """The corner of the stored image that is the upright one's upper left is known for each (CIPA DC-008)."""
    origins = [(0, 0), (30, 0), (30, 20), (0, 20), (0, 0), (0, 20), (30, 20), (30, 0)]
    for orientation, origin in enumerate(origins, 1):
        assert upright(orientation, 30, 20).of(*origin) == (0, 0)
    assert Matrix(0, 1, -1, 0, 5, 0).after(Matrix(2, 0, 0, 2, 1, 1)).of(1, 2) == (0, 3)


def test_large_character_maps_are_divided() -> None:
    """A block of a character map has at most 100 entries."""
    cmap = to_unicode([chr(0x4E00 + number) for number in range(250)]).decode()
    assert cmap.count("beginbfchar") == 3
    assert "<00fa> <4ef9>" in cmap
