"""Defines a row of the ledger: the record of one scan. Reads and writes its values."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass, fields
from typing import Any, Final

from ocrwatch.document import Review
from ocrwatch.log import encodable
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts

_TO_REVIEW: Final = "review IS NOT NULL AND reviewed_at IS NULL"
"""Selects the scans that wait for review; exactly the condition of their index."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One scan's row."""

    id: int
    path: str
    facts: str
    sha256: str | None
    state: ScanState
    attempts: int
    not_before: float
    """Wall-clock seconds of its next attempt at the earliest."""
    code: str | None
    reason: str | None
    plan: str | None
    seen_at: float
    updated_at: float
    alone: int = 0
    """1 if it was in work when ocrwatch was killed: it is read alone."""
    deaths: int = 0
    """How often ocrwatch was killed while this was the only scan in work, and not without it since then."""
    review: Review | None = None
    """Why the text needs review; None if the page is not marked, or the scan is not closed."""
    reviewed_at: float | None = None
    """Wall-clock seconds when it was marked as reviewed; None while it waits."""
    pages: int = 0
    """Of a file with several: how many of the first were done when its deaths were last forgotten."""
    stack: int | None = None
    """Row of the stack of pages that it belongs to; None if it has none, or no plan yet."""

    @property
    def waits_for_review(self) -> bool:
        """Whether the text still needs review."""
        return self.review is not None and self.reviewed_at is None


_OLD_STATES: Final = {"ready": "queued", "waiting": "retrying", "done": "delivered", "gone": "changed"}
"""States in a ledger of an older ocrwatch, which is only read until the daemon migrates it."""

_COLUMNS: Final = frozenset(field.name for field in fields(Entry))


def facts_key(facts: FileFacts) -> str:
    """Return the key of a file across restarts.

    The device is left out: its number changes with a remount.
    """
    return f"{facts.inode}:{facts.size}:{facts.mtime_ns}"


def mtime_of(key: str) -> float:
    """Return the time of a file in such a key, in seconds since 1970."""
    return int(key.rpartition(":")[2]) / 1e9


def entry_of(row: sqlite3.Row) -> Entry:
    """Return the entry of a row; in a table of an older ocrwatch, without reviews, it has none."""
    values: dict[str, Any] = {name: row[name] for name in row.keys() if name in _COLUMNS}  # noqa: SIM118 - no mapping
    if values.get("review") is not None:
        values["review"] = Review(tuple(json.loads(values["review"])), row["confidence"])
    state = ScanState(_OLD_STATES.get(values["state"], values["state"]))
    return Entry(**{**values, "path": os.fsdecode(row["path"]), "state": state})


def bindable(value: str | float | None) -> str | float | None:
    """Return a value that SQLite accepts: a text with surrogates, such as those of a file's name, is escaped."""
    return encodable(value) if isinstance(value, str) else value


def waiting_for_review(db: sqlite3.Connection, newest: int | None) -> tuple[int, list[Entry]]:
    """Return how many scans wait for review, and the ``newest`` of them or all, oldest first; raises ``sqlite3.Error``.

    There may be many: users who never mark pages as reviewed have all of ``history.max_age``.
    """
    count: int = db.execute(f"SELECT count(*) FROM scans WHERE {_TO_REVIEW}").fetchone()[0]
    rows = db.execute(
        f"SELECT * FROM scans WHERE {_TO_REVIEW} ORDER BY updated_at DESC, id DESC LIMIT ?",
        (-1 if newest is None else newest,),
    ).fetchall()
    return count, [entry_of(row) for row in reversed(rows)]
