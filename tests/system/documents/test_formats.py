"""Documents that Tesseract has read, in all formats that can be joined."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from tests.daemon_process import run_ocrwatch
from tests.document_accounts import documents_in
from tests.feeder import settings
from tests.system.documents.feeding import FINE
from tests.system.dropping import files, phrase, put, scan

FORMATS = ("txt", "json", "pdf", "alto", "hocr", "tsv", "md", "explain")
JOINED = ("txt", "json", "pdf", "alto.xml", "hocr", "tsv", "md")
NUMBERS = (2, 5, 9)


def test_all_formats_that_can_be_joined_have_all_pages(tmp_path: Path) -> None:
    """Those that can be joined have the words of each page of a document; other formats are per page only."""
    for count, number in enumerate(NUMBERS, 9):
        put(tmp_path / "inbox", f"post/letter {count}.jpg", scan(number))
    config = settings(*FORMATS, engine="auto").replace("turn = false\n", "")
    answer = run_ocrwatch(tmp_path, "once", config=config)
    assert answer.returncode == FINE, answer.stderr
    (document,) = documents_in(tmp_path / "outbox").values()
    stem = document.stem
    assert stem == "post/letter"
    assert {name for name in files(tmp_path / "outbox") if not name.startswith("post/letter ")} == {
        f"post/letter.{ending}" for ending in JOINED
    }
    expected = [phrase(number) for number in NUMBERS]
    assert [" ".join(text.split()) for text in document.txt] == expected
    assert [" ".join(text.split()) for text in document.texts] == expected
    assert document.pdf == expected
    alto = ET.fromstring(document.file("alto.xml").read_bytes())  # noqa: S314 - our own
    pages = [page for page in alto.iter() if page.tag.endswith("}Page")]
    assert [_words(page) for page in pages] == expected
    _ids_differ(alto, "ID")
    hocr = ET.fromstring(document.file("hocr").read_bytes())  # noqa: S314 - our own
    sheets = [sheet for sheet in hocr.iter() if sheet.get("class") == "ocr_page"]
    assert [" ".join("".join(sheet.itertext()).split()) for sheet in sheets] == expected
    _ids_differ(hocr, "id")
    assert [" ".join(text.split()) for text in document.file("md").read_text().split("\n---\n")] == expected
    rows = [row.split("\t") for row in document.file("tsv").read_text().splitlines()]
    numbers = map(str, range(1, len(expected) + 1))
    assert [" ".join(row[-1] for row in rows if row[:2] == ["5", number]) for number in numbers] == expected


def _words(page: ET.Element) -> str:
    """Return the words of a page in ALTO."""
    return " ".join(word.get("CONTENT", "") for word in page.iter() if word.tag.endswith("}String"))


def _ids_differ(root: ET.Element, name: str) -> None:
    """Check that pages that were joined share no id."""
    ids = [element.get(name) for element in root.iter() if element.get(name)]
    assert ids
    assert len(ids) == len(set(ids))
