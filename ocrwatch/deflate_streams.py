"""Checks zlib streams without keeping what they hold (RFC 1950 and 1951).

Decoders of images stop at the last byte that they need. So damage that makes a stream longer, such as a block of
zeros, looks like blank paper to them: only the end of the stream shows it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

_PIECE: Final = 1 << 16
"""Bytes that are given to zlib at once."""
_MOST_AT_ONCE: Final = 1 << 20
"""Bytes that are taken from it at once."""

_HEADER: Final = 2
_CHECKSUM: Final = 4
"""Bytes before and behind the compressed data."""
_METHOD, _DEFLATE = 0x0F, 8
_DIVISOR: Final = 31
_WITHOUT_HEADER: Final = -15
"""Argument of zlib for data without header and checksum."""


@dataclass(frozen=True, slots=True)
class Inflated:
    """What a stream holds."""

    size: int
    """Bytes that could be inflated."""
    is_ended: bool
    """Whether the last block is there, and no data before it is wrong."""
    has_wrong_checksum: bool = False
    """Whether there is a checksum and it is wrong. Some writers leave it out, or write zero."""


def inflate(stream: bytes, most: int) -> Inflated:
    """Inflate a stream up to about ``most`` bytes: one that is longer is returned as not ended."""
    if len(stream) < _HEADER or stream[0] & _METHOD != _DEFLATE or int.from_bytes(stream[:2], "big") % _DIVISOR:
        return Inflated(0, is_ended=False)
    engine = zlib.decompressobj(_WITHOUT_HEADER)
    size, checksum = 0, 1
    try:
        for start in range(_HEADER, len(stream), _PIECE):
            left = stream[start : start + _PIECE]
            while True:
                found = engine.decompress(left, _MOST_AT_ONCE)
                size, checksum = size + len(found), zlib.adler32(found, checksum)
                if engine.eof:
                    rest = engine.unused_data + stream[start + _PIECE : start + _PIECE + _CHECKSUM]
                    return Inflated(size, is_ended=True, has_wrong_checksum=_is_wrong(rest[:_CHECKSUM], checksum))
                if size > most:
                    return Inflated(size, is_ended=False)
                if len(found) < _MOST_AT_ONCE:
                    break
                left = engine.unconsumed_tail
    except zlib.error:
        pass
    return Inflated(size, is_ended=False)


def _is_wrong(stored: bytes, checksum: int) -> bool:
    value = int.from_bytes(stored, "big")
    return len(stored) == _CHECKSUM and value not in {0, checksum}
