"""CSV and workbooks of several pages: all tables in the order of pages, as each page's own sidecar has them."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from openpyxl.reader.excel import load_workbook

from ocrwatch.document import Page
from ocrwatch.render.joining.base import DamagedPart, DocumentPage, Missing
from ocrwatch.render.joining.joined_xlsx import JoinedXlsx
from tests.unit.render.joining.made_documents import REASON, document, joined, text_page, written
from tests.unit.render.made_tables import PAGE, page_with, table_of

FIRST = page_with(table_of(["a", "1.5"]), table_of(["007", "12.50"]))
SECOND = page_with(table_of(["2", "2.25"], ["=1+2", "Screw"]))
MISSING = f"[page 2 of 3 (scan_2.jpg) is missing: {REASON}]"


def csv_of(folder: Path, *pages: Page | None) -> str:
    """Join the CSV of pages."""
    made = joined(document(written(folder, pages)), "csv")
    assert made[:3] in {b"", b"\xef\xbb\xbf"}
    return made.decode("utf-8-sig")


def book_of(folder: Path, *pages: Page | None) -> Any:
    """Join the workbooks of pages, and read the result with another library."""
    return opened(written(folder, pages))


def opened(pages: Sequence[DocumentPage]) -> Any:
    """Join the workbooks of pages, and read the result with another library."""
    return load_workbook(io.BytesIO(joined(document(pages), "xlsx")))


def cells(sheet: Any) -> list[list[tuple[Any, str, bool]]]:
    """Return value, number format and weight of each cell."""
    return [[(cell.value, cell.number_format, cell.font.bold) for cell in row] for row in sheet.rows]


def test_tables_are_separated_as_on_one_page(tmp_path: Path) -> None:
    """Whether a page ends between them or not, and whatever pages without tables are between them."""
    made = csv_of(tmp_path, text_page("one"), FIRST, page_with(), SECOND, text_page("end"))
    assert made == "a,1.5\r\n\r\n007,12.50\r\n\r\n2,2.25\r\n'=1+2,Screw\r\n"


def test_a_missing_page_is_a_row(tmp_path: Path) -> None:
    """It says so with its reason, in one cell that is no formula for any spreadsheet."""
    assert csv_of(tmp_path, FIRST, None, SECOND).split("\r\n\r\n")[2:] == [MISSING, "2,2.25\r\n'=1+2,Screw\r\n"]
    hostile = DocumentPage("a;=1.jpg", None, {}, Missing("x", "not; +2"))
    made = joined(document([hostile]), "csv").decode("utf-8-sig")
    assert made == "[page 1 of 1 (a;'=1.jpg) is missing: not; '+2]\r\n"


def test_each_worksheet_names_its_page(tmp_path: Path) -> None:
    """It has what that of the page has: merged cells, headings, numbers, widths, and what stays in view."""
    found = book_of(tmp_path, FIRST, PAGE, page_with(), SECOND)
    assert found.sheetnames == ["p1 table 1", "p1 table 2", "p2 table 1", "p4 table 1"]
    single = [
        sheet
        for part in sorted(tmp_path.glob("*.tables.xlsx"), key=lambda part: int(part.name.partition(".")[0]))
        for sheet in load_workbook(part)
        if sheet.title != "No tables"
    ]
    for sheet, own in zip(found, single, strict=True):
        assert cells(sheet) == cells(own)
        assert sheet.merged_cells.ranges == own.merged_cells.ranges
        assert sheet.freeze_panes == own.freeze_panes
        assert {name: column.width for name, column in sheet.column_dimensions.items()} == {
            name: column.width for name, column in own.column_dimensions.items()
        }
    assert cells(found["p2 table 1"])[2][:2] == [("Screw", "General", False), (12.5, "0.00", False)]
    assert cells(found["p4 table 1"])[1][0] == ("=1+2", "General", False)
    assert found["p4 table 1"]["A2"].data_type == "s"


def test_one_worksheet_is_selected(tmp_path: Path) -> None:
    """What is typed into a worksheet is typed into all that are selected."""
    found = book_of(tmp_path, page_with(), FIRST, SECOND)
    assert [sheet.title for sheet in found if sheet.sheet_view.tabSelected] == ["p2 table 1"]


def test_a_missing_page_has_a_worksheet(tmp_path: Path) -> None:
    """It says so in its only cell, even if no page has a table."""
    found = book_of(tmp_path, FIRST, None, SECOND)
    assert found.sheetnames == ["p1 table 1", "p1 table 2", "p2 missing", "p3 table 1"]
    assert [list(row) for row in found["p2 missing"].iter_rows(values_only=True)] == [[MISSING]]
    assert book_of(tmp_path, text_page("one"), None).sheetnames == ["p2 missing"]


def test_documents_without_tables_are_as_pages_without_tables(tmp_path: Path) -> None:
    """The CSV is empty, and the workbook has one empty worksheet, for there is none without."""
    pages = written(tmp_path, [text_page("one"), page_with()])
    for name in ("csv", "xlsx"):
        assert joined(document(pages), name) == Path(pages[0].sidecars[name]).read_bytes()
    assert opened(pages).sheetnames == ["No tables"]


def test_a_workbook_of_numbers(tmp_path: Path) -> None:
    """It has no list of texts."""
    found = book_of(tmp_path, page_with(table_of(["1"])), SECOND)
    assert [sheet["A1"].value for sheet in found] == [1, 2]


def test_formats_of_cells_are_there_once(tmp_path: Path) -> None:
    """Their number does not grow with the pages."""
    archives = [
        zipfile.ZipFile(io.BytesIO(joined(document(written(tmp_path, [SECOND] * count)), "xlsx"))) for count in (1, 3)
    ]
    one, three = (archive.read("xl/styles.xml") for archive in archives)
    assert one == three


def test_the_workbook_does_not_depend_on_the_kind_of_file(tmp_path: Path) -> None:
    """A pipe gets the same bytes as a file in which places can be changed; dates are fixed."""
    given = document(written(tmp_path, [FIRST, None]))
    reading, writing = os.pipe()
    # It is smaller than what a pipe holds.
    with os.fdopen(reading, "rb") as received, os.fdopen(writing, "wb") as pipe:
        JoinedXlsx().join(given, pipe)
        pipe.close()
        made = received.read()
    assert made == joined(given, "xlsx")
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
        assert b"2000-01-01T00:00:00Z" in archive.read("docProps/core.xml")
        assert archive.namelist()[0] == "[Content_Types].xml"


@pytest.mark.parametrize(
    ("part", "before", "after"),
    [
        ("xl/worksheets/sheet2.xml", b"<v>1</v>", b"<v>4</v>"),
        ("xl/worksheets/sheet2.xml", b"<v>1</v>", b"<v>-1</v>"),
        ("xl/worksheets/sheet2.xml", b"<v>1</v>", b""),
        ("xl/worksheets/sheet2.xml", b' s="1"', b' s="9"'),
        ("xl/worksheets/sheet2.xml", b"sheetView ", b"view "),
        ("xl/worksheets/sheet2.xml", b"</worksheet>", b""),
        ("xl/worksheets/sheet2.xml", b"spreadsheetml/2006/main", b"spreadsheetml/2007/main"),
        ("xl/styles.xml", b'fontId="1"', b'fontId="9"'),
        ("xl/styles.xml", b'fontId="1"', b""),
        ("xl/workbook.xml", b"</sheets>", b'<sheet name="Table 3" sheetId="3" /></sheets>'),
    ],
)
def test_a_workbook_that_others_have_changed(tmp_path: Path, part: str, before: bytes, after: bytes) -> None:
    """What does not fit is noticed: no cell gets another one's text."""
    pages = written(tmp_path, [FIRST, SECOND])
    path = Path(pages[0].sidecars["xlsx"])
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert before in contents[part]
    contents[part] = contents[part].replace(before, after)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with pytest.raises(DamagedPart, match="page 1"):
        joined(document(pages), "xlsx")


@pytest.mark.parametrize("content", [b"a,b\r\n", b"\xef\xbb\xbfa,b", b"\xef\xbb\xbf\xff\r\n"])
def test_a_csv_that_others_have_changed(tmp_path: Path, content: bytes) -> None:
    """Without its mark, cut off, or in another encoding."""
    pages = written(tmp_path, [FIRST, SECOND])
    Path(pages[1].sidecars["csv"]).write_bytes(content)
    with pytest.raises(DamagedPart, match="page 2"):
        joined(document(pages), "csv")
