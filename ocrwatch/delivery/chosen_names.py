"""Where all files of one scan go: chosen once, recorded, then carried out."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ocrwatch.document import Review
from ocrwatch.quarantine.reason_file import REASON
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import TEMPORARY_PREFIX
from ocrwatch.storage.free_names import first_free, is_too_long, look, numbered_stem, room_for_stem

Fate = Literal["archive", "keep", "delete", "quarantine"]


@dataclass(frozen=True, slots=True)
class Places:
    """The daemon's four folders, as absolute paths."""

    inbox: Path
    outbox: Path
    archive: Path
    quarantine: Path
    reserved: str = field(default="", kw_only=True)
    """A stem that no sidecar at the top of the outbox gets, in any case; empty if there is none."""
    keeps: bool = field(default=False, kw_only=True)
    """Whether originals that were read stay in the inbox."""
    parts: Path | None = field(default=None, kw_only=True)
    """Folder for copies of the sidecars of pages whose document is not complete yet; None if no profile has a
    group."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One file to publish."""

    temporary: str
    final: str
    former: str | None = None
    """Name under which it may have been published before another program took a name of its scan."""
    size: int | None = None
    """Bytes; None in plans of an older version, like ``sha256``."""
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SheetProfile:
    """The profile that a separator sheet names, with what it says of the documents behind the sheet."""

    name: str
    """Empty if there is no such profile."""
    problem: str = ""
    """Why the sheet is as one that names none; empty if there is such a profile."""
    formats: tuple[str, ...] = ()
    """Those that can have several pages, in the order of publishing."""
    blank: str = ""
    """Empty if the profile makes no documents itself."""
    mode: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class StackPage:
    """A scan as a page of a stack, which becomes one or more documents."""

    stack: int
    """Row of the stack in the ledger."""
    endings: tuple[str, ...] = ()
    """Endings of the sidecars that the document needs of it."""
    is_blank: bool = False
    is_separator: bool = False
    deletes: bool = False
    """Whether the original is deleted when the document is durable; until then it is in the archive."""
    lacks_codes: bool = False
    """Whether it may be a separator: it was read with less, and codes were not looked for."""
    was_late: bool = False
    """Whether its file was changed long after those of the other pages, which waited for it."""
    sheet: SheetProfile | None = None
    """Of a separator sheet that names a profile."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The remaining work for a scan with staged sidecars."""

    path: str
    """The original, relative to the inbox."""
    facts: FileFacts
    sha256: str | None
    folder: str
    """The mirrored subfolder, ``""`` at the top."""
    stem: str
    fate: Fate
    original: str
    """The original's name in the archive or quarantine."""
    sidecars: tuple[Sidecar, ...] = field(default=())
    """In the outbox, or in the quarantine if the fate is quarantine; published in this order."""
    inbox: tuple[int, int] | None = None
    """Device and inode of the inbox when this was planned: in another inbox, a missing original is not gone."""
    inbox_on: tuple[str, ...] | None = None
    """What identifies its file system then, since a remount may change the device; empty if unknown, None in plans of
    an older version."""
    parent: int | None = None
    """Inode of the scan's folder then: if it has changed, the original may be where that folder is now."""
    review: Review | None = None
    """Why the text needs review: in the plan, so that a restart still knows it when it closes the scan."""
    made_by: str | None = None
    """What distinguishes this text from that of the same bytes under other options."""
    stays: bool = False
    """Whether the quarantine gets a copy, since the inbox is read-only and its scans are kept."""
    fields_line: str | None = None
    """Temporary name of the staged line for the list of fields; None if the scan has none. Not its values: the ledger
    keeps plans for long."""
    page: StackPage | None = None
    """Its place in a stack of pages; None if its profile has no group."""

    @property
    def stack(self) -> int | None:
        """Row of the stack of which the scan is a page."""
        return None if self.page is None else self.page.stack

    @property
    def waits_for_document(self) -> bool:
        """Whether the original is in the archive only until the document of which it is a page is durable."""
        return self.fate == "archive" and self.page is not None and self.page.deletes

    def below(self, name: str) -> str:
        """Return the path of one of its files, relative to the folder that it goes to."""
        return f"{self.folder}/{name}" if self.folder else name

    def to_json(self) -> str:
        """Render for the ledger; names that are not UTF-8 survive as surrogate escapes in ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what :meth:`to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        values["facts"] = FileFacts(**values["facts"])
        values["sidecars"] = tuple(Sidecar(**sidecar) for sidecar in values["sidecars"])
        inbox = values.get("inbox")
        values["inbox"] = None if inbox is None else (inbox[0], inbox[1])
        if (inbox_on := values.get("inbox_on")) is not None:
            values["inbox_on"] = tuple(inbox_on)
        if (review := values.get("review")) is not None:
            values["review"] = Review(tuple(review["reasons"]), review["confidence"])
        if (page := values.get("page")) is not None:
            values["page"] = _stack_page(page)
        return cls(**values)


def _stack_page(page: dict[str, Any]) -> StackPage:
    """Return the place of a page in its stack; that of an older version has no sheet."""
    values = {**page, "endings": tuple(page["endings"])}
    if (sheet := values.get("sheet")) is not None:
        values["sheet"] = SheetProfile(**{**sheet, "formats": tuple(sheet["formats"])})
    return StackPage(**values)


def part_name(token: str, scan: int, ending: str) -> str:
    """Return the name of the copy of a page's sidecar that its document is made of."""
    return f"{token}-{scan}.{ending}"


def temporary_name(token: str, scan: int, ending: str) -> str:
    """Return the name of a scan's unfinished file, the same in every attempt."""
    return f"{TEMPORARY_PREFIX}{token}-{scan}.{ending}.tmp"


def free_stem(
    places: Places,
    subfolder: str,
    name: str,
    endings: tuple[str, ...],
    *,
    archived: bool,
    others: Collection[str] = (),
) -> str:
    """Return a stem that no sidecar with one of ``endings``, nor (if ``archived``) an original, has yet.

    ``others`` are stems that are taken in that subfolder but have no file yet.

    ``scan1``, then ``scan1-2`` and so on: scanners restart their counters, and nothing is ever overwritten. Raises
    :class:`NoFreeName` if all names that fit are taken.
    """
    stem, suffix = os.path.splitext(name)
    behind = (suffix, *(f".{ending}" for ending in endings))
    numbered = numbered_stem(stem, *behind)
    stem = numbered if any(is_too_long(stem + ending) for ending in behind) else stem

    def taken(candidate: str) -> bool:
        # In any case: many clients of the share do not distinguish it.
        if places.reserved and not subfolder and candidate.casefold() == places.reserved.casefold():
            return True
        if candidate in others or any(_exists(places.outbox, subfolder, f"{candidate}.{ending}") for ending in endings):
            return True
        return archived and _exists(places.archive, subfolder, candidate + suffix)

    return first_free(stem, numbered, taken)


def free_quarantine_name(places: Places, subfolder: str, name: str) -> str:
    """Return a name that neither an original nor a reason has in the quarantine yet.

    A long name is shortened, if need be without the end of its suffix.
    """
    stem, suffix = os.path.splitext(name)
    if room_for_stem(suffix + REASON) < 1:
        stem, suffix = name, ""

    def taken(candidate: str) -> bool:
        return _exists(places.quarantine, subfolder, candidate + suffix) or _exists(
            places.quarantine, subfolder, candidate + suffix + REASON
        )

    stem = numbered_stem(stem, suffix + REASON)
    return first_free(stem, stem, taken) + suffix


def _exists(root: Path, subfolder: str, name: str) -> bool:
    return is_too_long(name) or look(root, subfolder, name) is not None
