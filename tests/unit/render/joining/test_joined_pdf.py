"""The PDF of several pages: what each page showed, in order, and notices of those that are missing."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pypdf
import pypdfium2
import pytest
from PIL import Image

from ocrwatch import __version__
from ocrwatch.render.joining.base import Document, DocumentPage, Missing
from ocrwatch.render.joining.helvetica import width, wrapped
from tests.unit.render.joining.made_documents import document, joined, one_page, scan_of, text_page, written


def texts(data: bytes) -> list[str]:
    """Return the text of each page in PDFium, as one line."""
    with pypdfium2.PdfDocument(data) as opened:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in opened]


def sizes(data: bytes) -> list[tuple[int, int]]:
    """Return the size of each page in points."""
    with pypdfium2.PdfDocument(data) as opened:
        return [(round(page.get_width()), round(page.get_height())) for page in opened]


def shown(data: bytes, number: int = 0) -> Image.Image:
    """Return what PDFium paints, a pixel to a point."""
    with pypdfium2.PdfDocument(data) as opened:
        painted: Image.Image = opened[number].render().to_pil()
        return painted.convert("L")


def missing(reason: str = "too short", path: str = "sub/x.jpg") -> DocumentPage:
    """Make a page that is missing."""
    return DocumentPage(path, None, {}, Missing("truncated", reason))


def sound(given: Document) -> bytes:
    """Join a document, which qpdf and pypdf must find nothing wrong with."""
    data = joined(given, "pdf")
    with pikepdf.open(io.BytesIO(data), attempt_recovery=False) as opened:
        assert opened.check_pdf_syntax() == []
        assert len(opened.pages) == len(given.pages)
    assert len(pypdf.PdfReader(io.BytesIO(data), strict=True).pages) == len(given.pages)
    return data


def test_pages_are_those_of_the_sidecars(tmp_path: Path) -> None:
    """Each JPEG is there byte for byte, under its own text; title and producer are named."""
    scans = [scan_of(shade) for shade in (50, 150, 250)]
    pages = [
        one_page(tmp_path, text_page(f"This is page {number}"), f"sub/scan_{number}.jpg", scan)
        for number, scan in enumerate(scans, 1)
    ]
    data = sound(document(pages, "Ä\u4e2d scan"))
    assert texts(data) == ["This is page 1", "This is page 2", "This is page 3"]
    for number, (shade, scan) in enumerate(zip((50, 150, 250), scans, strict=True)):
        assert scan in data
        assert np.asarray(shown(data, number)).mean() == pytest.approx(shade, abs=3)
    with pikepdf.open(io.BytesIO(data)) as opened:
        assert str(opened.docinfo["/Title"]) == "Ä\u4e2d scan"
        assert str(opened.docinfo["/Producer"]) == f"ocrwatch {__version__}"


def test_other_programs_read_it(tmp_path: Path) -> None:
    """The text of all pages is extracted in order, and qpdf finds no mistake."""
    file = tmp_path / "joined.pdf"
    (tmp_path / "parts").mkdir()
    file.write_bytes(joined(document(written(tmp_path / "parts", [text_page("one"), None, text_page("two")])), "pdf"))
    for command in (["qpdf", "--check", str(file)], ["pdftotext", str(file), "-"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except FileNotFoundError:
            pytest.skip(f"{command[0]} is not installed")
        assert not done.stderr
        if command[0] == "pdftotext":
            first, second, third, rest = done.stdout.split("\f")
            assert (first.strip(), third.strip(), rest) == ("one", "two", "")
            assert "Page 2 of 3 is missing" in second


def test_what_pages_have_in_common_is_there_once(tmp_path: Path) -> None:
    """The font file is shared, and so is the image of a scan that is there twice; each page is one of its own."""
    page = one_page(tmp_path, text_page("one"), "sub/a.jpg")
    other = one_page(tmp_path, text_page("another"), "sub/b.jpg", scan_of(7))
    data = sound(document([page, other, page]))
    with pikepdf.open(io.BytesIO(data)) as opened:
        streams = [each for each in opened.objects if isinstance(each, pikepdf.Stream)]
        assert sum("/Length1" in each for each in streams) == 1
        assert sum(each.get("/Subtype") == "/Image" for each in streams) == 2
        assert len({each.objgen for each in opened.pages}) == 3
    assert texts(data) == ["one", "another", "one"]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_missing_page_is_as_large_as_the_one_before(tmp_path: Path, at: int) -> None:
    """The first is A4. It says which page it is, and why it is missing."""
    pages = list(written(tmp_path, [text_page("one"), text_page("two")]))
    pages.insert(at, missing("the image data end too early", path="sub/scan_x.jpg"))
    data = sound(document(pages))
    assert sizes(data) == [(595, 842) if at == 0 == number else (288, 432) for number in range(3)]
    assert texts(data)[at] == f"Page {at + 1} of 3 is missing scan_x.jpg the image data end too early"


def test_a_document_of_nothing_but_missing_pages() -> None:
    """All of them are there."""
    data = sound(document([missing(), missing()]))
    assert sizes(data) == [(595, 842)] * 2
    assert texts(data) == [f"Page {number} of 2 is missing x.jpg too short" for number in (1, 2)]


def test_long_reasons_are_wrapped_and_stay_on_the_page() -> None:
    """Words that are longer than a line are divided; what has no room on the page is left out."""
    reason = "W" * 200 + " " + "because it is so " * 500
    data = sound(document([missing(reason, path="sub/" + "long" * 60)]))
    ink = np.asarray(shown(data)) < 128
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert 30 < columns[0] < columns[-1] < 595 - 30
    assert 30 < rows[0] < rows[-1] < 842 - 30


def test_characters_that_helvetica_does_not_have() -> None:
    """They are replaced; accents are shown."""
    assert texts(sound(document([missing("Grüße \u6e2f (x)\\")]))) == ["Page 1 of 1 is missing x.jpg Grüße ? (x)\\"]


def test_lines_of_text() -> None:
    """Lines are as full as they can be."""
    assert list(wrapped("aa bb  cc", width("aa bb"))) == ["aa bb", "cc"]
    assert list(wrapped("aaaa", width("aa"))) == ["aa", "aa"]
    assert list(wrapped("W", 0.1)) == ["W"]
    assert list(wrapped(" ", 1)) == []


def test_a_strip_of_a_page_makes_no_notice_unreadable(tmp_path: Path) -> None:
    """After a page that is too small for text, a missing one is A4."""
    narrow = replace(text_page("a"), width=40, height=600)
    page = one_page(tmp_path, narrow, "sub/a.jpg", scan_of(255, (40, 600)))
    assert sizes(sound(document([page, missing()])))[1] == (595, 842)
