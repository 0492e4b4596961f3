"""An image of a PDF that is decoded in part is noted, and one that is whole is not."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageChops
from PIL.TiffImagePlugin import STRIPBYTECOUNTS, STRIPOFFSETS, TiffImageFile

from ocrwatch.cache.codec import unpack
from ocrwatch.pillow_images import group_4_strips
from ocrwatch.splitting.pdf_image_data import NOTE, UNKNOWN_NOTE
from tests.images import PICTURE
from tests.pdf_files import Sheet, jpeg_image, made, text
from tests.unit.splitting.splitting import opened

WIDTH, HEIGHT = PICTURE.size
GRAY = PICTURE.tobytes()
COLOURS = PICTURE.convert("RGB").tobytes()
BLACK_AND_WHITE = PICTURE.convert("1")
BITS = BLACK_AND_WHITE.tobytes()
PACKED = zlib.compress(GRAY)
BESIDE_TEXT = text([(9, 250, "Dear Sir")]) + " q 100 0 0 100 9 9 cm /Im Do Q"
SMALL = (200.0, 280.0)
ON_A_LINE = "0 30 200 3 re f q 200 0 0 266 0 14 cm /Im Do Q"


def notes_of(image: dict[str, Any]) -> tuple[str, ...]:
    """Return the notes of a page that shows an image, and something else."""
    with opened(made([Sheet(ON_A_LINE, SMALL, image=image)])) as split:
        notes: tuple[str, ...] = split.page()[0].notes
    return notes


def deflated(samples: bytes, bits: int = 8, space: Any = Name.DeviceGray, **more: Any) -> dict[str, Any]:
    """Return an image with FlateDecode."""
    return {
        "Width": WIDTH, "Height": HEIGHT, "BitsPerComponent": bits, "ColorSpace": space,
        "Filter": Name.FlateDecode, "data": zlib.compress(samples), **more,
    }  # fmt: skip


def predicted(samples: bytes) -> bytes:
    """Return rows that are stored as the difference from the row above."""
    rows = np.frombuffer(samples, np.uint8).reshape(HEIGHT, -1)
    above = np.concatenate([np.zeros((1, rows.shape[1]), np.uint8), rows[:-1]])
    return np.concatenate([np.full((HEIGHT, 1), 2, np.uint8), rows - above], 1).tobytes()


def predictor(colours: int, bits: int) -> Dictionary:
    """Return the parameters of such rows."""
    return Dictionary(Predictor=15, Colors=colours, Columns=WIDTH, BitsPerComponent=bits)


def fax(codes: bytes, image: Image.Image = BLACK_AND_WHITE, **more: Any) -> dict[str, Any]:
    """Return an image with Group 4 codes."""
    return {
        "Width": image.width, "Height": image.height, "BitsPerComponent": 1, "ColorSpace": Name.DeviceGray,
        "Filter": Name.CCITTFaxDecode, "data": codes,
        "DecodeParms": Dictionary(K=-1, Columns=image.width, Rows=image.height, **more),
    }  # fmt: skip


def codes_of(image: Image.Image) -> bytes:
    """Return an image as Group 4."""
    (codes,) = group_4_strips(ImageChops.invert(image), image.height)
    return codes


def saved(image: Image.Image, kind: str) -> bytes:
    """Save with Pillow."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def jpeg_2000(data: bytes) -> dict[str, Any]:
    """Return an image with JPXDecode."""
    return deflated(b"") | {"Filter": Name.JPXDecode, "data": data}


def group_3(compression: str, **more: Any) -> dict[str, Any]:
    """Return an image with Group 3 codes, line by line."""
    file = io.BytesIO()
    ImageChops.invert(BLACK_AND_WHITE).save(file, "TIFF", compression=compression, strip_size=10**6)
    file.seek(0)
    with TiffImageFile(file) as tiff:
        (start,), (length,) = tiff.tag_v2[STRIPOFFSETS], tiff.tag_v2[STRIPBYTECOUNTS]
        codes = file.getvalue()[start : start + length]
    return fax(codes) | {"DecodeParms": Dictionary(K=0, Columns=WIDTH, Rows=HEIGHT, **more)}


def jbig2(codes: bytes) -> bytes:
    """Return an image as JBIG2: a page, and a region of Group 4 codes."""
    region = struct.pack(">IIIIBB", WIDTH, HEIGHT, 0, 0, 0, 1) + codes
    parts = [(0, 48, struct.pack(">IIIIBH", WIDTH, HEIGHT, 0, 0, 0, 0)), (1, 38, region)]
    return b"".join(struct.pack(">IBBBI", number, kind, 0, 1, len(data)) + data for number, kind, data in parts)


def in_jbig2(data: bytes) -> dict[str, Any]:
    """Return an image with JBIG2Decode."""
    return deflated(b"", 1) | {"Filter": Name.JBIG2Decode, "data": data}


def with_hole(data: bytes, at: float, length: int) -> bytes:
    """Return data in which zeros are instead of some bytes."""
    start = int(len(data) * at)
    return (data[:start] + bytes(length) + data[start + length :])[: len(data)]


FAX = codes_of(BLACK_AND_WHITE)
FIRST_WRONG = bytes([FAX[0] ^ 0x55]) + FAX[1:]
ONE_WRONG = FAX[: len(FAX) // 2] + bytes([FAX[len(FAX) // 2] ^ 0x55]) + FAX[len(FAX) // 2 + 1 :]
RUNS = group_3("tiff_ccitt", EncodedByteAlign=True)
LINES = group_3("group3", EndOfLine=True)
JBIG2 = jbig2(FAX)
BLUE = Array([Name.Indexed, Name.DeviceRGB, 1, b"\x00\x00\xff\xff\xff\xff"])
BLANK = Image.new("1", (2480, 3508), 1)
JPEG = saved(PICTURE, "JPEG")
JPX = saved(PICTURE, "JPEG2000")

WHOLE = {
    "grey": deflated(GRAY),
    "colours": deflated(COLOURS, space=Name.DeviceRGB),
    "1 bit": deflated(BITS, 1),
    "4 bits": deflated(bytes(-(-WIDTH // 2) * HEIGHT), 4),
    "16 bits": deflated(np.frombuffer(GRAY, np.uint8).repeat(2).tobytes(), 16),
    "palette": deflated(GRAY, space=Array([Name.Indexed, Name.DeviceRGB, 255, bytes(768)])),
    "palette of 1 bit": deflated(BITS, 1, Array([Name.Indexed, Name.DeviceRGB, 1, bytes(3) + b"\xff" * 3])),
    "predictor": deflated(predicted(COLOURS), space=Name.DeviceRGB, DecodeParms=predictor(3, 8)),
    "predictor of 1 bit": deflated(predicted(BITS), 1, DecodeParms=predictor(1, 1)),
    "more rows": deflated(GRAY + bytes(9000)),
    "without its checksum": deflated(b"") | {"data": PACKED[:-4]},
    "two filters": deflated(b"")
    | {"Filter": Array([Name.ASCIIHexDecode, Name.FlateDecode]), "data": PACKED.hex().encode() + b">"},
    "group 4": fax(FAX),
    "group 4, black is 1": fax(FAX, BlackIs1=True),
    "group 4 with more behind its end": fax(FAX + bytes(range(256)) * (1 + len(FAX) // 256)),
    "group 4 in blue": fax(FAX) | {"ColorSpace": BLUE},
    "group 3": LINES,
    "group 3 without ends of lines": RUNS,
    "jbig2": in_jbig2(JBIG2),
    "jbig2, and the end of a line": in_jbig2(JBIG2 + b"\r\n"),
    "blank group 4": fax(codes_of(BLANK), BLANK),
    "jpeg": jpeg_image(JPEG, WIDTH, HEIGHT, gray=True),
    "jpeg 2000": jpeg_2000(JPX),
}
DAMAGED = {
    "early end": deflated(b"") | {"data": PACKED[:600]},
    "zeros": deflated(b"") | {"data": PACKED[:600] + bytes(len(PACKED) - 600)},
    "no zlib stream": deflated(b"") | {"data": b"junk" * 99},
    "fewer rows": deflated(GRAY[: len(GRAY) * 2 // 3]),
    "much too long": deflated(bytes(20_000_000)),
    "fewer rows, two filters": deflated(b"")
    | {"Filter": Array([Name.ASCIIHexDecode, Name.FlateDecode]), "data": PACKED[:600].hex().encode() + b">"},
    "early end of group 4": fax(FAX[: len(FAX) // 3]),
    "zeros in group 4": fax(FAX[: len(FAX) // 2] + bytes(len(FAX) // 2)),
    "first byte of group 4": fax(FIRST_WRONG),
    "one byte of group 4": fax(ONE_WRONG),
    "zeros in group 3": {**LINES, "data": with_hole(LINES["data"], 0.5, 10**6)},
    "early end of group 3": {**LINES, "data": LINES["data"][: len(LINES["data"]) // 2]},
    "early end of group 3 without ends of lines": {**RUNS, "data": RUNS["data"][: len(RUNS["data"]) // 2]},
    "early end of jbig2": in_jbig2(JBIG2[: len(JBIG2) // 2]),
    "zeros in jbig2": in_jbig2(with_hole(JBIG2, 0.3, 64)),
    "no region in jbig2": in_jbig2(JBIG2 + JBIG2[:9]),
    "zeros in jpeg 2000": jpeg_2000(with_hole(JPX, 0.3, 300)),
    "zeros at the end of jpeg 2000": jpeg_2000(with_hole(JPX, 0.6, 10**6)),
    "jpeg": jpeg_image(JPEG[: len(JPEG) // 2] + b"\xff\xd9", WIDTH, HEIGHT, gray=True),
}
UNKNOWN = {
    "filter": deflated(GRAY, Filter=Name.FutureDecode),
    "early end of jpeg 2000": jpeg_2000(JPX[:1500]),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_image_is_not_noted(kind: str) -> None:
    """Whatever its filter, bits, colours and predictor."""
    assert notes_of(WHOLE[kind]) == ()


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_image_is_noted(kind: str) -> None:
    """A part of it is shown, and pdfium says nothing."""
    assert notes_of(DAMAGED[kind]) == (NOTE,)


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_image_that_cannot_be_decoded_is_noted(kind: str) -> None:
    """What the page shows in its place is read."""
    assert notes_of(UNKNOWN[kind]) == (UNKNOWN_NOTE,)


@pytest.mark.parametrize("kind", ["zeros", "jpeg", "early end of jpeg 2000"])
def test_a_damaged_image_beside_text_is_noted(kind: str) -> None:
    """The page keeps the text that it has of its own."""
    sheet = Sheet(BESIDE_TEXT, SMALL, image=(DAMAGED | UNKNOWN)[kind])
    with opened(made([sheet])) as split:
        said, _ = split.page()
    assert unpack(said.packed).text == "Dear Sir\n"
    assert said.notes == (UNKNOWN_NOTE if kind in UNKNOWN else NOTE,)
