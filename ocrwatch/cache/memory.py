"""The pages that were put or asked for last, in this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import ClassVar, Final

from ocrwatch.cache.base import Entry, LevelOptions
from ocrwatch.document import Page

_MAX_WORDS: Final = 50_000
"""Words of the pages that are kept, about 20 MB."""

_PAGE_WORDS: Final = 50
"""What a page counts besides its words, so that empty ones are not kept without end."""


class MemoryLevel:
    """Keeps as many pages as have 50,000 words."""

    in_memory: ClassVar[bool] = True

    def __init__(self, _state: Path | None = None, _options: LevelOptions | None = None) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._weight = 0

    def get(self, key: bytes) -> Entry | None:
        """Return what was kept under ``key``, and keep it longer than others."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry; those that were used longest ago make room."""
        with self._lock:
            self._drop(self._entries.pop(key, None))
            self._entries[key] = entry
            self._weight += _weight(entry.page)
            while self._weight > _MAX_WORDS:
                self._drop(self._entries.popitem(last=False)[1])

    def prune(self) -> None:
        """Do nothing: what is old makes room for what is new."""

    def close(self) -> None:
        """Do nothing."""

    def _drop(self, dropped: Entry | None) -> None:
        if dropped is not None:
            self._weight -= _weight(dropped.page)


def _weight(page: Page) -> int:
    return _PAGE_WORDS + sum(len(line.words) for block in page.blocks for line in block.lines)
