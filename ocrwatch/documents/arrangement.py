"""Arranges the pages of a stack: their order, which of them are left out, and where one document ends."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from ocrwatch.delivery.chosen_names import SheetProfile
from ocrwatch.documents.sheets import common_profile
from ocrwatch.documents.stack import UNNAMED, StackFacts
from ocrwatch.intake.names import natural_key
from ocrwatch.storage.files import split

BLANK: Final = "blank"
SEPARATOR: Final = "separator"

FRONTS, BACKS = 0, 1
REVERSED: Final = "reversed"
"""Backs in reverse order: the pile was turned over as a whole, so that the last back comes first."""


@dataclass(frozen=True, slots=True)
class StackedPage:
    """A page of a stack, as its scan ended."""

    scan: int
    """Row in the ledger, 0 if it has none."""
    path: str
    sha256: str | None
    code: str = ""
    """Why it is missing; empty if it is there."""
    reason: str = ""
    is_blank: bool = False
    is_separator: bool = False
    pile: int = FRONTS
    """In a pair of piles, whether it is a front or a back."""
    sheet: SheetProfile | None = None
    """The profile that it names, if it is a separator sheet."""

    @property
    def is_missing(self) -> bool:
        """Whether its document lacks it."""
        return bool(self.code)


@dataclass(slots=True)
class Arranged:
    """The pages of one document."""

    name: str = ""
    pages: list[StackedPage] = field(default_factory=list)
    dropped: list[tuple[StackedPage, str]] = field(default_factory=list)
    """Pages that were left out, with the reason."""
    sheet: SheetProfile | None = None
    """The profile that the separator sheet before it names."""
    sheet_path: str = ""
    """The path of that sheet."""


def current(pages: Iterable[StackedPage]) -> list[StackedPage]:
    """Return the pages without those that were missing and have been read since, by their names or their bytes."""
    pages = list(pages)
    read = {page.path: page.scan for page in pages if not page.is_missing}
    hashes = {page.sha256: page.scan for page in pages if not page.is_missing}
    latest = {page.path: page.scan for page in pages if page.is_missing}
    return [
        page
        for page in pages
        # Files are damaged alike, such as empty ones: only a page that was read later can be the same.
        if not page.is_missing
        or (
            latest[page.path] == page.scan
            and page.path not in read
            and (page.sha256 is None or hashes.get(page.sha256, 0) <= page.scan)
        )
    ]


def natural_order(path: str) -> tuple[object, ...]:
    """Return a sort key for natural order, in which ``scan.jpg`` is before ``scan (2).jpg``."""
    folder, name = split(path)
    stem, ending = os.path.splitext(name)
    return natural_key(folder), natural_key(stem), ending


def in_order(pages: Iterable[StackedPage]) -> list[StackedPage]:
    """Return the current pages of one pile in natural order of their names: page2 before page10."""
    return sorted(current(pages), key=lambda page: (natural_order(page.path), page.scan))


def arranged(pages: Sequence[StackedPage], facts: StackFacts) -> list[Arranged]:
    """Return the documents of a stack, or of a pair of piles, in order; none has no pages."""
    documents = [Arranged()]
    for sheet in _sheets(pages, facts):
        if any(page.is_separator for page in sheet):
            # It has two sides, though only one has its code.
            documents[-1].dropped += [(page, SEPARATOR) for page in sheet]
            _divide(documents)
            documents[-1].sheet = common_profile([page.sheet for page in sheet])
            documents[-1].sheet_path = sheet[0].path
            continue
        for page in sheet:
            blank = _blank(documents[-1], facts)
            if not page.is_blank or blank == "keep":
                documents[-1].pages.append(page)
                continue
            documents[-1].dropped.append((page, BLANK))
            if blank == "split":
                _divide(documents)
    with_pages = [document for document in documents if document.pages]
    for document in with_pages:
        document.name = _name(document, facts)
    return with_pages


def _sheets(pages: Iterable[StackedPage], facts: StackFacts) -> Iterator[list[StackedPage]]:
    """Yield the sides of each sheet, in order: one, or the two of a pair of piles."""
    pages = list(pages)
    fronts = in_order(page for page in pages if page.pile == FRONTS)
    backs = in_order(page for page in pages if page.pile == BACKS)
    if facts.duplex == REVERSED:
        backs.reverse()
    for sides in zip_longest(fronts, backs):
        yield [page for page in sides if page is not None]


def _divide(documents: list[Arranged]) -> None:
    """Begin the next document, unless one has just begun; it is behind the same separator sheet."""
    last = documents[-1]
    if last.pages:
        documents.append(Arranged(sheet=last.sheet, sheet_path=last.sheet_path))


def _blank(document: Arranged, facts: StackFacts) -> str:
    """Return what blank pages do."""
    return (document.sheet.blank if document.sheet is not None else "") or facts.blank


def _name(document: Arranged, facts: StackFacts) -> str:
    if facts.by in {"name", "folder"}:
        return facts.name
    # Not the page's own name, which its sidecars have.
    stem = os.path.splitext(split(document.pages[0].path)[1])[0]
    return f"{stem}-{UNNAMED}"
