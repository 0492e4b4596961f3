"""A ledger of any age or state of health is no reason not to start, and nothing of it is ever deleted."""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from ocrwatch.document import Review
from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import SCHEMA_VERSION, Ledger, LedgerReader, mark_reviewed, migrations, opening
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import open_regular
from tests.unit.delivery.interruption import refusing

FACTS = FileFacts(1, 2, 3, 4)
NEXT = "ALTER TABLE scans RENAME COLUMN code TO fault; CREATE TABLE extra (name TEXT) WITHOUT ROWID;"
ADDED = "CREATE TABLE extra (name TEXT PRIMARY KEY) WITHOUT ROWID; CREATE INDEX scans_by_hash ON scans (sha256);"


def filled(folder: Path, scans: int = 300) -> str:
    """Make a ledger with rows in it; return its token."""
    ledger = Ledger(folder)
    ledger.rebuilt((f"{number}.jpg", FACTS, "ab" * 32, "{}") for number in range(scans))
    ledger.close()
    return ledger.token


def version(folder: Path) -> int:
    """Read the version that a ledger's file says it has."""
    db = sqlite3.connect(folder / "ledger.db")
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


def damaged(folder: Path) -> set[str]:
    """Return the names of what was set aside."""
    return {path.name for path in folder.glob("ledger.db.damaged-*")}


def test_a_new_ledger_has_todays_schema(tmp_path: Path) -> None:
    """An empty file is a ledger that is not made yet."""
    (tmp_path / "ledger.db").touch()
    Ledger(tmp_path).close()
    assert version(tmp_path) == SCHEMA_VERSION
    assert damaged(tmp_path) == set()


def test_an_older_ledger_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the next version of the schema asks for is done once, and everything that was known is still known."""
    token = filled(tmp_path)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, ADDED))
    for _ in range(2):
        ledger = Ledger(tmp_path)
        assert (ledger.token, ledger.totals(), ledger.to_rebuild()) == (token, {"delivered": 300}, None)
        assert ledger.db.execute("SELECT count(*) FROM extra").fetchone()[0] == 0
        ledger.close()
    assert version(tmp_path) == SCHEMA_VERSION + 1


def test_states_of_an_older_ocrwatch_have_their_names_of_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each old name is translated once, by the daemon; a reader that comes before it understands them as well."""
    old = ("ready", "reading", "waiting", "planned", "published", "done", "quarantined", "gone")
    new = ("queued", "reading", "retrying", "planned", "published", "delivered", "quarantined", "changed")
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:4])
        older.setattr(migrations, "check_tables", lambda _: None)
        ledger = Ledger(tmp_path)
        for state in old:
            row = ledger.begin(f"{state}.jpg", FACTS, None)
            ledger.db.execute("UPDATE scans SET state = ? WHERE id = ?", (state, row.id))
        ledger.close()
    assert version(tmp_path) == 4
    with LedgerReader(tmp_path, alone=True) as reader:
        assert [reader.of_path(f"{state}.jpg")[0].state for state in old] == list(new)
    ledger = Ledger(tmp_path)
    assert ledger.totals() == dict.fromkeys(new, 1)
    assert version(tmp_path) == SCHEMA_VERSION
    assert {entry.path for entry in ledger.unfinished()} == {f"{state}.jpg" for state in old[:5]}
    ledger.close()


@pytest.mark.parametrize("schema", [6, 7, 8])
def test_documents_of_an_older_ocrwatch_wait_for_review(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: int
) -> None:
    """Those that were marked and not written anew since; they can be marked as reviewed."""
    torn = {"stem": "scan", "replaces": "", "review": ["page 2 is missing", "größer"]}
    plans = [torn, {**torn, "stem": "scan-2", "replaces": "scan"}, {**torn, "stem": "fine", "review": []}]
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:schema])
        older.setattr(migrations, "check_tables", lambda _: None)
        ledger = Ledger(tmp_path)
        for plan in plans:
            ledger.db.execute(
                "INSERT INTO documents (stack, state, plan, updated_at) VALUES (1, 'delivered', ?, 5)",
                (json.dumps(plan),),
            )
        ledger.close()
    with LedgerReader(tmp_path, alone=True) as reader:
        assert reader.documents_to_review() == (0, [])
        assert [each.waits_for_review for each in reader.documents(1)] == [False] * 3
    ledger = Ledger(tmp_path)
    count, (waiting,) = ledger.stacks.to_review(10)
    assert (count, waiting.id, waiting.review) == (1, 2, tuple(torn["review"]))
    assert [each.replaced_by for each in ledger.stacks.documents(1)] == [2, None, None]
    mark_reviewed(tmp_path, {}, {2: waiting.review})
    assert ledger.stacks.to_review(10) == (0, [])
    ledger.close()


def test_a_ledger_that_knows_no_reviews_learns_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first version noted is all there, nothing of it waits for review, and new scans may."""
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        older.setattr(migrations, "check_tables", lambda _: None)
        token = filled(tmp_path)
    assert version(tmp_path) == 1
    with LedgerReader(tmp_path, alone=True) as reader:
        assert [(row.state, row.review) for row in reader.of_path("7.jpg")] == [("delivered", None)]
        assert reader.to_review() == (0, [])
    assert version(tmp_path) == 1
    ledger = Ledger(tmp_path)
    assert (ledger.token, ledger.totals(), ledger.to_review(10)) == (token, {"delivered": 300}, (0, []))
    entry = ledger.begin("new.jpg", FACTS, None)
    ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None, review=Review(("no text",), None))
    assert ledger.to_review(10)[0] == 1
    ledger.close()
    assert version(tmp_path) == SCHEMA_VERSION
    assert damaged(tmp_path) == set()


def test_a_new_ledger_goes_through_all_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the same tables as one that has grown with the versions."""
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, ADDED))
    filled(tmp_path)
    assert version(tmp_path) == SCHEMA_VERSION + 1


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is done, or none: the older ocrwatch can still use its ledger."""
    token = filled(tmp_path)
    with monkeypatch.context() as newer:
        newer.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, NEXT))
        with pytest.raises(EnvironmentFault, match="PRIMARY KEY"):
            Ledger(tmp_path)
    assert version(tmp_path) == SCHEMA_VERSION
    ledger = Ledger(tmp_path)
    assert (ledger.token, ledger.totals()) == (token, {"delivered": 300})
    ledger.close()
    assert damaged(tmp_path) == set()


def test_a_newer_ledger_is_refused_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not damaged, so that it stays where and as it is."""
    with monkeypatch.context() as newer:
        newer.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, ADDED))
        filled(tmp_path)
    before = (tmp_path / "ledger.db").read_bytes()
    with pytest.raises(EnvironmentFault, match=r"ledger\.db was written by a newer ocrwatch.*upgrade"):
        Ledger(tmp_path)
    assert (tmp_path / "ledger.db").read_bytes() == before


def overwrite(path: Path, at: int, data: bytes) -> None:
    """Put other bytes into a file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def statement(sql: str) -> Callable[[Path], Any]:
    """Return what changes a ledger by SQL."""

    def change(path: Path) -> None:
        db = sqlite3.connect(path)
        db.executescript(sql)
        db.close()

    return change


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "rubbish": lambda path: path.write_bytes(b"rubbish" * 1000),
    "a text": lambda path: path.write_bytes(b"see me about this, Alex\n"),
    "header": lambda path: overwrite(path, 0, bytes(100)),
    "first page": lambda path: overwrite(path, 100, b"\xff" * 3000),
    "page of rows": lambda path: overwrite(path, 5 * 4096, bytes(4096)),
    "cut": lambda path: os.truncate(path, 8192),
    "table missing": statement("DROP TABLE scans;"),
    "token missing": statement("DELETE FROM meta;"),
    "another's": statement("DROP TABLE scans; DROP TABLE meta; CREATE TABLE cats (name); PRAGMA user_version = 0;"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_is_set_aside(tmp_path: Path, damage: str) -> None:
    """It is renamed, byte for byte, with an event; the new one works, and is to be rebuilt."""
    token = filled(tmp_path)
    path = tmp_path / "ledger.db"
    DAMAGES[damage](path)
    before = path.read_bytes()
    with capture_logs() as log:
        ledger = Ledger(tmp_path)
    assert [(event["event"], event["log_level"]) for event in log] == [("ledger.damaged", "error")]
    (kept_as,) = [name for name in damaged(tmp_path) if not name.endswith(("-wal", "-shm"))]
    assert log[0]["set_aside"] == str(tmp_path / kept_as)
    assert (tmp_path / kept_as).read_bytes() == before
    tokens = ledger.to_rebuild()
    assert tokens is not None
    assert tokens <= {token}
    assert ledger.token != token
    assert ledger.totals() == {}
    assert ledger.begin("a.jpg", FACTS, None).id == 1
    ledger.close()


class Failing(sqlite3.Connection):
    """A connection to a database on ``disk``, which fails: its first checks come out as ``answers`` says."""

    disk: ClassVar[Path] = Path()
    answers: ClassVar[list[str | sqlite3.DatabaseError]] = []

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self.fails = path.parent == self.disk

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Answer the check out of turn."""
        if "quick_check" not in sql or not self.fails or not self.answers:
            return super().execute(sql, *values)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            return super().execute("SELECT ?", (answer,))
        raise answer


def failing(monkeypatch: pytest.MonkeyPatch, disk: Path, *answers: str | sqlite3.DatabaseError) -> None:
    """Have the next checks of ledgers on ``disk`` come out so."""
    monkeypatch.setattr(Failing, "disk", disk)
    monkeypatch.setattr(Failing, "answers", list(answers))
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Failing))


def malformed() -> sqlite3.DatabaseError:
    """Return what SQLite raises where pages make no sense, also because they were read wrongly."""
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def test_a_page_that_the_disk_does_not_give_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's check tells of it as it does of damage. The ledger stays, and is used as soon as it can be read."""
    token = filled(tmp_path)
    failing(monkeypatch, tmp_path, "*** in database main ***\nPage 9: unable to get the page. error code=266")
    with pytest.raises(EnvironmentFault, match=r"cannot use the ledger.*unable to get the page"):
        Ledger(tmp_path)
    assert damaged(tmp_path) == set()
    ledger = Ledger(tmp_path)
    assert (ledger.token, ledger.totals()) == (token, {"delivered": 300})
    ledger.close()


def test_damage_that_is_not_there_at_a_second_look_was_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that is set aside without need has its scans in work read once more."""
    token = filled(tmp_path)
    failing(monkeypatch, tmp_path, malformed(), malformed())
    ledger = Ledger(tmp_path)
    assert (ledger.token, ledger.totals()) == (token, {"delivered": 300})
    ledger.close()
    assert damaged(tmp_path) == set()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the system an empty temporary folder."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_a_sound_ledger_on_a_failing_disk_is_never_set_aside(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite reports a read error as damage, also three times in a row; a copy of the ledger shows that it is sound."""
    token = filled(tmp_path)
    failing(monkeypatch, tmp_path, *[malformed() for _ in range(3)])
    with pytest.raises(EnvironmentFault, match=r"cannot use the ledger.*its disk fails.*a copy of it is sound"):
        Ledger(tmp_path)
    assert damaged(tmp_path) == set()
    assert list(elsewhere.iterdir()) == []
    ledger = Ledger(tmp_path)
    assert (ledger.token, ledger.totals()) == (token, {"delivered": 300})
    ledger.close()


def test_a_copy_that_was_sound_once_is_believed(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if there is no room for another one at the next try."""
    filled(tmp_path)
    failing(monkeypatch, tmp_path, *[malformed() for _ in range(3)])
    usages = iter([1 << 40, 0, 0])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(usages)))
    with pytest.raises(EnvironmentFault, match="a copy of it is sound"):
        Ledger(tmp_path)
    assert damaged(tmp_path) == set()


def _no_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place / "missing"))


def _no_room(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))


def _quota(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", refusing(errno.EDQUOT))


def _full_meanwhile(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def full(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        return real(Path("/dev/full") if path.is_relative_to(place) else path, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", full)


def _full_for_sqlite(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = opening._open

    def full(path: Path) -> sqlite3.Connection:
        if path.is_relative_to(place):
            raise sqlite3.OperationalError("database or disk is full")
        return real(path)

    monkeypatch.setattr(opening, "_open", full)


REFUSALS = (_no_folder, _no_room, _quota, _full_meanwhile, _full_for_sqlite)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_temporary_folder_that_takes_no_copy_keeps_no_damaged_ledger(
    tmp_path: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    """Three looks decide then: it is no reason not to start."""
    token = filled(tmp_path)
    (tmp_path / "ledger.db").write_bytes(b"rubbish" * 1000)
    refusal(elsewhere, monkeypatch)
    ledger = Ledger(tmp_path)
    assert ledger.token != token
    ledger.close()
    assert len(damaged(tmp_path)) == 1
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("refusal", [None, *REFUSALS[:-1]])
def test_a_damaged_ledger_that_cannot_be_read_is_left(
    tmp_path: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Callable[[Path, pytest.MonkeyPatch], None] | None,
) -> None:
    """If the disk refuses the file, nothing can be known about its state, with or without room for a copy."""
    filled(tmp_path)
    failing(monkeypatch, tmp_path, *[malformed() for _ in range(10)])
    monkeypatch.setattr(opening, "open_regular", refusing(errno.EIO))
    if refusal is not None:
        refusal(elsewhere, monkeypatch)
    with pytest.raises(EnvironmentFault, match="Input/output error"):
        Ledger(tmp_path)
    assert damaged(tmp_path) == set()


def test_a_ledger_that_can_be_read_at_a_later_try_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read error of a moment is no reason not to start."""
    token = filled(tmp_path)
    failing(monkeypatch, tmp_path, malformed())
    real, errors = open_regular, [OSError(errno.EIO, "input/output error")]

    def once(parent: int, name: str) -> int:
        if errors:
            raise errors.pop()
        return real(parent, name)

    monkeypatch.setattr(opening, "open_regular", once)
    ledger = Ledger(tmp_path)
    assert (ledger.token, errors) == (token, [])
    ledger.close()
    assert damaged(tmp_path) == set()


def test_a_copy_that_a_killed_start_has_left_is_removed(tmp_path: Path, elsewhere: Path) -> None:
    """The copy of this ledger, but not that of another."""
    filled(tmp_path)
    with opening._folder_for_copy(tmp_path / "ledger.db") as left:
        pass
    for name in (left, f"{elsewhere}/ocrwatch-ledger-another"):
        Path(name).mkdir()
        Path(name, "ledger.db").touch()
    (tmp_path / "ledger.db").write_bytes(b"rubbish" * 1000)
    Ledger(tmp_path).close()
    assert [path.name for path in elsewhere.iterdir()] == ["ocrwatch-ledger-another"]


def test_what_is_no_file_beside_a_damaged_ledger_holds_nothing_up(tmp_path: Path) -> None:
    """A FIFO would be waited for."""
    token = filled(tmp_path)
    (tmp_path / "ledger.db").write_bytes(b"rubbish" * 1000)
    os.mkfifo(tmp_path / "ledger.db-wal")
    ledger = Ledger(tmp_path)
    assert ledger.token != token
    ledger.close()


def test_the_token_is_found_in_the_damaged_ledger(tmp_path: Path) -> None:
    """With it the unfinished files are known that are this ledger's own."""
    token = filled(tmp_path)
    overwrite(tmp_path / "ledger.db", 0, bytes(100))
    ledger = Ledger(tmp_path)
    assert ledger.to_rebuild() == frozenset({token})
    ledger.close()


def test_damage_after_damage_overwrites_nothing(tmp_path: Path) -> None:
    """Each damaged ledger is kept, with its write-ahead log, and all their tokens are known until it is rebuilt."""
    tokens = set()
    for _ in range(3):
        tokens.add(filled(tmp_path))
        (tmp_path / "ledger.db-wal").write_bytes(b"a log")
        overwrite(tmp_path / "ledger.db", 0, bytes(100))
    ledger = Ledger(tmp_path)
    assert ledger.to_rebuild() == frozenset(tokens)
    ledger.close()
    assert len([name for name in damaged(tmp_path) if name.endswith("-wal")]) == 3
    assert len([name for name in damaged(tmp_path) if not name.endswith(("-wal", "-shm"))]) == 3


def test_what_was_rebuilt_is_known_and_not_rebuilt_again(tmp_path: Path) -> None:
    """The mark goes with the same commit that notes what was found."""
    ledger = Ledger(tmp_path)
    assert ledger.to_rebuild() == frozenset()
    ledger.rebuilt([("a.jpg", FACTS, "ab" * 32, '{"fate": "keep"}')])
    assert ledger.to_rebuild() is None
    assert list(ledger.kept()) == [("a.jpg", "2:3:4")]
    assert ledger.was_done("a.jpg", "ab" * 32)
    ledger.close()
    again = Ledger(tmp_path)
    assert again.to_rebuild() is None
    again.close()


def test_damage_found_at_work_says_to_restart(tmp_path: Path) -> None:
    """A restart is what mends it."""
    filled(tmp_path)
    ledger = Ledger(tmp_path)
    ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.db.execute("PRAGMA cache_size = 0")
    size = (tmp_path / "ledger.db").stat().st_size
    for page in range(1, size // 4096):
        overwrite(tmp_path / "ledger.db", page * 4096, b"\xff" * 4096)
    with pytest.raises(EnvironmentFault, match="restart ocrwatch"):
        ledger.unfinished()
    ledger.close()


def test_a_full_disk_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk refuses at the start is the environment's fault, and the ledger stays where it is."""
    filled(tmp_path)
    monkeypatch.setattr(
        migrations,
        "MIGRATIONS",
        (*migrations.MIGRATIONS, "PRAGMA max_page_count = 1; CREATE TABLE big AS SELECT * FROM scans;"),
    )
    with pytest.raises(EnvironmentFault, match="full"):
        Ledger(tmp_path)
    assert damaged(tmp_path) == set()
