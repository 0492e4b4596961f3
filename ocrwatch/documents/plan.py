"""The plan of a document: its pages, its place and its files. Recorded before the first file is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from ocrwatch.delivery.chosen_names import Sidecar
from ocrwatch.storage.files import split

INCOMPLETE_PAGE: Final = "incomplete"
"""Code of a page that has no row in the ledger: its file was not complete in time, or could not be read."""

BLOCKED_PAGE: Final = "blocked"
"""Code of a page that was read, and could not be moved out of the inbox in time."""

PART_LOST: Final = "part-lost"
"""Code of a page that was read, and whose copy is gone or damaged."""


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """A page of a document, or one that was left out."""

    scan: int
    """Row in the ledger, 0 if it has none."""
    path: str
    """Of its scan in the inbox."""
    sha256: str | None
    code: str = ""
    """Why it is missing, with ``reason``; empty if it is there. Of a page that was left out: why it was."""
    reason: str = ""
    pile: int = 0
    """1 if it is a back of a pair of piles."""

    @property
    def place(self) -> tuple[int, str]:
        """What distinguishes it from other pages: both piles of a pair may have the same names."""
        return self.pile, self.path


@dataclass(frozen=True, slots=True)
class DocumentPlan:
    """One document. The names are chosen when it is staged."""

    name: str
    """Its stem if that is free."""
    inbox_folder: str
    """Folder of its pages, relative to the inbox."""
    grouped_by: str
    closed_by: str
    formats: tuple[str, ...]
    """In the order of publishing."""
    pages: tuple[PlannedPage, ...]
    dropped: tuple[PlannedPage, ...] = ()
    review: tuple[str, ...] = ()
    """Why it needs review; empty if it need not."""
    mode: int | None = None
    group: int | None = None
    replaces: str = ""
    """Stem of the document that lacked pages which this one has."""
    after: str = ""
    """Stem of the document that was closed when the pages of this one came late."""
    profile: str = ""
    """The profile that the separator sheet before it names, or else that of its pages; empty in plans of an older
    version."""
    folder: str = ""
    """Folder in the outbox."""
    stem: str = ""
    files: tuple[Sidecar, ...] = ()

    @property
    def missing(self) -> tuple[PlannedPage, ...]:
        """The pages that are missing."""
        return tuple(page for page in self.pages if page.code)

    @property
    def identity(self) -> tuple[object, ...]:
        """What distinguishes its content from that of another document of its stack."""
        # A page whose copy was lost was read: no retry brings it.
        return (
            tuple(page.path if page.code not in {"", PART_LOST} else page.scan for page in self.pages),
            tuple(page.scan for page in self.dropped),
        )

    def is_instead_of(self, earlier: DocumentPlan) -> bool:
        """Return whether it was written anew with pages of an ``earlier`` document of its stack."""
        return bool(self.replaces) and not {page.place for page in self.pages}.isdisjoint(
            page.place for page in earlier.pages
        )

    def below(self, name: str) -> str:
        """Return the path of one of its files, relative to the outbox."""
        return f"{self.folder}/{name}" if self.folder else name

    def without(self, number: int, code: str, reason: str) -> DocumentPlan:
        """Return the plan with a page, by its number from 1, as missing."""
        at = number - 1
        pages = (*self.pages[:at], replace(self.pages[at], code=code, reason=reason), *self.pages[number:])
        return replace(self, pages=pages, review=(*self.review, _missing_note(number, pages)))

    def to_json(self) -> str:
        """Render for the ledger; names that are not UTF-8 survive as surrogate escapes in ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> DocumentPlan:
        """Read what :meth:`to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        for name in ("pages", "dropped"):
            values[name] = tuple(PlannedPage(**page) for page in values[name])
        values["files"] = tuple(Sidecar(**file) for file in values["files"])
        for name in ("formats", "review"):
            values[name] = tuple(values[name])
        return cls(**values)


def missing_notes(pages: tuple[PlannedPage, ...]) -> tuple[str, ...]:
    """Return for each missing page why the document needs review."""
    return tuple(_missing_note(number, pages) for number, page in enumerate(pages, 1) if page.code)


def _missing_note(number: int, pages: tuple[PlannedPage, ...]) -> str:
    page = pages[number - 1]
    return f"page {number} of {len(pages)} ({split(page.path)[1]}) is missing: {page.reason}"
