"""Encodes a Page as MessagePack, compressed with zlib, after its engine's name.

The bytes may come from an aged disk, or from other people: the result is a page with the declared types, or nothing.
Pages are packed and unpacked in workers. The daemon's own process reads only the engine, to check whether a page is of
the version that is installed now.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import Final

import msgspec

from ocrwatch.document import Page

MAX_SIZE: Final = 1 << 24
"""Bytes of a page before compression, some 200,000 words. Decoded, they may take eight times the memory."""

_FAST: Final = 1
"""zlib's level: the higher ones save little, since most of it is numbers."""

_LENGTH: Final = struct.Struct("!H")
"""Bytes of the engine's name and version, which follow."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Page)
_ENGINE: Final = msgspec.msgpack.Decoder(tuple[str, str])


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
    engine = _ENCODER.encode((page.engine.name, page.engine.version))
    if len(content) > MAX_SIZE or len(engine) > 0xFFFF:  # noqa: PLR2004 - what _LENGTH can express
        raise ValueError(f"the page takes {len(content)} bytes")
    return _LENGTH.pack(len(engine)) + engine + zlib.compress(content, _FAST)


def engine_of(data: bytes) -> tuple[str, str]:
    """Return name and version of the engine of a packed page.

    Raises :class:`Malformed`.
    """
    try:
        return _ENGINE.decode(data[_LENGTH.size : _start(data)])
    except (msgspec.MsgspecError, ValueError) as error:
        raise Malformed(str(error)) from error


def unpack(data: bytes) -> Page:
    """Decode the bytes of :func:`pack`.

    Raises :class:`Malformed` if they are damaged, or were something else.
    """
    inflating = zlib.decompressobj()
    engine = engine_of(data)
    try:
        content = inflating.decompress(memoryview(data)[_start(data) :], MAX_SIZE)
        # It ends with a checksum (RFC 1950), which is only checked at the end.
        if not inflating.eof or inflating.unused_data:
            raise Malformed("truncated, too large, or followed by something else")
        page = _DECODER.decode(content)
    except (zlib.error, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise Malformed(str(error)) from error
    if (page.engine.name, page.engine.version) != engine:
        raise Malformed("it is of another engine than it says")
    return page


def _start(data: bytes) -> int:
    """Return where the compressed page begins. Raises :class:`Malformed`."""
    if len(data) < _LENGTH.size:
        raise Malformed("truncated")
    length: int = _LENGTH.unpack_from(data)[0]
    return _LENGTH.size + length
