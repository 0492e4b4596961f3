"""Marks pages and documents as reviewed in the ledger, from a process beside the daemon.

The daemon never waits noticeably: a transaction changes a few rows that were found before it began, and writes nothing
back to the database (checkpoints are left to the daemon). It never meets a file that it may not open: SQLite creates
the log and its index if no other process has the ledger open, so only the ledger's owner writes, and root becomes that
owner first.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote_from_bytes

from ocrwatch.errors import ASK_ITS_USER, EnvironmentFault, environment_fault
from ocrwatch.ledger import migrations

_PATIENCE: Final = 5.0
"""Seconds to wait for other writers; the daemon's own transactions take milliseconds."""

_AT_ONCE: Final = 200
"""Rows changed in one transaction."""

_PAUSE: Final = 0.03
"""Seconds between two transactions. SQLite makes a waiting writer sleep longer after each try, so that without a pause
20,000 rows delayed a commit of the daemon for half a second.
"""

_PRIMARY: Final = 0xFF
_REMEDIES: Final = {
    sqlite3.SQLITE_BUSY: "try again in a moment",
    sqlite3.SQLITE_FULL: "free some space there",
    sqlite3.SQLITE_IOERR: "check the disk of the state folder",
}
"""Remedies by the primary part of SQLite's result code (sqlite.org/rescode.html)."""


_NO_DOCUMENTS: Final[Mapping[int, Sequence[str]]] = MappingProxyType({})


def mark_reviewed(
    state: Path, reasons: Mapping[int, Sequence[str]], documents: Mapping[int, Sequence[str]] = _NO_DOCUMENTS
) -> None:
    """Record, durably, that the texts of these rows were reviewed, for these ``reasons``.

    ``documents`` are rows of documents, with theirs. Rows that do not wait for review, or wait for other reasons by
    now, are not changed: those reasons were not seen. Root becomes the ledger's owner for the rest of the process.
    Raises :class:`EnvironmentFault` if another user asks, or the ledger cannot be written.
    """
    path = state / "ledger.db"
    _become_owner(path)
    with _open(path) as db:
        version = migrations.version_of(db)
        if version >= migrations.REVIEWS_SINCE:
            _mark(db, "scans", reasons)
        if version >= migrations.DOCUMENT_REVIEWS_SINCE:
            _mark(db, "documents", documents)


def _mark(db: sqlite3.Connection, table: str, reasons: Mapping[int, Sequence[str]]) -> None:
    rows = [(row, json.dumps(list(seen))) for row, seen in sorted(reasons.items())]
    for start in range(0, len(rows), _AT_ONCE):
        if start:
            time.sleep(_PAUSE)
        some, now = rows[start : start + _AT_ONCE], time.time()
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            f"UPDATE {table} SET reviewed_at = ? WHERE id = ? AND json(review) = json(?) AND reviewed_at IS NULL",
            [(now, *row) for row in some],
        )
        db.execute("COMMIT")


def _become_owner(path: Path) -> None:
    """Switch to the ledger's user and group if this is root.

    Raises :class:`EnvironmentFault` for any other user.
    """
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ELOOP, "not a regular file")
        if os.geteuid() == status.st_uid:
            return
        if os.geteuid() != 0:
            raise OSError(errno.EACCES, "the ledger is another user's")
        os.setgroups([])
        os.setgid(status.st_gid)
        os.setuid(status.st_uid)
    except OSError as error:
        raise environment_fault(error, f"cannot write to the ledger {path}", closed=ASK_ITS_USER) from error


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    name = quote_from_bytes(os.fsencode(path.absolute()))
    try:
        with contextlib.closing(
            # Never created: a ledger that is gone meanwhile is not replaced by an empty one.
            sqlite3.connect(f"file:{name}?mode=rw", uri=True, isolation_level=None, timeout=_PATIENCE)
        ) as db:
            # Reviewed marks survive a power cut.
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            yield db
    except sqlite3.Error as error:
        remedy = _REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY, ASK_ITS_USER)
        raise EnvironmentFault(f"cannot write to the ledger {path} ({error})", remedy) from error
