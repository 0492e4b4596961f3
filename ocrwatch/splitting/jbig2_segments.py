"""Checks without decoding whether the data of a JBIG2 image in a PDF are whole (ITU-T T.88, 7.2).

They are a list of segments with their lengths. Of data that end early, pdfium shows what it has decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FIXED: Final = 5
"""Bytes of the number and the flags of a segment."""
_KIND, _LONG_PAGE = 0x3F, 0x40
_COUNT: Final = 0x1FFFFFFF
"""Bits of the number of segments that are referred to, if it takes 4 bytes: the first 3 bits say that."""
_LONG: Final = 7
_MOST_SHORT: Final = 4
_BYTE, _WORD = 0x100, 0x10000
"""Numbers of segments up to which those that are referred to take 1 or 2 bytes."""

_UNKNOWN: Final = 0xFFFFFFFF
"""Length of a region that ends where its data do."""

_REGIONS: Final = frozenset({6, 7, 22, 23, 38, 39, 42, 43})
"""Kinds of segments that are shown: text, halftones, pixels, and refinements of them."""

_REST: Final = 2
"""Bytes that may follow: the end of a line."""


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    data: int
    """Where its data begin."""
    length: int


def is_whole(data: bytes) -> bool:
    """Return whether all segments are there, with one that is shown, and nothing else."""
    at, has_region = 0, False
    while len(data) - at > _REST:
        segment = _segment(data, at)
        if segment is None:
            return False
        has_region = has_region or segment.kind in _REGIONS
        at = len(data) if segment.length == _UNKNOWN else segment.data + segment.length
        if at > len(data):
            return False
    return has_region


def _segment(data: bytes, at: int) -> _Segment | None:
    """Return the segment whose header begins here; None if it is not all there."""
    if at + _FIXED >= len(data):
        return None
    number, flags = int.from_bytes(data[at : at + 4]), data[at + 4]
    at += _FIXED
    count = data[at] >> 5
    if count == _LONG:
        count = int.from_bytes(data[at : at + 4]) & _COUNT
        at += 4 + (count + 8) // 8
    elif count > _MOST_SHORT:
        return None
    else:
        at += 1
    at += count * (1 if number <= _BYTE else 2 if number <= _WORD else 4)
    at += 4 if flags & _LONG_PAGE else 1
    if at + 4 > len(data):
        return None
    return _Segment(flags & _KIND, at + 4, int.from_bytes(data[at : at + 4]))
