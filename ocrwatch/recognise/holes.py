"""Holes in the image data: zeros that a full disk or a broken copy left, which decoders take for grey."""

from __future__ import annotations

from ocrwatch.recognise import markers

_SHORTEST = 64
"""Bytes. Of 75 real scans none has even 16 zero bytes in a row in its image data."""

_HUFFMAN_SEQUENTIAL = frozenset({0xC0, 0xC1})
_TABLES, _SCAN_HEADER = 0xC4, 0xDA
_LENGTHS = 16


def find_hole(jpeg: bytes, structure: markers.Structure) -> int | None:
    """Return the offset of zeros in the first scan's data that no encoder has written, None where there are none.

    Where one zero bit is the code for "as bright as the last block" and one more for "nothing else in this block",
    as in tables made for a page that is mostly blank, zeros are what blank paper becomes, and no hole. Files of other
    kinds than sequential with Huffman codes are not judged. Never raises.
    """
    if structure.frame is None or structure.frame.process not in _HUFFMAN_SEQUENTIAL:
        return None
    if structure.scan is None or structure.end is None:
        return None
    at = jpeg.find(bytes(_SHORTEST), structure.scan, structure.end)
    if at < 0 or jpeg.rfind(b"\xff\xda", structure.scan, at) >= 0:
        return None
    return None if _may_be_blank(jpeg, structure.scan) else at


def _may_be_blank(jpeg: bytes, scan: int) -> bool:
    """Tell whether every component's codes of zero bits say that nothing changes, or cannot be known."""
    first: dict[int, int] = {}
    for marker, body in markers.segments(jpeg[:scan]):
        if marker == _TABLES:
            first.update(_first_symbols(body))
        elif marker == _SCAN_HEADER and body:
            tables = [body[2 + 2 * n] for n in range(body[0]) if 2 + 2 * n < len(body)]
            # Class 0 is for DC, class 1 for AC coefficients (T.81, B.2.4.2); unknown ones are taken for blank.
            return all(first.get(t >> 4, 0) == 0 and first.get(0x10 | (t & 0xF), 0) == 0 for t in tables)
    return True


def _first_symbols(body: bytes) -> dict[int, int]:
    """Return, by class and number of each table in a DHT segment, the symbol whose code is all zeros."""
    first: dict[int, int] = {}
    while len(body) > 1 + _LENGTHS:
        count = sum(body[1 : 1 + _LENGTHS])
        first[body[0]] = body[1 + _LENGTHS]
        body = body[1 + _LENGTHS + count :]
    return first
