"""What a file is that is no JPEG, by its first bytes."""

from __future__ import annotations

from typing import Final

HEAD: Final = 16
"""Bytes that are enough to tell."""

_BEGINNINGS: Final = (
    (b"\x89PNG", "a PNG image"),
    (b"%PDF", "a PDF document"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"BM", "a BMP image"),
    (b"RIFF", "a WebP image"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 image"),
    (b"\xff\x0a", "a JPEG XL image"),
)


def kind_of(head: bytes) -> str:
    """Name what a file is that begins with ``head``: ``a PDF document``, or ``something else``."""
    if head[4:8] == b"ftyp":
        return "a HEIC or AVIF image"
    return next((name for beginning, name in _BEGINNINGS if head.startswith(beginning)), "something else")
