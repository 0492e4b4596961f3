"""An inbox with a case of everything, and what must have become of it whenever the daemon was killed on the way.

The end is the same in whichever order scans are read, since no two of them want the same names: what is in the way
lies there before the start. So an end state can be compared byte for byte.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from ocrwatch.document import Block, Box, EngineInfo, Line, Word
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Gray
from tests.rendering import render

ROOT = Path(__file__).parents[2]

Variant = Literal[
    "same",
    "other",
    "hardlink",
    "reserve",
    "fuse",
    "duplicates",
    "formats",
    "fields",
    "remote",
    "documents",
    "documents-delete",
]
VARIANTS: tuple[Variant, ...] = (
    "same",
    "other",
    "hardlink",
    "reserve",
    "fuse",
    "duplicates",
    "formats",
    "fields",
    "remote",
    "documents",
    "documents-delete",
)
"""The archive and quarantine on the inbox's file system; on another one; on one that, like NFS, cannot rename without
replacing, so that a hard link and an unlink must do; on one that has no hard links either, so that names are reserved;
on a real FUSE mount, which has no lasting inode numbers either; on the inbox's again, where of scans with the same
bytes only the first is delivered and the others are deleted; there once more, with the sidecars of all built-in formats
and of another package's; there with fields, of which each scan has a line in a list; there with a remote service that
reads the scans; and there with pages of feeders that become documents, whose originals are archived, or deleted."""

GATHERING: frozenset[Variant] = frozenset({"documents", "documents-delete"})
"""Variants in which pages become documents."""

LOCK = ".ocrwatch.lock"

ALL_FORMATS = ["txt", "json", "hocr", "alto", "tsv", "md", "pdf", "marks"]
"""All that are built in, and one of another package."""

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

FIELDS = """
[[profiles]]
match = "**"
[[profiles.fields]]
name = "pixels"
pattern = "[0-9a-f]{64}"
second_look = false
[[profiles.fields]]
name = "total"
type = "amount"
near = ["total"]
second_look = false
"""

REMOTE = """
[[remote]]
name = "cloud"
preset = "rapidocr"
url = "{url}"
rate = 1000
concurrency = 1
"""

GROUP = """
[[profiles]]
match = "**"
[profiles.group]
by = "name"
quiet = "1h"
blank = "drop"
"""

PARTS = "state/documents/"
"""Where copies of pages' sidecars are kept until their document is durable."""

JOINABLE = ["txt", "json", "pdf", "alto", "hocr"]

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


def prepare(base: Path, variant: Variant, mount: Path | None = None, service_url: str = "") -> Places:
    """Make the folders, the settings and the scans; all but the state on ``mount`` if there is one.

    ``service_url`` is the address of the service that reads the scans, if one does.
    """
    base.mkdir(parents=True)
    base = base.resolve()
    away = base
    if variant == "other":
        other = another_file_system(base)
        if other is None:
            raise RuntimeError("there is no other file system here")
        away = Path(tempfile.mkdtemp(prefix="ocrwatch-crash-", dir=other)).resolve()
    places = Places(base, away)
    duplicates = '[intake]\nduplicates = "delete"\n' if variant == "duplicates" else ""
    if mount is not None:
        away = Path(tempfile.mkdtemp(dir=mount))
        places = Places(base, away, frozenset({"inbox", "outbox", "archive", "quarantine"}))
    folders = "\n".join(f'{name} = "{places.folder(name)}"' for name in sorted(places.gone_away))
    on_success = 'on_success = "delete"\n' if variant == "documents-delete" else ""
    config = on_success + CONFIG.format(folders=folders) + duplicates
    if variant == "formats":
        config = config.replace('["txt", "json"]', json.dumps(ALL_FORMATS))
    if variant == "fields":
        config += FIELDS
    if variant in GATHERING:
        config = config.replace('["txt", "json"]', json.dumps(JOINABLE)) + GROUP
    if service_url:
        config = config.replace(f'"{Steady.name}"', '"remote:cloud"') + REMOTE.format(url=service_url)
    (base / "ocrwatch.toml").write_text(config)
    (base / "ocrwatch.toml").chmod(0o644)
    for name, data in (_pages() if variant in GATHERING else _scans()).items():
        _write(places.folder("inbox") / name, data)
    # Names that are taken before: a sidecar's, an original's, and one in the quarantine.
    _write(places.folder("outbox") / "taken.txt", b"somebody else's\n")
    _write(places.folder("archive") / "filed.jpg", b"filed before\n")
    _write(places.folder("quarantine") / "bad.jpg", b"bad before\n")
    return places


def _scans() -> dict[str, bytes]:
    plain = render("plain", size=20)
    return {
        "bad.jpg": render("bad", size=20).replace(b"\xff\xc0", b"\xff\xc3", 1),
        "filed.jpg": render("filed", size=20),
        "plain.jpg": plain,
        "plain-again.jpg": plain,
        "sub/below/deep.jpg": render("deep", size=20),
        "taken.jpg": render("taken", size=20),
        # The last, so that what it is has been read by then: it is answered from the cache.
        "undoubtedly-plain.jpg": plain,
    }


def _pages() -> dict[str, bytes]:
    """Return the pages of two feeders: one cannot be read, and one is blank."""
    again = render("first", size=20)
    return {
        "bad/scan_1.jpg": render("one", size=20),
        "bad/scan_2.jpg": render("bad", size=20).replace(b"\xff\xc0", b"\xff\xc3", 1),
        "bad/scan_10.jpg": render("ten", size=20),
        # Has the name of a file that is not ocrwatch's.
        "taken_1.jpg": again,
        "taken_2.jpg": render("", size=20),
        "taken_3.jpg": render("third", size=20),
        # The last, so that what it is has been read by then: it is answered from the cache.
        "taken_4.jpg": again,
    }


def documents_of_pages() -> dict[str, tuple[str, str]]:
    """Return, for each page that is in a document, the hash of its bytes and the stem of the document's files."""
    stems = {"bad": "bad/scan", "taken": "taken-2"}
    return {
        name: (fingerprint_of(data), stems[re.split(r"[/_]", name)[0]])
        for name, data in _pages().items()
        if name not in {"bad/scan_2.jpg", "taken_2.jpg"}
    }


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


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
