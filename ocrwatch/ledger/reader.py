"""Reads the ledger from outside the daemon: changes nothing and blocks no one."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote_from_bytes

from ocrwatch.errors import EnvironmentFault, environment_fault
from ocrwatch.group_membership import remedy_for_reader
from ocrwatch.ledger import migrations
from ocrwatch.ledger.entry import Entry, entry_of, waiting_for_review
from ocrwatch.ledger.stacks import (
    DocumentEntry,
    StackEntry,
    document_entry_of,
    documents_to_review,
    stack_entry_of,
)

_PATIENCE: Final = 5.0


class LedgerReader:
    """The ledger in ``folder``, as a context manager; without a ledger it is empty.

    ``alone`` says that no daemon uses the folder. The methods raise :class:`EnvironmentFault` if the ledger cannot be
    read.
    """

    def __init__(self, folder: Path, *, alone: bool) -> None:
        self._path = folder / "ledger.db"
        self._db: sqlite3.Connection | None = None
        self._alone = alone

    def __enter__(self) -> Self:
        # A reader of a live ledger shares its index file, and may have to create it. Without a daemon there is no need
        # to: so reading leaves no file behind, and works with read permission only.
        log = self._path.with_name(f"{self._path.name}-wal")
        try:
            if not self._path.exists():
                return self
            at_rest = self._alone and not (log.exists() and log.stat().st_size)
        except OSError as error:
            raise environment_fault(
                error, f"cannot read the ledger {self._path}", closed=remedy_for_reader(self._path)
            ) from error
        name = quote_from_bytes(os.fsencode(self._path.absolute()))
        try:
            self._db = sqlite3.connect(
                f"file:{name}?mode=ro{'&immutable=1' if at_rest else ''}", uri=True, timeout=_PATIENCE
            )
            self._db.row_factory = sqlite3.Row
        except sqlite3.Error as error:
            raise self._fault(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._db is not None:
            self._db.close()

    def of_path(self, path: str) -> list[Entry]:
        """Return all rows of a path in the inbox, oldest first."""
        return [
            entry_of(row) for row in self._rows("SELECT * FROM scans WHERE path = ? ORDER BY id", os.fsencode(path))
        ]

    def of_row(self, row: int) -> Entry | None:
        """Return a scan by its row; None if it is not known (any more)."""
        found = self._rows("SELECT * FROM scans WHERE id = ?", row)
        return entry_of(found[0]) if found else None

    def of_plan(self, name: str) -> list[Entry]:
        """Return all rows with ``name``, written as JSON, as a value in their plan, oldest first."""
        return [entry_of(row) for row in self._rows("SELECT * FROM scans WHERE instr(plan, ?) > 0 ORDER BY id", name)]

    def to_review(self, newest: int | None = None) -> tuple[int, list[Entry]]:
        """Return how many scans wait for review, and the ``newest`` of them or all, oldest first."""
        if self._db is None:
            return 0, []
        try:
            if migrations.version_of(self._db) < migrations.REVIEWS_SINCE:
                # The daemon migrates an old ledger at its next start.
                return 0, []
            return waiting_for_review(self._db, newest)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def documents_to_review(self, newest: int | None = None) -> tuple[int, list[DocumentEntry]]:
        """Return how many documents wait for review, and the ``newest`` of them or all, oldest first."""
        if self._db is None:
            return 0, []
        try:
            if migrations.version_of(self._db) < migrations.DOCUMENT_REVIEWS_SINCE:
                return 0, []
            return documents_to_review(self._db, newest)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def paths_named(self, name: str) -> list[str]:
        """Return the paths, at most a hundred, with ``name`` as the last part, the latest first."""
        sql = (
            "SELECT path FROM scans WHERE path = ?1 OR substr(path, -length(?2)) = ?2"
            " GROUP BY path ORDER BY max(id) DESC LIMIT 100"
        )
        raw = os.fsencode(name)
        return [os.fsdecode(row["path"]) for row in self._rows(sql, raw, b"/" + raw)]

    def stack(self, stack: int) -> StackEntry | None:
        """Return a stack of pages, None if it is not known (any more)."""
        rows = self._rows_since(migrations.DOCUMENTS_SINCE, "SELECT * FROM stacks WHERE id = ?", stack)
        return stack_entry_of(rows[0]) if rows else None

    def open_piles(self, feed: str) -> list[StackEntry]:
        """Return the piles of fronts and backs of a feed that are no documents yet, oldest first."""
        sql = "SELECT * FROM stacks WHERE feed = ? AND state IN ('gathering', 'waiting') ORDER BY id"
        return [stack_entry_of(row) for row in self._rows_since(migrations.PILES_SINCE, sql, feed)]

    def pages(self, stack: int) -> list[Entry]:
        """Return the scans of a stack that were read or quarantined, oldest first."""
        sql = "SELECT * FROM scans WHERE stack = ? AND state IN ('delivered', 'quarantined') ORDER BY id"
        return [entry_of(row) for row in self._rows_since(migrations.DOCUMENTS_SINCE, sql, stack)]

    def documents(self, stack: int) -> list[DocumentEntry]:
        """Return the documents of a stack, oldest first."""
        sql = "SELECT * FROM documents WHERE stack = ? ORDER BY id"
        return [document_entry_of(row) for row in self._rows_since(migrations.DOCUMENTS_SINCE, sql, stack)]

    def documents_with(self, name: str) -> list[DocumentEntry]:
        """Return all documents with ``name``, written as JSON, as a value in their plan, oldest first."""
        sql = "SELECT * FROM documents WHERE instr(plan, ?) > 0 ORDER BY id"
        return [document_entry_of(row) for row in self._rows_since(migrations.DOCUMENTS_SINCE, sql, name)]

    def _rows_since(self, version: int, sql: str, *values: str | bytes | int) -> list[sqlite3.Row]:
        """Return the rows of a query; none in an older ledger, which the daemon migrates at its next start."""
        if self._db is None:
            return []
        try:
            is_old = migrations.version_of(self._db) < version
        except sqlite3.Error as error:
            raise self._fault(error) from error
        return [] if is_old else self._rows(sql, *values)

    def _rows(self, sql: str, *values: str | bytes | int) -> list[sqlite3.Row]:
        if self._db is None:
            return []
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: sqlite3.Error) -> EnvironmentFault:
        return EnvironmentFault(f"cannot read the ledger {self._path} ({error})", remedy_for_reader(self._path))
