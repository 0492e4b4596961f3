"""A look into the ledger disturbs nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import Ledger, LedgerReader, StackState, migrations
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts
from tests.privileges import reachable_folder, unprivileged

ODD = "sub/\udcff\udce4.jpg"


def note(ledger: Ledger, path: str, number: int, plan: str | None = None) -> None:
    """Make a row that ended."""
    row = ledger.begin(path, FileFacts(1, number, 3, 4), None)
    if plan is not None:
        ledger.planned(row.id, plan, code=None, reason=None)
    ledger.close_scan(row.id, ScanState.DELIVERED, code=None, reason=None)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Make a ledger that is in use."""
    ledger = Ledger(tmp_path)
    note(ledger, "a.jpg", 1, '{"stem": "a"}')
    note(ledger, ODD, 2)
    note(ledger, "sub/a.jpg", 3)
    note(ledger, "sub/aa.jpg", 4)
    note(ledger, "a.jpg", 5)
    yield ledger
    ledger.close()


def test_rows_are_found_by_path_by_name_and_by_plan(tmp_path: Path, ledger: Ledger) -> None:
    """While a daemon has it open; names that are not UTF-8 too."""
    with LedgerReader(tmp_path, alone=False) as reader:
        assert [row.facts for row in reader.of_path("a.jpg")] == ["1:3:4", "5:3:4"]
        assert [row.path for row in reader.of_path(ODD)] == [ODD]
        assert reader.of_path("missing.jpg") == []
        assert reader.paths_named("a.jpg") == ["a.jpg", "sub/a.jpg"]
        assert reader.paths_named(ODD.removeprefix("sub/")) == [ODD]
        assert [row.path for row in reader.of_plan('"a"')] == ["a.jpg"]


def test_it_sees_what_was_just_written_and_stops_nobody(tmp_path: Path, ledger: Ledger) -> None:
    """The daemon goes on to write while somebody looks."""
    with LedgerReader(tmp_path, alone=False) as reader:
        assert reader.of_path("new.jpg") == []
        note(ledger, "new.jpg", 6)
        assert len(reader.of_path("new.jpg")) == 1


def test_a_ledger_at_rest_is_left_as_it_was(tmp_path: Path, ledger: Ledger) -> None:
    """Without a daemon a look makes no file, also for those who may not make one."""
    ledger.close()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    tmp_path.chmod(0o500)
    try:
        with LedgerReader(tmp_path, alone=True) as reader:
            assert len(reader.of_path("a.jpg")) == 2
    finally:
        tmp_path.chmod(0o700)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_folder_without_a_ledger(tmp_path: Path) -> None:
    """Nothing is known there, and nothing is made."""
    with LedgerReader(tmp_path, alone=True) as reader:
        assert reader.of_path("a.jpg") == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_can_be_changed_through_it(tmp_path: Path, ledger: Ledger) -> None:
    """It is opened for reading only."""
    with LedgerReader(tmp_path, alone=False) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM scans")  # type: ignore[union-attr]


def test_what_is_no_ledger_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Rubbish in its place is an error with a remedy, and stays."""
    (tmp_path / "ledger.db").write_bytes(b"no database at all, however long it may be" * 30)
    with LedgerReader(tmp_path, alone=True) as reader, pytest.raises(EnvironmentFault, match="cannot read the ledger"):
        reader.of_path("a.jpg")


def test_a_ledger_that_may_not_be_looked_at_is_said_in_one_sentence() -> None:
    """Which user may, is said as well."""
    with reachable_folder() as folder:
        Ledger(folder).close()
        folder.chmod(0o000)
        said = r"cannot read the ledger .*\(permission denied\); run the command as root"
        with unprivileged(), pytest.raises(EnvironmentFault, match=said), LedgerReader(folder, alone=True):
            pass


def test_stacks_their_pages_and_their_documents_are_found(tmp_path: Path, ledger: Ledger) -> None:
    """By their rows, and documents by a name in their plan; what is not known gives nothing."""
    stack = ledger.stacks.begin("key", "{}")
    row = ledger.begin("page.jpg", FileFacts(1, 9, 3, 4), None)
    ledger.planned(row.id, "{}", code=None, reason=None, stack=stack)
    with LedgerReader(tmp_path, alone=False) as reader:
        assert reader.pages(stack) == []
        ledger.close_scan(row.id, ScanState.DELIVERED, code=None, reason=None)
        ledger.stacks.close(stack, "quiet", ['{"stem": "scan"}'])
        assert [page.path for page in reader.pages(stack)] == ["page.jpg"]
        assert [each.plan for each in reader.documents(stack)] == ['{"stem": "scan"}']
        assert [each.stack for each in reader.documents_with('"scan"')] == [stack]
        found = reader.stack(stack)
        assert found is not None
        assert found.state is StackState.CLOSED
        assert (reader.stack(99), reader.pages(99), reader.documents(99), reader.documents_with('"x"')) == (
            None, [], [], [],
        )  # fmt: skip


def test_a_ledger_of_an_older_ocrwatch_has_no_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is only read: the daemon migrates it at its next start."""
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[: migrations.DOCUMENTS_SINCE - 1])
        older.setattr(migrations, "check_tables", lambda _: None)
        Ledger(tmp_path).close()
    with LedgerReader(tmp_path, alone=True) as reader:
        assert (reader.stack(1), reader.pages(1), reader.documents(1), reader.documents_with('"x"')) == (
            None, [], [], [],
        )  # fmt: skip
        assert reader.open_piles("x") == []


def test_a_ledger_of_an_older_ocrwatch_has_no_piles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stacks are read, and are in no pair; the next start takes them over."""
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[: migrations.PILES_SINCE - 1])
        older.setattr(migrations, "check_tables", lambda _: None)
        ledger = Ledger(tmp_path)
        ledger.db.execute(
            "INSERT INTO stacks (key, facts, state, opened_at, updated_at) VALUES ('key', '{}', 'gathering', 1, 1)"
        )
        ledger.close()
    with LedgerReader(tmp_path, alone=True) as reader:
        found = reader.stack(1)
        assert found is not None
        assert (found.feed, found.fronts, found.owner, found.expected) == (None, None, 1, ())
        assert reader.open_piles("x") == []
    ledger = Ledger(tmp_path)
    assert ledger.stacks.unfinished() == [found]
    ledger.close()
