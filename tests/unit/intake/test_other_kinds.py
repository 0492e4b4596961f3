"""A whole PNG or TIFF is told from half of one."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import given

from ocrwatch.intake.completeness import Completeness, completeness
from ocrwatch.intake.png import is_whole as is_whole_png
from tests.images import ALL, damaged_images, interlaced, pages, png_chunk


@pytest.fixture(scope="module")
def descriptor() -> Iterator[int]:
    """Make a file in memory."""
    file = os.memfd_create("scan")
    yield file
    os.close(file)


def judge(descriptor: int, data: bytes) -> Completeness:
    """Look at a file with this content."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)
    return completeness(descriptor, len(data))


@pytest.mark.parametrize("kind", ALL)
def test_a_whole_file_is_told_from_each_beginning_of_it(descriptor: int, kind: str) -> None:
    """Whatever it is made of, only all of it is whole."""
    data = ALL[kind]()
    assert judge(descriptor, data) is Completeness.WHOLE
    step = max(1, len(data) // 300)
    # The last page of several is followed by space up to the next multiple of 16.
    last = len(data) - (16 if "pages" in kind else 0)
    for length in (*range(1, last, step), last - 1):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data[:length], 0)
        assert completeness(descriptor, length) is Completeness.PARTIAL, length


@pytest.mark.parametrize("kind", ["png grey", "tiff grey", "tiff group 4"])
def test_space_that_is_not_filled_yet(descriptor: int, kind: str) -> None:
    """A client may reserve all of the file first; where the file system knows, the rest is a hole."""
    data = ALL[kind]()
    os.ftruncate(descriptor, 0)
    os.ftruncate(descriptor, len(data) + (1 << 20))
    assert completeness(descriptor, len(data) + (1 << 20)) is Completeness.PARTIAL
    os.pwrite(descriptor, data[: len(data) // 2], 0)
    assert completeness(descriptor, len(data)) is Completeness.PARTIAL


def test_what_follows_the_image_is_no_part_of_it(descriptor: int) -> None:
    """Trailing bytes after IEND do not make it incomplete."""
    assert judge(descriptor, interlaced() + b"trailer") is Completeness.WHOLE


def test_chunks_without_end_take_no_time(descriptor: int) -> None:
    """A hostile file of a million empty chunks is left to the decoder."""
    data = interlaced()[:-12] + png_chunk(b"teXt", b"") * 200_000
    assert judge(descriptor, data) is Completeness.WHOLE


def test_a_tiff_whose_writer_fills_in_the_first_directory_last(descriptor: int) -> None:
    """Until then the header names none."""
    data = ALL["tiff lzw"]()
    assert judge(descriptor, data[:4] + bytes(4) + data[8:]) is Completeness.PARTIAL


def test_directories_in_a_circle_end(descriptor: int) -> None:
    """A directory that names itself as the next one is looked at once."""
    data = bytearray(pages(2))
    first = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[first : first + 2], "little")
    at = first + 2 + 12 * entries
    data[at : at + 4] = first.to_bytes(4, "little")
    assert judge(descriptor, bytes(data)) is Completeness.WHOLE


@given(data=damaged_images())
def test_damage_is_judged_without_an_error(data: bytes) -> None:
    """Whatever offsets and counts a file has, there is an answer."""
    file = os.memfd_create("damaged")
    try:
        assert judge(file, data) in Completeness
        is_whole_png(file, len(data))
    finally:
        os.close(file)


def test_a_hostile_tiff_takes_no_time(descriptor: int) -> None:
    """A thousand directories that name the same quarter of a million strips are not all followed."""
    entries = b"".join(struct.pack("<HHII", tag, 1, 1 << 18, 8) for tag in (273, 279, 324, 325))
    length = 2 + len(entries) + 4
    first = 8 + (1 << 18)
    directories = [
        struct.pack("<H", 4) + entries + struct.pack("<I", first + length * (number + 1)) for number in range(1000)
    ]
    data = b"II*\0" + struct.pack("<I", first) + b"\1" * (1 << 18) + b"".join(directories)
    begun = time.process_time()
    judge(descriptor, data + bytes(100))
    assert time.process_time() - begun < 1
