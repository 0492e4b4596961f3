"""Parses the chunks of a PNG file (PNG specification, third edition, section 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

HEADER: Final = b"IHDR"
PALETTE: Final = b"PLTE"
TRANSPARENCY: Final = b"tRNS"
DATA: Final = b"IDAT"
END: Final = b"IEND"

LAST: Final = b"\0\0\0\0IEND\xaeB`\x82"
"""The last chunk, which has no content."""

GREY, RGB, INDEXED, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
"""Colour types (11.2.1)."""

COMPONENTS: Final = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
"""Samples of a pixel by the colour type."""

_NEEDED: Final = frozenset({HEADER, PALETTE, TRANSPARENCY, DATA})
"""Chunks of the pixels. Others may be damaged, or decompress to gigabytes of text."""

FRAME: Final = struct.Struct("!I4s")
"""Length and type before a chunk's content."""

CHECKSUM: Final = 4
"""Bytes of the checksum after it."""

_ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and steps to the next ones, of the passes of interlaced images (section 8.1)."""

_PIECE: Final = 1 << 20
_PHYS: Final = struct.Struct("!IIB")
_METRE: Final = 1
_INCH: Final = 0.0254
"""In metres."""

MOST_CHUNKS: Final = 100_000
"""Chunks that are looked at; a file of 200 MB whose chunks have 8 KB, as libpng writes them, has 25,000."""

_LENGTH: Final = 4
_IHDR: Final = struct.Struct("!IIBBBBB")


@dataclass(frozen=True, slots=True)
class Header:
    """The image header (11.2.1)."""

    width: int
    height: int
    depth: int
    """Bits of a sample, or of a palette index: 1, 2, 4, 8 or 16."""
    colour: int
    interlaced: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk with its offsets."""

    kind: bytes
    start: int
    """Offset of its length."""
    content: int
    end: int
    """Offset behind its checksum."""

    @property
    def is_needed(self) -> bool:
        """Whether the pixels need it."""
        return self.kind in _NEEDED

    def of(self, png: bytes) -> bytes:
        """Return its content."""
        return png[self.content : self.end - CHECKSUM]

    def is_sound(self, png: bytes) -> bool:
        """Return whether its checksum is right (section 5.5)."""
        end = self.end - CHECKSUM
        return zlib.crc32(memoryview(png)[self.start + _LENGTH : end]) == int.from_bytes(png[end : self.end])


def chunks(png: bytes) -> Iterator[Chunk]:
    """Yield the whole chunks up to IEND, or as far as the file goes. Never raises.

    After 100,000 the file counts as cut off: no image has so many.
    """
    at = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        if at + FRAME.size > len(png):
            return
        length, kind = FRAME.unpack_from(png, at)
        end = at + FRAME.size + length + CHECKSUM
        if end > len(png):
            return
        yield Chunk(kind, at, at + FRAME.size, end)
        if kind == END:
            return
        at = end


def header(png: bytes) -> Header | None:
    """Return the image header; None if it is not there."""
    first = next(chunks(png), None)
    if first is None or first.kind != HEADER or len(first.of(png)) != _IHDR.size:
        return None
    width, height, depth, colour, _, _, interlace = _IHDR.unpack(first.of(png))
    return Header(width, height, depth, colour, bool(interlace))


def has_all_pixels(png: bytes) -> bool:
    """Return whether the compressed data hold as many bytes as the header asks for (section 7.2).

    Decoders fill missing rows with zeros. Raises ``zlib.error`` if the data cannot be decompressed.
    """
    head = header(png)
    if head is None:
        return False
    missing = _raw_bytes(head)
    decompress = zlib.decompressobj()
    for chunk in chunks(png):
        data = chunk.of(png) if chunk.kind == DATA else b""
        while data and missing > 0:
            missing -= len(decompress.decompress(data, min(_PIECE, missing)))
            data = decompress.unconsumed_tail
    return missing <= 0


def _raw_bytes(head: Header) -> int:
    """Return the bytes of all filtered rows; each begins with its filter."""
    bits = head.depth * COMPONENTS.get(head.colour, 1)
    passes = _ADAM7 if head.interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(head.width - left) // across), -(-(head.height - top) // down)) for left, top, across, down in passes)
    return sum(height * (1 + -(-width * bits // 8)) for width, height in sizes if width > 0 and height > 0)


def resolution(png: bytes) -> tuple[float, float] | None:
    """Return the dots per inch across and down; None if they are not given (section 11.3.4.3)."""
    content = _sound(png, b"pHYs")
    if len(content) != _PHYS.size:
        return None
    across, down, unit = _PHYS.unpack(content)
    return (across * _INCH, down * _INCH) if unit == _METRE else None


def exif(png: bytes) -> bytes:
    """Return the EXIF data; empty if there are none (section 11.3.4.5)."""
    return _sound(png, b"eXIf")


def _sound(png: bytes, kind: bytes) -> bytes:
    """Return the content of the first chunk of this kind; empty if there is none with a right checksum."""
    return next((chunk.of(png) for chunk in chunks(png) if chunk.kind == kind and chunk.is_sound(png)), b"")


def plain(png: bytes) -> bytes:
    """Return the file with only the chunks of its pixels."""
    kept = [png[chunk.start : chunk.end] for chunk in chunks(png) if chunk.is_needed]
    return b"".join((SIGNATURE, *kept, LAST))
