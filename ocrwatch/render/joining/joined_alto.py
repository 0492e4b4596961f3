"""ALTO of several pages: what all need comes first, so each sidecar is opened twice, and the first time only begun.

ALTO has one ``fileName`` for all pages, and as many identifiers as are needed: there is one for each scan, in their
order, whose location is its path. The pages of one file have one identifier.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO, ClassVar
from xml.etree import ElementTree as ET

from ocrwatch.render.alto import NAMESPACE, AltoFormat, alto_root
from ocrwatch.render.joining.base import DamagedPart, Document, DocumentPage, as_unicode, read_part, reason_of
from ocrwatch.render.joining.xml_parts import head_of, only, part_of, write_element, write_laid_out, write_opened
from ocrwatch.render.xml import Element, child


class JoinedAlto:
    """One ``Page`` for each page. A missing one is empty, and its quality is ``Missing``."""

    name: ClassVar[str] = AltoFormat.name
    ending: ClassVar[str] = AltoFormat.ending

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the document."""
        heads = _Heads()
        for number, page in document.numbered():
            if page.missing is None:
                heads.add(head_of(read_part(page, number, self.name), number, NAMESPACE, "Layout"), number)
        write_opened(alto_root(), file)
        write_laid_out(_description(document, heads.readings), 1, file)
        if heads.tags:
            tags = Element("Tags")
            tags.extend(heads.tags.values())
            write_laid_out(tags, 1, file)
        file.write(b" <Layout>\n")
        for number, page in document.numbered():
            if page.missing is None:
                sheet = _sheet(read_part(page, number, self.name), number, heads.names[number])
                write_element(sheet, 2, file)
            else:
                write_laid_out(_missing(page, number), 2, file)
        file.write(b" </Layout>\n</alto>\n")


@dataclass
class _Heads:
    """What stands before the layouts of all pages, each thing once."""

    readings: dict[str, Element] = field(default_factory=dict)
    """How pages were read, by all but the identifier."""
    names: dict[int, dict[str, str]] = field(default_factory=dict)
    """For each page the identifier of each of its readings: the page's own, and the document's."""
    tags: dict[str, Element] = field(default_factory=dict)

    def add(self, root: Element, number: int) -> None:
        """Add what a page has."""
        self.names[number] = {}
        for reading in root.iterfind("Description/Processing"):
            name = reading.attrib.pop("ID", "")
            reading.tail = None
            same = self.readings.setdefault(ET.tostring(reading, encoding="unicode"), reading)
            if same is reading:
                reading.set("ID", f"OCR_{len(self.readings)}")
            self.names[number][name] = same.attrib["ID"]
        for tag in root.iterfind("Tags/*"):
            same = self.tags.setdefault(tag.get("ID", ""), tag)
            if (same.tag, same.attrib) != (tag.tag, tag.attrib):
                raise DamagedPart(number, f"its tag {tag.get('ID')} is another one than before")


def _description(document: Document, readings: dict[str, Element]) -> Element:
    description = Element("Description")
    child(description, "MeasurementUnit", "pixel")
    source = child(description, "sourceImageInformation")
    child(source, "fileName", as_unicode(document.pages[0].path))
    for path, sha256 in dict.fromkeys((page.path, page.sha256) for page in document.pages):
        identifier = "" if sha256 is None else f"sha256:{sha256}"
        child(source, "fileIdentifier", identifier, fileIdentifierLocation=as_unicode(path))
    child(source, "documentIdentifier", as_unicode("/".join(filter(None, (document.folder, document.name)))))
    description.extend(readings.values())
    return description


def _sheet(content: bytes, number: int, names: dict[str, str]) -> Element:
    """Return the page of a sidecar with the identifiers that it has in the document."""
    sheet = only(part_of(content, number, NAMESPACE), "Layout/Page", number)
    for element in sheet.iter():
        if (name := element.get("ID")) is not None:
            kind, _, rest = name.partition("_")
            element.set("ID", f"{kind}_{number}_{rest}")
        if (readings := element.get("PROCESSINGREFS")) is not None:
            element.set("PROCESSINGREFS", " ".join(_renamed(readings.split(), names, number)))
    sheet.set("ID", f"page_{number}")
    sheet.set("PHYSICAL_IMG_NR", str(number))
    return sheet


def _renamed(readings: Iterable[str], names: dict[str, str], number: int) -> Iterable[str]:
    for reading in readings:
        if reading not in names:
            raise DamagedPart(number, f"it does not describe {reading}")
        yield names[reading]


def _missing(page: DocumentPage, number: int) -> Element:
    return child(
        Element("Layout"),
        "Page",
        ID=f"page_{number}",
        PAGECLASS="missing",
        PHYSICAL_IMG_NR=number,
        QUALITY="Missing",
        QUALITY_DETAIL=as_unicode(reason_of(page)),
    )
