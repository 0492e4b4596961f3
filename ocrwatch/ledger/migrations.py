"""Defines the tables, and migrates those of an older ocrwatch."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from ocrwatch.errors import EnvironmentFault

_FIRST: Final = """
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

_REVIEWS: Final = """
ALTER TABLE scans ADD COLUMN review TEXT;       -- JSON array of reasons; NULL if the page is not marked for review
ALTER TABLE scans ADD COLUMN confidence REAL;   -- of a marked page; NULL if nothing was read
ALTER TABLE scans ADD COLUMN reviewed_at REAL;  -- when it was ticked off
CREATE INDEX scans_to_review ON scans (updated_at) WHERE review IS NOT NULL AND reviewed_at IS NULL;
"""

_DEATHS: Final = """
ALTER TABLE scans ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;  -- 1: in work when ocrwatch was killed, is read alone
ALTER TABLE scans ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0; -- how often that was while it was the only one
"""

_HASHES: Final = """
CREATE INDEX scans_by_sha256 ON scans (sha256);
"""

_STATES: Final = """
UPDATE scans SET state = CASE state
    WHEN 'ready' THEN 'queued' WHEN 'waiting' THEN 'retrying' WHEN 'done' THEN 'delivered' WHEN 'gone' THEN 'changed'
    ELSE state END;
"""

_DOCUMENTS: Final = """
ALTER TABLE scans ADD COLUMN stack INTEGER;     -- the stack of which it is a page; NULL if it is of none
CREATE INDEX scans_by_stack ON scans (stack) WHERE stack IS NOT NULL;
CREATE TABLE stacks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,           -- JSON; equal for stacks that follow each other
    facts TEXT NOT NULL,         -- JSON
    state TEXT NOT NULL,
    closed_by TEXT,
    opened_at REAL NOT NULL,     -- both in seconds since 1970, UTC
    updated_at REAL NOT NULL
);
CREATE INDEX stacks_by_key ON stacks (key);
CREATE INDEX stacks_by_state ON stacks (state, updated_at);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stack INTEGER NOT NULL,
    state TEXT NOT NULL,
    plan TEXT NOT NULL,          -- JSON
    updated_at REAL NOT NULL
);
CREATE INDEX documents_by_stack ON documents (stack);
"""

_PILES: Final = """
ALTER TABLE stacks ADD COLUMN feed TEXT;        -- JSON; equal for piles of fronts and backs that follow each other
ALTER TABLE stacks ADD COLUMN expected TEXT;    -- JSON array of the pages that a waiting pile has still to get
ALTER TABLE stacks ADD COLUMN fronts INTEGER;   -- the pile of which it has the backs; NULL if it is in no pair
ALTER TABLE stacks ADD COLUMN doubt TEXT;       -- why it is in no pair, or why its pair is not sure
CREATE INDEX stacks_by_feed ON stacks (feed) WHERE feed IS NOT NULL;
CREATE INDEX stacks_by_fronts ON stacks (fronts) WHERE fronts IS NOT NULL;
"""

_PROGRESS: Final = """
ALTER TABLE scans ADD COLUMN pages INTEGER NOT NULL DEFAULT 0;  -- of a file: how many were done when deaths became 0
"""

_DOCUMENT_REVIEWS: Final = """
ALTER TABLE documents ADD COLUMN review TEXT;           -- JSON array of reasons; NULL if it is not marked for review
ALTER TABLE documents ADD COLUMN reviewed_at REAL;      -- when it was ticked off
ALTER TABLE documents ADD COLUMN replaced_by INTEGER;   -- the document that was written anew with pages that it lacks
UPDATE documents SET review = json_extract(plan, '$.review')
    WHERE state = 'delivered' AND json_array_length(plan, '$.review') > 0;
UPDATE documents SET replaced_by = (
    SELECT max(new.id) FROM documents AS new WHERE new.stack = documents.stack AND new.id > documents.id
    AND new.state = 'delivered' AND json_extract(new.plan, '$.replaces') = json_extract(documents.plan, '$.stem')
) WHERE state = 'delivered';
CREATE INDEX documents_to_review ON documents (updated_at)
    WHERE review IS NOT NULL AND reviewed_at IS NULL AND replaced_by IS NULL;
"""

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _REVIEWS,
    _DEATHS,
    _HASHES,
    _STATES,
    _DOCUMENTS,
    _PILES,
    _PROGRESS,
    _DOCUMENT_REVIEWS,
)
"""Migrations from each version of the schema to the next, from the empty one on. Append only: they are in use."""

SCHEMA_VERSION: Final = len(MIGRATIONS)

REVIEWS_SINCE: Final = 2
"""First version of the schema with reviews."""

DOCUMENTS_SINCE: Final = 6
"""First version of the schema with stacks and documents."""

PILES_SINCE: Final = 7
"""First version of the schema with piles of fronts and backs."""

DOCUMENT_REVIEWS_SINCE: Final = 9
"""First version of the schema with reviews of documents."""


class NotALedger(Exception):
    """A sound SQLite database that is not a ledger, or has lost its tables."""


def version_of(db: sqlite3.Connection) -> int:
    """Return the schema's version, 0 for a new database.

    Raises :class:`EnvironmentFault` for a newer ocrwatch's.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        (_, _, path) = db.execute("PRAGMA database_list").fetchone()
        raise EnvironmentFault(
            f"{path} was written by a newer ocrwatch (schema {version}, this one knows {len(MIGRATIONS)})",
            "upgrade ocrwatch, or name another state folder",
        )
    return version


def migrate(db: sqlite3.Connection, old_tokens: Callable[[], Iterable[str]]) -> None:
    """Migrate the schema to the present version, in one transaction: wholly or not at all.

    A new ledger gets its token, and the mark that it must be rebuilt from the folders, with the ``old_tokens``.
    """
    version = version_of(db)
    if version == len(MIGRATIONS):
        return
    steps = list(MIGRATIONS[version:])
    if version == 0:
        if db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None:
            raise NotALedger("it is another program's database")
        # Both are hexadecimal digits and commas.
        steps.append(f"INSERT INTO meta VALUES ('token', '{secrets.token_hex(4)}');")
        steps.append(f"INSERT INTO meta VALUES ('rebuild', '{','.join(sorted(old_tokens()))}');")
    script = "".join(steps)
    try:
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def check_tables(db: sqlite3.Connection) -> None:
    """Check that the required tables are there; raises :class:`NotALedger`."""
    try:
        token = db.execute("SELECT value FROM meta WHERE key = 'token'").fetchone()
        db.execute("SELECT id, path, facts, sha256, state, attempts, not_before, code, reason, plan FROM scans LIMIT 0")
        db.execute("SELECT review, confidence, reviewed_at, alone, deaths, pages, stack FROM scans LIMIT 0")
        db.execute("SELECT id, key, facts, state, closed_by, opened_at, updated_at FROM stacks LIMIT 0")
        db.execute("SELECT feed, expected, fronts, doubt FROM stacks LIMIT 0")
        db.execute("SELECT id, stack, state, plan, updated_at, review, reviewed_at, replaced_by FROM documents LIMIT 0")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise NotALedger(str(error)) from error
        raise
    if token is None:
        raise NotALedger("its token is missing")
