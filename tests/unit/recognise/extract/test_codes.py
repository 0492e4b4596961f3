"""Bar codes and QR codes are found where they are printed."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from ocrwatch.document import LONGEST_CODE, Box, Code, CodeKind
from ocrwatch.recognise.decode import decode
from ocrwatch.recognise.extract.codes import find_codes
from ocrwatch.recognise.page_view import REDUCE_FROM
from tests.code_images import code_image, with_code
from tests.rendering import draw, encode
from tests.unit.recognise.extract.sheets import PROSE

SIZE = (1654, 2339)
"""A4 at 200 dpi."""
TEXTS: tuple[tuple[CodeKind, str], ...] = (("code128", "Ab-1234"), ("code39", "ASN00123"), ("qr", "TAG:invoice"))


def blank(size: tuple[int, int] = SIZE) -> Image.Image:
    """Make an empty page."""
    return Image.new("L", size, 255)


def found_on(image: Image.Image, *, quality: int = 85) -> tuple[Code, ...]:
    """Find the codes of a page that was saved as a JPEG."""
    return find_codes(decode(encode(image, quality=quality), max_pixels=10**9, reduce_from=REDUCE_FROM))


def assert_at(found: Box, true: Box, *, within: float = 12) -> None:
    """Check that a box is where a code is: a bar code may be read in a part of its height."""
    assert found.left == pytest.approx(true.left, abs=within)
    assert found.right == pytest.approx(true.right, abs=within)
    assert true.top - within <= found.top < found.bottom <= true.bottom + within
    assert found.bottom - found.top > 0.8 * (true.bottom - true.top)


@pytest.mark.parametrize(("kind", "text"), TEXTS)
@pytest.mark.parametrize("scale", [0.75, 1.0, 1.5, 3.0])
def test_a_code_is_found_at_its_place(kind: CodeKind, text: str, scale: float) -> None:
    """At 150, 200, 300 and 600 dpi; the last is decoded at half its size. The box is in the scan's pixels."""
    width, height = round(SIZE[0] * scale), round(SIZE[1] * scale)
    page = blank((width, height))
    box = with_code(page, code_image(kind, text, module=round(4 * scale)), width // 3, height // 2)
    (code,) = found_on(page)
    assert (code.kind, code.text) == (kind, text)
    assert_at(code.box, box, within=12 * scale)


@pytest.mark.parametrize(("kind", "text"), TEXTS)
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_code_that_lies_on_its_side_is_found(kind: CodeKind, text: str, degrees: int) -> None:
    """Its corners begin at the top left of the upright code, and go round it clockwise."""
    image = code_image(kind, text).rotate(degrees, expand=True)
    page = blank()
    box = with_code(page, image, 500, 700)
    (code,) = found_on(page)
    assert code.text == text
    expected = _turned_corners(box, degrees // 90)
    points = zip(code.corners[::2], code.corners[1::2], strict=True)
    for point, place in zip(points, expected, strict=True):
        assert point == pytest.approx(place, abs=16)


def _turned_corners(box: Box, turns: int) -> list[tuple[int, int]]:
    """Return the corners of a code that was turned counterclockwise, from what was its top left one, clockwise."""
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    return corners[-turns % 4 :] + corners[: -turns % 4]


@pytest.mark.parametrize(("kind", "text"), TEXTS)
@pytest.mark.parametrize("degrees", [-5.0, 3.0, 182.0, 93.0])
def test_a_skewed_page_has_its_codes(kind: CodeKind, text: str, degrees: float) -> None:
    """As scanners draw it in."""
    page = blank()
    with_code(page, code_image(kind, text, height=200), 500, 1000)
    (code,) = found_on(page.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255))
    assert code.text == text


def test_codes_are_in_order_and_each_is_there_once() -> None:
    """From top to bottom, then from left to right, whatever their kind."""
    page = blank()
    places = {
        ("qr", "c"): (300, 900),
        ("code39", "A"): (900, 200),
        ("code128", "b"): (700, 900),
        ("qr", "d"): (200, 1500),
    }
    for (kind, text), place in places.items():
        with_code(page, code_image(kind, text, module=6), *place)  # type: ignore[arg-type]
    assert [(code.kind, code.text) for code in found_on(page)] == [
        ("code39", "A"),
        ("qr", "c"),
        ("code128", "b"),
        ("qr", "d"),
    ]


def test_equal_codes_at_different_places_are_several() -> None:
    """Each has its box."""
    page = blank()
    for top in (300, 900, 1500):
        with_code(page, code_image("code128", "SAME"), 400, top)
    assert [code.box.top // 100 for code in found_on(page)] == [3, 9, 15]


def test_the_orientation_of_the_file_is_applied() -> None:
    """Boxes are in upright pixels."""
    page = blank()
    box = with_code(page, code_image("qr", "upright"), 300, 400)
    (code,) = find_codes(decode(encode(page, exif_orientation=6), max_pixels=10**9))
    assert_at(code.box, box)


def test_a_page_of_text_has_no_codes() -> None:
    """Nor has an empty or a noisy one, or one of lines."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, SIZE[::-1], np.uint8))
    lines = np.full(SIZE[::-1], 255, np.uint8)
    lines[:, ::7] = 0
    for page in (draw("\n".join(PROSE * 5)), blank(), noise, Image.fromarray(lines)):
        assert found_on(page) == ()


@pytest.mark.parametrize("kind", ["EAN13", "ITF", "DataMatrix", "Code93"])
def test_other_kinds_are_not_looked_for(kind: str) -> None:
    """They cost time, and are not on documents."""
    drawn = zxingcpp.write_barcode_to_image(
        zxingcpp.create_barcode(
            "4006381333931" if kind == "EAN13" else "123456", getattr(zxingcpp.BarcodeFormat, kind)
        ),
        scale=4,
    )
    page = blank()
    page.paste(Image.fromarray(np.asarray(drawn)), (400, 400))
    assert found_on(page) == ()


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 5), (801, 403)])
def test_a_page_of_any_size_can_be_searched(size: tuple[int, int]) -> None:
    """Also one that is a single pixel."""
    content = io.BytesIO()
    blank(size).save(content, "PNG")
    assert find_codes(decode(content.getvalue(), max_pixels=10**9)) == ()


def test_a_code_may_have_any_bytes() -> None:
    """They are text all the same, control characters among it."""
    content = b"\x00\x1b]0;\xff\xed\xa0\x80$(reboot)\r\n"
    drawn = zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.QRCode), scale=6)
    page = blank()
    page.paste(Image.fromarray(np.asarray(drawn)), (400, 400))
    (code,) = found_on(page)
    assert code.text.startswith("\x00\x1b]0;")
    assert "$(reboot)\r\n" in code.text
    code.text.encode("utf-8")


class _Barcode(SimpleNamespace):
    """What a library might return."""

    @property
    def text(self) -> str:
        if self.broken:
            raise UnicodeDecodeError("utf-8", b"", 0, 1, "invalid")
        return "x" * 10**6


def _returned(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let the library return one odd barcode in each search."""
    point = SimpleNamespace(x=10**7, y=-50)
    position = SimpleNamespace(top_left=point, top_right=point, bottom_right=point, bottom_left=point)
    values = {"valid": True, "symbology": zxingcpp.BarcodeFormat.QRCode, "position": position, "bytes": b"\xff1"}
    barcode = _Barcode(**{"broken": False, **values, **changes})
    monkeypatch.setattr(zxingcpp, "read_barcodes", lambda *_, **__: [barcode])


def test_what_the_library_returns_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text has no more than a QR code holds, and a box lies on the page and has a pixel at least."""
    _returned(monkeypatch)
    for code in found_on(blank((300, 200))):
        assert len(code.text) == LONGEST_CODE
        assert code.box in {Box(299, 0, 300, 1), Box(0, 199, 1, 200)}


def test_a_text_that_is_none_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is not lost."""
    _returned(monkeypatch, broken=True)
    assert {code.text for code in found_on(blank((300, 200)))} == {"\\xff1"}


@pytest.mark.parametrize("changes", [{"valid": False}, {"symbology": zxingcpp.BarcodeFormat.Aztec}])
def test_codes_that_were_not_asked_for_are_left_out(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged ones, and those of other kinds."""
    _returned(monkeypatch, **changes)
    assert found_on(blank((300, 200))) == ()
