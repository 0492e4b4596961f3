"""The levels of the cache in order: memory, the disk, and those of other packages."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Final

from ocrwatch.cache.base import CacheLevel, Entry, LevelOptions
from ocrwatch.errors import UsageError
from ocrwatch.events import CacheFailed, publish
from ocrwatch.plugins import find, installed

GROUP: Final = "ocrwatch.caches"
"""Group of entry points for levels."""

_BUILT_IN: Final = {
    "memory": "ocrwatch.cache.memory:MemoryLevel",
    "disk": "ocrwatch.cache.sqlite:SqliteLevel",
}


def open_cache(state: Path, names: Iterable[str], options: LevelOptions) -> TieredCache:
    """Open the levels of these names. Raises :class:`UsageError` if a name has none.

    A level that cannot be opened is logged and left out.
    """
    levels: dict[str, CacheLevel] = {}
    for name, found in {name: _found(name) for name in names}.items():
        try:
            levels[name] = found.load()(state, options)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - no level may keep the daemon from starting
            _log_failure(name, error)
    return TieredCache(levels.values(), max_age=options.max_age)


def check_levels(names: Iterable[str]) -> None:
    """Check that the levels of these names are installed; raises :class:`UsageError`."""
    for name in names:
        _found(name)


class TieredCache:
    """Asks its levels in turn, and copies an entry of a later one to the earlier ones."""

    def __init__(self, levels: Iterable[CacheLevel], *, max_age: float) -> None:
        """``max_age`` is in seconds."""
        self._levels = tuple(levels)
        # A level of another package may lack the attribute.
        self._in_memory = tuple(level for level in self._levels if getattr(level, "in_memory", False))
        self._others = tuple(level for level in self._levels if level not in self._in_memory)
        self._max_age = max_age
        self._failed: set[str] = set()

    def get(self, key: bytes) -> bytes | None:
        """Return the page from the first level that has it, None if none has; may wait for a disk."""
        return self._find(key, self._levels)

    def recent(self, key: bytes) -> bytes | None:
        """Return the page if a level in memory has it; never waits."""
        return self._find(key, self._in_memory)

    def put(self, key: bytes, page: bytes) -> None:
        """Keep a new page in memory; never waits."""
        self._keep(key, Entry(page, time.time()), self._in_memory)

    def save(self, key: bytes, page: bytes) -> None:
        """Keep a new page in the other levels; may wait for a disk."""
        self._keep(key, Entry(page, time.time()), self._others)

    def prune(self) -> None:
        """Drop what is too old."""
        for level in self._levels:
            with self._logged_once(level):
                level.prune()

    def close(self) -> None:
        """Close files and connections."""
        for level in self._levels:
            with self._logged_once(level):
                level.close()

    def _find(self, key: bytes, levels: tuple[CacheLevel, ...]) -> bytes | None:
        for number, level in enumerate(levels):
            with self._logged_once(level):
                entry = level.get(key)
                if entry is None or entry.made_at < time.time() - self._max_age:
                    continue
                if not isinstance(entry.page, bytes):
                    raise TypeError(f"an entry with {type(entry.page).__name__} instead of bytes")
                self._keep(key, entry, levels[:number])
                return entry.page
        return None

    def _keep(self, key: bytes, entry: Entry, levels: tuple[CacheLevel, ...]) -> None:
        for level in levels:
            with self._logged_once(level):
                level.put(key, entry)

    @contextlib.contextmanager
    def _logged_once(self, level: CacheLevel) -> Iterator[None]:
        """Log the first error of a level, and go on as if it were empty."""
        try:
            yield
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the error, the scan is read
            name = type(level).__name__
            if name not in self._failed:
                self._failed.add(name)
                _log_failure(name, error)


def _log_failure(level: str, error: BaseException) -> None:
    reason = f"{level}: {str(error) or type(error).__name__}"
    publish(CacheFailed(reason=reason, remedy="check what cache.levels names; scans are read all the same"))


def _found(name: str) -> EntryPoint:
    if (found := find(GROUP, _BUILT_IN, name)) is None:
        raise UsageError(
            f"there is no level of the cache named {name!r}",
            f"set cache.levels to some of: {', '.join(sorted(installed(GROUP, _BUILT_IN)))}",
        )
    return found
