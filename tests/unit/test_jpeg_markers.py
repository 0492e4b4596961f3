"""The structure of a JPEG is found whatever its header segments claim, and in time in proportion to its size."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocrwatch import jpeg_markers
from tests import odd_jpegs as odd
from tests.rendering import encode, render

SCAN = render("Some words", size=20)
MILLION = 1_000_000


def tables(jpeg: bytes) -> list[bytes]:
    """Return the segments that decide the pixels."""
    needed = {jpeg_markers.DQT, jpeg_markers.DHT, jpeg_markers.SOS, *jpeg_markers.START_OF_FRAME}
    return [jpeg[each.start : each.data_end] for each in jpeg_markers.walk(jpeg).segments if each.marker in needed]


@pytest.mark.parametrize("longer", [*range(-70, 70, 7), 200, 500, 700, 3000])
@pytest.mark.parametrize("marker", [jpeg_markers.APP1, 0xE2, 0xED, 0xFE])
def test_a_wrong_length_leads_past_nothing(marker: int, longer: int) -> None:
    """However long a free-form segment claims to be, the tables behind it are found, and none within a thumbnail."""
    thumbnail = encode(Image.new("L", (64, 48), 90), quality=30)
    body = b"Exif\0\0II*\0" + bytes(80) + thumbnail + bytes(range(80))
    if len(body) + 2 + longer < 2:
        return
    assert tables(odd.behind_start(SCAN, odd.segment(marker, body, longer=longer))) == tables(SCAN)


def test_a_wrong_length_that_leads_to_another_segment_skips_no_table() -> None:
    """A length that ends by chance where another segment begins is not believed if tables are missing then."""
    comment = odd.segment(0xFE, b"words")
    jpeg = odd.behind_first_segment(SCAN, comment)
    behind = [each for each in jpeg_markers.walk(jpeg).segments if each.start > jpeg.index(comment)]
    longer = behind[1].start - behind[0].start
    wrong = odd.behind_first_segment(SCAN, odd.segment(0xFE, b"words", longer=longer))
    assert tables(wrong) == tables(SCAN)
    assert jpeg_markers.walk(wrong).odd


def test_the_rest_of_a_file_is_not_the_images() -> None:
    """The structure ends with the image, whatever follows."""
    structure = jpeg_markers.walk(SCAN + b"\xff\xe1\0\x08more\xff\xda" + SCAN)
    assert (structure.end, structure.stop) == (len(SCAN) - 2, len(SCAN) - 2)
    assert jpeg_markers.walk(odd.samsung(SCAN)).end is None


def test_a_second_image_has_a_structure_of_its_own() -> None:
    """The walk may begin anywhere in the file."""
    first, second = jpeg_markers.walk(SCAN), jpeg_markers.walk(SCAN + SCAN, len(SCAN))
    assert second.end is not None
    assert second.end == len(SCAN) + (first.end or 0)
    assert second.frame == first.frame


def test_a_sound_image_is_rebuilt_without_change_to_its_pixels() -> None:
    """What is rebuilt has the same tables, frame and data, and walks like the original."""
    rebuilt = jpeg_markers.rebuilt(SCAN, jpeg_markers.walk(SCAN))
    assert tables(rebuilt) == tables(SCAN)
    assert jpeg_markers.rebuilt(rebuilt, jpeg_markers.walk(rebuilt)) == rebuilt


HOSTILE: dict[str, Callable[[], bytes]] = {
    "fill": lambda: b"\xff" * 4 * MILLION,
    "standalone markers": lambda: b"\xff\xd0" * MILLION,
    "empty comments": lambda: b"\xff\xfe\0\x02" * MILLION,
    "comments with junk": lambda: b"\xff\xfe\0\x02x" * MILLION,
    "starts of images": lambda: b"\xff\xd8\xff" * MILLION,
    "small images": lambda: b"x\xff\xd8\xff\xd9" * MILLION,
    "long comments": lambda: (b"\xff\xfe\xff\xff" + bytes(40)) * 50_000,
    "tables": lambda: odd.segment(jpeg_markers.DQT, b"\0" * 65) * 50_000,
    "scans": lambda: odd.segment(jpeg_markers.SOS, b"\1\1\0\0\x3f\0") * 300_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("scanned", [False, True])
def test_hostile_files_are_walked_in_little_time(kind: str, *, scanned: bool) -> None:
    """Megabytes of what makes a walk begin anew cost a second at most, in the header and between scans."""
    jpeg = (SCAN[:-2] if scanned else jpeg_markers.SOI) + HOSTILE[kind]() + SCAN[2:]
    begun = time.process_time()
    jpeg_markers.walk(jpeg)
    assert time.process_time() - begun < 2


@given(st.binary(max_size=400), st.integers(0, len(SCAN)), st.integers(0, 100))
def test_no_bytes_make_a_walk_fail(piece: bytes, at: int, lost: int) -> None:
    """Whatever is put into a file, and lost from it, there is a structure, and offsets lie within the file."""
    jpeg = SCAN[:at] + piece + SCAN[at + lost :]
    structure = jpeg_markers.walk(jpeg)
    assert 0 <= structure.stop <= len(jpeg)
    for each in structure.segments:
        assert each.start < each.end <= each.data_end <= len(jpeg)
    if structure.frame is not None and structure.scan is not None:
        jpeg_markers.walk(jpeg_markers.rebuilt(jpeg, structure))
