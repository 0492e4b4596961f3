"""Text, JSON, ALTO and hOCR of several pages: each has all pages in their order, and says which are missing."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pikepdf
import pytest
from openpyxl.reader.excel import load_workbook

from ocrwatch.document import Page
from ocrwatch.render.joining.base import DamagedPart, DocumentPage, Dropped, Missing, as_unicode
from ocrwatch.render.joining.job import JOINABLE, joinable
from ocrwatch.render.joining.registry import JOINED
from ocrwatch.render.registry import load
from tests.unit.render import made_tables
from tests.unit.render.joining.made_documents import FORMATS, REASON, document, joined, text_page, written

ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
XHTML = "{http://www.w3.org/1999/xhtml}"
HOSTILE = 'a\n"]]>&<b;\udce9\f'
HOSTILE_LINE = r'[page 1 of 2 (a\n"]]>&<b;\xe9\x0c.jpg) is missing: a\n"]]>&<b;\xe9\x0c]'
PLACES = [(0,), (1,), (2,), (0, 1), (0, 1, 2)]
"""Which of three pages are missing."""


def three(missing: Sequence[int] = ()) -> list[Page | None]:
    """Make three pages, some of which are missing."""
    return [None if at in missing else text_page(f"This is page {at + 1}", "The end") for at in range(3)]


def parsed(given: bytes) -> ET.Element:
    """Parse XML, whose identifiers must be unique."""
    root = ET.fromstring(given)  # noqa: S314 - our own
    names = [name for element in root.iter() if (name := element.get("ID") or element.get("id"))]
    assert len(names) == len(set(names))
    return root


def test_formats_and_their_order() -> None:
    """Formats that cannot be joined are left out; the text is last, as it is for a page."""
    assert JOINED.keys() == set(JOINABLE)
    given = ["txt", "xlsx", "explain", "pdf", "json", "tsv", "csv", "hocr", "md", "alto"]
    assert joinable(given) == ("alto", "csv", "hocr", "json", "md", "pdf", "tsv", "xlsx", "txt")
    for name, each in JOINED.items():
        assert (each.name, each.ending) == (name, load(name).ending)


@pytest.mark.parametrize("missing", PLACES)
def test_pages_of_a_text_are_divided_by_form_feeds(tmp_path: Path, missing: tuple[int, ...]) -> None:
    """Each page is its own text, or the line that says that it is missing."""
    given = document(written(tmp_path, three(missing)))
    pages = joined(given, "txt").decode().split("\f")
    assert len(pages) == 3
    for at, text in enumerate(pages):
        absent = f"[page {at + 1} of 3 (scan_{at + 1}.jpg) is missing: {REASON}]\n"
        assert text == (absent if at in missing else f"This is page {at + 1}\n\nThe end\n")


def test_a_form_feed_in_a_text_begins_no_page(tmp_path: Path) -> None:
    """An engine of another package may have read one."""
    given = document(written(tmp_path, [text_page("a\fb"), text_page("c")]))
    assert joined(given, "txt") == b"a\nb\n\fc\n"


@pytest.mark.parametrize("missing", PLACES)
def test_pages_of_markdown_are_divided_by_rules(tmp_path: Path, missing: tuple[int, ...]) -> None:
    """Each page is its own text, or a paragraph that says that it is missing."""
    given = document(written(tmp_path, three(missing)))
    pages = joined(given, "md").decode().split("\n---\n\n")
    assert len(pages) == 3
    for at, text in enumerate(pages):
        absent = rf"\[page {at + 1} of 3 (scan\_{at + 1}.jpg) is missing: {REASON}\]" + "\n"
        assert text == (absent if at in missing else f"This is page {at + 1}\n\nThe end\n")


def test_no_text_is_a_rule_and_no_rule_makes_a_heading(tmp_path: Path) -> None:
    """A document can be split at its rules, also after an empty page, and does not begin with one."""
    pages = [text_page(), *(text_page("a", rule, "b") for rule in ("---", "- - -", "***", "___"))]
    made = joined(document(written(tmp_path, pages)), "md").decode()
    lines = made.split("\n")
    rules = [at for at, line in enumerate(lines) if line == "---"]
    assert (len(rules), rules[0]) == (4, 1)
    assert all(lines[at - 1] == lines[at + 1] == "" for at in rules)
    assert not re.search(r"^ {0,3}(?:\*[ \t]*){3,}$|^ {0,3}(?:_[ \t]*){3,}$|^- - -$", made, re.MULTILINE)


@pytest.mark.parametrize("missing", [(), *PLACES])
def test_the_table_has_the_rows_of_each_page(tmp_path: Path, missing: tuple[int, ...]) -> None:
    """They are as in its own table but for the number; a missing page has one row, with the reason and no size."""
    pages = written(tmp_path, three(missing))
    header, *rows = joined(document(pages), "tsv").decode().splitlines()
    assert header.startswith("level\tpage_num\tblock_num")
    for at, given in enumerate(pages):
        number = str(at + 1)
        own = [row.split("\t") for row in rows if row.split("\t")[1] == number]
        if at in missing:
            reason = f"[page {number} of 3 (scan_{number}.jpg) is missing: {REASON}]"
            assert own == [["1", number, *"00000000", "-1", reason]]
        else:
            single = [row.split("\t") for row in Path(given.sidecars["tsv"]).read_text().splitlines()[1:]]
            assert own == [[level, number, *rest] for level, _, *rest in single]


@pytest.mark.parametrize("missing", [(), *PLACES])
def test_json_has_the_object_of_each_page(tmp_path: Path, missing: tuple[int, ...]) -> None:
    """It is laid out as the JSON of a page is, and has what is known of the document."""
    pages = written(tmp_path, three(missing))
    dropped = (Dropped("sub/blank.jpg", "cd" * 32, "blank"),)
    raw = joined(document(pages, reasons=("2 pages are missing",), dropped=dropped), "json")
    found: dict[str, Any] = json.loads(raw)
    assert raw.decode() == json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    assert {key: value for key, value in found.items() if key != "pages"} == {
        "schema": "ocrwatch.document/1",
        "name": "scan",
        "folder": "sub",
        "profile": None,
        "grouped_by": "name",
        "page_count": 3,
        "review": True,
        "review_reasons": ["2 pages are missing"],
        "dropped": [{"path": "sub/blank.jpg", "sha256": "cd" * 32, "why": "blank"}],
    }
    for at, (given, entry) in enumerate(zip(pages, found["pages"], strict=True)):
        is_missing = at in missing
        assert entry == {
            "number": at + 1,
            "path": f"sub/scan_{at + 1}.jpg",
            "sha256": given.sha256,
            "missing": {"code": "truncated", "reason": REASON} if is_missing else None,
            "page": None if is_missing else json.loads(Path(given.sidecars["json"]).read_bytes()),
        }


@pytest.mark.parametrize("missing", [(), *PLACES])
def test_alto_has_a_page_for_each(tmp_path: Path, missing: tuple[int, ...]) -> None:
    """Identifiers are unique, what they refer to is there, and a missing page says why it is."""
    root = parsed(joined(document(written(tmp_path, three(missing))), "alto"))
    names = {element.get("ID") for element in root.iter()}
    assert {name for element in root.iter() for name in element.get("PROCESSINGREFS", "").split()} <= names
    # All pages were read in the same way.
    assert len(root.findall(f"{ALTO}Description/{ALTO}Processing")) == (len(missing) < 3)
    assert [each.get("fileIdentifierLocation") for each in root.iter(f"{ALTO}fileIdentifier")] == [
        f"sub/scan_{number}.jpg" for number in (1, 2, 3)
    ]
    for at, sheet in enumerate(root.iter(f"{ALTO}Page")):
        assert (sheet.get("ID"), sheet.get("PHYSICAL_IMG_NR")) == (f"page_{at + 1}", str(at + 1))
        words = [word.get("CONTENT") for word in sheet.iter(f"{ALTO}String")]
        assert words == ([] if at in missing else ["This", "is", "page", str(at + 1), "The", "end"])
        assert sheet.get("QUALITY_DETAIL") == (REASON if at in missing else None)


def test_alto_names_the_file_of_several_pages_once(tmp_path: Path) -> None:
    """Its pages have one identifier; a missing one has no other."""
    pages = written(tmp_path, three((1,)), "sub/fax.pdf")
    root = parsed(joined(document([replace(page, sha256="ab" * 32) for page in pages]), "alto"))
    (identifier,) = root.iter(f"{ALTO}fileIdentifier")
    assert (identifier.text, identifier.get("fileIdentifierLocation")) == ("sha256:" + "ab" * 32, "sub/fax.pdf")


def test_alto_of_pages_that_were_read_differently(tmp_path: Path) -> None:
    """Each refers to what describes its own reading; tags of tables are there once, as many as the largest needs."""
    first, second = text_page("one"), made_tables.PAGE
    wide = made_tables.page_with(made_tables.table_of(["a", "b", "c", "d"]))
    pages = written(tmp_path, [first, second, wide, second])
    changed = Path(pages[0].sidecars["alto"])
    changed.write_bytes(changed.read_bytes().replace(b"scale 0.58", b"scale 0.75"))
    root = parsed(joined(document(pages), "alto"))
    readings = {each.get("ID"): each[1].text for each in root.iter(f"{ALTO}Processing")}
    used = [readings[sheet.get("PROCESSINGREFS")] for sheet in root.iter(f"{ALTO}Page")]
    assert used == ["scale 0.75", *["scale 0.58"] * 3]
    tags = [tag.get("ID") for tag in root.iter(f"{ALTO}StructureTag")]
    assert sorted(map(str, tags)) == [*(f"column_{at}" for at in (1, 2, 3, 4)), "header", *map("row_{}".format, "1234")]
    references = {name for element in root.iter() for name in element.get("TAGREFS", "").split()}
    assert references <= set(tags)


@pytest.mark.parametrize("missing", [(), *PLACES])
def test_hocr_has_a_page_for_each(tmp_path: Path, missing: tuple[int, ...]) -> None:
    """Identifiers have the number of the page as Tesseract's do; what is missing is no text of a scan."""
    root = parsed(joined(document(written(tmp_path, three(missing))), "hocr"))
    metas = {meta.get("name"): meta.get("content") for meta in root.iter(f"{XHTML}meta")}
    assert metas["ocr-number-of-pages"] == "3"
    assert metas["ocr-langs"] == ("" if len(missing) == 3 else "deu eng")
    assert root.findtext(f"{XHTML}head/{XHTML}title") == "scan"
    for at, division in enumerate(root.findall(f"{XHTML}body/{XHTML}div")):
        properties = division.get("title", "").split("; ")
        assert properties[0] == f'image "scan_{at + 1}.jpg"'
        assert properties[2] == f"ppageno {at}"
        words = [element for element in division.iter() if element.get("class") == "ocrx_word"]
        assert [word.text for word in words] == (
            [] if at in missing else ["This", "is", "page", str(at + 1), "The", "end"]
        )
        assert [word.get("id") for word in words] == [f"word_{at + 1}_{number + 1}" for number in range(len(words))]
        assert ("is missing" in "".join(division.itertext())) == (at in missing)


def test_a_name_that_looks_like_a_property_stays(tmp_path: Path) -> None:
    """Only the property of hOCR is changed."""
    pages = written(tmp_path, three(), "sub/ppageno 0 {}.jpg")
    root = parsed(joined(document(pages), "hocr"))
    assert 'image "ppageno 0 3.jpg"; bbox 0 0 400 600; ppageno 2' in root[1][2].get("title", "")


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_names_and_texts(tmp_path: Path, name: str) -> None:
    """Whatever a name or a reason has in it, the file is valid, and a text has one line for a missing page."""
    pages = (
        DocumentPage(f"sub/{HOSTILE}.jpg", None, {}, Missing("x", HOSTILE)),
        *written(tmp_path, [text_page("]]>&<\x00\x0b")], as_unicode(f"sub/{HOSTILE}.jpg")),
    )
    made = joined(document(pages, HOSTILE, (HOSTILE,), (Dropped(HOSTILE, None, "blank"),)), name)
    if name == "txt":
        first, second = made.decode().split("\f")
        assert first == f"{HOSTILE_LINE}\n"
        assert second == "]]>&<\x00\x0b\n"
    elif name == "json":
        assert json.loads(made)["name"] == 'a\n"]]>&<b;\\xe9\f'
    elif name == "pdf":
        with pikepdf.open(io.BytesIO(made)) as opened:
            assert str(opened.docinfo["/Title"]) == 'a\n"]]>&<b;\\xe9\f'
    elif name == "md":
        first, second = made.decode().split("\n---\n\n")
        assert re.sub(r"\\(.)", r"\1", first) == f"{HOSTILE_LINE}\n"
        assert second == "\\]\\]\\>\\&\\<\x00\n"
    elif name == "tsv":
        rows = [row.split("\t") for row in made.decode().split("\n")[:-1]]
        assert {len(row) for row in rows} == {12}
        assert rows[1][-1] == HOSTILE_LINE
    elif name == "csv":
        assert list(csv.reader(io.StringIO(made.decode("utf-8-sig"), newline=""))) == [[HOSTILE_LINE]]
    elif name == "xlsx":
        assert load_workbook(io.BytesIO(made))["p1 missing"]["A1"].value == HOSTILE_LINE
    else:
        assert "]]>&<\ufffd\ufffd" in "".join([*parsed(made).itertext(), *_contents(parsed(made))])


def _contents(root: ET.Element) -> list[str]:
    return [element.get("CONTENT", "") for element in root.iter()]


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_document_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    """Also with pages that are missing."""
    given = document(written(tmp_path, three((1,))))
    assert joined(given, name) == joined(given, name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("what", ["gone", "folder", "link", "short", "other", "unwritten"])
def test_a_sidecar_that_is_not_what_was_written(tmp_path: Path, name: str, what: str) -> None:
    """The page is named. A text that was cut off between two characters cannot be told from another."""
    pages = written(tmp_path, [text_page("one"), made_tables.PAGE, text_page("three")])
    part = Path(pages[1].sidecars[name])
    content = part.read_bytes()
    part.unlink()
    match what:
        case "folder":
            part.mkdir()
        case "link":
            part.symlink_to(pages[0].sidecars[name])
        case "short":
            part.write_bytes("ä".encode()[:1] if name == "txt" else content[: len(content) // 2])
        case "other":
            part.write_bytes(b"\xff" if name == "txt" else b"<html/>")
        case "unwritten":
            del pages[1].sidecars[name]
    with pytest.raises(DamagedPart) as raised:
        joined(document(pages), name)
    assert raised.value.number == 2


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("json", b"ocrwatch.page/1", b"ocrwatch.page/0"),
        ("alto", b'PROCESSINGREFS="OCR_1"', b'PROCESSINGREFS="OCR_2"'),
        ("alto", b"alto/ns-v4#", b"alto/ns-v3#"),
        ("alto", b"</Layout>", b'<Page ID="page_2" PHYSICAL_IMG_NR="2" /></Layout>'),
        ("hocr", b'id="line_1_1"', b'id="row"'),
        ("hocr", b"ocr-langs", b"languages"),
        ("tsv", b"level\tpage_num", b"page_num\tlevel"),
        ("tsv", b"5\t1\t1", b"5\t2\t1"),
        ("tsv", b"page\n", b"pa\tge\n"),
        ("tsv", b"page\n", b"pa\nge\n"),
        ("pdf", b"%%EOF", b""),
    ],
)
def test_a_sidecar_that_others_have_changed(tmp_path: Path, name: str, before: bytes, after: bytes) -> None:
    """What does not fit the format is noticed."""
    pages = written(tmp_path, three())
    part = Path(pages[0].sidecars[name])
    content = part.read_bytes()
    assert before in content
    part.write_bytes(content.replace(before, after))
    if name == "pdf":
        # The end of the file is only a mark.
        part.write_bytes(content[: content.index(b"startxref")])
    with pytest.raises(DamagedPart, match="page 1"):
        joined(document(pages), name)


@pytest.mark.parametrize("name", ["alto", "hocr"])
def test_elements_are_laid_out_as_in_the_sidecars(tmp_path: Path, name: str) -> None:
    """But for the head, and what has the number of the page or of all pages, a document of one page is the same."""
    pages = written(tmp_path, [text_page("one two", "three")])
    single = Path(pages[0].sidecars[name]).read_text().splitlines()
    whole = joined(document(pages), name).decode().splitlines()
    if name == "alto":
        single, whole = (re.sub(r'ID="[^"]*"', "", "\n".join(each)).split(" <Layout>") for each in (single, whole))
        assert single[1:] == whole[1:]
    else:
        assert [row for row in whole if "<title>" not in row] == [row for row in single if "<title>" not in row]
