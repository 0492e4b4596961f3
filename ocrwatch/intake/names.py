"""Decides which names in the inbox are scans."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ocrwatch.magic import ImageKind, reads_pdf

_DIGITS: Final = re.compile(r"(\d+)")
_PLAIN_ENDING: Final = re.compile(r"\*(\.[A-Za-z0-9]+)")

_ENDINGS: Final = {
    ImageKind.JPEG: (".jpg", ".jpeg"),
    ImageKind.PNG: (".png",),
    ImageKind.TIFF: (".tif", ".tiff"),
    ImageKind.PDF: (".pdf",),
}
"""Usual endings, the best first."""

_PDFS: Final = "*.pdf"

SYSTEM_FOLDERS: Final = (
    "@Recycle", "@Recently-Snapshot", "@__thumb", ".@__thumb", "@sharebin",  # QNAP
    "#recycle", "#snapshot", "@eaDir", "@tmp", "@sharesnap",  # Synology
    "$RECYCLE.BIN", "RECYCLER", "System Volume Information",  # Windows
    ".recycle", ".Recycle.Bin",  # Samba's vfs_recycle, Unraid
    ".snapshot", ".snapshots", "~snapshot", ".zfs",  # NetApp, snapper, ZFS
    "lost+found", ".Trash", ".Trash-*", ".Trashes", "Network Trash Folder", "Temporary Items",  # Linux, macOS
    ".TemporaryItems", ".Spotlight-V100", ".fseventsd", ".DocumentRevisions-V100", ".AppleDouble",  # macOS
    ".stversions", ".stfolder", ".stfolder.removed-*", ".sync", ".dropbox.cache",  # Syncthing, Resilio, Dropbox
)  # fmt: skip
"""Folders of NAS boxes, operating systems and sync programs: recycle bins, snapshots, thumbnails. Their contents were
deleted or are copies, so they are neither read nor watched, whatever ``watch.exclude`` says. Shell patterns for single
names; case does not matter.
"""

_JUNK_BEGINNINGS: Final = (".", "~")
"""Hidden files, which many programs use for unfinished uploads; Office's and Syncthing's."""

_JUNK_ENDINGS: Final = (
    "~", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".!sync",
    ".lock", ".lck", ".pid", ".swp", ".reason.json", ".retry.json",
)  # fmt: skip
_JUNK_NAMES: Final = frozenset({
    "thumbs.db", "thumbs.db:encryptable", "ehthumbs.db", "desktop.ini", "icon\r",
    "status.txt", *(f"status-{number}.txt" for number in range(2, 10)),  # ocrwatch's own, copied back
})  # fmt: skip


def natural_key(path: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key for natural order: ``page2`` before ``page10``."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in _DIGITS.split(path) if part
    )


def readable(include: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns of ``watch.include`` without that of PDFs, if these cannot be read here.

    A PDF is then ignored, with the reason, rather than quarantined.
    """
    return tuple(pattern for pattern in include if reads_pdf() or pattern.lower() != _PDFS)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(p) for p in patterns) or r"(?!)", re.IGNORECASE)


_SYSTEM_FOLDER: Final = _any_of(SYSTEM_FOLDERS)


def is_system_folder(name: str) -> bool:
    """Return whether a folder of this name belongs to a NAS, an operating system or a sync program."""
    return _SYSTEM_FOLDER.match(name) is not None


def is_meant(name: str) -> bool:
    """Return whether a user may have put a file of this name into the inbox to have it read."""
    # Not a pattern: that takes four times as long, and an inbox may have a hundred thousand files.
    lower = name.lower()
    return not (lower.startswith(_JUNK_BEGINNINGS) or lower.endswith(_JUNK_ENDINGS) or lower in _JUNK_NAMES)


def first_match(name: str, patterns: Iterable[str]) -> str | None:
    """Return the first of the shell patterns that a name matches.

    None if it matches none.
    """
    return next((pattern for pattern in patterns if _any_of((pattern,)).match(name)), None)


def plain_ending(include: Iterable[str], kind: ImageKind) -> str:
    """Return a file ending that a scan may have, if possible a usual one of its kind."""
    usual = _ENDINGS[kind]
    plain = [match[1] for pattern in include if (match := _PLAIN_ENDING.fullmatch(pattern))]
    return next((ending for ending in usual if ending in plain), plain[0] if plain else usual[0])


@dataclass(frozen=True, slots=True)
class NameRules:
    """The ``watch.include`` and ``watch.exclude`` patterns, compiled.

    Case does not matter.
    """

    include: re.Pattern[str]
    exclude: re.Pattern[str]
    excluded: tuple[str, ...] = ()
    """The patterns that ``exclude`` was compiled from."""

    @classmethod
    def of(cls, include: Iterable[str], exclude: Iterable[str]) -> NameRules:
        """Compile shell patterns (``*``, ``?``, ``[…]``) for single names."""
        excluded = tuple(exclude)
        return cls(_any_of(readable(include)), _any_of(excluded), excluded)

    def enters(self, folder_name: str) -> bool:
        """Return whether a folder of this name is read."""
        return self.exclude.match(folder_name) is None and not is_system_folder(folder_name)

    def is_scan(self, name: str) -> bool:
        """Return whether a file of this name is a scan."""
        return self.include.match(name) is not None and self.exclude.match(name) is None

    def takes(self, path: str) -> bool:
        """Return whether a path relative to the inbox names a scan in a folder that is read."""
        *folders, name = path.split("/")
        return self.is_scan(name) and all(self.enters(folder) for folder in folders)

    def leaves(self, path: str) -> bool:
        """Return whether a path names a file that is ignored although it may be meant to be read."""
        *folders, name = path.split("/")
        return not self.is_scan(name) and is_meant(name) and all(self.enters(folder) for folder in folders)
