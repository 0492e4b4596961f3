"""The marker segments of a JPEG file (ITU-T T.81, annex B), as far as they tell why one cannot be decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SOI = b"\xff\xd8"
EOI = b"\xff\xd9"
_MARKER = 0xFF
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_FRAME_BYTES = 6
_APP0 = 0xE0
_APP14 = 0xEE
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""SOF0 to SOF15 without DHT, JPG and DAC, and JPEG-LS's SOF55 (ITU-T T.87)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame header (SOFn)."""

    process: int
    """The marker's second byte, such as 0xC0 for baseline and 0xC2 for progressive."""
    precision: int
    """Bits a sample."""
    height: int
    """Lines; 0 where a DNL marker after the first scan gives them."""
    width: int
    components: int


@dataclass(frozen=True, slots=True)
class Structure:
    """Where the parts of the first image of a JPEG file lie. None where a part was not reached."""

    frame: Frame | None
    scan: int | None
    """Offset of the first entropy-coded byte."""
    end: int | None
    """Offset of the EOI marker after the scans."""
    intact: bool
    """False where something other than a marker stood in a marker's place."""


def walk(jpeg: bytes) -> Structure:
    """Follow the marker segments up to the first scan, then look for its end.

    Within entropy-coded data every 0xFF is followed by a zero or a restart marker, so that the first EOI behind the
    scan header is the image's own, whatever thumbnails the header holds or further images follow. Never raises.
    """
    frame: Frame | None = None
    at = len(SOI)
    while at + 4 <= len(jpeg):
        if jpeg[at] != _MARKER:
            return Structure(frame, None, None, intact=False)
        marker = jpeg[at + 1]
        if marker == _MARKER:  # a fill byte
            at += 1
            continue
        if marker == _END_OF_IMAGE:
            return Structure(frame, None, at, intact=True)
        if marker in _WITHOUT_LENGTH:
            at += 2
            continue
        body = at + 4
        following = at + 2 + int.from_bytes(jpeg[at + 2 : body])
        if marker in _START_OF_FRAME:
            frame = _frame(marker, jpeg[body : body + _FRAME_BYTES]) or frame
        if marker == _START_OF_SCAN and following <= len(jpeg):
            end = jpeg.find(EOI, following)
            return Structure(frame, following, end if end >= 0 else None, intact=True)
        at = max(following, body)
    return Structure(frame, None, at if jpeg[at : at + 2] == EOI else None, intact=True)


def segments(header: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and body of each segment, for as long as one follows the other. Never raises."""
    at = len(SOI)
    while at + 4 <= len(header) and header[at] == _MARKER:
        marker = header[at + 1]
        if marker == _MARKER:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            following = max(at + 4, at + 2 + int.from_bytes(header[at + 2 : at + 4]))
            yield marker, header[at + 4 : following]
            at = following


def tidied(jpeg: bytes) -> bytes:
    """Return the same image with header fields set right that decoders warn about and do without.

    A JFIF revision, an Adobe colour transform and spectral bounds of a sequential scan that no standard knows: old
    scanners and cameras write them, and every decoder assumes what is written here. Never raises.
    """
    fixed = bytearray(jpeg)
    sequential = True
    at = len(SOI)
    while at + 4 <= len(fixed) and fixed[at] == _MARKER:
        marker = fixed[at + 1]
        if marker == _MARKER:
            at += 1
            continue
        if marker in _WITHOUT_LENGTH:
            at += 2
            continue
        body, following = at + 4, at + 2 + int.from_bytes(fixed[at + 2 : at + 4])
        if marker in _START_OF_FRAME:
            sequential = marker in _SEQUENTIAL
        elif marker == _APP0 and fixed[body : body + 5] == b"JFIF\0" and body + 5 < following:
            fixed[body + 5] = 1
        elif marker == _APP14 and fixed[body : body + 5] == b"Adobe" and body + 11 < following:
            fixed[body + 11] = min(fixed[body + 11], 2)
        elif marker == _START_OF_SCAN:
            if sequential and body < following - 3:
                fixed[following - 3 : following] = b"\x00\x3f\x00"
            break
        at = max(following, body)
    return bytes(fixed)


def _frame(marker: int, body: bytes) -> Frame | None:
    if len(body) < _FRAME_BYTES:
        return None
    return Frame(
        process=marker,
        precision=body[0],
        height=int.from_bytes(body[1:3]),
        width=int.from_bytes(body[3:5]),
        components=body[5],
    )
