"""The format ``hocr``: text with positions as XHTML, by the hOCR 1.2 specification."""

from __future__ import annotations

from typing import ClassVar, Final

from ocrwatch import __version__
from ocrwatch.document import UNPLACED, Box, Line, Page, Word, bounding_box
from ocrwatch.render.base import Original
from ocrwatch.render.typography import quarter_turns
from ocrwatch.render.xml import Element, child, document

DOCTYPE: Final = "<!DOCTYPE html>\n"
NAMESPACE: Final = "http://www.w3.org/1999/xhtml"
_NOT_IN_STRINGS: Final = str.maketrans('";', "__")
_CAPABILITIES: Final = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_wconf"


class HocrFormat:
    """Elements for the page, areas, paragraphs, lines and words, as Tesseract names them."""

    name: ClassVar[str] = "hocr"
    ending: ClassVar[str] = "hocr"

    def render(self, page: Page, original: Original) -> bytes:
        """Render the document. Boxes are in the upright pixels of the original."""
        html = hocr_root()
        name = original.printable_path.rpartition("/")[2]
        engine = page.engine
        system = f"ocrwatch {__version__}, {engine.name} {engine.version}"
        html.append(hocr_head(name, system, " ".join(engine.languages), 1))
        _add_page(child(html, "body"), page, name)
        return document(html, DOCTYPE)


def hocr_root() -> Element:
    """Return the element that the others are in."""
    return Element("html", {"xmlns": NAMESPACE, "xml:lang": "en", "lang": "en"})


def hocr_head(title: str, system: str, languages: str, pages: int) -> Element:
    """Return the head of a document of some ``pages``; ``system`` says what read them."""
    head = Element("head")
    child(head, "title", title)
    child(head, "meta", charset="utf-8")
    child(head, "meta", name="ocr-system", content=system)
    child(head, "meta", name="ocr-capabilities", content=_CAPABILITIES)
    child(head, "meta", name="ocr-number-of-pages", content=str(pages))
    child(head, "meta", name="ocr-langs", content=languages)
    return head


def page_title(name: str, width: int, height: int, number: int) -> str:
    """Return the properties of a page; ``number`` counts from 0."""
    # The grammar of properties has no escapes, and readers split at each semicolon.
    return f'image "{name.translate(_NOT_IN_STRINGS)}"; bbox 0 0 {width} {height}; ppageno {number}'


def _add_page(body: Element, page: Page, name: str) -> None:
    title = page_title(name, page.width, page.height, 0)
    if page.dpi is not None:
        title += f"; scan_res {round(page.dpi)} {round(page.dpi)}"
    division = child(body, "div", class_="ocr_page", id="page_1", title=title)
    line_number = word_number = 0
    for block_number, block in enumerate(page.blocks, 1):
        area = child(division, "div", class_="ocr_carea", id=f"block_1_{block_number}", title=_box(block.box))
        for paragraph_number, lines in enumerate(block.paragraphs, 1):
            number = f"{block_number}_{paragraph_number}"
            around = _box(bounding_box(line.box for line in lines))
            paragraph = child(area, "p", class_="ocr_par", id=f"par_1_{number}", title=around)
            for line in lines:
                line_number += 1
                row = child(paragraph, "span", class_="ocr_line", id=f"line_1_{line_number}", title=_line(line, page))
                for word in line.words:
                    word_number += 1
                    name = f"word_1_{word_number}"
                    child(row, "span", word.text, class_="ocrx_word", id=name, title=_word(word))


def _box(box: Box) -> str | None:
    return None if box == UNPLACED else f"bbox {box.left} {box.top} {box.right} {box.bottom}"


def _line(line: Line, page: Page) -> str:
    # A line must have a box: if it is unknown, it is somewhere on the page.
    box = _box(line.box) or f"bbox 0 0 {page.width} {page.height}"
    return "; ".join((box, *_direction(line)))


def _direction(line: Line) -> tuple[str, ...]:
    """Return the baseline of a line, or the angle of one that is turned by quarters, as Tesseract gives them."""
    if line.baseline is None:
        return ()
    if turns := quarter_turns(line):
        # Counter-clockwise.
        return (f"textangle {360 - 90 * turns}",)
    given = line.baseline
    if given.x0 == given.x1:
        return ()
    slope = (given.y1 - given.y0) / (given.x1 - given.x0)
    # From the lower left corner of the line's box.
    offset = given.y0 + slope * (line.box.left - given.x0) - line.box.bottom
    return (f"baseline {slope:.4f} {offset:.1f}",)


def _word(word: Word) -> str | None:
    confidence = () if word.confidence is None else (f"x_wconf {word.confidence:.0f}",)
    return "; ".join((*filter(None, [_box(word.box)]), *confidence)) or None
