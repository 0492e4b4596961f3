"""What happened to every scan: SQLite in the state folder, the only module that knows SQL.

A row begins when a scan is handed to a worker; what merely waits is in the inbox, which needs no copy here. The
states are ``ready → reading → planned → published → done`` or ``quarantined``, ``waiting`` between two attempts,
and ``gone`` for a file that was changed or taken away. Each is durable before the step that depends on it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ocrwatch.errors import EnvironmentFault
from ocrwatch.values import FileFacts

SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE scans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL,          -- bytes, since file names need not be UTF-8
    facts TEXT NOT NULL,         -- inode:size:mtime_ns
    sha256 TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    code TEXT,
    reason TEXT,
    plan TEXT,
    seen_at REAL NOT NULL,       -- these three in seconds since 1970, UTC
    updated_at REAL NOT NULL
);
CREATE INDEX scans_by_path ON scans (path);
CREATE INDEX scans_by_state ON scans (state, updated_at);
"""
_OPEN: Final = "('ready', 'reading', 'waiting', 'planned', 'published')"

_WAL_PAGES: Final = 64

Closing = Literal["done", "quarantined", "gone"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One scan's row."""

    id: int
    path: str
    facts: str
    sha256: str | None
    state: str
    attempts: int
    not_before: float
    """Wall-clock seconds before which it is not tried again."""
    code: str | None
    reason: str | None
    plan: str | None
    seen_at: float
    updated_at: float


def facts_key(facts: FileFacts) -> str:
    """Render what identifies a file across restarts. The device is left out: its number changes with a remount."""
    return f"{facts.inode}:{facts.size}:{facts.mtime_ns}"


class Ledger:
    """One database, usable from any thread. All methods raise :class:`EnvironmentFault` if the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._path = folder / "ledger.db"
        self.token = ""
        """Tells this ledger's temporary files from another's in a shared outbox."""
        with self._guarded():
            _make_private(self._path)
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit survives a power cut, or a scan that brings the machine down would never be found out.
        self._db.execute("PRAGMA synchronous = FULL")
        # Small, so that the log fits on a small state disk.
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        self._create()
        self.token = self._one("SELECT value FROM meta WHERE key = 'token'")["value"]

    def _create(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise EnvironmentFault(
                f"{self._path} was written by a newer ocrwatch (schema {version}, this one knows {SCHEMA_VERSION})",
                "upgrade ocrwatch, or name another state folder",
            )
        if version == 0:
            self._db.executescript(
                f"BEGIN; {_SCHEMA} INSERT INTO meta VALUES ('token', '{secrets.token_hex(4)}');"
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def begin(self, path: str, facts: FileFacts, sha256: str | None) -> Entry:
        """Return the open row of this very file, or a new one; rows of a file that had this name before are closed."""
        with self._transaction():
            found: Entry | None = None
            for row in self._db.execute(
                f"SELECT * FROM scans WHERE path = ? AND state IN {_OPEN} ORDER BY id DESC", (os.fsencode(path),)
            ).fetchall():
                entry = _entry(row)
                same = entry.facts == facts_key(facts) or (sha256 is not None and entry.sha256 == sha256)
                if same and found is None:
                    found = entry
                else:
                    self._set(entry.id, state="gone", plan=None)
            if found is not None:
                self._set(found.id, facts=facts_key(facts), sha256=sha256)
                return self.get(found.id)
            now = time.time()
            cursor = self._db.execute(
                "INSERT INTO scans (path, facts, sha256, state, seen_at, updated_at) VALUES (?, ?, ?, 'ready', ?, ?)",
                (os.fsencode(path), facts_key(facts), sha256, now, now),
            )
            return self.get(cursor.lastrowid or 0)

    def get(self, scan: int) -> Entry:
        """Return a row; raises ``KeyError`` if there is none."""
        with self._guarded():
            return _entry(self._one("SELECT * FROM scans WHERE id = ?", scan))

    def count_attempt(self, scan: int) -> int:
        """Count an attempt, durably, before its work begins; return how many that makes."""
        with self._transaction():
            self._db.execute(
                "UPDATE scans SET attempts = attempts + 1, state = 'reading', updated_at = ? WHERE id = ?",
                (time.time(), scan),
            )
            return self.get(scan).attempts

    def refund_attempt(self, scan: int) -> None:
        """Take back an attempt that ended for no fault of the scan; nothing happens to one that is planned already."""
        with self._transaction():
            self._db.execute(
                "UPDATE scans SET attempts = max(0, attempts - 1), state = 'ready', updated_at = ?"
                " WHERE id = ? AND state = 'reading'",
                (time.time(), scan),
            )

    def wait(self, scan: int, not_before: float, code: str, reason: str) -> None:
        """Note a failed attempt and when the next one may be made (wall clock)."""
        with self._transaction():
            self._set(scan, state="waiting", not_before=not_before, code=code, reason=reason)

    def plan_of(self, scan: int) -> str | None:
        """Return the plan noted for a scan that is still open."""
        entry = self.get(scan)
        return entry.plan if entry.state in {"planned", "published"} else None

    def planned(self, scan: int, plan: str) -> None:
        """Note where everything goes, before anything shows: from here on a restart carries the plan out."""
        with self._transaction():
            self._set(scan, state="planned", plan=plan)

    def published(self, scan: int) -> None:
        """Note that the sidecars are durable under their final names."""
        with self._transaction():
            self._set(scan, state="published")

    def close_scan(self, scan: int, state: Closing, *, code: str | None, reason: str | None) -> None:
        """Close a row. The plan stays, as the record of where things went."""
        with self._transaction():
            self._set(scan, state=state, code=code, reason=reason)

    def unfinished(self) -> list[Entry]:
        """Return the rows that an earlier run left open, oldest first."""
        with self._guarded():
            return [_entry(row) for row in self._db.execute(f"SELECT * FROM scans WHERE state IN {_OPEN} ORDER BY id")]

    def kept(self) -> Iterator[tuple[str, str]]:
        """Yield path and facts of every scan that is done and whose original was to stay in the inbox."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT path, facts FROM scans"
                " WHERE state = 'done' AND json_extract(plan, '$.fate') = 'keep' ORDER BY id"
            ).fetchall()
        for row in rows:
            yield os.fsdecode(row["path"]), row["facts"]

    def was_done(self, path: str, sha256: str) -> bool:
        """Tell whether these bytes were delivered under this very path."""
        with self._guarded():
            return (
                self._db.execute(
                    "SELECT 1 FROM scans WHERE path = ? AND sha256 = ? AND state = 'done'", (os.fsencode(path), sha256)
                ).fetchone()
                is not None
            )

    def history(self, sha256: str) -> list[Entry]:
        """Return what happened to these bytes before, oldest first."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT * FROM scans WHERE sha256 = ? AND state IN ('done', 'quarantined') ORDER BY id", (sha256,)
            )
            return [_entry(row) for row in rows]

    def totals(self) -> dict[str, int]:
        """Return how many scans are in each state."""
        with self._guarded():
            return dict(self._db.execute("SELECT state, count(*) FROM scans GROUP BY state").fetchall())

    def _set(self, scan: int, **values: str | float | None) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(
            f"UPDATE scans SET {names}, updated_at = ? WHERE id = ?",
            (*values.values(), time.time(), scan),
        )

    def _one(self, sql: str, *parameters: object) -> Any:
        row = self._db.execute(sql, parameters).fetchone()
        if row is None:
            raise KeyError(parameters)
        return row

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            raise EnvironmentFault(
                f"cannot use the ledger {self._path} ({error})",
                "check that the state folder is writable and its disk not full",
            ) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(**{**dict(row), "path": os.fsdecode(row["path"])})


def _make_private(path: Path) -> None:
    """Make the database, if it is new, readable for its owner and group only: it tells the names of scans."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640))
