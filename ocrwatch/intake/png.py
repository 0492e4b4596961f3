"""Checks without decoding whether a PNG is whole: its chunks follow one another up to IEND."""

from __future__ import annotations

import os
import struct
from typing import Final

from ocrwatch.png_chunks import END, LAST, MOST_CHUNKS, SIGNATURE

_CHUNK: Final = struct.Struct("!I4s")
_CHECKSUM: Final = 4


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether the file of ``size`` bytes has an IEND chunk where the lengths of its chunks lead."""
    if size >= len(SIGNATURE) + len(LAST) and os.pread(descriptor, len(LAST), size - len(LAST)) == LAST:
        return True
    at = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
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
