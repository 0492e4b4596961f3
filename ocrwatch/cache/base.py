"""The cache of pages as its users see it, and what a level of it has to offer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from ocrwatch.document import Page


class TextCache(Protocol):
    """Pages by a key that stands for everything that decides what is read.

    May be used from any thread. Losing a page costs the time to read it again, so no method raises anything.
    """

    def get(self, key: bytes) -> Page | None:
        """Return the page that was kept under ``key``, None if there is none; may wait for a disk."""

    def recent(self, key: bytes) -> Page | None:
        """Return the page if it is in memory; never waits."""

    def put(self, key: bytes, page: Page) -> None:
        """Keep a page in memory; never waits."""

    def save(self, key: bytes, page: Page) -> None:
        """Keep a page wherever it outlives this process; may wait for a disk."""

    def prune(self) -> None:
        """Drop what is too old."""

    def close(self) -> None:
        """Let go of files and connections."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that is kept."""

    page: Page
    made_at: float
    """When it was read, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class LevelOptions:
    """What a level is made with, besides the state folder."""

    max_age: float
    """Seconds for which pages are kept."""
    max_bytes: int
    """Space for them on the disk."""


class CacheLevel(Protocol):
    """One place in which pages are kept. May be used from any thread.

    Its methods may raise anything: :class:`~ocrwatch.cache.tiers.TieredCache` logs it. A level from another package is
    a class, and an entry point of the group ``ocrwatch.caches``; it is used if ``cache.levels`` has the entry point's
    name. :mod:`ocrwatch.cache.codec` renders pages as bytes.
    """

    in_memory: ClassVar[bool]
    """Whether it never waits, so that the event loop may use it."""

    def __init__(self, state: Path, options: LevelOptions) -> None:
        """Open it. ``state`` is the state folder, of which only its owner sees the contents."""

    def get(self, key: bytes) -> Entry | None:
        """Return what was kept under ``key``, None if there is nothing."""

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry."""

    def prune(self) -> None:
        """Drop what is too old; called every few hours."""

    def close(self) -> None:
        """Let go of files and connections."""
