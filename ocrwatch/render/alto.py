"""The format ``alto``: text with positions as ALTO 4.4, the XML of libraries and archives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from ocrwatch import __version__
from ocrwatch.document import UNPLACED, Block, Box, Cell, Line, Page, Quad, Table, bounding_box
from ocrwatch.render.base import Original
from ocrwatch.render.text_flow import lines_of_cells, text_flow
from ocrwatch.render.typography import quarter_turns
from ocrwatch.render.xml import Element, child, document

NAMESPACE: Final = "http://www.loc.gov/standards/alto/ns-v4#"
_SCHEMA: Final = f"{NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
_PROCESSING: Final = "OCR_1"
_HEADER: Final = "header"

_TILTED: Final = 1.0
"""Pixels between the ends of an edge, across it, from which on a box does not say enough of the place."""


class AltoFormat:
    """A description of the reading, and one page with blocks, lines and words, and its tables."""

    name: ClassVar[str] = "alto"
    ending: ClassVar[str] = "alto.xml"

    def render(self, page: Page, original: Original) -> bytes:
        """Render the document. Positions are in the upright pixels of the original."""
        alto = alto_root()
        _describe(child(alto, "Description"), page, original)
        if page.tables:
            _add_tags(child(alto, "Tags"), page.tables)
        _add_page(child(alto, "Layout"), page)
        return document(alto)


def alto_root() -> Element:
    """Return the element that the others are in."""
    attributes = {"xmlns": NAMESPACE, "xmlns:xsi": _INSTANCE, "xsi:schemaLocation": _SCHEMA}
    return Element("alto", {**attributes, "SCHEMAVERSION": "4.4"})


def _describe(description: Element, page: Page, original: Original) -> None:
    child(description, "MeasurementUnit", "pixel")
    source = child(description, "sourceImageInformation")
    child(source, "fileName", original.printable_path)
    child(source, "fileIdentifier", f"sha256:{original.sha256}")
    processing = child(description, "Processing", ID=_PROCESSING)
    child(processing, "processingCategory", "contentGeneration")
    for step in page.steps:
        child(processing, "processingStepDescription", step)
    engine = page.engine
    child(processing, "processingStepSettings", f"languages {' '.join(engine.languages)}")
    software = child(processing, "processingSoftware")
    child(software, "softwareName", "ocrwatch")
    child(software, "softwareVersion", __version__)
    read_by = [f"{engine.name} {engine.version}"]
    if page.second is not None and page.second.lines:
        read_by.append(f"{page.second.name} {page.second.version}")
    child(software, "applicationDescription", ", ".join(read_by))


def _add_page(layout: Element, page: Page) -> None:
    confidence = page.confidence
    sheet = child(
        layout,
        "Page",
        ID="page_1",
        PHYSICAL_IMG_NR=1,
        WIDTH=page.width,
        HEIGHT=page.height,
        PROCESSINGREFS=_PROCESSING,
        PC=None if confidence is None else _share(confidence),
    )
    space = child(sheet, "PrintSpace", **_place(Box(0, 0, page.width, page.height)))
    for number, part in enumerate(text_flow(page), 1):
        if isinstance(part, Table):
            _add_table(space, part, lines_of_cells(page, part), number)
        else:
            _add_block(space, part, number)


def _add_block(space: Element, block: Block, number: int) -> None:
    """Add the paragraphs of a block, each as a text block."""
    for paragraph_number, lines in enumerate(block.paragraphs, 1):
        name = f"{number}_{paragraph_number}"
        turns = quarter_turns(lines[0])
        text_block = child(
            space,
            "TextBlock",
            ID=f"block_{name}",
            **_place(bounding_box(line.box for line in lines)),
            ROTATION=360 - 90 * turns if turns else None,
        )
        for line_number, line in enumerate(lines, 1):
            _add_line(text_block, line, f"{name}_{line_number}")


def _add_tags(tags: Element, tables: Sequence[Table]) -> None:
    """Add what says in which rows and columns a cell is, and that it is a heading."""
    most = {"row": max(table.rows for table in tables), "column": max(table.columns for table in tables)}
    for kind, count in most.items():
        for number in range(1, count + 1):
            child(tags, "StructureTag", ID=f"{kind}_{number}", TYPE=kind, LABEL=str(number))
    child(tags, "StructureTag", ID=_HEADER, TYPE=_HEADER, LABEL=_HEADER)


def _add_table(space: Element, table: Table, lines_of: Sequence[Sequence[Line]], number: int) -> None:
    """Add a table, with a text block for each cell that is not empty."""
    block = child(space, "ComposedBlock", ID=f"table_{number}", **_place(table.box), TYPE="table")
    _add_shape(block, table.corners)
    for cell_number, (cell, lines) in enumerate(zip(table.cells, lines_of, strict=True), 1):
        if lines:
            _add_cell(block, cell, lines, f"{number}_{cell_number}")


def _add_cell(block: Element, cell: Cell, lines: Sequence[Line], name: str) -> None:
    turns = quarter_turns(lines[0])
    text_block = child(
        block,
        "TextBlock",
        ID=f"cell_{name}",
        TAGREFS=_tags(cell),
        **_place(cell.box),
        ROTATION=360 - 90 * turns if turns else None,
    )
    _add_shape(text_block, cell.corners)
    for line_number, line in enumerate(lines, 1):
        _add_line(text_block, line, f"{name}_{line_number}")


def _tags(cell: Cell) -> str:
    rows = (f"row_{cell.row + number}" for number in range(1, cell.rows + 1))
    columns = (f"column_{cell.column + number}" for number in range(1, cell.columns + 1))
    return " ".join((*rows, *columns, *([_HEADER] if cell.is_header else [])))


def _add_shape(block: Element, corners: Quad) -> None:
    """Add the corners, unless the edges are those of a box."""
    points = list(zip(corners[::2], corners[1::2], strict=True))
    edges = zip(points, (*points[1:], points[0]), strict=True)
    if any(min(abs(x1 - x0), abs(y1 - y0)) >= _TILTED for (x0, y0), (x1, y1) in edges):
        child(child(block, "Shape"), "Polygon", POINTS=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))


def _add_line(text_block: Element, line: Line, name: str) -> None:
    given = line.baseline
    points = None if given is None else f"{given.x0:.1f},{given.y0:.1f} {given.x1:.1f},{given.y1:.1f}"
    row = child(text_block, "TextLine", ID=f"line_{name}", **_place(line.box), BASELINE=points)
    for number, word in enumerate(line.words, 1):
        if number > 1 and line.has_space_before(number - 1):
            child(row, "SP")
        child(
            row,
            "String",
            ID=f"word_{name}_{number}",
            **_place(word.box),
            WC=None if word.confidence is None else _share(word.confidence),
            CONTENT=word.text,
        )


def _place(box: Box) -> dict[str, int]:
    if box == UNPLACED:
        return {}
    return {
        "HPOS": box.left,
        "VPOS": box.top,
        "WIDTH": box.right - box.left,
        "HEIGHT": box.bottom - box.top,
    }


def _share(confidence: float) -> float:
    """Return a confidence as 0 to 1."""
    return min(max(confidence / 100, 0.0), 1.0)
