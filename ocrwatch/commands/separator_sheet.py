"""The separator sheet: one page of PDF with two codes, and words that say what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from ocrwatch.recognise.code_drawing import Modules, draw_code
from ocrwatch.recognise.separators import PATCH_T, sheet_text

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
_OF_THE_PROFILE: Final = "Profile of the documents behind this sheet:"

_NAME_SIZE: Final = 14
_PER_LINE: Final = 33
"""Characters of a name on a line: all fit, even if each is as wide as a W."""
_MOST_LINES: Final = 3
_ENCODING: Final = "cp1252"
"""WinAnsiEncoding (ISO 32000-1, D.2): the characters of the fonts that every viewer has."""


def separator_sheet(profile: str = "") -> bytes:
    """Return the PDF: one page of A4. With ``profile``, its code names that one.

    Characters that the fonts lack are ``?`` in the words; the code has them.
    """
    return _pdf("\n".join(_drawing(profile)).encode(_ENCODING))


def _drawing(profile: str) -> Iterator[str]:
    """Yield the operators of the page (ISO 32000-1, 8.5 and 9.4), from the top."""
    yield from _line(_TITLE, "Bold", 32, 740)
    for number, words in enumerate(_WORDS):
        yield from _line(words, "Plain", 11, 712 - 16 * number)
    yield from _rectangles(draw_code("qr", sheet_text(profile)), (_WIDTH - _QR_SIDE) / 2, 345, _QR_SIDE, _QR_SIDE)
    yield from _rectangles(draw_code("code128", PATCH_T), (_WIDTH - _BARS_WIDTH) / 2, 210, _BARS_WIDTH, _BARS_HEIGHT)
    yield from _line(_OF_THE_BARS, "Plain", 11, 180)
    if profile:
        yield from _line(_OF_THE_PROFILE, "Plain", 11, 140)
        for number, words in enumerate(_name_lines(profile)):
            yield from _line(words, "Bold", _NAME_SIZE, 120 - (_NAME_SIZE + 4) * number)


def _name_lines(profile: str) -> list[str]:
    """Return a name as it is printed."""
    shown = "".join(each if each.isprintable() else "?" for each in profile)
    shown = shown.encode(_ENCODING, "replace").decode(_ENCODING)
    lines = [shown[start : start + _PER_LINE] for start in range(0, len(shown), _PER_LINE)]
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1][:-3]}..."]


def _line(text: str, font: str, size: int, baseline: int) -> Iterator[str]:
    escaped = re.sub(r"[\\()]", r"\\\g<0>", text)
    yield f"BT /{font} {size} Tf {_MARGIN} {baseline} Td ({escaped}) Tj ET"


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
    fonts = " ".join(
        f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>"
        for name, font in (("Plain", "Helvetica"), ("Bold", "Helvetica-Bold"))
    )
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
