"""Detects runs of zeros in image data, which decoders show as grey.

A full disk or an interrupted copy leaves them.
"""

from __future__ import annotations

from ocrwatch import jpeg_markers

_SHORTEST = 64
"""Minimum length in bytes. None of 75 real scans has even 16 zero bytes in a row in its image data."""

_HUFFMAN_SEQUENTIAL = frozenset({0xC0, 0xC1})


def find_hole(jpeg: bytes, structure: jpeg_markers.Structure) -> int | None:
    """Return the offset of zeros in the first scan's data that no encoder has written.

    None if there are none. Zeros may be blank paper if one zero bit is the code for "same brightness as the last block"
    and another for "end of block", as in tables optimised for a mostly blank page. Only sequential images with Huffman
    codes are checked. Never raises.
    """
    if structure.frame is None or structure.frame.process not in _HUFFMAN_SEQUENTIAL:
        return None
    scan = next((segment for segment in structure.segments if segment.marker == jpeg_markers.SOS), None)
    if scan is None:
        return None
    at = jpeg.find(bytes(_SHORTEST), scan.end, scan.data_end)
    return None if at < 0 or may_be_blank(jpeg, structure) else at


def zeros_at_end(jpeg: bytes, structure: jpeg_markers.Structure) -> int:
    """Return the number of zero bytes at the end of the last scan's data.

    Returns 0 if they may be blank paper. Without an end marker, they are always preallocated space that was never
    written. Never raises.
    """
    last = structure.segments[-1]
    if last.data_end - last.end < _SHORTEST or any(jpeg[last.data_end - _SHORTEST : last.data_end]):
        return 0
    if structure.end is not None and may_be_blank(jpeg, structure):
        return 0
    data = jpeg[last.end : last.data_end]
    return len(data) - len(data.rstrip(b"\0"))


def may_be_blank(jpeg: bytes, structure: jpeg_markers.Structure) -> bool:
    """Return whether zero bits may encode unchanged blocks in every component.

    Also returns True if that cannot be determined.
    """
    first: dict[int, int] = {}
    for segment in structure.segments:
        body = jpeg[segment.start + 4 : segment.end]
        if segment.marker == jpeg_markers.DHT:
            first.update(jpeg_markers.first_symbols(body))
        elif segment.marker == jpeg_markers.SOS:
            # Class 0 is for DC, class 1 for AC coefficients (T.81, B.2.4.2). An unknown table counts as blank.
            return all(first.get(table, 0) == 0 for tables in jpeg_markers.huffman_tables(body) for table in tables)
    return True
