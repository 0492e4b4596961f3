"""Checks without decoding whether a PNG is whole: its chunks follow one another up to IEND."""

from __future__ import annotations

import os
import struct
from typing import Final

from ocrwatch.png_chunks import END, SIGNATURE

_CHUNK: Final = struct.Struct("!I4s")
_CHECKSUM: Final = 4
_LAST: Final = b"\0\0\0\0IEND\xaeB`\x82"
"""IEND, which has no content."""

_MOST_CHUNKS: Final = 100_000
"""Chunks that are looked at; a file of 200 MB whose chunks have 8 KB, as libpng writes them, has 25,000."""


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether the file of ``size`` bytes has an IEND chunk where the lengths of its chunks lead."""
    if size >= len(SIGNATURE) + len(_LAST) and os.pread(descriptor, len(_LAST), size - len(_LAST)) == _LAST:
        return True
    at = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        frame = os.pread(descriptor, _CHUNK.size, at)
        if len(frame) < _CHUNK.size:
            return False
        length, kind = _CHUNK.unpack(frame)
        at += _CHUNK.size + length + _CHECKSUM
        if at > size:
            return False
        if kind == END:
            return True
    # No image has so many; the decoder will say what it is.
    return True
