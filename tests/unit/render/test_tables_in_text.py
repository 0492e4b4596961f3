"""Markdown, ALTO and JSON show tables as tables; no word is lost, and none is there twice."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from ocrwatch.document import UNPLACED, Baseline, Page, Table
from ocrwatch.render.text_flow import lines_of_cells, text_flow
from tests.unit.render.made_pages import MARKUP, WORDS, page, page_of, paragraphs, rendered, turned
from tests.unit.render.made_tables import PAGE, cell, corners, page_with, pages_with_tables, table, table_of

ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
MARKDOWN = """\
Bill for Anna

| Item | Price of | Price each |
| --- | --- | --- |
| Screw | 12.50 |  |
| Nail |  | -3 |

aside

Thank you
"""


def alto(given_page: Page) -> ET.Element:
    """Render and parse ALTO."""
    return ET.fromstring(rendered(given_page, "alto"))  # noqa: S314 - our own


def words(element: ET.Element) -> list[str]:
    """Return the words in an element of ALTO."""
    return [each.get("CONTENT", "") for each in element.iter(f"{ALTO}String")]


def shown(markdown: str) -> list[list[str]]:
    """Return the texts of the rows of all tables in Markdown, as a reader sees them."""
    rows: list[list[str]] = []
    for token, content in zip(
        tokens := MarkdownIt("commonmark").enable("table").parse(markdown), tokens[1:], strict=False
    ):
        if token.type == "tr_open":
            rows.append([])
        if token.type in {"th_open", "td_open"}:
            rows[-1].append("".join(child.content for child in content.children or ()))
    return rows


@pytest.mark.parametrize("name", ["txt", "json", "hocr", "alto", "tsv", "md"])
def test_pages_without_tables_are_as_before(name: str) -> None:
    """That tables were looked for, and none was found, changes nothing but the JSON."""
    plain = replace(PAGE, tables=None)
    none_found = rendered(replace(PAGE, tables=()), name)
    assert (none_found == rendered(plain, name)) == (name != "json")
    if name == "json":
        assert json.loads(none_found) == {**json.loads(rendered(plain, name)), "tables": []}


@pytest.mark.parametrize("name", ["txt", "hocr", "tsv"])
def test_formats_that_have_no_tables(name: str) -> None:
    """They have the same text with and without them."""
    assert rendered(PAGE, name) == rendered(replace(PAGE, tables=None), name)


def test_a_table_of_markdown_replaces_its_lines() -> None:
    """It stands where its first word stands. Headings that take two columns are in both; other cells are there once."""
    assert rendered(PAGE, "md") == MARKDOWN


def test_a_table_without_headings_has_its_first_row_as_header() -> None:
    """Markdown has no table without one. What is no heading is not repeated."""
    given_page = page_with(table(cell(0, 0, "Sum", columns=2), cell(1, 0, "a"), cell(1, 1, "b")))
    assert rendered(given_page, "md") == "| Sum |  |\n| --- | --- |\n| a | b |\n"


def test_tables_without_text_are_not_in_markdown() -> None:
    """There is nothing to read in them."""
    assert rendered(page_with(table_of(["", ""])), "md") == ""
    assert shown(rendered(page_with(table_of([""]), table_of(["a"])), "md")) == [["a"]]


@pytest.mark.parametrize(
    "text", ["a|b", "\\", "a\\|b", "`|`", "---", "*", "# 1.", "<b>", "a\tb\r\nc", "-5", "&amp;", "|"]
)
def test_markup_in_cells_is_text(text: str) -> None:
    """A pipe does not end the cell."""
    rows = shown(rendered(page_with(table_of([text, "2"], ["3", text])), "md"))
    seen = " ".join(text.split())
    assert rows == [[seen, "2"], ["3", seen]]


@given(WORDS | MARKUP, WORDS | MARKUP)
def test_any_text_in_cells_stays_in_its_cell(one: str, other: str) -> None:
    """Whatever it is, there are as many cells as before."""
    rows = shown(rendered(page_with(table_of([one, "2"], [other, "4"])), "md"))
    if rows:
        assert [(len(row), row[1]) for row in rows] == [(2, "2"), (2, "4")]


@given(pages_with_tables())
def test_each_word_is_there_once(given_page: Page) -> None:
    """In a cell, or around the table."""
    expected = sorted(word.text for word in given_page.words)
    assert sorted(re.findall(r"w\d+", rendered(given_page, "md"))) == expected
    assert sorted(words(alto(given_page))) == expected


@given(pages_with_tables())
def test_the_order_is_that_of_the_text(given_page: Page) -> None:
    """Words around tables keep their order, and a table begins where its first word was."""
    places = {word.text: at for at, word in enumerate(given_page.words)}
    begins = []
    for part in text_flow(given_page):
        if isinstance(part, Table):
            begins += [min((at for each in part.cells for at in each.words), default=len(places))]
        else:
            begins += [places[word.text] for line in part.lines for word in line.words]
    assert begins == sorted(begins)


def test_a_table_of_alto() -> None:
    """A composed block has a text block for each cell with text, whose tags say in which rows and columns it is."""
    root = alto(PAGE)
    (block,) = root.iter(f"{ALTO}ComposedBlock")
    assert block.attrib == {
        "ID": "table_2",
        "HPOS": "0",
        "VPOS": "0",
        "WIDTH": "300",
        "HEIGHT": "200",
        "TYPE": "table",
    }
    assert [(each.get("TAGREFS"), words(each)) for each in block] == [
        ("row_1 row_2 column_1 header", ["Item"]),
        ("row_1 column_2 column_3 header", ["Price"]),
        ("row_2 column_2 header", ["of"]),
        ("row_2 column_3 header", ["each"]),
        ("row_3 column_1", ["Screw"]),
        ("row_3 row_4 column_2", ["12.50"]),
        ("row_4 column_1", ["Nail"]),
        ("row_4 column_3", ["-3"]),
    ]
    space = next(root.iter(f"{ALTO}PrintSpace"))
    assert [words(each) for each in space if each is not block] == [
        ["Bill", "for", "Anna"],
        ["aside"],
        ["Thank", "you"],
    ]
    names = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(names) == len(set(names))
    assert {each.get("ID") for each in root.iter(f"{ALTO}StructureTag")} == {
        *("row_1", "row_2", "row_3", "row_4"),
        *("column_1", "column_2", "column_3", "header"),
    }


def test_tilted_tables_have_their_corners_in_alto() -> None:
    """A box is enough for those whose edges are level, and for a pixel's difference."""
    (level,) = PAGE.tables or ()
    assert not list(alto(PAGE).iter(f"{ALTO}Shape"))
    for fall, count in ((0.9, 0), (8.0, 1)):
        root = alto(replace(PAGE, tables=(replace(level, corners=corners(level.box, fall)),)))
        polygons = [each.get("POINTS") for each in root.iter(f"{ALTO}Polygon")]
        assert polygons == ["0.0,0.0 300.0,8.0 300.0,208.0 0.0,200.0"] * count


def test_a_cell_of_several_lines() -> None:
    """Its words are on the lines of the page, each with its part of the baseline."""
    given_page = page(paragraphs("one two three\nfour five six"))
    given_table = table(cell(0, 0, "two four five", 1, 3, 4))
    (lines,) = lines_of_cells(given_page, given_table)
    assert [line.text for line in lines] == ["two", "four five"]
    first = given_page.lines[0]
    assert lines[0].box == first.words[1].box
    assert lines[0].baseline == Baseline(80, 29, 140, 29)
    # Nobody knows where the words are.
    unplaced = page_of([["one", "two"]]).blocks[0]
    bare = turned(unplaced.lines[0], (0, 29, 280, 29))
    bare = replace(bare, words=tuple(replace(word, box=UNPLACED) for word in bare.words), box=UNPLACED)
    ((part,),) = lines_of_cells(page(replace(unplaced, lines=(bare,))), table(cell(0, 0, "two", 1)))
    assert (part.text, part.baseline) == ("two", bare.baseline)


def test_tables_in_json() -> None:
    """Each has its place, and its cells name their words by number."""
    data = json.loads(rendered(PAGE, "json"))
    (found,) = data["tables"]
    cells = found.pop("cells")
    assert found == {
        "kind": "grid",
        "rows": 4,
        "columns": 3,
        "confidence": 97.12,
        "box": [0, 0, 300, 200],
        "corners": [[0.0, 0.0], [300.0, 0.0], [300.0, 200.0], [0.0, 200.0]],
    }
    assert cells[1] == {
        "row": 0,
        "column": 1,
        "rows": 1,
        "columns": 2,
        "header": True,
        "unread": False,
        "text": "Price",
        "confidence": 90.13,
        "box": [100, 0, 300, 50],
        "corners": [[100.0, 0.0], [300.0, 0.0], [300.0, 50.0], [100.0, 50.0]],
        "words": [4],
    }
    assert (cells[6]["text"], cells[6]["confidence"], cells[6]["words"]) == ("", None, [])
    in_order = [word["text"] for block in data["blocks"] for line in block["lines"] for word in line["words"]]
    assert all(each["text"] == " ".join(in_order[at] for at in each["words"]) for each in cells)
    assert list(data)[-1] == "tables"
