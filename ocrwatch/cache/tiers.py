"""The levels of the cache in order: memory, the disk, those of other packages, and Redis."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Final

from ocrwatch.cache.base import AsksForMany, CacheCounts, CacheLevel, Entry, LevelOptions
from ocrwatch.cache.redis import RedisLevel
from ocrwatch.cache.redis_options import RedisOptions
from ocrwatch.errors import UsageError
from ocrwatch.events import CacheFailed, publish
from ocrwatch.plugins import find, installed

GROUP: Final = "ocrwatch.caches"
"""Group of entry points for levels."""

REDIS: Final = "redis"
"""Name of the level that ``cache.redis`` adds."""

_Levels = tuple[tuple[str, CacheLevel], ...]

_BUILT_IN: Final = {
    "memory": "ocrwatch.cache.memory:MemoryLevel",
    "disk": "ocrwatch.cache.sqlite:SqliteLevel",
}


def open_cache(
    state: Path, names: Iterable[str], options: LevelOptions, redis: RedisOptions | None = None
) -> TieredCache:
    """Open the levels of these names, and after them Redis. Raises :class:`UsageError` if a name has none.

    A level that cannot be opened is logged and left out.
    """
    levels: dict[str, CacheLevel] = {}
    for name, found in {name: _found(name) for name in names}.items():
        try:
            levels[name] = found.load()(state, options)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - no level may keep the daemon from starting
            _log_failure(name, error)
    if redis is not None:
        # It cannot fail: it connects on the side. Another package may have a level of this name.
        levels[REDIS if REDIS not in levels else f"{REDIS} of cache.redis"] = RedisLevel(redis)
    return TieredCache(levels, max_age=options.max_age)


def check_levels(names: Iterable[str]) -> None:
    """Check that the levels of these names are installed; raises :class:`UsageError`."""
    for name in names:
        _found(name)


class TieredCache:
    """Asks its levels in turn, and copies an entry of a later one to the earlier ones."""

    def __init__(self, levels: Mapping[str, CacheLevel], *, max_age: float) -> None:
        """``levels`` are in order, by name; ``max_age`` is in seconds."""
        self._levels = tuple(levels.items())
        # A level of another package may lack the attribute.
        self._in_memory = tuple(level for level in self._levels if getattr(level[1], "in_memory", False))
        self._others = tuple(level for level in self._levels if level not in self._in_memory)
        self._max_age = max_age
        self._failed: set[str] = set()
        self._lock = threading.Lock()
        self._hits = Counter(dict.fromkeys(levels, 0))

    @property
    def counts(self) -> CacheCounts:
        """How much the cache was used since it was opened."""
        with self._lock:
            hits = dict(self._hits)
        return CacheCounts(hits, sum(level.dropped for _, level in self._levels if isinstance(level, RedisLevel)))

    def get(self, key: bytes) -> bytes | None:
        """Return the page from the first level that has it, None if none has; may wait for a disk."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the pages that some level has; may wait for a disk, and once for a server."""
        return self._find(keys, self._levels)

    def recent(self, key: bytes) -> bytes | None:
        """Return the page if a level in memory has it; never waits."""
        return self._find([key], self._in_memory).get(key)

    def put(self, key: bytes, page: bytes) -> None:
        """Keep a new page in memory; never waits."""
        self._keep(key, Entry(page, time.time()), self._in_memory)

    def save(self, key: bytes, page: bytes) -> None:
        """Keep a new page in the other levels; may wait for a disk."""
        self._keep(key, Entry(page, time.time()), self._others)

    def prune(self) -> None:
        """Drop what is too old."""
        for _, level in self._levels:
            with self._logged_once(level):
                level.prune()

    def close(self) -> None:
        """Close files and connections."""
        for _, level in self._levels:
            with self._logged_once(level):
                level.close()

    def _find(self, keys: Sequence[bytes], levels: _Levels) -> dict[bytes, bytes]:
        """Ask each level once for all that the earlier ones do not have."""
        found: dict[bytes, bytes] = {}
        for number, (name, level) in enumerate(levels):
            missing = [key for key in dict.fromkeys(keys) if key not in found]
            if not missing:
                break
            for key, entry in self._ask(level, missing).items():
                with self._logged_once(level):
                    if self._is_valid(entry):
                        found[key] = entry.page
                        self._count(name)
                        self._keep(key, entry, levels[:number])
        return found

    def _ask(self, level: CacheLevel, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        if isinstance(level, AsksForMany):
            with self._logged_once(level):
                return dict(level.get_many(keys))
            return {}
        entries: dict[bytes, Entry] = {}
        for key in keys:
            with self._logged_once(level):
                if (entry := level.get(key)) is not None:
                    entries[key] = entry
        return entries

    def _is_valid(self, entry: Entry) -> bool:
        """Return whether an entry is not too old; raises ``TypeError`` if it is no packed page."""
        if entry.made_at < time.time() - self._max_age:
            return False
        if not isinstance(entry.page, bytes):
            raise TypeError(f"an entry with {type(entry.page).__name__} instead of bytes")
        return True

    def _count(self, name: str) -> None:
        with self._lock:
            self._hits[name] += 1

    def _keep(self, key: bytes, entry: Entry, levels: _Levels) -> None:
        for _, level in levels:
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
