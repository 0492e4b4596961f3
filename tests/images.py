"""One picture saved as PNG and TIFF in many ways."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from ocrwatch import png_chunks
from tests.rendering import draw

PICTURE: Final = draw("Pictures of all kinds\nshow 2041 letters", size=28)
"""Black letters on white."""


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Save with Pillow."""
    file = io.BytesIO()
    image.save(file, kind, **{"dpi": (300, 300), **options})
    return file.getvalue()


def sixteen_bits(image: Image.Image = PICTURE) -> Image.Image:
    """Return a picture with 16 bits a pixel."""
    return Image.fromarray((np.asarray(image).astype(np.uint16) << 8) | 0x7F)


def on_glass(image: Image.Image = PICTURE, *, ink: int = 0) -> Image.Image:
    """Return letters of an ink with nothing behind them."""
    opacity = image.point(lambda value: 255 - value)
    return Image.merge("LA", (Image.new("L", image.size, ink), opacity))


def keyed(image: Image.Image = PICTURE) -> bytes:
    """Return a PNG in which white is declared transparent."""
    return saved(image, "PNG", transparency=255)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Make a chunk."""
    return struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))


def interlaced(image: Image.Image = PICTURE) -> bytes:
    """Return a PNG in the seven passes of Adam7, which Pillow does not write."""
    pixels = np.asarray(image.convert("L"))
    rows = bytearray()
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    for top, left, down, across in passes:
        for row in pixels[top::down, left::across]:
            if row.size:
                rows += b"\0" + row.tobytes()
    header = struct.pack("!IIBBBBB", image.width, image.height, 8, png_chunks.GREY, 0, 0, 1)
    chunks = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b""))
    return png_chunks.SIGNATURE + b"".join(chunks)


def pages(count: int, kind: str = "TIFF", **options: object) -> bytes:
    """Return a TIFF of the picture and of further, blank pages."""
    blank = Image.new("L", PICTURE.size, 255)
    return saved(PICTURE, kind, save_all=True, append_images=[blank] * (count - 1), **options)


def tiff(width: int, height: int, tags: dict[int, int], *strips: bytes, follows: int = 0) -> bytes:
    """Return a TIFF of strips, with further tags of one value; ``follows`` is the offset of the next directory."""
    found = {256: width, 257: height, 277: 1, 278: -(-height // len(strips)), **tags}
    data_at = 8 + 2 + 12 * (len(found) + 2) + 4
    lists_at = data_at + sum(map(len, strips))
    offsets = [data_at + sum(map(len, strips[:number])) for number in range(len(strips))]
    lists = {273: offsets, 279: [len(strip) for strip in strips]}
    entries, behind = [], b""
    for tag in sorted((*found, *lists)):
        values = lists.get(tag, [found.get(tag, 0)])
        packed = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            entries.append(struct.pack("<HHII", tag, 4, len(values), lists_at + len(behind)))
            behind += packed
        else:
            entries.append(struct.pack("<HHI4s", tag, 4, 1, packed))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", follows)
    return b"II*\0" + struct.pack("<I", 8) + directory + b"".join(strips) + behind


PNGS: Final[dict[str, Callable[[], bytes]]] = {
    "1 bit": lambda: saved(PICTURE.convert("1"), "PNG"),
    "2 bits": lambda: saved(PICTURE.quantize(4), "PNG", bits=2),
    "4 bits": lambda: saved(PICTURE.quantize(16), "PNG", bits=4),
    "grey": lambda: saved(PICTURE, "PNG"),
    "16 bits": lambda: saved(sixteen_bits(), "PNG"),
    "palette": lambda: saved(PICTURE.convert("P"), "PNG"),
    "colour": lambda: saved(PICTURE.convert("RGB"), "PNG"),
    "transparent": lambda: saved(on_glass(), "PNG"),
    "transparent colour": lambda: saved(on_glass().convert("RGBA"), "PNG"),
    "transparent white": keyed,
    "light on transparent": lambda: saved(on_glass(ink=255), "PNG"),
    "interlaced": interlaced,
}

TIFFS: Final[dict[str, Callable[[], bytes]]] = {
    "1 bit": lambda: saved(PICTURE.convert("1"), "TIFF"),
    "group 3": lambda: saved(PICTURE.convert("1"), "TIFF", compression="group3"),
    "group 4": lambda: saved(PICTURE.convert("1"), "TIFF", compression="group4"),
    "group 4 in strips": lambda: saved(PICTURE.convert("1"), "TIFF", compression="group4", strip_size=512),
    "packbits": lambda: saved(PICTURE, "TIFF", compression="packbits"),
    "grey": lambda: saved(PICTURE, "TIFF"),
    "white is zero": lambda: saved(PICTURE, "TIFF", tiffinfo={262: 0}),
    "lzw": lambda: saved(PICTURE, "TIFF", compression="tiff_lzw"),
    "deflate": lambda: saved(PICTURE.convert("RGB"), "TIFF", compression="tiff_adobe_deflate"),
    "jpeg": lambda: saved(PICTURE.convert("RGB"), "TIFF", compression="jpeg", quality=95),
    "tiled": lambda: saved(PICTURE, "TIFF", compression="tiff_lzw", tiled=True),
    "16 bits": lambda: saved(sixteen_bits(), "TIFF"),
    "palette": lambda: saved(PICTURE.convert("P"), "TIFF"),
    "colour": lambda: saved(PICTURE.convert("RGB"), "TIFF"),
    "four inks": lambda: saved(PICTURE.convert("RGB").convert("CMYK"), "TIFF"),
    "transparent": lambda: saved(on_glass().convert("RGBA"), "TIFF"),
    "big": lambda: saved(PICTURE, "TIFF", big_tiff=True),
    "three pages": lambda: pages(3),
}

ALL: Final = {f"png {name}": made for name, made in PNGS.items()} | {
    f"tiff {name}": made for name, made in TIFFS.items()
}
"""All kinds of both."""


@st.composite
def damaged_images(draw: st.DrawFn) -> bytes:
    """Return an image of any kind with up to eight wrong bytes, many of them near its beginning."""
    whole = bytearray(ALL[draw(st.sampled_from(sorted(ALL)))]())
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.one_of(st.integers(0, 127), st.integers(0, len(whole) - 1)))
        whole[place : place + 1] = bytes([draw(st.integers(0, 255))])
    return bytes(whole)
