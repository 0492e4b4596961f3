"""The connection to the database: one thread at a time, in transactions, with errors that name the remedy."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import opening


class Database:
    """One database, usable from any thread."""

    def __init__(self, folder: Path) -> None:
        """Open or create the database in ``folder``; raises :class:`EnvironmentFault`."""
        self._lock = threading.RLock()
        self._path = folder / "ledger.db"
        with self.guarded():
            self.db = opening.connect(self._path)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self.db.close()

    def _one(self, sql: str, *parameters: object) -> Any:
        with self.guarded():
            row = self.db.execute(sql, parameters).fetchone()
        if row is None:
            raise KeyError(parameters)
        return row

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Let one thread use the database; raises :class:`EnvironmentFault` if the disk refuses."""
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            damaged = isinstance(error, sqlite3.Error) and opening.is_damage(error)
            raise EnvironmentFault(
                f"cannot use the ledger {self._path} ({error})",
                "restart ocrwatch: it sets a damaged ledger aside and makes a new one"
                if damaged
                else "check that the state folder is writable, and its disk sound and not full",
            ) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the records within durable together when the block is left: all or none.

        Others wait meanwhile. One that is nested in another of this thread is committed with that.
        """
        with self.guarded():
            if self.db.in_transaction:
                yield
                return
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
