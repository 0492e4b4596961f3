"""Opens the database, or renames a damaged one: a broken ledger never prevents a start."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import sqlite3
import stat
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ocrwatch.events import LedgerDamaged, publish
from ocrwatch.ledger import migrations
from ocrwatch.storage.files import folder, open_regular, rename_noreplace, status_of, sync

PAGE_CACHE_KIB: Final = 500
"""Memory for a database's pages: SQLite's own 2 MB fill within some thousand scans and serve little, since the kernel
caches the file."""

_WAL_PAGES: Final = 64
_DAMAGED: Final = ".damaged-"
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY: Final = 0xFF
"""The part of SQLite's result codes that gives the kind of error (sqlite.org/rescode.html)."""

_PAUSES: Final = (0.0, 0.05, 0.25)
"""Seconds before each attempt to open the ledger: a disk may fail only for a moment."""

_REFUSED_PAGE: Final = re.compile(r"error code=(\d+)")
"""Finding of SQLite's check for a page that it did not get, with the result code."""

_CONTENT: Final = ("-journal", "-wal", "")
"""Endings of the files that hold the data; the database last: its log must never be found beside a new one."""

_PARTS: Final = ("-shm", *_CONTENT)

_TOKEN: Final = re.compile(rb"\x03\x17\x1dtoken([0-9a-f]{8})")
"""The row of ``meta`` with the token, as SQLite stores it (sqlite.org/fileformat2.html, section 2.1)."""

_MAGIC: Final = b"SQLite format 3\0"
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 64


class _Refused(Exception):
    """The disk does not return the whole ledger, so that its state is unknown."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def connect(path: Path) -> sqlite3.Connection:
    """Open the ledger at ``path``; create or migrate it if necessary.

    One that is damaged, or not a ledger at all, is renamed, never deleted, and a new one takes its place. Raises
    ``sqlite3.Error`` or ``OSError`` if the disk refuses, and :class:`EnvironmentFault` for a newer ocrwatch's.
    """
    failure: OSError | sqlite3.Error | None = None
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            return _open(path)
        except (migrations.NotALedger, sqlite3.DatabaseError) as error:
            if not is_damage(error):
                raise
            reason = str(error)
        try:
            is_damaged = _copy_is_damaged(path)
        except _Refused as refused:
            failure = refused.error
            continue
        if is_damaged:
            break
        if is_damaged is False:
            failure = sqlite3.OperationalError(f"its disk fails: {reason}, but a copy of it is sound")
    else:
        if failure is not None:
            raise failure
    kept_as = _set_aside(path)
    publish(LedgerDamaged(reason=reason, set_aside=str(kept_as)))
    return _open(path)


def is_damage(error: Exception) -> bool:
    """Return whether an error may mean damage, rather than a refusal by a disk or another process."""
    return isinstance(error, migrations.NotALedger) or getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _DAMAGE


def _copy_is_damaged(path: Path) -> bool | None:
    """Judge a copy of the ledger in the system's temporary folder.

    None if none can be made there. SQLite cannot distinguish damage from a failing disk: it reports ``EIO`` as
    ``SQLITE_CORRUPT`` (``abort_due_to_error`` in its vdbe.c), and a page that it did not get is a finding of its check.
    No disk fails while the copy is judged. Raises :class:`_Refused` if the ledger cannot be read.
    """
    names = [path.name + part for part in _CONTENT]
    try:
        with _folder_for_copy(path) as place:
            for name in names:
                with Path(place, name).open("wb") as copy:
                    copy.writelines(_chunks(path.with_name(name)))
            _open(Path(place, path.name)).close()
    except (migrations.NotALedger, sqlite3.Error) as error:
        return True if is_damage(error) else None
    except OSError:
        # The temporary folder is full or missing. Without a copy only the disk's reading can be checked.
        for name in names:
            deque(_chunks(path.with_name(name)), maxlen=0)
        return None
    return False


def _folder_for_copy(path: Path) -> tempfile.TemporaryDirectory[str]:
    """Make a folder with room for a copy of a ledger.

    Raises ``OSError`` if there is none.
    """
    prefix = f"ocrwatch-ledger-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}-"
    # Left by a start that was killed while it judged a copy.
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    size = sum(file.stat().st_size for part in _CONTENT if (file := path.with_name(path.name + part)).exists())
    if shutil.disk_usage(tempfile.gettempdir()).free < 2 * size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield the contents of one of the ledger's files, nothing if it is missing.

    Raises :class:`_Refused`.
    """
    try:
        with folder(path.parent) as state:
            status = status_of(state, path.name)
            if status is None or not stat.S_ISREG(status.st_mode):
                return
            descriptor = open_regular(state, path.name)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise _Refused(error) from error


def _open(path: Path) -> sqlite3.Connection:
    _make_private(path)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        db.row_factory = sqlite3.Row
        # Before anything is written: a newer ocrwatch's ledger stays as it is.
        migrations.version_of(db)
        db.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit survives a power cut; else a scan that brings the machine down would never be found.
        db.execute("PRAGMA synchronous = FULL")
        # Small, so that the log fits on a small state disk.
        db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        db.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise _fault_of(found)
        migrations.migrate(db, lambda: _old_tokens(path))
        migrations.check_tables(db)
    except BaseException:
        db.close()
        raise
    return db


def _fault_of(found: str) -> sqlite3.Error | migrations.NotALedger:
    """Classify the first finding of SQLite's check: damage, or a page that the disk does not return."""
    code = _REFUSED_PAGE.search(found)
    if code is not None and int(code[1]) & _PRIMARY not in _DAMAGE:
        return sqlite3.OperationalError(" ".join(found.split()))
    return migrations.NotALedger(found)


def _make_private(path: Path) -> None:
    """Make a new database readable for its owner and group only: it holds the names of scans.

    Raises :class:`NotALedger` for a file of another kind.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        # Before SQLite opens it, which would delete a log that it does not know.
        if os.pread(descriptor, len(_MAGIC), 0) not in {b"", _MAGIC}:
            raise migrations.NotALedger("it is not an SQLite database")
    finally:
        os.close(descriptor)


def _set_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    with folder(path.parent) as state:
        name, number = f"{path.name}{_DAMAGED}{stamp}", 1
        while any(status_of(state, name + part) is not None for part in _PARTS):
            number += 1
            name = f"{path.name}{_DAMAGED}{stamp}-{number}"
        for part in _PARTS:
            if status_of(state, path.name + part) is not None:
                rename_noreplace(state, path.name + part, state, name + part)
        sync(state)
    return path.with_name(name)


def _old_tokens(path: Path) -> Iterator[str]:
    """Yield the tokens of all damaged ledgers here, found in their raw bytes."""
    tokens: set[str] = set()
    for damaged in path.parent.glob(f"{path.name}{_DAMAGED}*"):
        if not stat.S_ISREG(damaged.lstat().st_mode):
            continue
        with damaged.open("rb") as file:
            before = b""
            while chunk := file.read(_CHUNK):
                tokens.update(token.decode("ascii") for token in _TOKEN.findall(before + chunk))
                before = chunk[-_OVERLAP:]
    yield from tokens
