"""A font without shapes, for text that lies invisibly over an image in a PDF.

Each character is half as wide as the font's size, whatever it is, and a table says which Unicode text it stands for: so
one small font serves all scripts. The idea is that of Tesseract's GlyphLessFont (pdfrenderer.cpp).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

UNITS: Final = 1000
"""Units of 1 em."""

WIDTH: Final = 500
"""Width of every character."""

ASCENT: Final = 720
"""Height of the box of a line over its baseline: that of capitals in common text typefaces."""

DESCENT: Final = -210
"""The same below it."""

_MAGIC: Final = 0x5F0F3CF5
_CHECKSUM_OF_FONT: Final = 0xB1B0AFBA
_BLOCK: Final = 100
"""Maximum number of entries in one block of a CMap (Adobe Technical Note 5014)."""


def truetype() -> bytes:
    """Return a TrueType file with an empty glyph and a line, and the tables that ISO 32000-1, 9.9 requires.

    The line goes from one corner of the character's box to the other. It has no area, so nothing would be painted; but
    PDFium finds no text in words of one letter whose glyph is empty.
    """
    glyph = _line(WIDTH, DESCENT, ASCENT)
    tables = {
        b"glyf": glyph,
        b"head": _head(0),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, ASCENT, DESCENT, 0, WIDTH, *(0,) * 3, 1, *(0,) * 7, 2),
        b"hmtx": struct.pack(">HhHh", WIDTH, 0, WIDTH, 0),
        b"loca": struct.pack(">HHH", 0, 0, len(glyph) // 2),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x10000, 2, 2, 1, 0, 0, 2, *(0,) * 8),
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
    """Return the map from character codes to glyphs: 0 to the first one, all others to the second."""
    return b"\0\0" + b"\0\1" * sum(1 for _ in characters)


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
