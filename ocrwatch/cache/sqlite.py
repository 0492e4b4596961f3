"""Cache level on the disk: an SQLite database in the state folder.

Losing it costs the time to read again. So nothing waits until a page is safe on the disk, and no error is raised: it is
logged once, a damaged file is renamed, and scans are read as if the cache were empty.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import quote

from ocrwatch.cache.base import Entry, LevelOptions
from ocrwatch.cache.codec import MAX_SIZE, Malformed
from ocrwatch.events import CacheDamaged, CacheFailed, publish
from ocrwatch.ledger.opening import PAGE_CACHE_KIB, is_damage
from ocrwatch.storage.files import folder, remove, status_of

CACHE_NAME: Final = "cache.db"
DAMAGED_NAME: Final = f"{CACHE_NAME}.damaged"
"""The name that a damaged cache is given."""

_LARGEST_SHARE: Final = 10
"""No page may take more than a tenth of the space on the disk."""

_DROPPED_AT_ONCE: Final = 50
"""Pages that are dropped together, but no more than a tenth of all."""

_LEFT_FREE: Final = 50_000_000
"""Bytes of the disk that the cache leaves to the more important ledger."""

_WAL_PAGES: Final = 64
"""As few as the ledger's, for the same reason."""

_APPLICATION: Final = 0x6F637277
"""Distinguishes our cache from another program's database (sqlite.org/pragma.html#pragma_application_id): "ocrw"."""

_VERSION: Final = 3
"""Version of the table and of the packed pages in it: others are emptied."""

_PARTS: Final = ("-wal", "-shm", "")


class _Foreign(Exception):
    """A file that is not our cache."""


class SqliteLevel:
    """Pages in one file of the state folder."""

    in_memory: ClassVar[bool] = False

    def __init__(self, state: Path, options: LevelOptions) -> None:
        self._lock = threading.Lock()
        self._path = state / CACHE_NAME
        self._max_age = options.max_age
        self._max_bytes = options.max_bytes
        self._bytes = 0
        self._complained = False
        self._set_aside_before = False
        self._db: sqlite3.Connection | None = None
        with self._lock:
            self._open()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def get(self, key: bytes) -> Entry | None:
        """Return the entry under ``key``; an invalid one is logged and dropped."""
        with self._lock:
            return self._load(key)

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry on the disk."""
        with self._lock:
            self._save(key, entry.made_at, entry.page)

    def prune(self) -> None:
        """Drop old entries from the disk, and free their space; delete an old damaged cache."""
        with contextlib.suppress(OSError):
            remove_cache(self._path.parent, older_than=self._max_age, names=[DAMAGED_NAME])
        with self._lock:
            if self._db is None:
                return
            try:
                self._db.execute("DELETE FROM pages WHERE at < ?", (time.time() - self._max_age,))
                self._db.execute("PRAGMA incremental_vacuum").fetchall()
                self._bytes = self._size()
            except sqlite3.Error as error:
                self._trouble(error)

    def _load(self, key: bytes) -> Entry | None:
        if self._db is None:
            return None
        try:
            # A value that is too long is not even fetched.
            sql = "SELECT at, iif(length(page) <= ?, page, NULL) FROM pages WHERE key = ?"
            found = self._db.execute(sql, (MAX_SIZE, key)).fetchone()
            return None if found is None else _entry(*found)
        except Malformed as error:
            self._drop(key, str(error))
        except sqlite3.Error as error:
            self._trouble(error)
        return None

    def _drop(self, key: bytes, reason: str) -> None:
        """Drop an invalid page: reading its scan again puts a good one in its place."""
        publish(CacheFailed(reason=f"a page in {self._path} is damaged ({reason})", remedy="nothing: its scan is read"))
        if self._db is None:
            return
        try:
            self._db.execute("DELETE FROM pages WHERE key = ?", (key,))
            self._bytes = self._size()
        except sqlite3.Error as error:
            self._trouble(error)

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
        """Drop the oldest entries: rows are numbered in the order of their arrival."""
        if self._db is None:
            return
        pages: int = self._db.execute("SELECT count(*) FROM pages").fetchone()[0]
        at_once = max(1, min(_DROPPED_AT_ONCE, pages // 10))
        dropped = self._db.execute(
            "DELETE FROM pages WHERE id IN (SELECT id FROM pages ORDER BY id LIMIT ?)", (at_once,)
        ).rowcount
        # Counted again, since a page that was replaced was counted twice.
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
        """Rename a damaged cache and begin a new one; go on without if that does not help."""
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
        publish(CacheDamaged(reason=str(error), set_aside=str(kept_as)))
        self._open()

    def _complain(self, reason: str) -> None:
        if not self._complained:
            self._complained = True
            publish(CacheFailed(reason=reason, remedy="check the state folder; scans are read all the same"))

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def remove_cache(state: Path, *, older_than: float = 0.0, names: Sequence[str] = (CACHE_NAME, DAMAGED_NAME)) -> None:
    """Delete the texts that earlier runs have kept, and a damaged file that one has renamed.

    Only files that have not been written for ``older_than`` seconds; another program's database is left. Raises
    ``OSError``.
    """
    with folder(state) as descriptor:
        for name in names:
            status = status_of(descriptor, name)
            if status is None or time.time() - status.st_mtime < older_than or _is_foreign(state / name):
                continue
            for part in _PARTS:
                remove(descriptor, name + part)


def _entry(made_at: object, data: object) -> Entry:
    """Return the entry of a row.

    Raises :class:`Malformed`: SQLite keeps values of any type in any column.
    """
    if not isinstance(made_at, float) or not isinstance(data, bytes):
        raise Malformed("a value of another type, or too long")
    return Entry(data, made_at)


def _is_foreign(path: Path) -> bool:
    """Return whether a file is another program's database; a damaged one is ours."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1)) as db:
            return not _is_ours(db) and not _is_empty(db)
    except sqlite3.Error:
        return False


def _is_ours(db: sqlite3.Connection) -> bool:
    return bool(db.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION)


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _connect(path: Path) -> sqlite3.Connection:
    # It holds the text of scans, which only its owner may read.
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
    if not _is_ours(db):
        if not _is_empty(db):
            raise _Foreign("it is another program's database")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute(f"PRAGMA application_id = {_APPLICATION}")
    db.execute("PRAGMA journal_mode = WAL")
    # A power cut may cost the last pages, never the others, and no commit waits for the disk.
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    db.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
    if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        db.executescript(
            "BEGIN; DROP TABLE IF EXISTS pages;"
            " CREATE TABLE pages (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, at REAL NOT NULL,"
            f" page BLOB NOT NULL); PRAGMA user_version = {_VERSION}; COMMIT;"
        )
    db.execute("SELECT id, key, at, page FROM pages LIMIT 0")


def _set_aside(path: Path) -> Path:
    """Rename it, replacing the one that was renamed before."""
    kept_as = path.with_name(DAMAGED_NAME)
    with folder(path.parent) as state:
        for part in _PARTS:
            remove(state, kept_as.name + part)
            if status_of(state, path.name + part) is not None:
                os.rename(path.name + part, kept_as.name + part, src_dir_fd=state, dst_dir_fd=state)
    return kept_as
