"""Parses the marker segments of a JPEG file (ITU-T T.81, annex B).

Tolerates bytes between header segments, and segments with a wrong length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SOI: Final = b"\xff\xd8"
EOI: Final = b"\xff\xd9"
DHT: Final = 0xC4
DAC: Final = 0xCC
SOS: Final = 0xDA
DQT: Final = 0xDB
DNL: Final = 0xDC
DRI: Final = 0xDD
APP0: Final = 0xE0
APP1: Final = 0xE1
APP14: Final = 0xEE
SEQUENTIAL: Final = frozenset({0xC0, 0xC1, 0xC9})
"""Baseline and extended, Huffman or arithmetic."""
PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC} | {0xF7}
"""SOF0 to SOF15 without DHT, JPG and DAC, and JPEG-LS's SOF55 (ITU-T T.87)."""

_MARKER = 0xFF
_END_OF_IMAGE = 0xD9
_START_OF_IMAGE = 0xD8
_HUFFMAN_SEQUENTIAL = frozenset({0xC0, 0xC1})
_WITHOUT_LENGTH = frozenset(bytes([code]) for code in (0x01, *range(0xD0, 0xD8)))
_FREE = frozenset({*range(0xE0, 0xF0), 0xFE})
"""APP0 to APP15 and COM: the decoder does not need their contents; only their length gives their end."""

_FRAME_BYTES = 6
_ADOBE_TRANSFORM = 11
"""Place of the colour transform in Adobe's segment."""

_TABLE_LENGTHS = 16
_MOST_COMPONENTS = 4
_LONGEST = 0xFFFF
_FILL = re.compile(rb"\xff+")
_HEADER_MARKER = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd8\xda-\xdd\xe0-\xef\xf7\xfe]")
_AFTER_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In entropy-coded data 0xFF is followed by zero, a restart marker or fill (T.81, B.1.1.5)."""

_MOST_SEGMENTS = 10_000
"""Maximum number of segments: a photograph has some twenty, and a progressive one some thirty."""

_MOST_CANDIDATES = 20_000
"""Maximum number of offsets in one file at which the segment behind a wrong length is searched: a hostile file has
millions."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component of the frame header."""

    identifier: int
    across: int
    """Horizontal sampling factor."""
    down: int
    """Vertical sampling factor."""
    table: int
    """Number of its quantisation table."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame header (SOFn)."""

    process: int
    """The marker's second byte, such as 0xC0 for baseline and 0xC2 for progressive."""
    precision: int
    """Bits a sample."""
    height: int
    """Lines; 0 if a DNL marker after the first scan gives them."""
    width: int
    components: int
    parts: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker segment; of a scan header also the entropy-coded data behind it."""

    marker: int
    start: int
    """Offset of its 0xFF."""
    end: int
    """Offset behind the segment, which is where a scan's data begins."""
    data_end: int
    """Offset behind the scan's data; the same as ``end`` for every other segment."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The parts of the first image of a JPEG file, and their offsets."""

    frame: Frame | None
    segments: tuple[Segment, ...]
    """In file order. Bytes between them are in none."""
    end: int | None
    """Offset of the EOI marker after the scans; None if there is none."""
    stop: int
    """Offset of the first byte that is not the image's: of EOI, of what follows instead, or the file's end."""
    odd: bool
    """Whether there are bytes between header segments, or one has a wrong length."""
    cut: bool
    """Whether the file ends within a header segment."""
    lines: int
    """Height that a DNL marker behind the scan gives, in pixels; 0 without one."""

    @property
    def sure_frame(self) -> Frame:
        """The frame header. Raises ValueError if there is none."""
        if self.frame is None:
            raise ValueError("the image has no frame header")
        return self.frame

    @property
    def scan(self) -> int | None:
        """Offset of the first entropy-coded byte."""
        return next((segment.end for segment in self.segments if segment.marker == SOS), None)

    @property
    def height(self) -> int:
        """The image's true height, in pixels; 0 if nothing gives it."""
        return self.lines or (self.frame.height if self.frame else 0)


def walk(jpeg: bytes, start: int = 0) -> Structure:
    """Parse the marker segments of the image at ``start``, as far as possible.

    Never raises. If a segment is not followed by another, there are bytes between them or its length is wrong: the next
    one is searched from its beginning, past any thumbnail. Decoders other than strict ones do the same or ignore the
    segment, as EXIF data, colour profiles and comments are not needed for the pixels.
    """
    trusting = _Walk(jpeg, start, trusting=True).structure()
    if is_defined(jpeg, trusting):
        return trusting
    # An offset from a length that is too large may by chance be that of a segment, past the tables.
    wary = _Walk(jpeg, start, trusting=False).structure()
    return wary if is_defined(jpeg, wary) or trusting.scan is None else trusting


def is_defined(jpeg: bytes, structure: Structure) -> bool:
    """Return whether frame, scan and all tables that they name are there."""
    if structure.frame is None or structure.scan is None:
        return False
    quantisation: set[int] = set()
    huffman: set[int] = set()
    for segment in structure.segments:
        body = jpeg[segment.start + 4 : segment.end]
        if segment.marker == DQT:
            quantisation.update(number & 0xF for number, _ in _tables(DQT, body))
        elif segment.marker == DHT:
            huffman.update(number for number, _ in _tables(DHT, body))
    if not all(part.table in quantisation for part in structure.frame.parts):
        return False
    if structure.frame.process not in _HUFFMAN_SEQUENTIAL:
        return True
    scan = next(segment for segment in structure.segments if segment.marker == SOS)
    named = huffman_tables(jpeg[scan.start + 4 : scan.end])
    return huffman.issuperset(table for tables in named for table in tables)


def huffman_tables(scan_header: bytes) -> list[tuple[int, int]]:
    """Return class and number of the tables that an SOS segment's body names (B.2.3)."""
    named = scan_header[2 : 1 + 2 * scan_header[0] : 2] if scan_header else b""
    return [(each >> 4, 0x10 | (each & 0xF)) for each in named]


def first_symbols(body: bytes) -> dict[int, int]:
    """Return the symbol coded by all zeros for each table in a DHT segment.

    By the table's class and number.
    """
    return {number: table[_TABLE_LENGTHS] for number, table in _tables(DHT, body) if len(table) > _TABLE_LENGTHS}


def restart_interval(jpeg: bytes, structure: Structure) -> int:
    """Return the number of MCUs between two restart markers, 0 without any."""
    interval = 0
    for segment in structure.segments:
        if segment.marker == DRI:
            interval = int.from_bytes(jpeg[segment.start + 4 : segment.end])
    return interval


def adobe_transform(jpeg: bytes, structure: Structure) -> int | None:
    """Return the colour transform of Adobe's marker: 0 none, 1 YCbCr, 2 YCCK; None without the marker.

    Adobe's technical note 5116.
    """
    for segment in structure.segments:
        body = jpeg[segment.start + 4 : segment.end]
        if segment.marker == APP14 and body.startswith(b"Adobe") and len(body) > _ADOBE_TRANSFORM:
            return body[_ADOBE_TRANSFORM]
    return None


def rebuilt(jpeg: bytes, structure: Structure, *, height: int | None = None, data: bytes | None = None) -> bytes:
    """Return the image with only the segments that decoding needs, in order.

    Those are the ones for pixels, resolution and orientation. Each has its actual length, and the frame its true height
    or ``height``. Fields that decoders warn about but do not need are corrected: a JFIF revision, an Adobe colour
    transform and spectral bounds of a sequential scan that no standard defines; every decoder assumes the values
    written here. ``data`` replaces that of the last scan. Needs a frame and a scan.
    """
    frame = structure.sure_frame
    last = structure.segments[-1]
    pieces = [SOI]
    for segment in structure.segments:
        body = bytearray(jpeg[segment.start + 4 : segment.end])
        if not _mend(segment.marker, body, frame, height or structure.height):
            continue
        body = body[: _LONGEST - 2]
        pieces += [bytes((_MARKER, segment.marker)), (len(body) + 2).to_bytes(2), bytes(body)]
        if segment.marker == SOS:
            pieces.append(data if data is not None and segment is last else jpeg[segment.end : segment.data_end])
    return b"".join((*pieces, EOI))


def _mend(marker: int, body: bytearray, frame: Frame, height: int) -> bool:
    """Correct a segment's body; return whether the image needs the segment."""
    if marker in START_OF_FRAME:
        body[1:3] = height.to_bytes(2)
    elif marker == SOS and frame.process in SEQUENTIAL:
        body[-3:] = b"\x00\x3f\x00"
    elif marker == APP0 and body.startswith(b"JFIF\0") and len(body) > 5:  # noqa: PLR2004 - the revision's place
        body[5] = 1
    elif marker == APP14 and body.startswith(b"Adobe") and len(body) > 11:  # noqa: PLR2004 - the transform's place
        # Adobe's technical note 5116: 0 for none, 1 for YCbCr, 2 for YCCK.
        body[11] = min(body[11], 1 if frame.components <= 3 else 2)  # noqa: PLR2004
    elif marker == APP1:
        return body.startswith(b"Exif\0")
    else:
        return marker != DNL and marker not in _FREE
    return True


class _Walk:
    """One pass through a file.

    ``trusting``: the length of a free-form segment is accepted if another segment follows.
    """

    def __init__(self, jpeg: bytes, start: int, *, trusting: bool) -> None:
        self._jpeg = jpeg
        self._start = start
        self._trusting = trusting
        self._segments: list[Segment] = []
        self._frame: Frame | None = None
        self._odd = False
        self._cut = False
        self._lines = 0
        self._candidates = _MOST_CANDIDATES

    def structure(self) -> Structure:
        """Parse the whole file."""
        end, stop = None, len(self._jpeg)
        data = self._header()
        while data is not None and len(self._segments) < _MOST_SEGMENTS:
            data, stop, end = self._between(self._data_end(data))
        return Structure(self._frame, tuple(self._segments), end, stop, self._odd, self._cut, self._lines)

    def _header(self) -> int | None:
        """Parse the segments up to the first scan header; return the offset of its data."""
        at = self._start + len(SOI)
        while len(self._segments) < _MOST_SEGMENTS:
            at = self._past_fill(at)
            segment = segment_at(self._jpeg, at)
            if segment is None:
                if self._jpeg[at : at + 2] == EOI or (found := self._search(at)) is None:
                    self._cut = self._is_cut(at)
                    return None
                self._odd = True
                at = found
                continue
            if segment.marker in _FREE and not (self._trusting and self._leads_on(segment.end)):
                found = self._search(segment.start + 4)
                if found is None:
                    self._cut = segment.end >= len(self._jpeg)
                    return None
                self._odd |= found != segment.end
                segment = Segment(segment.marker, segment.start, found, found)
            self._add(segment)
            if segment.marker == SOS:
                return segment.end
            at = segment.end
        return None

    def _data_end(self, data: int) -> int:
        """Skip the last scan's entropy-coded data; return the offset behind it."""
        found = _AFTER_DATA.search(self._jpeg, data)
        stop = found.start() if found else len(self._jpeg)
        last = self._segments[-1]
        self._segments[-1] = Segment(last.marker, last.start, last.end, stop)
        return stop

    def _between(self, at: int) -> tuple[int | None, int, int | None]:
        """Parse the segments behind a scan, if another scan or the image's end follows.

        Returns the offset of the next scan's data, of the first byte that is not the image's, and of EOI.
        """
        start = at
        taken: list[Segment] = []
        while (segment := segment_at(self._jpeg, at)) is not None and segment.marker not in START_OF_FRAME:
            taken.append(segment)
            at = self._past_fill(segment.end)
            if segment.marker == SOS or len(self._segments) + len(taken) > _MOST_SEGMENTS:
                break
        is_scan = bool(taken) and taken[-1].marker == SOS
        is_end = self._jpeg[at : at + 2] == EOI
        if not is_scan and not is_end:
            # They are not part of the image, except a height (DNL) directly behind its data.
            taken = [each for each in taken[:1] if each.marker == DNL]
            at = taken[0].end if taken else start
        for each in taken:
            self._add(each)
        if is_scan:
            return taken[-1].end, taken[-1].end, None
        return None, at, at if is_end else None

    def _add(self, segment: Segment) -> None:
        body = segment.start + 4
        if segment.marker in START_OF_FRAME:
            self._frame = self._frame or _frame(segment.marker, self._jpeg[body : segment.end])
        elif segment.marker == DNL:
            self._lines = self._lines or int.from_bytes(self._jpeg[body : body + 2])
        self._segments.append(segment)

    def _past_fill(self, at: int) -> int:
        """Skip fill bytes and markers without a segment (T.81, B.1.1.2)."""
        while (fill := _FILL.match(self._jpeg, at)) is not None:
            at = fill.end() - 1
            if self._jpeg[at + 1 : at + 2] not in _WITHOUT_LENGTH or not self._candidates:
                break
            self._candidates -= 1
            at += 2
        return at

    def _leads_on(self, at: int) -> bool:
        return segment_at(self._jpeg, self._past_fill(at)) is not None

    def _is_cut(self, at: int) -> bool:
        """Return whether the file ends here, or within the segment here."""
        head = self._jpeg[at : at + 4]
        if len(head) < 4:  # noqa: PLR2004 - a marker and its length
            return True
        return (
            head[0] == _MARKER and head[1] not in {0, _MARKER} and at + 2 + int.from_bytes(head[2:]) > len(self._jpeg)
        )

    def _search(self, at: int) -> int | None:
        """Return the offset of the next real segment, past any whole JPEG in between."""
        while (found := _HEADER_MARKER.search(self._jpeg, at)) is not None and self._candidates:
            self._candidates -= 1
            at = found.start()
            if self._jpeg[at + 1] == _START_OF_IMAGE:
                if self._jpeg[at + 2 : at + 3] == b"\xff":
                    end = _thumbnail_end(self._jpeg, at)
                    if end is None:
                        return None
                    at = end
                else:
                    at += 2
                continue
            segment = segment_at(self._jpeg, at)
            if segment is not None and (segment.marker not in _FREE or self._leads_on(segment.end)):
                return at
            at += 1
        return None


def segment_at(jpeg: bytes, at: int) -> Segment | None:
    """Return the segment at ``at``; None if it is missing or contradicts its length."""
    head = jpeg[at : at + 4]
    if len(head) < 4 or head[0] != _MARKER:  # noqa: PLR2004 - a marker and its length
        return None
    marker, length = head[1], int.from_bytes(head[2:])
    end = at + 2 + length
    if length < 2 or end > len(jpeg):  # noqa: PLR2004 - the length counts itself
        return None
    if marker not in _FREE and not _is_sound(marker, jpeg[at + 4 : end]):
        return None
    return Segment(marker, at, end, end)


def _is_sound(marker: int, body: bytes) -> bool:
    """Return whether a segment's content has its declared length (T.81, B.2)."""
    if marker in START_OF_FRAME:
        return len(body) > _FRAME_BYTES and len(body) == _FRAME_BYTES + 3 * body[5]
    if marker == SOS:
        return bool(body) and 1 <= body[0] <= _MOST_COMPONENTS and len(body) == 4 + 2 * body[0]
    if marker in {DQT, DHT}:
        return bool(body) and sum(1 + len(table) for _, table in _tables(marker, body)) == len(body)
    if marker in {DRI, DNL}:
        return len(body) == 2  # noqa: PLR2004 - one number of 16 bits
    return marker == DAC and bool(body) and len(body) % 2 == 0


def _tables(marker: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the complete tables in a DQT or DHT segment.

    Each as its class or precision, with the number, and its content.
    """
    while body:
        if marker == DQT:
            size = 128 if body[0] >> 4 else 64
            sound = body[0] >> 4 <= 1 and body[0] & 0xF <= 3  # noqa: PLR2004 - four tables
        else:
            size = _TABLE_LENGTHS + sum(body[1 : 1 + _TABLE_LENGTHS])
            sound = body[0] >> 4 <= 1 and body[0] & 0xF <= 3  # noqa: PLR2004 - four tables
        if not sound or len(body) < 1 + size:
            return
        yield body[0], body[1 : 1 + size]
        body = body[1 + size :]


def _thumbnail_end(jpeg: bytes, start: int) -> int | None:
    """Return the offset behind a JPEG within a header segment, None if it is cut off."""
    at = start + len(SOI)
    while (segment := segment_at(jpeg, at)) is not None:
        at = segment.end
        if segment.marker == SOS:
            break
    end = jpeg.find(EOI, at)
    return end + len(EOI) if end >= 0 else None


def _frame(marker: int, body: bytes) -> Frame:
    return Frame(
        process=marker,
        precision=body[0],
        height=int.from_bytes(body[1:3]),
        width=int.from_bytes(body[3:5]),
        components=body[5],
        parts=tuple(
            Component(body[at], body[at + 1] >> 4, body[at + 1] & 0xF, body[at + 2])
            for at in range(6, len(body) - 2, 3)
        ),
    )
