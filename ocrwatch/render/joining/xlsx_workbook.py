"""Writes the workbook of a document: the worksheets of other workbooks, and notices of missing pages.

XlsxWriter keeps all worksheets in memory until it saves. So they are copied here, page by page. Cells refer to texts
and formats by their places in lists of the whole workbook: these places are changed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final
from xml.etree import ElementTree as ET

from ocrwatch.render.joining.base import DamagedPart, Document, as_unicode, read_part
from ocrwatch.render.joining.xlsx_page import MAIN, STRINGS, STYLES, PageWorkbook
from ocrwatch.render.joining.xlsx_styles import Styles
from ocrwatch.render.joining.xml_parts import DECLARATION, only
from ocrwatch.render.xlsx import XlsxFormat
from ocrwatch.render.xlsx_file import notice_file, xlsx_file
from ocrwatch.render.xml import Element, child

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_FOLDER: Final = "xl/"
"""Folder of the workbook; what belongs to it is named relative to it."""

_BOOK: Final = "xl/workbook.xml"
_CORE: Final = "docProps/core.xml"
_THEME: Final = "xl/theme/theme1.xml"
_SHEETS: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_TYPES: Final = {
    _CORE: "application/vnd.openxmlformats-package.core-properties+xml",
    _THEME: "application/vnd.openxmlformats-officedocument.theme+xml",
    _BOOK: f"{_SHEETS}.sheet.main+xml",
    STYLES: f"{_SHEETS}.styles+xml",
    STRINGS: f"{_SHEETS}.sharedStrings+xml",
}
"""Of all parts but worksheets."""

_RELATED: Final = {"theme": _THEME, "styles": STYLES, "sharedStrings": STRINGS}
"""What a workbook has besides worksheets, by the kind of its relationship."""


def write_workbook(document: Document, file: BinaryIO) -> None:
    """Write the workbook. Raises like :meth:`ocrwatch.render.joining.base.JoinedFormat.join`.

    Each sidecar is opened three times: the first parts of the file say what all worksheets need, and the last part has
    the texts.
    """
    empty = xlsx_file(())
    begun = PageWorkbook(empty, 0)
    styles = Styles(begun.styles())
    heads = tuple(_heads(document, styles))
    names = [name for head in heads for name in head.sheets]
    if not names:
        file.write(empty)
        return
    with zipfile.ZipFile(_Stream(file), "w") as archive:
        _write(archive, "[Content_Types].xml", _content_types(len(names)))
        _write(archive, "_rels/.rels", _package_relations())
        _write(archive, "xl/_rels/workbook.xml.rels", _book_relations(len(names)))
        _write(archive, _BOOK, _book(names))
        _write(archive, STYLES, _root(styles.finish()))
        for name in (_THEME, _CORE):
            archive.writestr(_entry(name), begun.content(name))
        _write_sheets(archive, document, heads)
        _write_texts(archive, document, heads)


@dataclass(frozen=True, slots=True)
class _Head:
    """What is known of a page before its worksheets are written."""

    number: int
    sheets: tuple[str, ...]
    """Names of its worksheets in the document."""
    formats: tuple[int, ...]
    """Place in the document of each of its formats."""
    texts: range
    """Places in the document of its texts."""


class _Stream(io.RawIOBase):
    """A file as one that is not seekable: zipfile writes other bytes to one that is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        return self._file.write(data)


def _pages(document: Document) -> Iterator[PageWorkbook]:
    """Yield the workbook of each page; that of a missing one says so."""
    for number, page in document.numbered():
        if page.missing is not None:
            yield PageWorkbook(notice_file(as_unicode(document.missing_line(number))), number)
        else:
            yield PageWorkbook(read_part(page, number, XlsxFormat.name), number)


def _heads(document: Document, styles: Styles) -> Iterator[_Head]:
    texts = 0
    for (number, page), workbook in zip(document.numbered(), _pages(document), strict=True):
        tables = workbook.count_tables()
        names = [f"p{number} missing"] if page.missing else [f"p{number} table {at}" for at in range(1, tables + 1)]
        formats = styles.add(workbook.styles(), number) if tables else ()
        count = len(workbook.strings()) if tables else 0
        yield _Head(number, tuple(names), formats, range(texts, texts + count))
        texts += count


def _write_sheets(archive: zipfile.ZipFile, document: Document, heads: Sequence[_Head]) -> None:
    written = 0
    for head, page in zip(heads, _pages(document), strict=True):
        for at in range(1, len(head.sheets) + 1):
            sheet = _sheet(page.sheet(at), head, is_first=not written)
            written += 1
            _write(archive, _sheet_name(written), sheet)


def _write_texts(archive: zipfile.ZipFile, document: Document, heads: Sequence[_Head]) -> None:
    with archive.open(_entry(STRINGS), "w") as file:
        file.write(f'{DECLARATION}<sst xmlns="{MAIN}">'.encode())
        for head, page in zip(heads, _pages(document), strict=True):
            for text in page.strings() if head.sheets else ():
                file.write(ET.tostring(text, encoding="unicode").encode())
        file.write(b"</sst>")


def _sheet(sheet: Element, head: _Head, *, is_first: bool) -> Element:
    """Return a worksheet of a page as one of the document."""
    view = only(sheet, "sheetViews/sheetView", head.number)
    # If several were selected, what is typed into one would be typed into all.
    view.attrib.pop("tabSelected", None)
    if is_first:
        view.set("tabSelected", "1")
    try:
        for cell in sheet.iter("c"):
            if "s" in cell.attrib:
                cell.set("s", str(head.formats[_place(cell.attrib["s"])]))
            if cell.get("t") == "s":
                text = only(cell, "v", head.number)
                text.text = str(head.texts[_place(text.text)])
    except (LookupError, ValueError) as error:
        raise DamagedPart(head.number, "its xlsx has a cell that refers to nothing") from error
    return _root(sheet)


def _place(text: str | None) -> int:
    """Return a place in a list. Raises ValueError if it is none."""
    if text is None or not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _sheet_name(number: int) -> str:
    return f"xl/worksheets/sheet{number}.xml"


def _content_types(sheets: int) -> Element:
    types = Element("Types", xmlns=f"{_PACKAGE}/content-types")
    child(types, "Default", Extension="rels", ContentType="application/vnd.openxmlformats-package.relationships+xml")
    child(types, "Default", Extension="xml", ContentType="application/xml")
    for name, kind in _TYPES.items():
        child(types, "Override", PartName=f"/{name}", ContentType=kind)
    for number in range(1, sheets + 1):
        child(types, "Override", PartName=f"/{_sheet_name(number)}", ContentType=f"{_SHEETS}.worksheet+xml")
    return types


def _package_relations() -> Element:
    relations = _relations()
    child(relations, "Relationship", Id="rId1", Type=f"{_OFFICE}/officeDocument", Target=_BOOK)
    kind = f"{_PACKAGE}/relationships/metadata/core-properties"
    child(relations, "Relationship", Id="rId2", Type=kind, Target=_CORE)
    return relations


def _book_relations(sheets: int) -> Element:
    relations = _relations()
    for number in range(1, sheets + 1):
        target = _sheet_name(number).removeprefix(_FOLDER)
        child(relations, "Relationship", Id=f"rId{number}", Type=f"{_OFFICE}/worksheet", Target=target)
    for number, (kind, name) in enumerate(_RELATED.items(), sheets + 1):
        child(relations, "Relationship", Id=f"rId{number}", Type=f"{_OFFICE}/{kind}", Target=name.removeprefix(_FOLDER))
    return relations


def _relations() -> Element:
    return Element("Relationships", xmlns=f"{_PACKAGE}/relationships")


def _book(names: list[str]) -> Element:
    book = Element("workbook", {"xmlns": MAIN, "xmlns:r": _OFFICE})
    child(child(book, "bookViews"), "workbookView")
    sheets = child(book, "sheets")
    for number, name in enumerate(names, 1):
        child(sheets, "sheet", name=name, sheetId=number).set("r:id", f"rId{number}")
    return book


def _root(element: Element) -> Element:
    element.set("xmlns", MAIN)
    return element


def _write(archive: zipfile.ZipFile, name: str, root: Element) -> None:
    archive.writestr(_entry(name), (DECLARATION + ET.tostring(root, encoding="unicode")).encode())


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry of the archive, with the same date each time."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
