"""The format ``tsv``: Tesseract's table of words with their positions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from ocrwatch.document import Box, Page, Word, bounding_box
from ocrwatch.render.base import Original
from ocrwatch.render.table_texts import one_line

COLUMNS: Final = (
    "level",
    "page_num",
    "block_num",
    "par_num",
    "line_num",
    "word_num",
    "left",
    "top",
    "width",
    "height",
    "conf",
    "text",
)
"""Those of ``tesseract image output tsv`` (TessBaseAPI::GetTSVText)."""

_PAGE, _BLOCK, _PARAGRAPH, _LINE, _WORD = range(1, 6)
_NO_CONFIDENCE: Final = "-1"
_FORMULA: Final = re.compile(r"[\"']*[=@\uff1d\uff20]|[\"']+[+-]|[+-](?![-+\d.,:/%()]*\Z)")
"""What a spreadsheet may take for a formula (OWASP, CSV injection). A plain number such as -12.50 is none."""


class TsvFormat:
    """One row for the page, and for each block, paragraph, line and word."""

    name: ClassVar[str] = "tsv"
    ending: ClassVar[str] = "tsv"

    def render(self, page: Page, original: Original) -> bytes:  # noqa: ARG002 - the protocol's
        """Render the table, with the columns' names in the first row."""
        rows = ["\t".join(COLUMNS), *_rows(page)]
        return ("\n".join(rows) + "\n").encode()


def _rows(page: Page) -> Iterator[str]:
    yield page_row(1, page.width, page.height)
    for block_number, block in enumerate(page.blocks, 1):
        yield _row(_BLOCK, (block_number, 0, 0, 0), block.box)
        for paragraph_number, paragraph in enumerate(block.paragraphs, 1):
            yield _row(_PARAGRAPH, (block_number, paragraph_number, 0, 0), bounding_box(line.box for line in paragraph))
            for line_number, line in enumerate(paragraph, 1):
                yield _row(_LINE, (block_number, paragraph_number, line_number, 0), line.box)
                for word_number, word in enumerate(line.words, 1):
                    place = (block_number, paragraph_number, line_number, word_number)
                    yield _row(_WORD, place, word.box, _confidence(word), cell(word.text))


def cell(text: str) -> str:
    """Return text that stays one cell, and is no formula for a spreadsheet: a quote is put in front of those."""
    text = one_line(text)
    return f"'{text}" if _FORMULA.match(text) else text


def page_row(number: int, width: int, height: int, text: str = "") -> str:
    """Return the row of a whole page. A page that was read has no ``text`` there."""
    return "\t".join((*map(str, (_PAGE, number, 0, 0, 0, 0, 0, 0, width, height)), _NO_CONFIDENCE, text))


def _row(
    level: int, place: tuple[int, int, int, int], box: Box, confidence: str = _NO_CONFIDENCE, text: str = ""
) -> str:
    sizes = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    return "\t".join((*map(str, (level, 1, *place, *sizes)), confidence, text))


def _confidence(word: Word) -> str:
    return _NO_CONFIDENCE if word.confidence is None else f"{word.confidence:.6f}"
