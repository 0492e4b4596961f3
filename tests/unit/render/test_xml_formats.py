"""hOCR and ALTO have every word, its position and its confidence, whatever characters there are."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from ocrwatch.document import UNPLACED, Page, Second, Word
from ocrwatch.render.xml import allowed, number
from tests.unit.render.made_pages import LINES, ORIGINAL, line, page, page_of, paragraphs, rendered, turned

PAGE = page(paragraphs("Harbour office\nopened", "on Monday"), paragraphs("second block"))
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
XHTML = "{http://www.w3.org/1999/xhtml}"

BARE = replace(
    PAGE,
    dpi=None,
    blocks=(
        replace(
            paragraphs("x"),
            lines=(replace(line("x"), words=(Word("bare", UNPLACED, None),), box=UNPLACED, baseline=None),),
            box=UNPLACED,
        ),
    ),
)
"""A page of a service that gives text and nothing else."""


def hocr(given_page: Page, name: str = "sub/scan1.jpg") -> ET.Element:
    """Render and parse hOCR."""
    return ET.fromstring(rendered(given_page, "hocr", replace(ORIGINAL, path=name)))  # noqa: S314 - our own


def alto(given_page: Page) -> ET.Element:
    """Render and parse ALTO."""
    return ET.fromstring(rendered(given_page, "alto"))  # noqa: S314 - our own


def titles(root: ET.Element, kind: str) -> list[str]:
    """Return the properties of all elements of a class."""
    return [element.get("title", "") for element in root.iter() if element.get("class") == kind]


def test_elements_of_hocr() -> None:
    """The page has areas, paragraphs, lines and words, with boxes in its pixels."""
    root = hocr(PAGE)
    assert titles(root, "ocr_page") == ['image "scan1.jpg"; bbox 0 0 2000 3000; ppageno 0; scan_res 300 300']
    assert titles(root, "ocr_carea") == ["bbox 0 0 280 157", "bbox 0 0 240 29"]
    assert len(titles(root, "ocr_par")) == 3
    assert titles(root, "ocr_line")[0] == "bbox 0 0 280 29; baseline 0.0000 0.0"
    assert titles(root, "ocrx_word")[0] == "bbox 0 0 140 29; x_wconf 90"
    names = {meta.get("name"): meta.get("content") for meta in root.iter(f"{XHTML}meta")}
    assert names["ocr-langs"] == "deu eng"
    assert "tesserocr 5.5.0" in (names["ocr-system"] or "")


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ((0, 29, 280, 29), "baseline 0.0000 0.0"),
        ((0, 20, 280, 34), "baseline 0.0500 -9.0"),
        ((29, 0, 29, 280), "textangle 270"),
        ((280, 29, 0, 29), "textangle 180"),
        ((29, 280, 29, 0), "textangle 90"),
    ],
)
def test_direction_of_lines_in_hocr(baseline: tuple[int, ...], expected: str) -> None:
    """Slope and offset from the lower left corner of the line's box; lines turned by quarters have their angle."""
    block = paragraphs("Harbour office")
    given_page = page(replace(block, lines=(turned(block.lines[0], baseline),)))
    assert titles(hocr(given_page), "ocr_line")[0].split("; ")[1] == expected


def test_names_that_hocr_cannot_express() -> None:
    """Quotes and semicolons would end the property; other characters are kept."""
    assert titles(hocr(PAGE, 'a "b"; <c>\x01.jpg'), "ocr_page")[0].startswith('image "a _b__ <c>\ufffd.jpg"; bbox')


def test_elements_of_alto() -> None:
    """Blocks are the paragraphs; there are spaces between words, and what read the page is described."""
    root = alto(replace(PAGE, second=Second("rapidocr", "3.10.0", 2)))
    assert root.get("SCHEMAVERSION") == "4.4"
    assert root.findtext(f".//{ALTO}fileName") == "sub/scan1.jpg"
    assert root.findtext(f".//{ALTO}applicationDescription") == "tesserocr 5.5.0, rapidocr 3.10.0"
    assert len(list(root.iter(f"{ALTO}TextBlock"))) == 3
    row = next(root.iter(f"{ALTO}TextLine"))
    assert [element.tag.removeprefix(ALTO) for element in row] == ["String", "SP", "String"]
    assert row.get("BASELINE") == "0.0,29.0 280.0,29.0"
    assert row[0].attrib == {
        "ID": "word_1_1_1_1",
        "HPOS": "0",
        "VPOS": "0",
        "WIDTH": "140",
        "HEIGHT": "29",
        "WC": "0.9",
        "CONTENT": "Harbour",
    }
    names = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(names) == len(set(names))


def test_chinese_words_have_no_spaces_in_alto() -> None:
    """Each character is a word of Tesseract's, and none is a word of the text."""
    block = paragraphs("港口")
    first = block.lines[0].words[0]
    words = (replace(first, text="港"), replace(first, text="口"))
    root = alto(page(replace(block, lines=(replace(block.lines[0], words=words),))))
    assert [element.tag.removeprefix(ALTO) for element in next(root.iter(f"{ALTO}TextLine"))] == ["String", "String"]


def test_what_is_unknown_is_left_out() -> None:
    """Text without positions and confidences has none of them in either format."""
    assert titles(hocr(BARE), "ocrx_word") == [""]
    assert titles(hocr(BARE), "ocr_line") == ["bbox 0 0 2000 3000"]
    root = alto(BARE)
    (word,) = root.iter(f"{ALTO}String")
    assert word.attrib == {"ID": "word_1_1_1_1", "CONTENT": "bare"}
    assert "PC" not in next(root.iter(f"{ALTO}Page")).attrib


def test_pages_without_text() -> None:
    """A blank page is a page."""
    assert len(titles(hocr(page()), "ocr_page")) == 1
    assert not list(alto(page()).iter(f"{ALTO}TextBlock"))


@given(LINES)
def test_any_text_is_read_back(lines: list[list[str]]) -> None:
    """Markup is escaped, and what XML forbids is replaced; all other characters are kept."""
    given_page = page_of(lines)
    expected = [allowed(word.text) for word in given_page.words]
    words = [element.text or "" for element in hocr(given_page).iter() if element.get("class") == "ocrx_word"]
    # XML parsers read a carriage return in text as a newline (XML 1.0, 2.11).
    assert words == [re.sub("\r\n?", "\n", text) for text in expected]
    assert [element.get("CONTENT") for element in alto(given_page).iter(f"{ALTO}String")] == expected


def test_numbers() -> None:
    """Numbers have no needless digits."""
    assert [number(value) for value in (1, 1.0, 0.25, 0.333333, 90.0, 100, 0.0)] == [
        "1",
        "1",
        "0.25",
        "0.33",
        "90",
        "100",
        "0",
    ]
