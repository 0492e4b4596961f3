"""The separator sheet: one page of PDF with two codes, and words that say what it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from ocrwatch.recognise.code_drawing import Modules, draw_code
from ocrwatch.recognise.separators import PATCH_T, SHEET

_WIDTH, _HEIGHT = 595, 842
"""A4 in points. All that is printed also fits on Letter, which is 50 points less high."""

_MARGIN: Final = 72
_QR_SIDE: Final = 300.0
_BARS_WIDTH, _BARS_HEIGHT = 400.0, 70.0
"""A bar is 1.4 mm wide: it stays readable on a fax."""

_TITLE: Final = "Separator sheet"
_WORDS: Final = (
    "Put this sheet between two documents, and scan them in one go.",
    "The page after it begins a new document.",
    "It may lie upside down or a little askew. Use it again, and copy it as often as you like.",
)
_OF_THE_BARS: Final = f"{PATCH_T}: programs other than ocrwatch know this code."


def separator_sheet() -> bytes:
    """Return the PDF: one page of A4."""
    return _pdf("\n".join(_drawing()).encode("ascii"))


def _drawing() -> Iterator[str]:
    """Yield the operators of the page (ISO 32000-1, 8.5 and 9.4), from the top."""
    yield from _line(_TITLE, "Bold", 32, 740)
    for number, words in enumerate(_WORDS):
        yield from _line(words, "Plain", 11, 712 - 16 * number)
    yield from _rectangles(draw_code("qr", SHEET), (_WIDTH - _QR_SIDE) / 2, 345, _QR_SIDE, _QR_SIDE)
    yield from _rectangles(draw_code("code128", PATCH_T), (_WIDTH - _BARS_WIDTH) / 2, 210, _BARS_WIDTH, _BARS_HEIGHT)
    yield from _line(_OF_THE_BARS, "Plain", 11, 180)


def _line(text: str, font: str, size: int, baseline: int) -> Iterator[str]:
    yield f"BT /{font} {size} Tf {_MARGIN} {baseline} Td ({text}) Tj ET"


def _rectangles(modules: Modules, left: float, bottom: float, width: float, height: float) -> Iterator[str]:
    """Yield black modules that lie side by side as one rectangle each, so that no viewer shows gaps between them."""
    across, down = width / len(modules[0]), height / len(modules)
    for number, row in enumerate(modules):
        base = bottom + height - (number + 1) * down
        for is_black, columns in groupby(range(len(row)), key=lambda column: row[column]):
            run = list(columns)
            if is_black:
                yield f"{left + run[0] * across:.3f} {base:.3f} {len(run) * across:.3f} {down:.3f} re"
    yield "f"


def _pdf(content: bytes) -> bytes:
    """Return a PDF of one page (ISO 32000-1, 7.5) with fonts that every viewer has."""
    fonts = "/Plain << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> "
    fonts += "/Bold << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"
    return _file(
        (
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}] /Contents 4 0 R "
            f"/Resources << /Font << {fonts} >> >> >>".encode("ascii"),
            b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
            f"<< /Title ({_TITLE} of ocrwatch) >>".encode("ascii"),
        )
    )


def _file(objects: Iterable[bytes]) -> bytes:
    """Return a file of numbered objects: the catalogue first, the information last; and the table of their places."""
    written, places = bytearray(b"%PDF-1.4\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    entries = b"".join(b"%010d 00000 n \n" % place for place in places)
    start, count = len(written), len(places)
    written += b"xref\n0 %d\n0000000000 65535 f \n%b" % (count + 1, entries)
    written += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (count + 1, count)
    written += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(written)
