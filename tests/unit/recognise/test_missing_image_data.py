"""Image data with a part missing is damaged; blank paper is not."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from PIL import Image

from ocrwatch import jpeg_markers
from ocrwatch.errors import Damaged
from ocrwatch.recognise.decode import decode
from ocrwatch.recognise.missing_image_data import find_hole
from tests.rendering import draw

PAGE = draw("\n".join(["Some words on a page of paper, and more"] * 20), size=24)


def saved(image: Image.Image, **options: Any) -> bytes:
    """Return a JPEG."""
    data = io.BytesIO()
    image.save(data, "JPEG", **{"quality": 85, **options})
    return data.getvalue()


def with_hole(jpeg: bytes, size: int, chance: random.Random) -> bytes:
    """Put zeros into the image data."""
    structure = jpeg_markers.walk(jpeg)
    assert structure.scan is not None
    assert structure.end is not None
    at = chance.randrange(structure.scan, structure.end - size)
    return jpeg[:at] + bytes(size) + jpeg[at + size :]


@pytest.mark.parametrize("size", [64, 65, 100, 512, 4096])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_zeros_in_the_image_data_are_damage(size: int, mode: str) -> None:
    """Wherever the hole is, and although most decoders would show a page with a grey stripe."""
    jpeg, chance = saved(PAGE.convert(mode)), random.Random(size)
    for _ in range(20):
        with pytest.raises(Damaged):
            decode(with_hole(jpeg, size, chance), max_pixels=10**8)


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("paper", [0, 128, 255])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_blank_paper_is_no_damage(options: dict[str, Any], paper: int, mode: str) -> None:
    """A page of one colour is thousands of equal codes; with tables of its own these are zeros."""
    jpeg = saved(Image.new("L", (1600, 2200), paper).convert(mode), **options)
    assert decode(jpeg, max_pixels=10**8).gray.shape == (2200, 1600)


def test_zeros_that_mean_blank_paper_are_known_by_the_tables() -> None:
    """Of this page the data really has zeros in a row, so that the length alone would be a false alarm."""
    page = Image.new("L", (3000, 4000), 255)
    page.paste(PAGE, (100, 100))
    jpeg = saved(page, optimize=True)
    structure = jpeg_markers.walk(jpeg)
    assert jpeg.find(bytes(64), structure.scan, structure.end) >= 0
    assert find_hole(jpeg, structure) is None
    decode(jpeg, max_pixels=10**8)


def test_odd_headers_are_not_judged() -> None:
    """Cut anywhere, and with every byte of the header changed, it answers without an error."""
    jpeg = with_hole(saved(PAGE), 64, random.Random(1))
    structure = jpeg_markers.walk(jpeg)
    assert structure.scan is not None
    for at in range(structure.scan):
        changed = jpeg[:at] + bytes([jpeg[at] ^ 0xFF]) + jpeg[at + 1 :]
        find_hole(changed, jpeg_markers.walk(changed))
        find_hole(jpeg[:at], jpeg_markers.walk(jpeg[:at]))
