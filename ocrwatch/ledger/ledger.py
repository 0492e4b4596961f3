"""The records of all scans: one row per scan."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from ocrwatch.document import Review
from ocrwatch.ledger.database import Database
from ocrwatch.ledger.entry import Entry, bindable, entry_of, facts_key, waiting_for_review
from ocrwatch.ledger.stacks import Stacks
from ocrwatch.log import encodable
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts

_OPEN: Final = "('queued', 'reading', 'sent', 'retrying', 'planned', 'published')"

_CLOSED: Final = "('delivered', 'quarantined', 'changed')"
_DELIVERIES_AT_ONCE: Final = 20
"""Deliveries of the same bytes in one query: if none of the newest has its text still, older ones hardly will."""

_RESULTS_AT_ONCE: Final = 20
"""Earlier results of the same bytes in one query: of all empty files, for example, there may be thousands."""

_IN_HISTORY: Final = "sha256 = ? AND state IN ('delivered', 'quarantined')"
"""Selects the earlier results of the same bytes."""

_PRUNED_AT_ONCE: Final = 500
"""Rows deleted in one transaction, so that no thread waits long for it and the log stays small."""

INTERRUPTED: Final = "interrupted"
"""Code of a scan that waits since ocrwatch was killed while it was the only one in work."""

_STAYS: Final = (
    "(state = 'delivered' AND coalesce(json_extract(plan, '$.fate'), '') = 'keep'"
    " OR state = 'quarantined' AND coalesce(json_extract(plan, '$.stays'), 0))"
)
"""Selects the scans that are done and keep their originals in the inbox."""


class Ledger(Database):
    """The records of all scans, usable from any thread.

    All methods raise :class:`EnvironmentFault` if the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.token: str = self._one("SELECT value FROM meta WHERE key = 'token'")["value"]
        """Distinguishes this ledger's temporary files from another's in a shared outbox."""
        self.stacks = Stacks(self)
        """The records of documents with several pages."""

    def begin(self, path: str, facts: FileFacts, sha256: str | None) -> Entry:
        """Return the open row of exactly this file, or a new one; rows of an earlier file of this name are closed."""
        with self.transaction():
            found: Entry | None = None
            for row in self.db.execute(
                f"SELECT * FROM scans WHERE path = ? AND state IN {_OPEN} ORDER BY id DESC", (os.fsencode(path),)
            ).fetchall():
                entry = entry_of(row)
                same = entry.facts == facts_key(facts) or (sha256 is not None and entry.sha256 == sha256)
                if same and found is None:
                    found = entry
                else:
                    self._set(entry.id, state=ScanState.CHANGED, plan=None)
            if found is not None:
                self._set(found.id, facts=facts_key(facts), sha256=sha256)
                return self.get(found.id)
            now = time.time()
            cursor = self.db.execute(
                "INSERT INTO scans (path, facts, sha256, state, seen_at, updated_at) VALUES (?, ?, ?, 'queued', ?, ?)",
                (os.fsencode(path), facts_key(facts), sha256, now, now),
            )
            return self.get(cursor.lastrowid or 0)

    def get(self, scan: int) -> Entry:
        """Return a row; raises ``KeyError`` if there is none."""
        with self.guarded():
            return entry_of(self._one("SELECT * FROM scans WHERE id = ?", scan))

    def count_attempt(self, scan: int) -> int:
        """Count an attempt, durably, before its work begins; return the new count."""
        with self.transaction():
            self.db.execute(
                "UPDATE scans SET attempts = attempts + 1, state = 'reading', updated_at = ? WHERE id = ?",
                (time.time(), scan),
            )
            return self.get(scan).attempts

    def record_sent(self, scan: int) -> None:
        """Record that a scan that was being read is sent to a remote service."""
        with self.transaction():
            self.db.execute("UPDATE scans SET state = 'sent' WHERE id = ? AND state = 'reading'", (scan,))

    def record_answered(self, scan: int) -> None:
        """Record that a scan that was sent is read on, with the answer."""
        with self.transaction():
            self.db.execute("UPDATE scans SET state = 'reading' WHERE id = ? AND state = 'sent'", (scan,))

    def refund_attempt(self, scan: int, *, code: str | None = None, reason: str | None = None) -> None:
        """Refund an attempt that ended for no fault of the scan.

        A planned one is not changed. ``code`` and ``reason`` say what was found, if it is still in doubt.
        """
        with self.transaction():
            self.db.execute(
                "UPDATE scans SET attempts = max(0, attempts - 1), state = 'queued', code = coalesce(?, code),"
                " reason = coalesce(?, reason), updated_at = ? WHERE id = ? AND state IN ('reading', 'sent')",
                (bindable(code), bindable(reason), time.time(), scan),
            )

    def record_clean_end(self) -> None:
        """Refund the attempts of all scans still in work: this run ends, and none of them is to blame."""
        with self.transaction():
            self._refund_all("'reading', 'sent'")

    def record_unclean_end(self, first_delay: float, max_delay: float) -> list[Entry]:
        """Judge the scans that were in work when a run was killed, and return them.

        None after a clean end. No attempt is counted for that. Only a scan that was the only one in work is suspected:
        it waits, so that the others go on without it, for ``first_delay`` seconds and twice as long after each further
        death, at most ``max_delay``. All are read alone from here on. If ocrwatch dies without a suspect, its deaths
        are forgotten. Those that were with a remote service are not suspected either.
        """
        with self.transaction():
            were_sent = self._refund_all("'sent'")
            rows = self.db.execute("SELECT * FROM scans WHERE state = 'reading' ORDER BY id").fetchall()
            if rows or were_sent:
                self.db.execute(
                    f"UPDATE scans SET deaths = 0 WHERE deaths > 0 AND state IN {_OPEN} AND state != 'reading'"
                )
            for entry in map(entry_of, rows):
                self._set(entry.id, state=ScanState.QUEUED, attempts=max(0, entry.attempts - 1), alone=1)
            if len(rows) == 1:
                entry = entry_of(rows[0])
                deaths = entry.deaths + 1
                delay = min(first_delay * 2 ** (deaths - 1), max_delay)
                self._set(entry.id, state=ScanState.RETRYING, deaths=deaths, not_before=time.time() + delay)
                self._set(entry.id, code=INTERRUPTED, reason="ocrwatch was killed while it was the only scan in work")
            return [self.get(row["id"]) for row in rows]

    def record_progress(self, scan: int, pages: int) -> None:
        """Forget the deaths of a file whose first ``pages`` are done, if that is further than when they last were.

        A page must be done that was not done before, so that they cannot be forgotten without end.
        """
        with self.transaction():
            self.db.execute("UPDATE scans SET deaths = 0, pages = ? WHERE id = ? AND pages < ?", (pages, scan, pages))

    def wait(self, scan: int, not_before: float, code: str, reason: str) -> None:
        """Record a failed attempt and the earliest time of the next one (wall clock)."""
        with self.transaction():
            self._set(scan, state=ScanState.RETRYING, not_before=not_before, code=code, reason=reason)

    def plan_of(self, scan: int) -> str | None:
        """Return the plan of a scan that is still open."""
        entry = self.get(scan)
        return entry.plan if entry.state in {ScanState.PLANNED, ScanState.PUBLISHED} else None

    def is_published(self, scan: int) -> bool:
        """Return whether a scan's sidecars are recorded as durable under their final names."""
        return self.get(scan).state is ScanState.PUBLISHED

    def forget_plan(self, scan: int) -> None:
        """Record that a plan cannot be carried out: the scan must be read again."""
        with self.transaction():
            self._set(scan, state=ScanState.QUEUED, plan=None, stack=None)

    def planned(self, scan: int, plan: str, *, code: str | None, reason: str | None, stack: int | None = None) -> None:
        """Record the plan before any of its files is visible: from here on a restart carries it out.

        ``code`` and ``reason`` say why a scan is quarantined, ``stack`` of which stack it is a page.
        """
        with self.transaction():
            self._set(scan, state=ScanState.PLANNED, plan=plan, code=code, reason=reason)
            if stack is not None:
                # One that is planned again may have become a page of another stack meanwhile.
                self.db.execute("UPDATE scans SET stack = coalesce(stack, ?) WHERE id = ?", (stack, scan))

    def published(self, scan: int) -> None:
        """Record that the sidecars are durable under their final names."""
        with self.transaction():
            self._set(scan, state=ScanState.PUBLISHED)

    def close_scan(
        self, scan: int, state: ScanState, *, code: str | None, reason: str | None, review: Review | None = None
    ) -> None:
        """Close a row, marked for ``review`` if there is one.

        The plan stays, as the record of where its files are.
        """
        with self.transaction():
            self._set(scan, state=state, code=code, reason=reason)
            if review is not None:
                self._set(scan, review=json.dumps(review.reasons), confidence=review.confidence)

    def mark_for_review(self, scan: int, reason: str) -> bool:
        """Mark a closed scan for review, even a reviewed one; return whether the ``reason`` is new.

        A scan with a deleted row (``history.max_age``) is not changed.
        """
        with self.transaction():
            row = self.db.execute("SELECT * FROM scans WHERE id = ?", (scan,)).fetchone()
            before = (row and entry_of(row).review) or Review((), None)
            if row is None or reason in before.reasons:
                return False
            # Its time of closing stays: rows are found by that.
            self.db.execute(
                "UPDATE scans SET review = ?, reviewed_at = NULL WHERE id = ?",
                (json.dumps([*before.reasons, reason]), scan),
            )
            return True

    def unfinished(self) -> list[Entry]:
        """Return the rows that an earlier run left open, oldest first."""
        with self.guarded():
            rows = self.db.execute(f"SELECT * FROM scans WHERE state IN {_OPEN} ORDER BY id")
            return [entry_of(row) for row in rows]

    def kept(self, *, duplicates: bool = True) -> Iterator[tuple[str, str]]:
        """Yield path and facts of every closed scan that keeps its original in the inbox.

        Without ``duplicates``, those that stay as duplicates are left out.
        """
        with self.guarded():
            rows = self.db.execute(
                f"SELECT path, facts FROM scans WHERE {_STAYS}"
                " AND (? OR coalesce(code, '') != 'duplicate') ORDER BY id",
                (duplicates,),
            ).fetchall()
        for row in rows:
            yield os.fsdecode(row["path"]), row["facts"]

    def was_done(self, path: str, sha256: str) -> bool:
        """Return whether these bytes were delivered under exactly this path, or quarantined and left there."""
        with self.guarded():
            return (
                self.db.execute(
                    "SELECT 1 FROM scans WHERE path = ? AND sha256 = ? AND coalesce(code, '') != 'duplicate'"
                    f" AND (state = 'delivered' OR {_STAYS})",
                    (os.fsencode(path), sha256),
                ).fetchone()
                is not None
            )

    def history(self, sha256: str) -> list[Entry]:
        """Return what happened to these bytes before, oldest first; of a long history, the newest results."""
        with self.guarded():
            rows = self.db.execute(
                f"SELECT * FROM scans WHERE {_IN_HISTORY} ORDER BY id DESC LIMIT ?", (sha256, _RESULTS_AT_ONCE)
            ).fetchall()
        return [entry_of(row) for row in reversed(rows)]

    def history_length(self, sha256: str) -> int:
        """Return how often these bytes were delivered or quarantined before."""
        with self.guarded():
            count: int = self._one(f"SELECT count(*) FROM scans WHERE {_IN_HISTORY}", sha256)[0]
        return count

    def quarantined_since(self, since: float, most: int) -> list[Entry]:
        """Return the scans quarantined since then (wall clock), the newest first, at most ``most``."""
        with self.guarded():
            rows = self.db.execute(
                "SELECT * FROM scans WHERE state = 'quarantined' AND updated_at >= ? ORDER BY updated_at DESC LIMIT ?",
                (since, most),
            )
            return [entry_of(row) for row in rows]

    def delivered_between(self, after: float, until: float, most: int) -> list[Entry]:
        """Return the scans done between two times (wall clock), the oldest first, at most ``most``."""
        with self.guarded():
            rows = self.db.execute(
                "SELECT * FROM scans WHERE state = 'delivered' AND updated_at > ? AND updated_at <= ?"
                " ORDER BY updated_at LIMIT ?",
                (after, until, most),
            )
            return [entry_of(row) for row in rows]

    def delivered_before(self, sha256: str) -> list[Entry]:
        """Return a few deliveries of these bytes with a durable text, the newest first."""
        with self.guarded():
            rows = self.db.execute(
                "SELECT * FROM scans WHERE sha256 = ? AND state IN ('delivered', 'published')"
                " AND coalesce(code, '') != 'duplicate' ORDER BY id DESC LIMIT ?",
                (sha256, _DELIVERIES_AT_ONCE),
            ).fetchall()
        return [entry_of(row) for row in rows]

    def delivered_last(self, count: int) -> list[Entry]:
        """Return the scans that were delivered last, at most ``count``, oldest first."""
        with self.guarded():
            rows = self.db.execute(
                "SELECT * FROM scans WHERE state = 'delivered' AND coalesce(code, '') != 'duplicate'"
                " ORDER BY updated_at DESC, id DESC LIMIT ?",
                (count,),
            ).fetchall()
        return [entry_of(row) for row in reversed(rows)]

    def to_review(self, newest: int) -> tuple[int, list[Entry]]:
        """Return how many scans wait for review, and the ``newest`` of them, oldest first."""
        with self.guarded():
            return waiting_for_review(self.db, newest)

    def totals(self) -> dict[str, int]:
        """Return how many scans are in each state."""
        with self.guarded():
            return dict(self.db.execute("SELECT state, count(*) FROM scans GROUP BY state").fetchall())

    def ended_by_minute(self, since: float) -> list[tuple[float, int]]:
        """Return how long ago, in seconds, and how many scans ended in each minute since then (wall clock)."""
        now = time.time()
        with self.guarded():
            rows = self.db.execute(
                "SELECT max(updated_at), count(*) FROM scans WHERE state IN ('delivered', 'quarantined')"
                " AND updated_at BETWEEN ? AND ? GROUP BY CAST((? - updated_at) / 60 AS INTEGER) ORDER BY 1",
                (since, now, now),
            ).fetchall()
        return [(now - at, count) for at, count in rows]

    def prune(self, before: float) -> int:
        """Delete the rows of scans closed before this time (wall clock); return how many.

        The rows of originals that stay in the inbox are not deleted: without them they would be read again. Nor are
        those of pages, before their stack is.
        """
        dropped = 0
        while True:
            with self.transaction():
                found = self.db.execute(
                    f"DELETE FROM scans WHERE id IN (SELECT id FROM scans WHERE state IN {_CLOSED} AND updated_at < ?"
                    f" AND NOT {_STAYS} AND (stack IS NULL OR stack NOT IN (SELECT id FROM stacks)) LIMIT ?)",
                    (before, _PRUNED_AT_ONCE),
                ).rowcount
            dropped += found
            if found < _PRUNED_AT_ONCE:
                return dropped

    def kept_before(self, before: float) -> list[int]:
        """Return the rows of scans closed before this time (wall clock) that keep their originals in the inbox."""
        with self.guarded():
            rows = self.db.execute(
                f"SELECT id FROM scans WHERE state IN {_CLOSED} AND updated_at < ? AND {_STAYS}", (before,)
            )
            return [row["id"] for row in rows]

    def forget_kept(self, scans: Collection[int]) -> None:
        """Delete the rows of closed scans with originals that no longer are in the inbox."""
        with self.transaction():
            self.db.executemany(f"DELETE FROM scans WHERE id = ? AND {_STAYS}", [(scan,) for scan in scans])

    def to_rebuild(self) -> frozenset[str] | None:
        """Return the tokens of damaged ledgers that this one replaces, or None if it need not be rebuilt.

        A new ledger must be rebuilt even if none was found damaged: the old one may have been deleted.
        """
        with self.guarded():
            row = self.db.execute("SELECT value FROM meta WHERE key = 'rebuild'").fetchone()
        return None if row is None else frozenset(filter(None, row["value"].split(",")))

    def rebuilt(self, known: Iterable[tuple[str, FileFacts, str | None, str]], *, wholly: bool = True) -> None:
        """Record path, facts, hash and plan of each scan found to be done, and whether all were checked."""
        now = time.time()
        with self.transaction():
            self.db.executemany(
                "INSERT INTO scans (path, facts, sha256, state, plan, seen_at, updated_at)"
                " VALUES (?, ?, ?, 'delivered', ?, ?, ?)",
                [
                    (os.fsencode(path), facts_key(facts), sha256, encodable(plan), now, now)
                    for path, facts, sha256, plan in known
                ],
            )
            if wholly:
                self.db.execute("DELETE FROM meta WHERE key = 'rebuild'")

    def remember_endings(self, endings: Iterable[str]) -> tuple[str, ...]:
        """Record which endings sidecars may have; return them and all earlier ones.

        A killed run may have staged sidecars of a format that is no longer installed: the endings recorded here find
        them, and keep their names from being used.
        """
        with self.transaction():
            row = self.db.execute("SELECT value FROM meta WHERE key = 'endings'").fetchone()
            before = [] if row is None else json.loads(row["value"])
            known = list(dict.fromkeys((*endings, *before)))
            if len(known) > len(before):
                self.db.execute("INSERT OR REPLACE INTO meta VALUES ('endings', ?)", (json.dumps(known),))
            return tuple(known)

    def _set(self, scan: int, **values: str | float | None) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self.db.execute(
            f"UPDATE scans SET {names}, updated_at = ? WHERE id = ?",
            (*map(bindable, values.values()), time.time(), scan),
        )

    def _refund_all(self, states: str) -> int:
        return self.db.execute(
            "UPDATE scans SET attempts = max(0, attempts - 1), state = 'queued', updated_at = ?"
            f" WHERE state IN ({states})",
            (time.time(),),
        ).rowcount
