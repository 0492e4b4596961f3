"""Pages that were read before, in memory and on the disk, to be had again without reading.

Losing them costs nothing but the time to read again. So nothing here waits for the disk, and no error of it reaches
anybody: it is logged once, and scans are read as if nothing were known of them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final

from ocrwatch.cache.codec import pack, unpack
from ocrwatch.document import Page
from ocrwatch.ledger.opening import is_damage
from ocrwatch.log import get_logger
from ocrwatch.storage.files import folder, remove, status_of

CACHE_NAME: Final = "cache.db"

_MOST_WORDS: Final = 50_000
"""Words of the pages that are kept in memory, about 20 MB."""

_PAGE_WORDS: Final = 50
"""What a page counts besides its words, so that empty ones are not kept without end."""

_LARGEST_SHARE: Final = 10
"""No page may take more than the tenth part of the space on the disk."""

_DROPPED_AT_ONCE: Final = 50
_LEFT_FREE: Final = 50_000_000
"""Bytes of the disk that the cache leaves to what matters more: the ledger."""

_WAL_PAGES: Final = 64
"""As few as the ledger's, for the same reason."""

_APPLICATION: Final = 0x6F637277
"""Tells a cache of ours from another program's database (sqlite.org/pragma.html#pragma_application_id): "ocrw"."""

_VERSION: Final = 1
"""Of the table and of what is packed in it: others are emptied."""

_PARTS: Final = ("-wal", "-shm", "")

_log = get_logger()


class _Foreign(Exception):
    """A file that is not a cache of ours."""


class TextCache:
    """Pages by a key that stands for everything that decides what is read. May be used from any thread."""

    def __init__(self, state: Path, *, max_age: float, max_bytes: int) -> None:
        """Keep pages for ``max_age`` seconds, in at most ``max_bytes`` bytes of the folder ``state``."""
        self._lock = threading.Lock()
        self._path = state / CACHE_NAME
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._memory = _Memory()
        self._bytes = 0
        self._complained = False
        self._set_aside_before = False
        self._db: sqlite3.Connection | None = None
        with self._lock:
            self._open()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._close()

    def get(self, key: bytes) -> Page | None:
        """Return the page that was put under ``key``, None where there is none or it is too old."""
        if (page := self.recent(key)) is not None:
            return page
        with self._lock:
            made_at, page = self._load(key) or (0.0, None)
        if page is None or self._is_old(made_at):
            return None
        self._memory.add(key, made_at, page)
        return page

    def recent(self, key: bytes) -> Page | None:
        """Return the page if it is still in memory; never waits for the disk."""
        made_at, page = self._memory.get(key) or (0.0, None)
        return None if self._is_old(made_at) else page

    def put(self, key: bytes, page: Page) -> None:
        """Keep a page in memory: it waits for no disk."""
        self._memory.add(key, time.time(), page)

    def save(self, key: bytes, page: Page) -> None:
        """Keep a page on the disk."""
        now = time.time()
        try:
            data = pack(page)
        except (TypeError, ValueError):
            # An engine of somebody else's may return odd numbers; they can be delivered all the same.
            return
        with self._lock:
            self._save(key, now, data)

    def prune(self) -> None:
        """Drop what is too old from the disk, and give its space back."""
        with self._lock:
            if self._db is None:
                return
            try:
                self._db.execute("DELETE FROM pages WHERE at < ?", (time.time() - self._max_age,))
                self._db.execute("PRAGMA incremental_vacuum").fetchall()
                self._bytes = self._size()
            except sqlite3.Error as error:
                self._trouble(error)

    def _is_old(self, made_at: float) -> bool:
        return made_at < time.time() - self._max_age

    def _load(self, key: bytes) -> tuple[float, Page] | None:
        if self._db is None:
            return None
        try:
            found = self._db.execute("SELECT at, page FROM pages WHERE key = ?", (key,)).fetchone()
            return None if found is None else (found[0], unpack(found[1]))
        except ValueError as error:
            self._complain(f"a page in {self._path} is damaged ({error})")
        except sqlite3.Error as error:
            self._trouble(error)
        return None

    def _save(self, key: bytes, now: float, data: bytes) -> None:
        if self._db is None or len(data) > self._max_bytes // _LARGEST_SHARE:
            return
        try:
            disk = os.statvfs(self._path)
            if disk.f_bavail * disk.f_frsize < _LEFT_FREE:
                return
            self._db.execute("INSERT OR REPLACE INTO pages (key, at, page) VALUES (?, ?, ?)", (key, now, data))
            self._bytes += len(data)
            while self._bytes > self._max_bytes:
                self._drop_oldest()
        except (sqlite3.Error, OSError) as error:
            self._trouble(error)

    def _drop_oldest(self) -> None:
        """Drop what was read longest ago: rows are numbered in the order in which they came."""
        if self._db is None:
            return
        dropped = self._db.execute(
            "DELETE FROM pages WHERE id IN (SELECT id FROM pages ORDER BY id LIMIT ?)", (_DROPPED_AT_ONCE,)
        ).rowcount
        # Counted anew, since a page that was replaced was counted twice.
        self._bytes = self._size() if dropped else 0

    def _size(self) -> int:
        if self._db is None:
            return 0
        size: int = self._db.execute("SELECT coalesce(sum(length(page)), 0) FROM pages").fetchone()[0]
        return size

    def _open(self) -> None:
        try:
            self._db = _connect(self._path)
            self._bytes = self._size()
        except (sqlite3.Error, OSError, _Foreign) as error:
            self._trouble(error)

    def _trouble(self, error: Exception) -> None:
        """Set a damaged cache aside and begin a new one; do without where that is no help."""
        if not (isinstance(error, _Foreign) or (isinstance(error, sqlite3.Error) and is_damage(error))):
            self._complain(str(error))
            return
        self._close()
        if self._set_aside_before:
            self._complain(str(error))
            return
        self._set_aside_before = True
        try:
            kept_as = _set_aside(self._path)
        except OSError as refused:
            self._complain(str(refused))
            return
        _log.warning("cache.damaged", reason=str(error), set_aside=str(kept_as))
        self._open()

    def _complain(self, reason: str) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("cache.failed", reason=reason, remedy="check the state folder; scans are read all the same")

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


class _Memory:
    """The pages that were put or asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[bytes, tuple[float, Page]] = OrderedDict()
        self._weight = 0

    def get(self, key: bytes) -> tuple[float, Page] | None:
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
            return self._pages.get(key)

    def add(self, key: bytes, made_at: float, page: Page) -> None:
        with self._lock:
            self._drop(self._pages.pop(key, None))
            self._pages[key] = made_at, page
            self._weight += _weight(page)
            while self._weight > _MOST_WORDS:
                self._drop(self._pages.popitem(last=False)[1])

    def _drop(self, dropped: tuple[float, Page] | None) -> None:
        if dropped is not None:
            self._weight -= _weight(dropped[1])


def _weight(page: Page) -> int:
    return _PAGE_WORDS + sum(len(line.words) for block in page.blocks for line in block.lines)


def _connect(path: Path) -> sqlite3.Connection:
    # It holds the text of scans: nobody else's business.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
    try:
        _prepare(db)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        if db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None:
            raise _Foreign("it is another program's database")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute(f"PRAGMA application_id = {_APPLICATION}")
    db.execute("PRAGMA journal_mode = WAL")
    # A power cut may cost the last pages, never the others, and no commit waits for the disk.
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        db.executescript(
            "BEGIN; DROP TABLE IF EXISTS pages;"
            " CREATE TABLE pages (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, at REAL NOT NULL,"
            f" page BLOB NOT NULL); PRAGMA user_version = {_VERSION}; COMMIT;"
        )
    db.execute("SELECT id, key, at, page FROM pages LIMIT 0")


def _set_aside(path: Path) -> Path:
    """Rename it, in the place of the one that was set aside before."""
    kept_as = path.with_name(f"{path.name}.damaged")
    with folder(path.parent) as state:
        for part in _PARTS:
            remove(state, kept_as.name + part)
            if status_of(state, path.name + part) is not None:
                os.rename(path.name + part, kept_as.name + part, src_dir_fd=state, dst_dir_fd=state)
    return kept_as
