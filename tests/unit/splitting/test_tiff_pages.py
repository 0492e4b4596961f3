"""A page of a TIFF becomes a file of its own with the same pixels; a hostile file does no harm."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocrwatch.errors import Damaged, ScanFault, TooLarge, Unsupported
from ocrwatch.recognise.decode import decode
from tests.images import PICTURE, pages, saved, tiff
from tests.unit.splitting.splitting import opened

TURNED = PICTURE.transpose(Image.Transpose.ROTATE_180)


def two(image: Image.Image, other: Image.Image, **options: Any) -> bytes:
    """Return a TIFF of two pages."""
    return saved(image, "TIFF", save_all=True, append_images=[other], **options)


def big_endian() -> bytes:
    """Return a TIFF of two pages in the other byte order, which Pillow has for these pixels only."""
    first, second = (Image.frombytes("I;16B", each.size, sixteen(each)) for each in (PICTURE, TURNED))
    data = two(first, second)
    assert data.startswith(b"MM")
    return data


def sixteen(image: Image.Image) -> bytes:
    """Return pixels of 16 bits, the higher byte first."""
    return bytes((np.asarray(image).astype(">u2") << 8).tobytes())


KINDS = {
    "uncompressed": lambda: two(PICTURE, TURNED),
    "lzw": lambda: two(PICTURE, TURNED, compression="tiff_lzw"),
    "deflate": lambda: two(PICTURE.convert("RGB"), TURNED.convert("RGB"), compression="tiff_adobe_deflate"),
    "group 4": lambda: two(PICTURE.convert("1"), TURNED.convert("1"), compression="group4"),
    "jpeg": lambda: two(PICTURE.convert("RGB"), TURNED.convert("RGB"), compression="jpeg", quality=95),
    "tiles": lambda: two(PICTURE, TURNED, compression="tiff_lzw", tiled=True),
    "palette": lambda: two(PICTURE.convert("P"), TURNED.convert("P")),
    "big tiff": lambda: two(PICTURE, TURNED, big_tiff=True),
    "big endian": big_endian,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_has_the_pixels_that_it_had(kind: str) -> None:
    """Whatever the compression, the byte order and the kind of TIFF; the scan's decoder reads it."""
    data = KINDS[kind]()
    with Image.open(io.BytesIO(data)) as source, opened(data) as split:
        assert split.count == 2
        for number in (2, 1):
            said, image = split.page(number)
            assert (said.ending, said.size, said.packed, said.notes) == ("tif", len(image), b"", ())
            assert image[:4] == data[:4]
            source.seek(number - 1)
            with Image.open(io.BytesIO(image)) as page:
                assert getattr(page, "n_frames", 0) == 1
                assert page.info["dpi"] == source.info["dpi"]
                assert page.mode == source.mode
                assert page.tobytes() == source.tobytes()
            decoded = decode(image, max_pixels=10**8)
            assert (decoded.images, decoded.warnings) == (1, ())


def test_pages_are_those_that_are_no_smaller_copies_and_no_masks() -> None:
    """By NewSubfileType; in a file of copies only, the first one is the page."""
    small = PICTURE.resize((40, 40))
    data = two(PICTURE, small)
    assert page_count(data) == 2
    assert page_count(with_subfile(data, 1, 1)) == 1
    assert page_count(with_subfile(data, 1, 4)) == 1
    assert page_count(with_subfile(data, 1, 2)) == 2
    assert page_count(with_subfile(with_subfile(data, 0, 1), 1, 1)) == 1


def test_a_page_of_the_same_size_is_no_smaller_copy() -> None:
    """Some writers flag all pages, or all but the first one; a flagged page that is nearly as large is a page, too."""
    data = two(PICTURE, TURNED)
    assert page_count(with_subfile(data, 1, 1)) == 2
    assert page_count(with_subfile(with_subfile(data, 0, 1), 1, 1)) == 2
    assert page_count(with_subfile(with_subfile(data, 0, 1), 1, 5)) == 1
    cropped = two(PICTURE, TURNED.crop((9, 9, PICTURE.width, PICTURE.height)))
    assert page_count(with_subfile(cropped, 1, 1)) == 2


def test_a_copy_may_come_before_the_first_page() -> None:
    """It has at most half of each side, rounded up."""
    assert PICTURE.width % 2 or PICTURE.height % 2
    half = (-(-PICTURE.width // 2), -(-PICTURE.height // 2))
    assert page_count(with_subfile(two(PICTURE.resize(half), PICTURE), 0, 1)) == 1
    assert page_count(with_subfile(two(PICTURE.resize((half[0] + 1, half[1])), PICTURE), 0, 1)) == 2


def page_count(data: bytes) -> int:
    """Return the number of pages."""
    with opened(data) as split:
        return split.count


def with_subfile(data: bytes, number: int, kind: int) -> bytes:
    """Return a TIFF of Pillow with this NewSubfileType, in place of the unit of its resolution."""
    changed = bytearray(data)
    at = directories(data)[number]
    # The first tag is the width, 256: there is room for a lower one in place of a tag that is not needed.
    count = struct.unpack_from("<H", data, at)[0]
    entries = [data[at + 2 + 12 * index : at + 14 + 12 * index] for index in range(count)]
    spare = next(index for index, entry in enumerate(entries) if entry[:2] in {b"\xfe\x00", b"\x28\x01"})
    entries[spare] = struct.pack("<HHII", 254, 4, 1, kind)
    entries.sort(key=_tag)
    changed[at + 2 : at + 2 + 12 * count] = b"".join(entries)
    return bytes(changed)


def _tag(entry: bytes) -> int:
    return int.from_bytes(entry[:2], "little")


def directories(data: bytes) -> list[int]:
    """Return the offsets of the directories of a little-endian TIFF."""
    found, at = [], struct.unpack_from("<I", data, 4)[0]
    while at:
        found.append(at)
        at = struct.unpack_from("<I", data, at + 2 + 12 * struct.unpack_from("<H", data, at)[0])[0]
    return found


def test_a_damaged_list_of_pages_leaves_those_before_it() -> None:
    """The rest, however much it was, is one page that is missing: it is not dropped without a word."""
    data = bytearray(pages(3))
    place = directories(bytes(data))[1]
    struct.pack_into("<I", data, place + 2 + 12 * struct.unpack_from("<H", data, place)[0], len(data) + 99)
    with opened(bytes(data)) as split:
        assert split.count == 3
        split.page(1)
        split.page(2)
        with pytest.raises(Damaged, match="from here on"):
            split.page(3)


def test_a_loop_of_pages_ends() -> None:
    """A directory that was seen before ends the list."""
    data = bytearray(pages(2))
    first, second = directories(bytes(data))
    struct.pack_into("<I", data, second + 2 + 12 * struct.unpack_from("<H", data, second)[0], first)
    assert page_count(bytes(data)) == 2


def test_more_pages_than_allowed() -> None:
    """The file is refused."""
    with pytest.raises(TooLarge, match="more than 2 pages"), opened(pages(3), max_pages=2):
        pass


@pytest.mark.parametrize("data", [b"II*\0\0\0\0\0", b"II*\0", b"II*\0\xff\xff\0\0", b"MM\0+\0\x08\0\0" + bytes(8)])
def test_a_file_without_pages_is_damaged(data: bytes) -> None:
    """It is refused as a whole."""
    with pytest.raises(Damaged), opened(data):
        pass


def one_page(tags: dict[int, int], *strips: bytes) -> None:
    """Take the page out of a TIFF."""
    with opened(tiff(4, 4, {258: 8, 259: 1, 262: 1, **tags}, *strips)) as split:
        split.page()


def test_old_jpeg_is_not_supported() -> None:
    """Its tags are offsets into the file; nothing here could decode it either."""
    with pytest.raises(Unsupported, match="number 6"):
        one_page({259: 6}, bytes(16))


def test_data_that_is_not_there() -> None:
    """A page whose strips are not all in the file is missing, and so is one whose strips are nowhere."""
    whole = tiff(4, 4, {258: 8, 259: 1, 262: 1}, bytes(16))
    with opened(whole[:-1]) as split, pytest.raises(Damaged, match="ends before"):
        split.page()
    with opened(whole.replace(struct.pack("<HH", 273, 4), struct.pack("<HH", 270, 4))) as split:
        with pytest.raises(Damaged, match="where the data"):
            split.page()
        assert not list(split.folder.iterdir())


def test_a_small_file_does_not_become_a_large_one() -> None:
    """Strips that are all the same bytes of the file are refused."""
    count = 5000
    places = struct.pack(f"<{count}I", *([8] * count)) + struct.pack(f"<{count}I", *([4000] * count))
    entries = [(256, 4), (257, 4), (258, 8), (259, 1), (262, 1)]
    at = 8 + 2 + 12 * (len(entries) + 2) + 4
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    directory += struct.pack("<HHII", 273, 4, count, at) + struct.pack("<HHII", 279, 4, count, at + 4 * count)
    data = b"II*\0" + struct.pack("<IH", 8, len(entries) + 2) + directory + bytes(4) + places
    with opened(data) as split, pytest.raises(Damaged, match="ends before"):
        split.page()


@pytest.mark.parametrize("tag", [273, 320, 347])
def test_a_huge_number_of_values_takes_no_memory(tag: int) -> None:
    """A count of 4 billion is refused before anything is read."""
    data = tiff(4, 4, {258: 8, 259: 1, 262: 1, **({} if tag == 273 else {tag: 0})}, bytes(16))
    lying = data.replace(struct.pack("<HHI", tag, 4, 1), struct.pack("<HHI", tag, 4, 0xFFFFFFFF))
    assert lying != data
    with opened(lying) as split, pytest.raises(Damaged):
        split.page()


WHOLE = two(PICTURE.resize((60, 40)), TURNED.resize((60, 40)), compression="tiff_lzw")


@given(st.lists(st.tuples(st.integers(4, len(WHOLE) - 1), st.binary(min_size=1, max_size=4)), max_size=6))
def test_a_broken_tiff_is_split_or_refused(changes: list[tuple[int, bytes]]) -> None:
    """Each page is a TIFF, or there is a fault that says why not; no image is larger than its file may make it."""
    data = bytearray(WHOLE)
    for at, new in changes:
        data[at : at + len(new)] = new
    with contextlib.suppress(ScanFault), opened(bytes(data), max_pages=20) as split:
        assert 0 < split.count <= 20
        for number in range(1, split.count + 1):
            with contextlib.suppress(ScanFault):
                _, image = split.page(number)
                assert image.startswith(b"II*\0")
                assert len(image) <= 2 * len(WHOLE) + 1000
