"""Arranges the pages of a stack: their order, which of them are left out, and where one document ends."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ocrwatch.documents.stack import UNNAMED, StackFacts
from ocrwatch.intake.names import natural_key
from ocrwatch.storage.files import split

BLANK: Final = "blank"
SEPARATOR: Final = "separator"


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


def arranged(pages: Sequence[StackedPage], facts: StackFacts) -> list[Arranged]:
    """Return the documents of a stack, in order; none has no pages.

    Pages are in natural order of their names: page2 before page10.
    """
    documents = [Arranged()]
    for page in sorted(current(pages), key=lambda page: (natural_order(page.path), page.scan)):
        if page.is_separator:
            why = SEPARATOR
        elif page.is_blank and facts.blank != "keep":
            why = BLANK
        else:
            documents[-1].pages.append(page)
            continue
        documents[-1].dropped.append((page, why))
        if (why == SEPARATOR or facts.blank == "split") and documents[-1].pages:
            documents.append(Arranged())
    with_pages = [document for document in documents if document.pages]
    for document in with_pages:
        document.name = _name(document, facts)
    return with_pages


def _name(document: Arranged, facts: StackFacts) -> str:
    if facts.by in {"name", "folder"}:
        return facts.name
    # Not the page's own name, which its sidecars have.
    stem = os.path.splitext(split(document.pages[0].path)[1])[0]
    return f"{stem}-{UNNAMED}"
