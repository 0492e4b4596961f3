"""A font without shapes, for text that lies invisibly over an image in a PDF.

Each character is half as wide as the font's size, whatever it is, and a table says which Unicode text it stands for: so
one small font serves all scripts. The idea is that of Tesseract's GlyphLessFont (pdfrenderer.cpp). Here a character is
as tall as its print, so that viewers mark what was printed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate, product
from typing import Final

from ocrwatch.render.typography import DEEP, SMALL, TALL, is_deep, is_small

UNITS: Final = 1000
"""Units of 1 em."""

WIDTH: Final = 500
"""Width of every character."""

ASCENT: Final = round(TALL * UNITS)
"""Height of the box of a line over its baseline."""

DESCENT: Final = round(-DEEP * UNITS)
"""The same below it."""

_SHAPES: Final = tuple(product((0, DESCENT), (ASCENT, round(SMALL * UNITS))))
"""Bottom and top of the glyphs: of tall and small characters, then of those with descenders."""

_MAGIC: Final = 0x5F0F3CF5
_CHECKSUM_OF_FONT: Final = 0xB1B0AFBA
_BLOCK: Final = 100
"""Maximum number of entries in one block of a CMap (Adobe Technical Note 5014)."""


def truetype() -> bytes:
    """Return a TrueType file with an empty glyph and four lines, and the tables that ISO 32000-1, 9.9 requires.

    A line goes from one corner of the character's box to the other. It has no area, so nothing would be painted; but
    PDFium finds no text in words of one letter whose glyph is empty.
    """
    glyphs = [b"", *(_line(WIDTH, bottom, top) for bottom, top in _SHAPES)]
    count = len(glyphs)
    tables = {
        b"glyf": b"".join(glyphs),
        b"head": _head(0),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, ASCENT, DESCENT, 0, WIDTH, *(0,) * 3, 1, *(0,) * 7, count),
        b"hmtx": struct.pack(">Hh", WIDTH, 0) * count,
        b"loca": b"".join(struct.pack(">H", end // 2) for end in accumulate(map(len, glyphs), initial=0)),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x10000, count, 2, 1, 0, 0, 2, *(0,) * 8),
    }
    file = _assembled(tables)
    tables[b"head"] = _head((_CHECKSUM_OF_FONT - _checksum(file)) & 0xFFFFFFFF)
    return _assembled(tables)


def to_unicode(characters: Sequence[str]) -> bytes:
    """Return the CMap that maps character codes 1, 2, ... to ``characters``."""
    entries = [f"<{code:04x}> <{char.encode('utf-16-be').hex()}>" for code, char in enumerate(characters, 1)]
    blocks = [entries[at : at + _BLOCK] for at in range(0, len(entries), _BLOCK)]
    lines = [
        "/CIDInit /ProcSet findresource begin",
        "12 dict begin",
        "begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def",
        "/CMapType 2 def",
        "1 begincodespacerange",
        "<0000> <ffff>",
        "endcodespacerange",
        *(line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")),
        "endcmap",
        "CMapName currentdict /CMap defineresource pop",
        "end",
        "end",
    ]
    return "\n".join(lines).encode("ascii") + b"\n"


def glyph_map(characters: Iterable[str]) -> bytes:
    """Return the map from character codes 0, 1, ... to glyphs: 0 is the empty one."""
    glyphs = [0, *(1 + 2 * is_deep(char) + is_small(char) for char in characters)]
    return struct.pack(f">{len(glyphs)}H", *glyphs)


def _line(width: int, bottom: int, top: int) -> bytes:
    """Return a glyph of one contour with two points, at the lower left and the upper right corner of its box."""
    header = struct.pack(">hhhhh", 1, 0, bottom, width, top)
    last_point, instructions, on_curve = 1, 0, 1
    points = struct.pack(">hhhh", 0, width, bottom, top - bottom)
    glyph = header + struct.pack(">HHBB", last_point, instructions, on_curve, on_curve) + points
    return glyph + bytes(-len(glyph) % 4)


def _head(adjustment: int) -> bytes:
    """Return the font's header; its dates are 0, so that each file is the same."""
    box = (0, DESCENT, WIDTH, ASCENT)
    return struct.pack(">IIIIHHqqhhhhHHhhh", 0x10000, 0x10000, adjustment, _MAGIC, 0, UNITS, 0, 0, *box, 0, 8, 2, 0, 0)


def _assembled(tables: dict[bytes, bytes]) -> bytes:
    """Put a font file together (OpenType 1.9, table directory)."""
    power = len(tables).bit_length() - 1
    search = 16 << power
    offset = 12 + 16 * len(tables)
    header = struct.pack(">IHHHH", 0x10000, len(tables), search, power, 16 * len(tables) - search)
    directory, content = b"", b""
    for tag, table in sorted(tables.items()):
        directory += struct.pack(">4sIII", tag, _checksum(table), offset + len(content), len(table))
        content += table + bytes(-len(table) % 4)
    return header + directory + content


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF
