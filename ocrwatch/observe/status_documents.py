"""What the status says of documents and files of several pages. Times are ISO 8601, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """One document of several pages that is being gathered or written."""

    name: str
    """Empty if its pages do not give it one before it is complete."""
    folder: str
    """Of its pages in the inbox."""
    pages: int
    """So far."""
    on_their_way: int = 0
    """Pages that are not read or not delivered yet."""
    missing: int = 0
    """Pages that could not be read."""
    complete_at: str | None = None
    """When it is complete if no further page comes; None if it waits for something else, or is being written."""
    waits_for: str = ""
    """What it waits for."""
    remedy: str = ""

    @property
    def shown(self) -> str:
        """Its folder and name, as far as they are known."""
        return f"{self.folder}/{self.name}".strip("/") or "a document"

    @property
    def page_counts(self) -> str:
        """How many pages it has: ``7 pages, 2 of them on their way, 1 missing``."""
        counts = f"{self.pages:,} page{'' if self.pages == 1 else 's'}"
        if self.on_their_way:
            counts += f", {self.on_their_way:,} of them on {'its' if self.on_their_way == 1 else 'their'} way"
        return f"{counts}, {self.missing:,} missing" if self.missing else counts


@dataclass(frozen=True, slots=True)
class OpenDocuments:
    """The documents that are being gathered or written."""

    count: int = 0
    first: list[OpenDocument] = field(default_factory=list)
    """Those that wait for something else than time first, then those that are complete soonest."""


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """One document that was delivered."""

    name: str
    folder: str
    """Of its pages in the inbox."""
    sidecars: list[str]
    """Relative to the outbox."""
    pages: int
    at: str
    missing: list[str] = field(default_factory=list)
    """Paths of the pages that could not be read."""
    replaces: str = ""
    """Name of the earlier document that lacked pages which this one has; empty if there is none."""


@dataclass(frozen=True, slots=True)
class FileBeingRead:
    """One file of several pages that is being read."""

    path: str
    pages: int
    done: int
    """Pages that were read, or cannot be."""
    since: str

    @property
    def page_counts(self) -> str:
        """How far it is: ``122 of 500 pages done``."""
        return f"{self.done:,} of {self.pages:,} page{'' if self.pages == 1 else 's'} done"
