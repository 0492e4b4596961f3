"""Encodes a Page compactly and exactly: MessagePack, compressed with zlib.

The bytes may come from an aged disk, or from other people: the result is a page with the declared types, or nothing.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Final

import msgspec

from ocrwatch.document import Page

MAX_SIZE: Final = 1 << 24
"""Bytes of a page before compression, some 200,000 words. Decoded, they may take eight times the memory."""

_FAST: Final = 1
"""zlib's level: the higher ones save little, since most of it is numbers."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Page)


class Malformed(Exception):
    """The bytes are not a valid page."""


def pack(page: Page) -> bytes:
    """Encode everything but the timings, which belong to one reading only.

    Raises ``TypeError`` or ``ValueError`` for a page that is too large, or has values of other types.
    """
    try:
        content = _ENCODER.encode(replace(page, timings=()))
    except OverflowError as error:
        raise ValueError("a number is too large") from error
    if len(content) > MAX_SIZE:
        raise ValueError(f"the page takes {len(content)} bytes")
    return zlib.compress(content, _FAST)


def unpack(data: bytes) -> Page:
    """Decode the bytes of :func:`pack`. Raises :class:`Malformed` for anything else, also if a single bit differs."""
    inflating = zlib.decompressobj()
    try:
        content = inflating.decompress(data, MAX_SIZE)
        # It ends with a checksum (RFC 1950), which is only checked at the end.
        if not inflating.eof or inflating.unused_data:
            raise Malformed("truncated, too large, or followed by something else")
        return _DECODER.decode(content)
    except (zlib.error, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise Malformed(str(error)) from error
