"""The workbook has the tables as worksheets, and nothing in it is a formula or a link."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from openpyxl.reader.excel import load_workbook

from ocrwatch.document import Page
from ocrwatch.render.registry import render
from ocrwatch.render.xlsx_file import as_number
from tests.unit.render.made_pages import MARKUP, ORIGINAL, WORDS, page
from tests.unit.render.made_tables import PAGE, cell, page_with, table, table_of


def rendered_xlsx(given_page: Page) -> bytes:
    """Render the format."""
    ((ending, data),) = render(given_page, ORIGINAL, ("xlsx",))
    assert ending == "tables.xlsx"
    return data


def book(given_page: Page) -> Any:
    """Render the format, and read it with another library."""
    return load_workbook(io.BytesIO(rendered_xlsx(given_page)))


def only_cell(text: str) -> Any:
    """Return the only cell of a workbook."""
    return book(page_with(table_of([text]))).active["A1"]


def test_a_worksheet_for_each_table() -> None:
    """Merged cells are merged; headings are bold, and stay in view."""
    found = book(page_with(*(PAGE.tables or ()), table_of(["a"])))
    assert found.sheetnames == ["Table 1", "Table 2"]
    sheet = found["Table 1"]
    assert [list(row) for row in sheet.iter_rows(values_only=True)] == [
        ["Item", "Price", None],
        [None, "of", "each"],
        ["Screw", 12.5, None],
        ["Nail", None, -3],
    ]
    assert {str(each) for each in sheet.merged_cells.ranges} == {"A1:A2", "B1:C1", "B3:B4"}
    assert [sheet[place].font.bold for place in ("A1", "C2", "A3", "C4")] == [True, True, False, False]
    assert (sheet.freeze_panes, found["Table 2"].freeze_panes) == ("A3", None)
    assert all(sheet[place].alignment.wrap_text for place in ("A1", "A3", "B3"))


def test_pages_without_tables_have_an_empty_worksheet() -> None:
    """Excel opens no workbook without one."""
    for each in (page(), page_with()):
        found = book(each)
        assert found.sheetnames == ["No tables"]
        assert found.active["A1"].value is None


def test_widths_of_columns() -> None:
    """They fit the text, within limits; cells of several columns are left out of account."""
    cells = (cell(0, 0, "x" * 50, columns=3), cell(1, 0, "x" * 20), cell(1, 1, "\u6f22" * 11), cell(1, 2, "x" * 200))
    sheet = book(page_with(table(*cells, cell(2, 0), cell(2, 1), cell(2, 2)))).active
    widths = [round(sheet.column_dimensions[column].width) for column in "ABC"]
    assert widths == [23, 25, 61]


@pytest.mark.parametrize(
    ("text", "value", "number_format"),
    [
        ("1234", 1234, "0"),
        ("0", 0, "0"),
        ("-3", -3, "0"),
        ("12.50", 12.5, "0.00"),
        ("0.125", 0.125, "0.000"),
        ("1234.567", 1234.567, "0.000"),
        ("123456789012345", 123456789012345, "0"),
        ("123456789012.345", 123456789012.345, "0.000"),
    ],
)
def test_numbers(text: str, value: float, number_format: str) -> None:
    """They can be calculated with, and look as on the page."""
    found = only_cell(text)
    assert (found.data_type, found.value, found.number_format) == ("n", value, number_format)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "007",
            "1,234",
            "12,50",
            "1.234",
            "-1.234",
            "1.",
            ".5",
            "+5",
            "-0",
            "-0.00",
            "1e5",
            "1 000",
            "12 %",
            "\u0661\u0662",
        ),
        *("1234567890123456", "0.0000000000000001", "-", "INF", "NaN", "TRUE", "2024-01-02"),
        *(
            "=1+2",
            '=HYPERLINK("http://a")',
            "{=1}",
            "@SUM(A1)",
            "http://example.org",
            "mailto:a@example.org",
            "internal:A1",
        ),
        *("<r></x></r>", "<r>", "_x0041_", "<b>&amp;", " a ".strip(), "'"),
    ],
)
def test_all_else_is_text(text: str) -> None:
    """Nothing is calculated, linked or rounded, and no digit is lost."""
    found = only_cell(text)
    assert (found.data_type, found.value.strip(), found.hyperlink) == ("s", text, None)


@given(WORDS | MARKUP)
@settings(max_examples=50)
def test_any_text_can_be_opened(text: str) -> None:
    """What XML forbids is replaced."""
    found = only_cell(text)
    assert found.data_type in {"s", "n"}
    assert found.hyperlink is None


def test_characters_that_xml_forbids() -> None:
    """The workbook is well-formed with all of them."""
    assert only_cell("a\0b\x0b\ufffec\ud800").value == "a\ufffdb\ufffd\ufffdc\ufffd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 40_000, "x" * 32_767),
        ("\U0001f600" * 20_000, "\U0001f600" * 16_383),
        (f"<r>{'x' * 40_000}</r>", f" <r>{'x' * 32_763}"),
    ],
)
def test_texts_that_are_too_long_are_cut(text: str, expected: str) -> None:
    """Excel's limit counts the units of UTF-16."""
    assert only_cell(text).value == expected


def test_the_same_page_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """At any time: the dates in the archive and in the document are fixed."""
    first = rendered_xlsx(PAGE)
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: 2_000_000_000.0)
        assert rendered_xlsx(PAGE) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
        assert b"2000-01-01T00:00:00Z" in archive.read("docProps/core.xml")


def test_no_file_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's scratch may be small."""
    monkeypatch.setattr("tempfile.mkstemp", None)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", None)
    assert rendered_xlsx(PAGE)


def test_the_format_of_a_number_shows_all_of_its_digits() -> None:
    """Of very large ones too, which Excel would write with an exponent."""
    assert as_number("123456789012") == (123456789012.0, "0")
    assert as_number("12.500000") == (12.5, "0.000000")
