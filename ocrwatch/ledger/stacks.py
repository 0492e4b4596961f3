"""Records stacks of pages and the documents that they become: two tables beside that of the scans.

A stack gathers pages until it is closed; then its documents are planned in the same transaction, so that a restart
writes the same ones. A document is ``planned → staged → delivered``; a stack is ``gathering → closed → done``, or
``incomplete`` if a document lacks a page, which may still be read. A pile of fronts or backs is ``waiting`` before it
is closed. The piles of a pair are two stacks; their documents belong to that of the fronts.
"""

from __future__ import annotations

import enum
import json
import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ocrwatch.ledger.database import Database
from ocrwatch.ledger.entry import Entry, entry_of


class StackState(enum.StrEnum):
    """State of a stack of pages."""

    GATHERING = "gathering"
    """Further pages may come."""
    WAITING = "waiting"
    """A pile of fronts or backs that takes no further page, and waits for the other one."""
    CLOSED = "closed"
    """Its documents are planned."""
    INCOMPLETE = "incomplete"
    """Its documents are delivered, and a page of them is missing."""
    DONE = "done"
    """Its documents are delivered."""


class DocumentState(enum.StrEnum):
    """State of a document."""

    PLANNED = "planned"
    """Its pages are recorded, and perhaps its names."""
    STAGED = "staged"
    """Its files are durable under temporary names."""
    DELIVERED = "delivered"
    """Its files are durable under their final names."""


_TO_REVIEW: Final = "review IS NOT NULL AND reviewed_at IS NULL AND replaced_by IS NULL"
"""Selects the documents that wait for review; exactly the condition of their index."""

_OPEN: Final = (StackState.GATHERING, StackState.WAITING, StackState.CLOSED, StackState.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class StackEntry:
    """The row of a stack."""

    id: int
    key: str
    facts: str
    """JSON: what the stack needs to be closed, as its profile was when it began."""
    state: StackState
    closed_by: str | None
    opened_at: float
    """Wall-clock seconds, like ``updated_at``."""
    updated_at: float
    feed: str | None = None
    """JSON: equal for piles of fronts and backs that follow each other; None if it is no such pile."""
    expected: tuple[str, ...] = ()
    """Paths of pages that a waiting pile has still to get."""
    fronts: int | None = None
    """Row of the pile of which it has the backs; None if it is in no pair, or has the fronts."""
    doubt: str | None = None
    """Why it is in no pair, or why its pair is not sure."""

    @property
    def owner(self) -> int:
        """Row of the stack that has its documents."""
        return self.id if self.fronts is None else self.fronts


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """The row of a document."""

    id: int
    stack: int
    state: DocumentState
    plan: str
    updated_at: float
    review: tuple[str, ...] = ()
    """Why it should be reviewed; empty if it is not marked, or not delivered."""
    reviewed_at: float | None = None
    """Wall-clock seconds when it was marked as reviewed; None while it waits."""
    replaced_by: int | None = None
    """Row of the document that was written anew with pages that this one lacks; None if there is none."""

    @property
    def waits_for_review(self) -> bool:
        """Whether it still needs review."""
        return bool(self.review) and self.reviewed_at is None and self.replaced_by is None


class Stacks:
    """The records of stacks and documents; all methods raise :class:`EnvironmentFault` if the disk refuses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, key: str, facts: str, feed: str | None = None) -> int:
        """Record a stack that gathers pages; return its row. ``feed`` is that of a pile of fronts or backs."""
        now = time.time()
        with self._database.transaction():
            cursor = self._database.db.execute(
                "INSERT INTO stacks (key, facts, state, opened_at, updated_at, feed)"
                " VALUES (?, ?, 'gathering', ?, ?, ?)",
                (key, facts, now, now, feed),
            )
            return cursor.lastrowid or 0

    def hold(self, stack: int, closed_by: str, expected: Sequence[str]) -> None:
        """Record that a pile takes no further page, but those at the ``expected`` paths."""
        with self._database.transaction():
            self._database.db.execute(
                "UPDATE stacks SET state = 'waiting', closed_by = ?, expected = ?, updated_at = ?"
                " WHERE id = ? AND state = 'gathering'",
                (closed_by, json.dumps(sorted(expected)), time.time(), stack),
            )

    def pair(self, fronts: int, backs: int) -> None:
        """Record that two piles are the two sides of the same sheets."""
        with self._database.transaction():
            self._database.db.execute("UPDATE stacks SET fronts = ? WHERE id = ?", (fronts, backs))
            self._set(backs, StackState.CLOSED)

    def set_doubt(self, stack: int, why: str) -> None:
        """Record why a pile is in no pair, or why its pair is not sure."""
        with self._database.transaction():
            self._database.db.execute("UPDATE stacks SET doubt = ? WHERE id = ?", (why, stack))

    def backs_of(self, stack: int) -> StackEntry | None:
        """Return the pile with the backs of a pile; None if that is in no pair, or has the backs itself."""
        with self._database.guarded():
            row = self._database.db.execute("SELECT * FROM stacks WHERE fronts = ?", (stack,)).fetchone()
        return None if row is None else stack_entry_of(row)

    def pile_before(self, stack: int, feed: str) -> StackEntry | None:
        """Return the pile of a feed that was begun last before ``stack``."""
        with self._database.guarded():
            row = self._database.db.execute(
                "SELECT * FROM stacks WHERE feed = ? AND id < ? ORDER BY id DESC LIMIT 1", (feed, stack)
            ).fetchone()
        return None if row is None else stack_entry_of(row)

    def find(self, stack: int) -> StackEntry | None:
        """Return a stack; None if there is none."""
        with self._database.guarded():
            row = self._database.db.execute("SELECT * FROM stacks WHERE id = ?", (stack,)).fetchone()
        return None if row is None else stack_entry_of(row)

    def unfinished(self) -> list[StackEntry]:
        """Return the stacks that gather pages or wait, or have documents that are not delivered, oldest first."""
        with self._database.guarded():
            rows = self._database.db.execute(
                "SELECT * FROM stacks WHERE state IN ('gathering', 'waiting') OR (state = 'closed' AND fronts IS NULL)"
                " ORDER BY id"
            ).fetchall()
        return [stack_entry_of(row) for row in rows]

    def last_incomplete(self, key: str, other_than: int) -> StackEntry | None:
        """Return the newest other stack of this key with a document that lacks a page, or may lack one."""
        with self._database.guarded():
            row = self._database.db.execute(
                "SELECT * FROM stacks WHERE key = ? AND id != ? AND state IN ('waiting', 'closed', 'incomplete')"
                " ORDER BY id DESC LIMIT 1",
                (key, other_than),
            ).fetchone()
        return None if row is None else stack_entry_of(row)

    def all_incomplete(self) -> list[int]:
        """Return the rows of all stacks with a document that lacks a page."""
        with self._database.guarded():
            rows = self._database.db.execute(
                "SELECT id FROM stacks WHERE state = 'incomplete' AND fronts IS NULL ORDER BY id"
            ).fetchall()
        return [row["id"] for row in rows]

    def lacking(self, sha256: str) -> list[StackEntry]:
        """Return the stacks that take no further pages and lack one with these bytes, the newest first."""
        with self._database.guarded():
            rows = self._database.db.execute(
                "SELECT * FROM stacks WHERE state IN ('waiting', 'closed', 'incomplete') AND id IN"
                " (SELECT stack FROM scans WHERE sha256 = ? AND state = 'quarantined') ORDER BY id DESC",
                (sha256,),
            ).fetchall()
        return [stack_entry_of(row) for row in rows]

    def before(self, stack: int, key: str) -> StackEntry | None:
        """Return the stack of this key that was begun last before ``stack``, if it was closed."""
        with self._database.guarded():
            row = self._database.db.execute(
                "SELECT * FROM stacks WHERE key = ? AND id < ? AND state != 'gathering' ORDER BY id DESC LIMIT 1",
                (key, stack),
            ).fetchone()
        return None if row is None else stack_entry_of(row)

    def pages(self, stack: int) -> list[Entry]:
        """Return the scans of a stack that have a plan or are closed, oldest first."""
        with self._database.guarded():
            rows = self._database.db.execute(
                "SELECT * FROM scans WHERE stack = ? AND state IN ('planned', 'published', 'delivered', 'quarantined')"
                " ORDER BY id",
                (stack,),
            ).fetchall()
        return [entry_of(row) for row in rows]

    def move(self, pages: Collection[int], stack: int) -> None:
        """Make scans pages of another stack."""
        with self._database.transaction():
            self._database.db.executemany("UPDATE scans SET stack = ? WHERE id = ?", [(stack, page) for page in pages])

    def close(self, stack: int, closed_by: str, plans: Sequence[str]) -> list[DocumentEntry]:
        """Close a stack and record the plans of its documents, all or nothing; return these."""
        now = time.time()
        with self._database.transaction():
            self._set(stack, StackState.CLOSED)
            self._database.db.execute("UPDATE stacks SET closed_by = ? WHERE id = ?", (closed_by, stack))
            self._database.db.executemany(
                "INSERT INTO documents (stack, state, plan, updated_at) VALUES (?, 'planned', ?, ?)",
                [(stack, plan, now) for plan in plans],
            )
            return [each for each in self.documents(stack) if each.state is DocumentState.PLANNED]

    def documents(self, stack: int) -> list[DocumentEntry]:
        """Return the documents of a stack, in their order."""
        with self._database.guarded():
            rows = self._database.db.execute("SELECT * FROM documents WHERE stack = ? ORDER BY id", (stack,)).fetchall()
        return [document_entry_of(row) for row in rows]

    def delivered_last(self, count: int) -> list[DocumentEntry]:
        """Return the documents that were delivered last, at most ``count``, oldest first, without replaced ones."""
        with self._database.guarded():
            rows = self._database.db.execute(
                "SELECT * FROM documents WHERE state = 'delivered' AND replaced_by IS NULL"
                " ORDER BY updated_at DESC, id DESC LIMIT ?",
                (count,),
            ).fetchall()
        return [document_entry_of(row) for row in reversed(rows)]

    def document(self, document: int) -> DocumentEntry:
        """Return a document; raises ``KeyError`` if there is none."""
        with self._database.guarded():
            row = self._database.db.execute("SELECT * FROM documents WHERE id = ?", (document,)).fetchone()
        if row is None:
            raise KeyError(document)
        return document_entry_of(row)

    def record(self, document: int, state: DocumentState, plan: str) -> None:
        """Record the state of a document, with its plan."""
        with self._database.transaction():
            self._database.db.execute(
                "UPDATE documents SET state = ?, plan = ?, updated_at = ? WHERE id = ?",
                (state, plan, time.time(), document),
            )

    def delivered(self, document: int, plan: str, review: Sequence[str], replaces: Collection[int]) -> None:
        """Record that a document is delivered, with the reasons for its review and the rows that it replaces."""
        with self._database.transaction():
            self.record(document, DocumentState.DELIVERED, plan)
            reasons = json.dumps(list(review)) if review else None
            self._database.db.execute("UPDATE documents SET review = ? WHERE id = ?", (reasons, document))
            self._database.db.executemany(
                "UPDATE documents SET replaced_by = ? WHERE id = ?", [(document, row) for row in replaces]
            )

    def to_review(self, newest: int) -> tuple[int, list[DocumentEntry]]:
        """Return how many documents wait for review, and the ``newest`` of them, oldest first."""
        with self._database.guarded():
            return documents_to_review(self._database.db, newest)

    def finish(self, stack: int, state: StackState) -> None:
        """Record that the documents of a stack are delivered, also for the other pile of its pair."""
        with self._database.transaction():
            self._database.db.execute(
                "UPDATE stacks SET state = ?, updated_at = ? WHERE id = ? OR fronts = ?",
                (state, time.time(), stack, stack),
            )

    def forget(self, stack: int) -> None:
        """Delete the row of a stack without pages."""
        with self._database.transaction():
            self._database.db.execute("DELETE FROM stacks WHERE id = ?", (stack,))

    def prune(self, before: float) -> list[int]:
        """Delete stacks and documents that were done before this time (wall clock); return their pages' rows."""
        ended = "SELECT id FROM stacks WHERE state IN ('done', 'incomplete') AND updated_at < ?"
        with self._database.transaction():
            db = self._database.db
            pages = [
                row["id"] for row in db.execute(f"SELECT id FROM scans WHERE stack IN ({ended})", (before,)).fetchall()
            ]
            db.execute(f"DELETE FROM documents WHERE stack IN ({ended})", (before,))
            db.execute("DELETE FROM stacks WHERE state IN ('done', 'incomplete') AND updated_at < ?", (before,))
        return pages

    def rows_with_parts(self) -> set[int]:
        """Return the rows of all scans whose sidecars a document may still need."""
        states = ", ".join(f"'{state}'" for state in _OPEN)
        with self._database.guarded():
            rows = self._database.db.execute(
                f"SELECT id FROM scans WHERE stack IN (SELECT id FROM stacks WHERE state IN ({states}))"
                " OR (stack IS NOT NULL AND state IN ('planned', 'published'))"
            ).fetchall()
        return {row["id"] for row in rows}

    def _set(self, stack: int, state: StackState) -> None:
        self._database.db.execute(
            "UPDATE stacks SET state = ?, updated_at = ? WHERE id = ?", (state, time.time(), stack)
        )


def document_entry_of(row: sqlite3.Row) -> DocumentEntry:
    """Return the document of a row."""
    return DocumentEntry(
        row["id"], row["stack"], DocumentState(row["state"]), row["plan"], row["updated_at"], **_of_review(row)
    )


def documents_to_review(db: sqlite3.Connection, newest: int | None) -> tuple[int, list[DocumentEntry]]:
    """Return how many documents wait for review, and the ``newest`` of them or all, oldest first.

    Raises ``sqlite3.Error``.
    """
    count: int = db.execute(f"SELECT count(*) FROM documents WHERE {_TO_REVIEW}").fetchone()[0]
    rows = db.execute(
        f"SELECT * FROM documents WHERE {_TO_REVIEW} ORDER BY updated_at DESC, id DESC LIMIT ?",
        (-1 if newest is None else newest,),
    ).fetchall()
    return count, [document_entry_of(row) for row in reversed(rows)]


def _of_review(row: sqlite3.Row) -> dict[str, Any]:
    """Return what is recorded of the review of a document; a ledger of an older ocrwatch has nothing."""
    if "replaced_by" not in row.keys():  # noqa: SIM118 - no mapping
        return {}
    review = () if row["review"] is None else tuple(json.loads(row["review"]))
    return {"review": review, "reviewed_at": row["reviewed_at"], "replaced_by": row["replaced_by"]}


def stack_entry_of(row: sqlite3.Row) -> StackEntry:
    """Return the stack of a row."""
    return StackEntry(
        row["id"],
        row["key"],
        row["facts"],
        StackState(row["state"]),
        row["closed_by"],
        row["opened_at"],
        row["updated_at"],
        **_of_pile(row),
    )


def _of_pile(row: sqlite3.Row) -> dict[str, Any]:
    """Return what only piles of fronts and backs have; a ledger of an older ocrwatch has none."""
    if "feed" not in row.keys():  # noqa: SIM118 - no mapping
        return {}
    expected = () if row["expected"] is None else tuple(json.loads(row["expected"]))
    return {"feed": row["feed"], "expected": expected, "fronts": row["fronts"], "doubt": row["doubt"]}
