"""The latest pages, in this process's memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import ClassVar, Final

from ocrwatch.cache.base import Entry, LevelOptions

_MAX_BYTES: Final = 16_000_000
"""Bytes of the pages in memory: about 1,000 pages of 800 words."""

_OVERHEAD: Final = 500
"""Bytes of an entry besides its page, so that empty ones are not kept without limit."""


class MemoryLevel:
    """Keeps the packed pages that were used last."""

    in_memory: ClassVar[bool] = True

    def __init__(self, _state: Path | None = None, _options: LevelOptions | None = None) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._weight = 0

    def get(self, key: bytes) -> Entry | None:
        """Return the entry under ``key``, and keep it longer than others."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry; the least recently used are dropped for it."""
        with self._lock:
            self._drop(self._entries.pop(key, None))
            self._entries[key] = entry
            self._weight += _weight(entry)
            while self._weight > _MAX_BYTES:
                self._drop(self._entries.popitem(last=False)[1])

    def prune(self) -> None:
        """Do nothing: old entries are dropped for new ones."""

    def close(self) -> None:
        """Do nothing."""

    def _drop(self, dropped: Entry | None) -> None:
        if dropped is not None:
            self._weight -= _weight(dropped)


def _weight(entry: Entry) -> int:
    return _OVERHEAD + len(entry.page)
