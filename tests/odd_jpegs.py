"""JPEGs as devices write them against the standard, made of sound ones by changing their bytes."""

from __future__ import annotations

import io
import itertools
import re

from PIL import Image

from ocrwatch import jpeg_markers
from tests.rendering import encode

_SAMSUNG = (
    b"\x00\x00\x01\x0a\x0e\x00\x00\x00Image_UTC_Data1700000000000"
    b"SEFH\x6b\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x0a\x23\x00\x00\x00\x23\x00\x00\x00\x18\x00\x00\x00SEFT"
)
"""The trailer of a Samsung phone, with one entry."""


def segment(marker: int, body: bytes, *, longer: int = 0) -> bytes:
    """Make a marker segment that claims to be ``longer`` than it is."""
    return bytes([0xFF, marker]) + min(0xFFFF, len(body) + 2 + longer).to_bytes(2) + body


def behind_start(jpeg: bytes, piece: bytes) -> bytes:
    """Put bytes behind the SOI."""
    return jpeg[:2] + piece + jpeg[2:]


def behind_first_segment(jpeg: bytes, piece: bytes) -> bytes:
    """Put bytes between the first segment and the second."""
    end = jpeg_markers.walk(jpeg).segments[0].end
    return jpeg[:end] + piece + jpeg[end:]


def without_end(jpeg: bytes, trailer: bytes = b"") -> bytes:
    """Take the end marker away, and put a trailer in its place."""
    return jpeg[:-2] + trailer


def samsung(jpeg: bytes) -> bytes:
    """Return what some Samsung phones write: a trailer in the place of the end marker."""
    return without_end(jpeg, _SAMSUNG)


def before_end(jpeg: bytes, surplus: bytes) -> bytes:
    """Put bytes between the data and the end marker."""
    return jpeg[:-2] + surplus + jpeg[-2:]


def with_height(jpeg: bytes, height: int) -> bytes:
    """Have the frame header claim another height."""
    frame = next(each for each in jpeg_markers.walk(jpeg).segments if each.marker in jpeg_markers.START_OF_FRAME)
    return jpeg[: frame.start + 5] + height.to_bytes(2) + jpeg[frame.start + 7 :]


def with_lines_behind(jpeg: bytes, claimed: int) -> bytes:
    """Have the frame header claim a height, and put the true one into a DNL marker behind the first scan."""
    structure = jpeg_markers.walk(jpeg)
    data_end = next(each.data_end for each in structure.segments if each.marker == jpeg_markers.SOS)
    lines = segment(jpeg_markers.DNL, structure.height.to_bytes(2))
    return with_height(jpeg[:data_end] + lines + jpeg[data_end:], claimed)


def with_profile(jpeg: bytes, *numbers: tuple[int, int]) -> bytes:
    """Put an ICC profile in, in parts with these numbers and counts (ICC.1, annex B.4)."""
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes(number) + b"x" * 200) for number in numbers]
    return behind_start(jpeg, b"".join(parts))


def with_adobe(jpeg: bytes, transform: int) -> bytes:
    """Put an Adobe segment in the place of JFIF's."""
    first = jpeg_markers.walk(jpeg).segments[0]
    return jpeg[:2] + segment(jpeg_markers.APP14, b"Adobe\0\x64\0\0\0\0" + bytes([transform])) + jpeg[first.end :]


def with_padding(page: Image.Image, padding: bytes, every: int = 9) -> bytes:
    """Save with a restart marker after each MCU, and bytes before every ninth."""
    data = io.BytesIO()
    page.convert("RGB").save(data, "JPEG", quality=90, restart_marker_blocks=1)
    jpeg = data.getvalue()
    scan = jpeg_markers.walk(jpeg).scan
    assert scan is not None
    numbers = itertools.count(1)

    def padded(marker: re.Match[bytes]) -> bytes:
        return (padding if next(numbers) % every == 0 else b"") + marker[0]

    return jpeg[:scan] + re.sub(rb"\xff[\xd0-\xd7]", padded, jpeg[scan:])


def first_scans(progressive: bytes, count: int) -> bytes:
    """Cut a progressive file behind its first scans, and put an end marker there."""
    scans = [each for each in jpeg_markers.walk(progressive).segments if each.marker == jpeg_markers.SOS]
    return progressive[: scans[count - 1].data_end] + jpeg_markers.EOI


def sampled(page: Image.Image, *factors: int, paper: int = 128) -> bytes:
    """Save a grey page as the first component, with these sampling factors (0x42 for 4 x 2), of an image of several.

    Each component has a scan of its own, with the data of a grey JPEG. The other components are all ``paper``: 128
    has no colour in YCbCr, and 255 no ink in CMYK, of which ``page`` is the cyan then, as Adobe writes it.
    """
    most_across = max(each >> 4 for each in factors)
    most_down = max(each & 0xF for each in factors)
    pieces: list[bytes] = []
    for number, factor in enumerate(factors):
        size = (
            -(-page.width * (factor >> 4) // most_across),
            -(-page.height * (factor & 0xF) // most_down),
        )
        grey = page.resize(size) if number == 0 else Image.new("L", size, paper)
        jpeg = encode(grey)
        structure = jpeg_markers.walk(jpeg)
        if number == 0:
            frame = bytes([8]) + page.height.to_bytes(2) + page.width.to_bytes(2) + bytes([len(factors)])
            frame += b"".join(bytes([1 + place, each, 0]) for place, each in enumerate(factors))
            tables = [jpeg[each.start : each.end] for each in structure.segments if each.marker in {0xDB, 0xC4}]
            adobe = [segment(jpeg_markers.APP14, b"Adobe\0\x64\0\0\0\0\0")] if len(factors) == 4 else []
            pieces += [jpeg_markers.SOI, *adobe, *tables, segment(0xC0, frame)]
        assert structure.scan is not None
        pieces += [segment(jpeg_markers.SOS, bytes([1, 1 + number, 0, 0, 63, 0])), jpeg[structure.scan : structure.end]]
    return b"".join((*pieces, jpeg_markers.EOI))
