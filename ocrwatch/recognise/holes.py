"""Holes in the image data: zeros that a full disk or a broken copy left, which decoders take for grey."""

from __future__ import annotations

from ocrwatch import markers

_SHORTEST = 64
"""Bytes. Of 75 real scans none has even 16 zero bytes in a row in its image data."""

_HUFFMAN_SEQUENTIAL = frozenset({0xC0, 0xC1})


def find_hole(jpeg: bytes, structure: markers.Structure) -> int | None:
    """Return the offset of zeros in the first scan's data that no encoder has written, None if there are none.

    If one zero bit is the code for "as bright as the last block" and one more for "nothing else in this block",
    as in tables made for a page that is mostly blank, zeros are what blank paper becomes, and no hole. Files of other
    kinds than sequential with Huffman codes are not judged. Never raises.
    """
    if structure.frame is None or structure.frame.process not in _HUFFMAN_SEQUENTIAL:
        return None
    scan = next((segment for segment in structure.segments if segment.marker == markers.SOS), None)
    if scan is None:
        return None
    at = jpeg.find(bytes(_SHORTEST), scan.end, scan.data_end)
    return None if at < 0 or may_be_blank(jpeg, structure) else at


def zeros_at_end(jpeg: bytes, structure: markers.Structure) -> int:
    """Return how many zero bytes end the last scan's data, 0 if that may be what blank paper becomes. Never raises.

    Without an end marker they are reserved space that was never written, in any case.
    """
    last = structure.segments[-1]
    if last.data_end - last.end < _SHORTEST or any(jpeg[last.data_end - _SHORTEST : last.data_end]):
        return 0
    if structure.end is not None and may_be_blank(jpeg, structure):
        return 0
    data = jpeg[last.end : last.data_end]
    return len(data) - len(data.rstrip(b"\0"))


def may_be_blank(jpeg: bytes, structure: markers.Structure) -> bool:
    """Tell whether every component's codes of zero bits say that nothing changes, or cannot be known."""
    first: dict[int, int] = {}
    for segment in structure.segments:
        body = jpeg[segment.start + 4 : segment.end]
        if segment.marker == markers.DHT:
            first.update(markers.first_symbols(body))
        elif segment.marker == markers.SOS:
            # Class 0 is for DC, class 1 for AC coefficients (T.81, B.2.4.2); unknown ones are taken for blank.
            return all(first.get(table, 0) == 0 for tables in markers.huffman_tables(body) for table in tables)
    return True
