"""The folders of a daemon that is killed, a fast engine, and the state at the end, compared byte for byte."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ocrwatch.document import Block, Box, EngineInfo, Line, Word
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Gray

ROOT = Path(__file__).parents[2]

LOCK = ".ocrwatch.lock"

MOST_ATTEMPTS = 100
"""A kill costs the scan that was being read an attempt, which is as it should be; here it must not add up."""

CONFIG = f"""
{{folders}}
[workers]
count = 1
[ocr]
engine = "steady"
[output]
formats = ["txt", "json"]
[settle]
stable_for = "0s"
stable_for_closed = "0s"
[batch]
quiet = "0s"
[retry]
attempts = {MOST_ATTEMPTS}
first_delay = "0s"
"""

PARTS = "state/documents/"
"""Where copies of pages' sidecars are kept until their document is durable."""

LIST = "fields.csv"

_OTHER_FILE_SYSTEM = Path("/dev/shm")
"""The one that every Linux has."""

_BOX = Box(0, 0, 1, 1)
_INK = 128
"""Pixels darker than this are printed."""


class Steady:
    """An engine that reads the same off the same page, another thing off any other, and takes no time."""

    name: ClassVar[str] = "steady"
    spawns: ClassVar[bool] = False

    @property
    def info(self) -> EngineInfo:
        """Its name, whatever it is."""
        return EngineInfo(self.name, "1", ())

    def prepare(self, recipe: Recipe) -> None:
        """Need nothing."""

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:  # noqa: ARG002 - the protocol's
        """Return the hash of the pixels as the only word; none if there is no print."""
        if pixels.min() > _INK:
            return ()
        word = Word(hashlib.sha256(pixels.tobytes()).hexdigest(), _BOX, 90.0)
        return (Block((Line((word,), _BOX),), _BOX),)


def engine_path(folder: Path) -> str:
    """Make ``folder`` tell of the engine and return the PYTHONPATH with which it is found."""
    metadata = folder / "steady-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: steady\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(f"[ocrwatch.engines]\nsteady = {Steady.__module__}:Steady\n")
    return f"{folder}{os.pathsep}{ROOT}"


@dataclass(frozen=True)
class Places:
    """The folders of one run."""

    base: Path
    away: Path
    """``base`` itself, or a folder on another file system."""
    gone_away: frozenset[str] = frozenset({"archive", "quarantine"})
    """The folders that ``away`` holds."""

    @property
    def roots(self) -> tuple[Path, ...]:
        """All folders that the daemon may change something in."""
        return tuple(dict.fromkeys((self.base, self.away)))

    def folder(self, name: str) -> Path:
        """Return one of the daemon's folders."""
        return (self.away if name in self.gone_away else self.base) / name


def another_file_system(than: Path) -> Path | None:
    """Return a folder on another file system, or None."""
    if _OTHER_FILE_SYSTEM.is_dir() and os.access(_OTHER_FILE_SYSTEM, os.W_OK):
        return _OTHER_FILE_SYSTEM if _OTHER_FILE_SYSTEM.stat().st_dev != than.stat().st_dev else None
    return None


def scans_in(inbox: Path) -> list[Path]:
    """Return what is left of scans in an inbox, whatever it is called by now."""
    return [path for path in inbox.rglob("*") if path.name != LOCK and not path.is_dir()]


@dataclass
class EndState:
    """What lies where, and what the ledger says."""

    files: dict[str, str]
    """Name below the folders to the hash of its bytes; reasons are compared without their times."""
    hidden: tuple[str, ...]
    rows: Counter[str]
    """Path, state and, of what was quarantined, the reason's code."""
    integrity: str

    @classmethod
    def of(cls, places: Places) -> EndState:
        """Look at the folders of a daemon that does not run."""
        files, hidden = cls.files_below(places, ("inbox", "outbox", "archive", "quarantine", "state"))
        # Nothing may be beside the folders either.
        hidden += [str(path) for root in places.roots for path in root.iterdir() if path.name.startswith(".")]
        return cls(files, tuple(hidden), *_ledger(places.folder("state") / "ledger.db"))

    @staticmethod
    def files_below(places: Places, names: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
        """Return the files in the named folders with the hashes of their bytes, and the hidden ones."""
        files: dict[str, str] = {}
        hidden: list[str] = []
        for name in names:
            folder = places.folder(name)
            parts: Counter[str] = Counter()
            for path in sorted(folder.rglob("*")):
                relative = f"{name}/{path.relative_to(folder)}"
                if relative.startswith(PARTS):
                    # Named after the ledger and its scan's row, which may be another after a restart.
                    kind = f"{PARTS}N.{path.name.partition('.')[2]}"
                    parts[kind] += 1
                    relative = f"{kind} {parts[kind]}"
                if path.name.startswith(".") and path.name != LOCK:
                    hidden.append(relative)
                elif not path.is_dir() and path.name != LOCK:
                    files[relative] = "" if name == "state" else _fingerprint(path)
        return files, hidden


def _fingerprint(path: Path) -> str:
    data = path.read_bytes()
    if path.name.endswith(".reason.json") and data:
        reason: dict[str, Any] = json.loads(data)
        if not 1 <= reason["attempts"] < MOST_ATTEMPTS:
            return f"impossible attempts: {reason['attempts']}"
        # When it was, and how often a kill has interrupted its reading, is not the same in every run.
        for varying in ("quarantined_at", "modified_at", "attempts"):
            del reason[varying]
        data = json.dumps(reason).encode()
    if path.name == LIST:
        # In whichever order, and at whatever time.
        rows = sorted([row[:1] + row[2:] for row in csv.reader(data.decode("utf-8-sig").splitlines())])
        data = json.dumps(rows).encode()
    return fingerprint_of(data)


def fingerprint_of(data: bytes) -> str:
    """Return the hash that stands for a file's bytes."""
    return hashlib.sha256(data).hexdigest()[:16]


def _ledger(path: Path) -> tuple[Counter[str], str]:
    database = sqlite3.connect(path)
    try:
        integrity = str(database.execute("PRAGMA integrity_check").fetchone()[0])
        rows = database.execute("SELECT path, state, code FROM scans WHERE state != 'changed'").fetchall()
        return Counter(_row(*row) for row in rows), integrity
    finally:
        database.close()


def _row(path: bytes, state: str, code: str | None) -> str:
    # A scan that was read may have failed before.
    return f"{os.fsdecode(path)} {state}" + (f" {code}" if state == "quarantined" else "")


@dataclass
class Differences:
    """How an end state differs from the one it should be, each difference in a few words."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    """Files with other bytes than they should have, and temporary files."""
    other: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.partial or self.other)

    def __str__(self) -> str:
        kinds = {"lost": self.lost, "doubled": self.doubled, "partial": self.partial, "other": self.other}
        return "; ".join(f"{kind}: {', '.join(found)}" for kind, found in kinds.items() if found)


def compare(reference: EndState, found: EndState) -> Differences:
    """Say how ``found`` differs from what an undisturbed run leaves."""
    differences = Differences()
    differences.lost += [name for name in reference.files if name not in found.files]
    for name, fingerprint in found.files.items():
        if name not in reference.files:
            is_second = re.sub(r"-\d+(?=\.)", "", name) in reference.files
            (differences.doubled if is_second or name.startswith("inbox/") else differences.other).append(name)
        elif fingerprint != reference.files[name]:
            differences.partial.append(f"{name} ({fingerprint})")
    differences.partial += [name for name in found.hidden if name not in reference.hidden]
    if found.integrity != "ok":
        differences.other.append(f"ledger: {found.integrity}")
    if found.rows != reference.rows:
        for row in (found.rows | reference.rows) - (found.rows & reference.rows):
            differences.other.append(f"the ledger has {found.rows[row]} and not {reference.rows[row]} of: {row}")
    return differences
