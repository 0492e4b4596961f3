"""hOCR of several pages. What the head says of all comes first, so each sidecar is opened twice."""

from __future__ import annotations

import re
from typing import BinaryIO, ClassVar, Final

from ocrwatch.render.hocr import DOCTYPE, NAMESPACE, HocrFormat, hocr_head, hocr_root, page_title
from ocrwatch.render.joining.base import DamagedPart, Document, DocumentPage, as_unicode, read_part
from ocrwatch.render.joining.xml_parts import head_of, only, part_of, write_element, write_laid_out, write_opened
from ocrwatch.render.xml import Element, child

_NAME: Final = re.compile(r"([a-z]+)_1((?:_[0-9]+)*)")
_NUMBER: Final = "ppageno 0"
_BOX: Final = re.compile(r"bbox 0 0 ([0-9]+) ([0-9]+)")
_A4_AT_300_DPI: Final = (2480, 3508)


class JoinedHocr:
    """One ``ocr_page`` for each page. A missing one says so in a paragraph that is no text of a scan."""

    name: ClassVar[str] = HocrFormat.name
    ending: ClassVar[str] = HocrFormat.ending

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the document."""
        write_opened(hocr_root(), file, DOCTYPE)
        write_laid_out(self._head(document), 1, file)
        file.write(b" <body>\n")
        size = _A4_AT_300_DPI
        for number, page in document.numbered():
            if page.missing is None:
                division = _division(read_part(page, number, self.name), number)
                size = _size(division) or size
                write_element(division, 2, file)
            else:
                write_laid_out(_missing(document, page, number, size), 2, file)
        file.write(b" </body>\n</html>\n")

    def _head(self, document: Document) -> Element:
        systems: dict[str, None] = {}
        languages: dict[str, None] = {}
        for number, page in document.numbered():
            if page.missing is None:
                head = head_of(read_part(page, number, self.name), number, NAMESPACE, "body")
                systems |= dict.fromkeys(_meta(head, "ocr-system", number).split(", "))
                languages |= dict.fromkeys(_meta(head, "ocr-langs", number).split())
        return hocr_head(as_unicode(document.name), ", ".join(systems), " ".join(languages), len(document.pages))


def _meta(root: Element, name: str, number: int) -> str:
    return only(root, f"head/meta[@name='{name}']", number).get("content", "")


def _division(content: bytes, number: int) -> Element:
    """Return the page of a sidecar with the identifiers that it has in the document."""
    division = only(part_of(content, number, NAMESPACE), "body/div", number)
    for element in division.iter():
        if (name := element.get("id")) is not None:
            if (found := _NAME.fullmatch(name)) is None:
                raise DamagedPart(number, f"it has an element with the identifier {name}")
            element.set("id", f"{found[1]}_{number}{found[2]}")
    # The name of the image cannot have a semicolon.
    properties = [f"ppageno {number - 1}" if each == _NUMBER else each for each in _properties(division)]
    division.set("title", "; ".join(properties))
    return division


def _properties(division: Element) -> list[str]:
    return division.get("title", "").split("; ")


def _size(division: Element) -> tuple[int, int] | None:
    found = next(filter(None, map(_BOX.fullmatch, _properties(division))), None)
    return None if found is None else (int(found[1]), int(found[2]))


def _missing(document: Document, page: DocumentPage, number: int, size: tuple[int, int]) -> Element:
    title = page_title(as_unicode(page.name), *size, number - 1)
    division = child(Element("body"), "div", class_="ocr_page", id=f"page_{number}", title=title)
    child(division, "p", as_unicode(document.missing_line(number)))
    return division
