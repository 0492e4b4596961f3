"""Values in Redis: a page with its age, signed, so that only who has the secret can choose texts.

A value is an HMAC-SHA256 of its name and content, and the content: MessagePack of fixed types. Nothing of a value is
decoded before its length and its signature are checked. The page in it is compressed; only workers decompress it, up
to a limit (:mod:`ocrwatch.cache.codec`).
"""

from __future__ import annotations

import hmac
from typing import Annotated, Final

import msgspec

from ocrwatch.cache.base import Entry

PREFIX: Final = "ocrwatch:1:"
"""How names begin in Redis. The number is that of the format: values of another one are never looked up."""

MAX_BYTES: Final = 1_000_000
"""Bytes of the largest value: a page of some 50,000 words. Larger pages are not shared."""

_SIGNATURE: Final = 32
_DIGEST: Final = "sha256"


class _Content(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is signed."""

    made_at: Annotated[float, msgspec.Meta(ge=0)]
    page: bytes


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Content)


class Rejected(Exception):
    """A value that is not used; the message says why."""


def name_of(key: bytes) -> bytes:
    """Return the name in Redis of a key of the cache; it is the same on all machines."""
    return f"{PREFIX}{key.hex()}".encode()


def seal(secret: bytes, name: bytes, entry: Entry) -> bytes | None:
    """Return the value of an entry; None if it would be too large."""
    content = _ENCODER.encode(_Content(entry.made_at, entry.page))
    if len(content) > MAX_BYTES - _SIGNATURE:
        return None
    return _signature(secret, name, content) + content


def unseal(secret: bytes, name: bytes, value: object) -> Entry:
    """Return the entry of a value that may come from anyone; raises :class:`Rejected`."""
    if not isinstance(value, bytes):
        raise Rejected("is of another type")
    if len(value) > MAX_BYTES:
        raise Rejected(f"has {len(value)} bytes, more than {MAX_BYTES}")
    signature, content = value[:_SIGNATURE], value[_SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(secret, name, content)):
        raise Rejected("is damaged, or was signed with another key")
    try:
        found = _DECODER.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Rejected(f"is of another version ({error})") from error
    return Entry(found.page, found.made_at)


def _signature(secret: bytes, name: bytes, content: bytes) -> bytes:
    # All names have the same length, so that no other name and content give the same bytes.
    return hmac.digest(secret, name + content, _DIGEST)
