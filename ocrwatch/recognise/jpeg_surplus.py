"""Classifies surplus image data: an encoder's padding, or a trace of damage.

Surplus bytes come after the last row or before a restart marker. A decoder that loses synchronisation recovers, and so
may reach the last row before the end of the data. An encoder's surplus is recognised by strict decoding without it, and
by its content: padding, more rows than the header says, or a manufacturer's trailer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ocrwatch import jpeg_markers
from ocrwatch.recognise.missing_image_data import may_be_blank
from ocrwatch.recognise.strict_decoder import DecoderError, Gray, decode_strictly

_BLOCK = 8
"""Side of a block in pixels."""

_LONGEST_SIDE = 65_500
"""Maximum side in pixels that libjpeg decodes."""

_EOI_CODE = 0xD9
_RESTARTS = range(0xD0, 0xD8)
_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")

_MOST_BLANK = 64
"""Maximum bytes of blank blocks that count as the encoder's. After damage on a page with a blank foot, the surplus
blocks are blank too: of single flipped bits, most of which leave no trace at all, this accepts one in thirty."""
_LONGEST_BLANK_PATTERN = 16
_BLANK_RUN = 4
_SHORTEST_FILLING = 4
_HOLE = bytes(64)

_READ_AHEAD = 16
"""Maximum bytes that the decoder reads ahead, with stuffed zeros: its buffer has 64 bits."""

_MOST_GUESSES = 16
_MOST_INTERVALS = 200_000
"""Maximum number of restart intervals; each takes some 50 µs."""

_MANY_INTERVALS = 8
"""Number of intervals with surplus bytes, and none with too few, from which they are not damage: damage leaves too few
bytes as often."""
_SOME_INTERVALS = 3
"""The same for intervals that all have identical surplus bytes."""

_SHORTEST_TEXT = 12
_TEXT_SHARE = 0.75
"""Minimum share of printable bytes in a text trailer. Of image data, 40 % are printable or 0xFF; of the non-zero bytes
at the start of manufacturers' trailers, nearly all are."""
_TRAILER_HEAD = 256
_TEXT = frozenset({0x09, 0x0A, 0x0D, 0xFF, *range(0x20, 0x7F)})
_SAMSUNG = b"SEFT"


@dataclass(frozen=True, slots=True)
class _Image:
    """A rebuilt image (:func:`ocrwatch.jpeg_markers.rebuilt`) that is to be decoded."""

    jpeg: bytes
    structure: jpeg_markers.Structure
    reduction: int

    @property
    def frame(self) -> jpeg_markers.Frame:
        """Its frame header."""
        return self.structure.sure_frame

    @property
    def data(self) -> bytes:
        """Data of the last scan."""
        last = self.structure.segments[-1]
        return self.jpeg[last.end : last.data_end]

    @property
    def zeros_are_blank(self) -> bool:
        """Whether zeros at the end may encode blank paper, so that they may be a hole."""
        last = self.structure.segments[-1]
        refines = self.frame.process in jpeg_markers.PROGRESSIVE and self.jpeg[last.end - 1] >> 4
        # A last scan that only refines coefficients by a bit does not change text (T.81, G.1.1.1.2).
        return not refines and may_be_blank(self.jpeg, self.structure)

    def decode_with_data(self, data: bytes) -> Gray:
        """Decode strictly with other data in the last scan."""
        changed = jpeg_markers.rebuilt(self.jpeg, self.structure, data=data)
        return decode_strictly(changed, self.frame.width, self.frame.height, self.reduction)

    def decode_with_height(self, height: int, *, cut: int = 0) -> Gray:
        """Decode strictly with another height, without the last ``cut`` bytes of data."""
        data = self.data[: len(self.data) - cut]
        changed = jpeg_markers.rebuilt(self.jpeg, self.structure, height=height, data=data)
        return decode_strictly(changed, self.frame.width, height, self.reduction)

    def ends_with(self, height: int) -> bool:
        """Return whether an image of this height needs the last byte.

        Strict decoding does not notice a missing byte that it only reads ahead.
        """
        try:
            self.decode_with_height(height, cut=1)
        except DecoderError:
            return True
        return False

    @property
    def mcu(self) -> tuple[int, int]:
        """Width and height of a minimum coded unit in pixels (T.81, A.2)."""
        parts = self.frame.parts
        if len(parts) == 1:
            return _BLOCK, _BLOCK
        return _BLOCK * max(part.across for part in parts), _BLOCK * max(part.down for part in parts)

    @property
    def mcus(self) -> tuple[int, int]:
        """Number of minimum coded units across and down."""
        across, down = self.mcu
        return -(-self.frame.width // across), -(-self.frame.height // down)


@dataclass(frozen=True, slots=True)
class Repaired:
    """A complete image."""

    gray: Gray
    surplus: int
    """Number of unneeded bytes at the end of the last scan's data."""
    warning: str


def decode_without_surplus(
    jpeg: bytes, error: DecoderError, *, behind: bytes, reduction: int, max_pixels: int
) -> Repaired:
    """Decode a rebuilt image that strict decoding has rejected.

    ``behind`` is the data in the file in place of a missing end marker. Raises ``error`` if it is not about surplus
    data, or if the surplus may be a trace of damage.
    """
    image = _Image(jpeg, jpeg_markers.walk(jpeg), reduction)
    if error.surplus is None or 0 in (part.across * part.down for part in image.frame.parts):
        raise error
    count, marker = error.surplus
    if marker == _EOI_CODE:
        data, gray = _shortened(image.data, count, image.decode_with_data)
        left = image.data[len(data) :]
        if _is_encoder_padding(left, data, zeros_are_blank=image.zeros_are_blank) or _is_trailer(left + behind):
            return Repaired(gray, len(left), f"{len(left):,} surplus bytes after the last row of the image")
    elif marker in _RESTARTS and (data_without := _without_padding(image)) is not None:
        return Repaired(image.decode_with_data(data_without), 0, "surplus bytes before restart markers")
    gray, rows = _without_rows(image, error, max_pixels)
    return Repaired(gray, 0, f"{rows} more rows of pixels than the header says")


def _shortened(data: bytes, count: int, decode: Callable[[bytes], Gray]) -> tuple[bytes, Gray]:
    """Remove about ``count`` bytes from the end, until decoding succeeds.

    The decoder's count is too low by the stuffed zeros that it has read ahead. Raises :class:`DecoderError`.
    """
    cut, shrinking = count, False
    for _ in range(_MOST_GUESSES):
        kept = data[: len(data) - cut]
        try:
            return kept, decode(kept)
        except DecoderError as error:
            last = error
            if error.is_premature_end and cut > 0:
                cut, shrinking = cut - 1, True
            elif error.surplus is not None and not shrinking and cut < len(data):
                cut = min(len(data), cut + max(1, error.surplus[0]))
            else:
                raise
    raise last


def _is_encoder_padding(left: bytes, data: bytes, *, zeros_are_blank: bool) -> bool:
    """Return whether surplus bytes after ``data`` are padding, or a few blank blocks."""
    if _is_filling(left, data, zeros_are_blank=zeros_are_blank):
        return True
    if len(left) > _MOST_BLANK or _HOLE in data:
        return False
    # Blank blocks repeat the preceding bytes. The last byte is filled up with ones, so it need not match.
    tail = (data[-_MOST_BLANK:] + left)[:-1]
    return any(tail[period:] == tail[:-period] for period in range(1, _LONGEST_BLANK_PATTERN + 1))


def _is_filling(left: bytes, data: bytes, *, zeros_are_blank: bool) -> bool:
    """Return whether all surplus bytes are equal and not blank blocks."""
    if len(set(left)) != 1 or (zeros_are_blank and not any(left)):
        return False
    return not any(left) or (len(left) >= _SHORTEST_FILLING and not data.endswith(left[:1] * _BLANK_RUN))


def _is_trailer(left: bytes) -> bool:
    """Return whether bytes after the image are a manufacturer's trailer.

    That is text and zeros, or Samsung's signature.
    """
    if left.endswith(_SAMSUNG):
        return True
    head = left[:_TRAILER_HEAD].replace(b"\0", b"")
    return len(head) >= _SHORTEST_TEXT and sum(byte in _TEXT for byte in head) >= _TEXT_SHARE * len(head)


def _without_rows(image: _Image, error: DecoderError, max_pixels: int) -> tuple[Gray, int]:
    """Decode an image with more rows than its header says.

    Returns the rows that the header says, and the number of further rows. Surplus data from damage ends anywhere in a
    row and would form whole rows only by chance. Raises ``error`` if there are no whole rows.
    """
    if _HOLE in image.data:
        # If zeros are blank blocks, a hole produces surplus rows too.
        raise error
    scans = sum(segment.marker == jpeg_markers.SOS for segment in image.structure.segments)
    # A scan of one component has its own rows of blocks, not whole MCUs (T.81, A.2.2).
    height = image.mcu[1] if scans == 1 else _BLOCK
    down = -(-image.frame.height // height)
    most = min(2 * down, _LONGEST_SIDE // height, max_pixels // image.frame.width // height)
    low, high = down + 1, most
    while low <= high:
        rows = (low + high) // 2
        try:
            gray = image.decode_with_height(rows * height)
        except DecoderError as other:
            if other.is_premature_end:
                high = rows - 1
            elif other.surplus is not None:
                low = rows + 1
            else:
                break
        else:
            if not image.ends_with(rows * height):
                break
            said = -(-image.frame.height // image.reduction)
            return np.ascontiguousarray(gray[:said]), rows * height - image.frame.height
    raise error


def _without_padding(image: _Image) -> bytes | None:
    """Return the data without surplus bytes before restart markers.

    None if some of them may be a trace of damage. Each interval between restart markers is decoded as a separate image
    (T.81, E.1.4).
    """
    pieces = _RESTART.split(image.data)
    intervals, numbers = pieces[::2], pieces[1::2]
    sizes = _sizes(image)
    if len(intervals) != len(sizes) or any(
        number[0] != _RESTARTS[place % len(_RESTARTS)] for place, number in enumerate(numbers)
    ):
        return None
    try:
        kept = [_interval(image, size, data) for size, data in zip(sizes, intervals, strict=True)]
    except DecoderError:
        return None
    left_over = [
        (data[len(needed) :], needed) for data, needed in zip(intervals, kept, strict=True) if len(needed) < len(data)
    ]
    if not _is_padding(left_over, zeros_are_blank=image.zeros_are_blank):
        return None
    return kept[0] + b"".join(b"\xff" + number + data for number, data in zip(numbers, kept[1:], strict=True))


def _sizes(image: _Image) -> list[tuple[int, int]]:
    """Return width and height of an image for each restart interval.

    Empty if the intervals cannot be decoded separately.
    """
    interval = jpeg_markers.restart_interval(image.jpeg, image.structure)
    scans = sum(segment.marker == jpeg_markers.SOS for segment in image.structure.segments)
    mcus = image.mcus[0] * image.mcus[1]
    if not 0 < mcus <= _MOST_INTERVALS * interval or scans != 1 or image.frame.process not in jpeg_markers.SEQUENTIAL:
        return []
    last = (mcus - 1) % interval + 1
    usual, shorter = _layout(interval, image.mcu), _layout(last, image.mcu)
    if shorter is None or (usual is None and mcus > interval):
        return []
    return [usual or shorter] * ((mcus - 1) // interval) + [shorter]


def _interval(image: _Image, size: tuple[int, int], data: bytes) -> bytes:
    """Return the bytes of an interval that its MCUs need.

    Raises :class:`DecoderError` if the interval is not complete.
    """
    width, height = size
    header = _interval_header(image, width, height)

    def decode(part: bytes) -> Gray:
        return decode_strictly(header + part + jpeg_markers.EOI, width, height)

    try:
        decode(data)
    except DecoderError as error:
        if error.surplus is None:
            raise
        data, _ = _shortened(data, error.surplus[0], decode)
    # At the end of an image, unlike before a restart marker, missing read-ahead bytes are not noticed.
    for _ in range(_READ_AHEAD):
        try:
            decode(data[:-1])
        except DecoderError:
            break
        data = data[:-1]
    return data


def _interval_header(image: _Image, width: int, height: int) -> bytes:
    """Return the header of an image of another size, without restart markers.

    It has the same tables and components.
    """
    pieces = [jpeg_markers.SOI]
    for segment in image.structure.segments:
        body = bytearray(image.jpeg[segment.start : segment.end])
        if segment.marker in jpeg_markers.START_OF_FRAME:
            body[5:9] = height.to_bytes(2) + width.to_bytes(2)
        if segment.marker not in {jpeg_markers.DRI, jpeg_markers.APP1}:
            pieces.append(bytes(body))
    return b"".join(pieces)


def _layout(mcus: int, mcu: tuple[int, int]) -> tuple[int, int] | None:
    """Return width and height of an image with ``mcus`` MCUs, as wide as possible.

    None if there is none.
    """
    most_across, most_down = _LONGEST_SIDE // mcu[0], _LONGEST_SIDE // mcu[1]
    for across in range(min(mcus, most_across), 0, -1):
        if mcus % across == 0:
            return (across * mcu[0], mcus // across * mcu[1]) if mcus // across <= most_down else None
    return None


def _is_padding(left_over: list[tuple[bytes, bytes]], *, zeros_are_blank: bool) -> bool:
    """Return whether the surplus bytes of intervals are the encoder's.

    They are filling, or repeat in many intervals. Blank blocks prove nothing here: a decoder that loses synchronisation
    leaves those of the row's margin.
    """
    if any(len(left) > _MOST_BLANK and any(left) for left, _ in left_over):
        return False
    if len(left_over) >= _MANY_INTERVALS:
        return True
    if len(left_over) >= _SOME_INTERVALS and len({left for left, _ in left_over}) == 1:
        return True
    return all(_is_filling(left, data, zeros_are_blank=zeros_are_blank) for left, data in left_over)
