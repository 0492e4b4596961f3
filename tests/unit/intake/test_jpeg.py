"""A whole JPEG is told from half of one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from ocrwatch import jpeg_markers
from ocrwatch.intake.completeness import Completeness, completeness
from tests import odd_jpegs as odd
from tests.rendering import render

CHUNK = 1 << 20
WHOLE, PARTIAL = Completeness.WHOLE, Completeness.PARTIAL


class Bytes:
    """A file in memory that can be asked at any length."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("scan")

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def look(self, data: bytes) -> Completeness:
        """Look at a file with this content."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)
        return completeness(self._descriptor, len(data))

    def cuts(self, data: bytes) -> Iterator[tuple[int, Completeness]]:
        """Look at each beginning of ``data`` that is not all of it, the longest first."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)
        for length in range(len(data) - 1, 0, -1):
            os.ftruncate(self._descriptor, length)
            yield length, completeness(self._descriptor, length)


@pytest.fixture
def file() -> Iterator[Bytes]:
    """Make a file in memory."""
    file = Bytes()
    yield file
    file.close()


def small(*, progressive: bool = False) -> bytes:
    """Render a real JPEG of a few kilobytes."""
    return render("ab", size=12, width=64, height=40, progressive=progressive)


def with_thumbnail(jpeg: bytes) -> bytes:
    """Put an Exif segment with a whole JPEG in it behind the SOI."""
    body = b"Exif\0\0" + small()
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def segment(marker: int, body: bytes) -> bytes:
    """Make a marker segment."""
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def skeleton(data: bytes) -> bytes:
    """Make the least that has a structure: SOI, a scan header, and ``data`` behind it."""
    return b"\xff\xd8" + segment(0xDA, b"\1\1\0\0\x3f\0") + data


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_whole_jpeg_is_whole_and_no_beginning_of_it_is(file: Bytes, *, progressive: bool, thumbnail: bool) -> None:
    """Cut anywhere, be it in a header, behind the thumbnail's end or one byte before its own, it is incomplete."""
    jpeg = small(progressive=progressive)
    if thumbnail:
        jpeg = with_thumbnail(jpeg)
    assert file.look(jpeg) is WHOLE
    assert [length for length, found in file.cuts(jpeg) if found is not PARTIAL] == []


def test_the_thumbnails_end_is_not_the_images(file: Bytes) -> None:
    """A file that ends exactly with its thumbnail is incomplete."""
    jpeg = with_thumbnail(small())
    end = jpeg.index(b"\xff\xd9") + 2
    assert end < len(jpeg)
    assert file.look(jpeg[:end]) is PARTIAL


def test_an_empty_file_is_empty(file: Bytes) -> None:
    """Zero bytes are neither a JPEG nor something else."""
    assert file.look(b"") is Completeness.EMPTY


@pytest.mark.parametrize("data", [b"BM%PDF", b"\x89PNG\n", b"GIF89a", b"x", b"\xff\x00", b"\0\1"])
def test_other_files_are_no_jpeg(file: Bytes, data: bytes) -> None:
    """What begins otherwise is something else."""
    assert file.look(data) is Completeness.OTHER


@pytest.mark.parametrize("data", [b"\xff", b"\0", b"\0\0", bytes(5000)])
def test_reserved_space_may_still_become_a_jpeg(file: Bytes, data: bytes) -> None:
    """Zeros from the start are a client's reserved space, and one byte 0xFF may be half of an SOI."""
    assert file.look(data) is PARTIAL


@pytest.mark.parametrize("progressive", [False, True])
def test_a_preallocated_file_is_incomplete_until_its_last_byte(file: Bytes, *, progressive: bool) -> None:
    """A file that has its final size from the beginning, the rest zeros, is incomplete wherever the copy stands."""
    jpeg = with_thumbnail(small(progressive=progressive))
    wrong = [
        copied for copied in range(2, len(jpeg)) if file.look(jpeg[:copied] + bytes(len(jpeg) - copied)) is not PARTIAL
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "trailer", [b"\0", b"\n", bytes(100_000), b"trailing words", b"SEFH\xff\xd8", b"\xff\xe1 no segment"]
)
def test_what_follows_the_end_does_not_matter(file: Bytes, trailer: bytes) -> None:
    """Padding and makers' trailers behind the EOI leave the JPEG whole."""
    assert file.look(small() + trailer) is WHOLE


def test_a_second_image_may_follow(file: Bytes) -> None:
    """An MPO, as cameras write them, holds several JPEGs one after the other."""
    assert file.look(small() + small()) is WHOLE
    assert file.look(small() + small()[:-1]) is WHOLE


def test_a_trailer_does_not_complete_half_an_image(file: Bytes) -> None:
    """Text behind half an image is no end."""
    assert file.look(small()[:-2] + b"trailer") is PARTIAL


@pytest.mark.parametrize(
    "before", [CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 3, 2 * CHUNK - 2, 2 * CHUNK - 1]
)
def test_the_end_is_found_across_two_pieces(file: Bytes, before: int) -> None:
    """The EOI is found wherever a piece of what is searched ends, with a trailer so that it is searched for."""
    data = bytes(before)
    assert file.look(skeleton(data + b"\xff\xd9" + b"trailer")) is WHOLE
    assert file.look(skeleton(data + b"\xff\x00" + b"trailer")) is PARTIAL


@pytest.mark.parametrize("fill", [1, 2, 5, 1000])
def test_fill_bytes_before_the_end_are_skipped(file: Bytes, fill: int) -> None:
    """Any number of 0xFF may stand before a marker (T.81, B.1.1.2)."""
    assert file.look(skeleton(b"\x12" + b"\xff" * fill + b"\xff\xd9trailer")) is WHOLE


def test_a_long_run_of_fill_bytes_is_searched_in_linear_time(file: Bytes) -> None:
    """A file of nothing but 0xFF costs milliseconds, or anybody who can drop a file could stop the daemon."""
    begun = time.process_time()
    assert file.look(skeleton(b"\xff" * 20_000)) is PARTIAL
    assert time.process_time() - begun < 0.5


def test_an_end_inside_a_segment_between_scans_does_not_count(file: Bytes) -> None:
    """A comment that holds FF D9 between two scans is stepped over."""
    middle = skeleton(b"\x12\x34" + segment(0xFE, b"\xff\xd9") + segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x56")
    assert file.look(middle + b"more") is PARTIAL
    assert file.look(middle + b"\xff\xd9more") is WHOLE


def test_restart_markers_and_stuffed_bytes_are_data(file: Bytes) -> None:
    """FF 00 and the restart markers do not end the search."""
    restarts = b"".join(b"\x11\xff" + bytes([0xD0 + n]) for n in range(8))
    assert file.look(skeleton(restarts + b"\xff\x00" + b"\xff\xd9 and more")) is WHOLE
    assert file.look(skeleton(restarts + b"\xff\x00" + b" and more")) is PARTIAL


def test_an_image_without_a_scan_is_incomplete(file: Bytes) -> None:
    """SOI and EOI with nothing between them are no image."""
    assert file.look(b"\xff\xd8\xff\xd9") is PARTIAL
    assert file.look(b"\xff\xd8" + segment(0xFE, b"only words") + b"\xff\xd9") is PARTIAL


def test_junk_between_segments_is_skipped(file: Bytes) -> None:
    """Decoders skip stray bytes between header segments, so their scans are whole as well."""
    jpeg = small()
    assert file.look(jpeg[:2] + bytes(10_000) + jpeg[2:]) is WHOLE


@pytest.mark.parametrize("longer", [-40, -1, 1, 30, 500, 3000, 60_000])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_wrong_length_in_the_header_makes_nothing_incomplete(file: Bytes, longer: int, *, progressive: bool) -> None:
    """Whatever length a segment claims, the file is whole with its end and not before: as the decoder sees it."""
    exif = odd.segment(0xE1, b"Exif\0\0" + bytes(60) + small() + bytes(60), longer=longer)
    jpeg = odd.behind_start(small(progressive=progressive), exif)
    assert file.look(jpeg) is WHOLE
    assert [length for length, found in file.cuts(jpeg) if found is not PARTIAL] == []


@pytest.mark.parametrize("claimed", [0, 65535, 80])
def test_a_height_behind_the_data_is_stepped_over(file: Bytes, claimed: int) -> None:
    """A file with a DNL marker is whole at once, and none of its beginnings is."""
    jpeg = odd.with_lines_behind(small(), claimed)
    assert file.look(jpeg) is WHOLE
    assert file.look(jpeg + b"trailer") is WHOLE
    assert [length for length, found in file.cuts(jpeg) if found is not PARTIAL] == []


def test_without_an_end_a_file_is_incomplete(file: Bytes) -> None:
    """Whether a trailer follows or not: the writer may be at work; the decoder has its turn after the patience."""
    assert file.look(odd.without_end(small())) is PARTIAL
    assert file.look(odd.samsung(small())) is PARTIAL


def test_padding_and_surplus_leave_it_whole(file: Bytes) -> None:
    """Bytes before restart and end markers, and a second image without a first end, are not the intake's concern."""
    assert file.look(odd.before_end(small(), bytes(600))) is WHOLE
    assert file.look(odd.without_end(small(), small())) is WHOLE
    assert file.look(odd.with_profile(small(), (0, 0))) is WHOLE


@pytest.mark.parametrize("data", [b"\0\0\0\x18ftypheic" + bytes(50), b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ", b"\xff\x0a"])
def test_images_that_begin_with_zeros_are_no_jpeg(file: Bytes, data: bytes) -> None:
    """HEIC, AVIF, JPEG 2000 and JPEG XL begin with a length: that is no reserved space."""
    assert file.look(data) is Completeness.OTHER


def test_the_intake_and_the_decoder_find_the_same_scan(file: Bytes) -> None:
    """A file that decodes is whole but for its end, and one that is whole has a scan to decode."""
    for longer in range(-60, 3000, 61):
        jpeg = odd.behind_start(small(), odd.segment(0xED, bytes(range(256)), longer=longer))
        assert (file.look(jpeg) is WHOLE) == (jpeg_markers.walk(jpeg).scan is not None)


@pytest.mark.parametrize("left", [0, 1, 2, 3, 5, 20])
@pytest.mark.parametrize("reads", range(1, 12))
def test_a_file_that_is_truncated_while_it_is_probed_is_incomplete(
    file: Bytes, monkeypatch: pytest.MonkeyPatch, reads: int, left: int
) -> None:
    """After any read of the probe the file is cut off, to any length: no error, and never whole."""
    jpeg = with_thumbnail(small(progressive=True)) + b"trailer"
    real, count = os.pread, 0

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        nonlocal count
        count += 1
        if count == reads:
            os.ftruncate(descriptor, left)
        return real(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert file.look(jpeg) is PARTIAL
    assert count >= reads
