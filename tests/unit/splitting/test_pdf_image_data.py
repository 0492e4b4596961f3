"""An image of a PDF that is decoded in part is noted, and one that is whole is not."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageChops

from ocrwatch.pillow_images import group_4_strips
from ocrwatch.splitting.pdf_image_data import NOTE, UNKNOWN_NOTE
from tests.images import PICTURE
from tests.pdf_files import Sheet, jpeg_image, made
from tests.unit.splitting.splitting import opened

WIDTH, HEIGHT = PICTURE.size
GRAY = PICTURE.tobytes()
COLOURS = PICTURE.convert("RGB").tobytes()
BLACK_AND_WHITE = PICTURE.convert("1")
BITS = BLACK_AND_WHITE.tobytes()
PACKED = zlib.compress(GRAY)
ON_A_LINE = "0 100 595 9 re f q 595 0 0 800 0 42 cm /Im Do Q"


def notes_of(image: dict[str, Any]) -> tuple[str, ...]:
    """Return the notes of a page that shows an image, and something else."""
    with opened(made([Sheet(ON_A_LINE, image=image)])) as split:
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


FAX = codes_of(BLACK_AND_WHITE)
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


def test_a_soft_mask_changes_nothing() -> None:
    """It may be of one colour."""
    mask = deflated(bytes([255]) * len(GRAY))
    with opened(_masked(mask)) as split:
        assert split.page()[0].notes == ()


def _masked(mask: dict[str, Any]) -> bytes:
    with pikepdf.open(io.BytesIO(made([Sheet(ON_A_LINE, image=deflated(GRAY))]))) as pdf:
        facts = dict(mask)
        stream = pikepdf.Stream(pdf, facts.pop("data"), Type=Name.XObject, Subtype=Name.Image)
        for key, value in facts.items():
            stream[f"/{key}"] = value
        pdf.pages[0].Resources.XObject.Im.SMask = pdf.make_indirect(stream)
        file = io.BytesIO()
        pdf.save(file)
    return file.getvalue()
