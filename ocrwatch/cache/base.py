"""Protocols of the page cache and of its levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable


class TextCache(Protocol):
    """Packed pages (:mod:`ocrwatch.cache.codec`) by a key for everything that decides the text.

    May be used from any thread. A lost page costs the time to read it again, so no method raises.
    """

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the pages under those of ``keys`` that have one; may wait for a disk, and once for a server."""

    def recent(self, key: bytes) -> bytes | None:
        """Return the page if it is in memory; never waits."""

    def put(self, key: bytes, page: bytes) -> None:
        """Keep a page in memory; never waits."""

    def save(self, key: bytes, page: bytes) -> None:
        """Keep a page where it outlives this process; may wait for a disk."""

    def prune(self) -> None:
        """Drop what is too old."""

    def close(self) -> None:
        """Close files and connections."""

    @property
    def counts(self) -> CacheCounts:
        """How much the cache was used since it was opened."""


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """How much a cache was used."""

    hits: Mapping[str, int] = field(default_factory=dict)
    """Pages found, by the name of the level that had them."""
    dropped: int = 0
    """New pages that were not sent to a server."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached page."""

    page: bytes
    """Packed; nothing but the codec looks inside."""
    made_at: float
    """When it was read, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class LevelOptions:
    """Options of a level besides the state folder."""

    max_age: float
    """Seconds for which pages are kept."""
    max_bytes: int
    """Space for them on the disk."""


class CacheLevel(Protocol):
    """One place for cached pages. May be used from any thread.

    Its methods may raise anything: :class:`~ocrwatch.cache.tiers.TieredCache` logs it. A level from another package is
    a class, and an entry point of the group ``ocrwatch.caches``; it is used if ``cache.levels`` has the entry point's
    name. If it also has the method of :class:`AsksForMany`, that is used for lookups. :mod:`ocrwatch.cache.codec`
    renders pages as bytes.
    """

    in_memory: ClassVar[bool]
    """Whether it never waits, so that the event loop may use it."""

    def __init__(self, state: Path, options: LevelOptions) -> None:
        """Open it. ``state`` is the state folder, which only its owner can read."""

    def get(self, key: bytes) -> Entry | None:
        """Return the entry under ``key``, None if there is none."""

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry."""

    def prune(self) -> None:
        """Drop what is too old; called at the start, and once a day."""

    def close(self) -> None:
        """Close files and connections."""


@runtime_checkable
class AsksForMany(Protocol):
    """A level that answers for many keys at once, because each of its answers is waited for."""

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """Return the entries under those of ``keys`` that have one."""
