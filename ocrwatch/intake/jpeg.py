"""Checks without decoding whether a JPEG is whole (ITU-T T.81, annex B)."""

from __future__ import annotations

import os
import re
from typing import Final

from ocrwatch import jpeg_markers

_CHUNK: Final = 1 << 20
"""Bytes of one read, more than any header has."""

_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
# In entropy-coded data 0xFF is followed by 0x00, a restart marker or fill; anything else is a marker.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether the file of ``size`` bytes is a JPEG from SOI to EOI, apart from its thumbnail.

    Reads a few hundred bytes of an ordinary file: its header segments, with lengths that lead past any thumbnail, and
    the last two bytes. Only if those are not EOI (trailers, MPO, a partial file) the rest is searched for the marker.
    An image without EOI is incomplete, whatever else is there: its writer may still be at work. So is a file that is
    truncated meanwhile, of which reads give less than ``size`` promises.
    """
    scan = _start_of_scan(descriptor, size)
    if scan is None:
        return False
    if scan + 2 <= size and os.pread(descriptor, 2, size - 2) == b"\xff\xd9":
        return True
    return _finds_end(descriptor, scan, size)


def _start_of_scan(descriptor: int, size: int) -> int | None:
    """Return the offset just behind the first SOS segment, or None if the file ends before it."""
    offset = len(jpeg_markers.SOI)
    while (segment := _segment(descriptor, offset, size)) is not None:
        marker, end = segment
        if marker == _SOS:
            return end
        if marker == _EOI:
            break
        offset = end
    # Bytes between the segments, or a wrong length: following the header as a decoder does takes more reading.
    return jpeg_markers.walk(os.pread(descriptor, _CHUNK, 0)).scan


def _segment(descriptor: int, offset: int, size: int) -> tuple[int, int] | None:
    """Return the marker at or after ``offset`` and the offset behind its segment; None if the file ends before that."""
    while offset + 4 <= size:
        found = os.pread(descriptor, 4, offset)
        if len(found) < 4 or found[0] != 0xFF:  # noqa: PLR2004 - a short read: the file was truncated
            return None
        if found[1] == 0xFF:  # noqa: PLR2004 - fill byte, T.81 B.1.1.2
            offset += 1
        elif found[1] in _STANDALONE or found[1] == 0:
            offset += 2
        elif found[1] == _EOI:
            return _EOI, offset + 2
        else:
            end = offset + 2 + max(2, int.from_bytes(found[2:4], "big"))
            return (found[1], end) if end <= size else None
    return None


def _finds_end(descriptor: int, offset: int, size: int) -> bool:
    """Search for EOI from the first scan's data on, stepping over the segments between scans."""
    while offset < size:
        chunk = os.pread(descriptor, _CHUNK, offset)
        if not chunk:
            return False
        found = _MARKER.search(chunk)
        if found is None:
            # A marker may begin with the chunk's last byte.
            offset += max(1, len(chunk) - 1)
            continue
        if chunk[found.end() - 1] == _EOI:
            return True
        segment = _segment(descriptor, offset + found.end() - 2, size)
        if segment is None:
            return False
        if segment[0] == _EOI:
            return True
        offset = segment[1]
    return False
