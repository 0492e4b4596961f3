"""What a damaged mask hides looks like blank paper: its page is noted."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image

from ocrwatch.splitting.pdf_image_data import NOTE
from tests.pdf_files import Sheet, jpeg_image, made, text
from tests.unit.splitting.splitting import opened
from tests.unit.splitting.test_pdf_image_data import (
    BESIDE_TEXT,
    FAX,
    GRAY,
    HEIGHT,
    JPEG,
    JPX,
    ON_A_LINE,
    PACKED,
    SMALL,
    WIDTH,
    codes_of,
    deflated,
    fax,
    jpeg_2000,
)

INK = deflated(bytes(len(GRAY)))
TINY = Image.new("1", (9, 9), 1)


def masked(mask: Mapping[str, Any], kind: str = "SMask", content: str = ON_A_LINE, **saving: Any) -> bytes:
    """Return a PDF whose page shows ink through a mask."""
    with Pdf.open(io.BytesIO(made([Sheet(content, SMALL, image=INK), Sheet(text([(9, 250, "Next")]), SMALL)]))) as pdf:
        facts = dict(mask)
        stream = Stream(pdf, facts.pop("data"), Type=Name.XObject, Subtype=Name.Image)
        for key, value in facts.items():
            stream[f"/{key}"] = value
        pdf.pages[0].Resources.XObject.Im[f"/{kind}"] = pdf.make_indirect(stream)
        # Some writers give all pages the same resources.
        pdf.pages[1].Resources.XObject = pdf.pages[0].Resources.XObject
        file = io.BytesIO()
        pdf.save(file, **saving)
    return file.getvalue()


def stencil(codes: bytes) -> dict[str, Any]:
    """Return a mask of black and white."""
    facts = fax(codes) | {"ImageMask": True}
    del facts["ColorSpace"]
    return facts


WHOLE = {
    "one colour": (deflated(bytes([255]) * len(GRAY)), "SMask"),
    "deflated": (deflated(GRAY), "SMask"),
    "group 4": (fax(FAX), "SMask"),
    "stencil": (stencil(FAX), "Mask"),
    "jpeg": (jpeg_image(JPEG, WIDTH, HEIGHT, gray=True), "SMask"),
    "jpeg 2000": (jpeg_2000(JPX), "SMask"),
    "small": (fax(codes_of(TINY)[:1], TINY), "SMask"),
    "another kind of object": ({"data": b"", "Width": Name.Width}, "SMask"),
}
DAMAGED = {
    "early end": (deflated(b"") | {"data": PACKED[:600]}, "SMask"),
    "no zlib stream": (deflated(b"") | {"data": b"junk" * 99}, "SMask"),
    "group 4": (fax(FAX[: len(FAX) // 3]), "SMask"),
    "stencil": (stencil(FAX[: len(FAX) // 3]), "Mask"),
    "jpeg": (jpeg_image(JPEG[: len(JPEG) // 2], WIDTH, HEIGHT, gray=True), "SMask"),
    "no jpeg": (jpeg_image(b"junk" * 99, WIDTH, HEIGHT, gray=True), "SMask"),
    "jpeg 2000": (jpeg_2000(JPX[:1500]), "SMask"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_mask_changes_nothing(kind: str) -> None:
    """Whatever it hides."""
    with opened(masked(*WHOLE[kind])) as split:
        assert split.page()[0].notes == ()


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_mask_is_noted(kind: str) -> None:
    """On the page that shows its image, and not on another that has the same resources."""
    with opened(masked(*DAMAGED[kind])) as split:
        assert split.page(1)[0].notes == (NOTE,)
        assert split.page(2)[0].notes == ()


def test_a_mask_is_found_wherever_it_is() -> None:
    """In a PDF that anyone can open but not change, in one that is repaired, and in parts that are drawn as one."""
    mask = DAMAGED["early end"][0]
    locked = masked(mask, encryption=pikepdf.Encryption(user="", owner="owner"))
    plain = masked(mask, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    with Pdf.open(io.BytesIO(plain)) as pdf:
        page = pdf.pages[0].obj
        form = Stream(pdf, page.Contents.read_bytes(), Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, *SMALL]))
        form.Resources = page.Resources
        page.Resources = Dictionary(XObject=Dictionary(F=pdf.make_indirect(form)))
        page.Contents = Stream(pdf, b"/F Do")
        file = io.BytesIO()
        pdf.save(file)
    for data in (locked, plain[: plain.rindex(b"startxref")], file.getvalue()):
        with opened(data) as split:
            assert NOTE in split.page()[0].notes


def test_the_mask_of_an_image_beside_text_is_checked() -> None:
    """The page keeps its text."""
    with opened(masked(DAMAGED["group 4"][0], content=BESIDE_TEXT)) as split:
        said, _ = split.page()
    assert said.packed
    assert said.notes == (NOTE,)
