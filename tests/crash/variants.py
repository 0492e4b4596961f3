"""Inboxes with a case of everything, one for each way of working.

The end is the same in whichever order scans are read, since no two of them want the same names: what is in the way
lies there before the start. So an end state can be compared byte for byte.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Literal, get_args

from tests.crash.scenario import CONFIG, Places, Steady, another_file_system, fingerprint_of
from tests.rendering import render
from tests.several_pages import pdf_of, tiff_of

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
    "duplex",
    "pages",
    "pages-delete",
]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""The archive and quarantine on the inbox's file system; on another one; on one that, like NFS, cannot rename without
replacing, so that a hard link and an unlink must do; on one that has no hard links either, so that names are reserved;
on a real FUSE mount, which has no lasting inode numbers either; on the inbox's again, where of scans with the same
bytes only the first is delivered and the others are deleted; there once more, with the sidecars of all built-in formats
and of another package's; there with fields, of which each scan has a line in a list; there with a remote service that
reads the scans; there with pages of feeders that become documents, whose originals are archived, or deleted; there with
piles of fronts and backs; and there with files of several pages, which are archived, or deleted."""

GATHERING: frozenset[Variant] = frozenset({"documents", "documents-delete", "duplex"})
"""Variants in which scans become documents."""

SPLITTING: frozenset[Variant] = frozenset({"pages", "pages-delete"})
"""Variants with files of several pages."""

DELETING: frozenset[Variant] = frozenset({"documents-delete", "pages-delete"})
"""Variants in which originals are deleted when their text is there."""

_JOINABLE = ("txt", "json", "pdf", "alto", "hocr")

FORMATS: dict[Variant, tuple[str, ...]] = {
    # All that are built in, and one of another package.
    "formats": ("txt", "json", "hocr", "alto", "tsv", "md", "pdf", "marks"),
    "documents": _JOINABLE,
    "documents-delete": _JOINABLE,
    "pages": ("txt", "json", "pdf"),
    "pages-delete": ("txt", "json", "pdf"),
}
"""Formats of the sidecars; of the other variants txt and json."""

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

DUPLEX = 'duplex = "reversed"\n'

_FIRST_SAVED_AT = 1_700_000_000
"""When the first file was saved, in seconds since 1970; each other one was saved a second after the one before."""


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
    on_success = 'on_success = "delete"\n' if variant in DELETING else ""
    config = on_success + CONFIG.format(folders=folders) + duplicates
    if variant in FORMATS:
        config = config.replace('["txt", "json"]', json.dumps(FORMATS[variant]))
    if variant == "fields":
        config += FIELDS
    if variant in GATHERING:
        config += GROUP
    if variant == "duplex":
        config += DUPLEX
    if service_url:
        config = config.replace(f'"{Steady.name}"', '"remote:cloud"') + REMOTE.format(url=service_url)
    (base / "ocrwatch.toml").write_text(config)
    (base / "ocrwatch.toml").chmod(0o644)
    for number, (name, data) in enumerate(_content(variant).items()):
        path = places.folder("inbox") / name
        _write(path, data)
        if variant == "duplex":
            # Of two piles, the older one has the fronts.
            os.utime(path, (_FIRST_SAVED_AT + number, _FIRST_SAVED_AT + number))
    # Names that are taken before: a sidecar's, an original's, and one in the quarantine.
    _write(places.folder("outbox") / "taken.txt", b"somebody else's\n")
    _write(places.folder("archive") / "filed.jpg", b"filed before\n")
    _write(places.folder("quarantine") / "bad.jpg", b"bad before\n")
    return places


def _content(variant: Variant) -> dict[str, bytes]:
    """Return the files of the inbox by their names, in the order in which they were saved."""
    if variant == "duplex":
        return _piles()
    if variant in GATHERING:
        return _pages()
    return _files() if variant in SPLITTING else _scans()


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


def _piles() -> dict[str, bytes]:
    """Return fronts and backs: of one pair a front cannot be read and a back is blank, the other piles are no pair."""
    return {
        "pair/front_1.jpg": render("one", size=20),
        "pair/front_2.jpg": render("bad", size=20).replace(b"\xff\xc0", b"\xff\xc3", 1),
        # The last page first.
        "pair/back_1.jpg": render("", size=20),
        "pair/back_2.jpg": render("two", size=20),
        "unequal/front_1.jpg": render("three", size=20),
        "unequal/front_2.jpg": render("five", size=20),
        # It has been read by then: it is answered from the cache.
        "unequal/back_1.jpg": render("one", size=20),
    }


def _files() -> dict[str, bytes]:
    """Return files of several pages: of one a page cannot be read, of another no page; and a single scan."""
    return {
        "bad.tif": tiff_of((8, 9), unreadable={1, 2}),
        "plain.jpg": render("plain", size=20),
        "sub/letter.pdf": pdf_of(("Dear Ms Miller", 3)),
        # Has the name of a file that is not ocrwatch's.
        "taken.tif": tiff_of((5, 6, 7), unreadable={2}),
    }


def documents_of_pages() -> dict[str, tuple[str, str]]:
    """Return, for each page that is in a document, the hash of its bytes and the stem of the document's files."""
    stems = {"bad": "bad/scan", "taken": "taken-2"}
    return {
        name: (fingerprint_of(data), stems[re.split(r"[/_]", name)[0]])
        for name, data in _pages().items()
        if name not in {"bad/scan_2.jpg", "taken_2.jpg"}
    }


def texts_of_originals(variant: Variant) -> dict[str, tuple[str, str]]:
    """Return, for each original that is deleted, the hash of its bytes and the stem of the files with its text."""
    if variant not in SPLITTING:
        return documents_of_pages()
    stems = {name: os.path.splitext(name)[0] for name in _files() if name != "bad.tif"}
    stems["taken.tif"] = "taken-2"
    return {name: (fingerprint_of(_files()[name]), stem) for name, stem in stems.items()}


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
