"""Checks without decoding whether a PNG is whole: its chunks follow one another up to IEND."""

from __future__ import annotations

import os

from ocrwatch.png_chunks import CHECKSUM, END, FRAME, LAST, MOST_CHUNKS, SIGNATURE


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether the file of ``size`` bytes has an IEND chunk where the lengths of its chunks lead."""
    if size >= len(SIGNATURE) + len(LAST) and os.pread(descriptor, len(LAST), size - len(LAST)) == LAST:
        return True
    at = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        frame = os.pread(descriptor, FRAME.size, at)
        if len(frame) < FRAME.size:
            return False
        length, kind = FRAME.unpack(frame)
        at += FRAME.size + length + CHECKSUM
        if at > size:
            return False
        if kind == END:
            return True
    # No image has so many; the decoder will say what it is.
    return True
