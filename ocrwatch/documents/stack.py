"""Defines a stack: pages that came together, and become one or more documents."""

from __future__ import annotations

import enum
import json
import math
import os
import string
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from ocrwatch.settings import Effective
from ocrwatch.storage.files import split

_BEFORE_NUMBER: Final = string.whitespace + "_.()[]-"
_BEHIND_NUMBER: Final = string.whitespace + ")]"
"""What is beside the number at the end of a name, as scanners and Windows write it: ``scan_001``, ``scan-1``,
``Scan (2)``."""

_INTERVALS: Final = 4
"""Longest intervals between its pages after which a document is complete if the next one has begun."""

_SHORTEST_QUIET: Final = 5.0
"""Seconds for which it is waited in any case: pages that were copied together have no interval."""

UNNAMED: Final = "document"
"""Name of a document whose pages give it none."""


def stem_of(path: str) -> str:
    """Return the name of a page without its number and ending; empty if it is only a number."""
    stem = os.path.splitext(split(path)[1])[0]
    with_number = stem.rstrip(_BEHIND_NUMBER)
    without = with_number.rstrip(string.digits)
    return stem if without == with_number else without.rstrip(_BEFORE_NUMBER)


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What a stack needs to be closed: its place, and the options of its profile when it began."""

    profile: str
    folder: str
    """Of its pages, relative to the inbox."""
    by: str
    stem: str
    """The pages' common name; empty if it does not count."""
    quiet: float
    """Seconds."""
    blank: str
    formats: tuple[str, ...]
    """Formats of its documents, in the order of publishing."""
    mode: int | None = None
    """Permissions of their files."""
    group: int | None = None
    """Group id of their files."""
    duplex: str = ""
    """In which order the backs of its pages come, or it has the backs: ``reversed`` or ``same``; empty if each page is
    a sheet."""
    duplex_wait: float = 0.0
    """Seconds for which fronts wait for the first of their backs."""

    @property
    def key(self) -> str:
        """What is the same for stacks that follow each other."""
        return json.dumps([self.profile, self.folder, self.by, self.stem])

    @property
    def feed(self) -> str:
        """What is the same for the piles of fronts and backs that follow each other, whatever their names."""
        return json.dumps([self.profile, self.folder])

    @property
    def name(self) -> str:
        """The name of its documents, if that does not depend on their pages."""
        folder = split(self.folder)[1]
        return (self.stem if self.by == "name" else folder) or folder or UNNAMED

    def takes(self, path: str) -> bool:
        """Return whether a scan is a page of the stack by its name, if it comes in time."""
        return split(path)[0] == self.folder and (self.by != "name" or stem_of(path) == self.stem)

    def to_json(self) -> str:
        """Render for the ledger; names that are not UTF-8 survive as surrogate escapes in ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StackFacts:
        """Read what :meth:`to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        return cls(**{**values, "formats": tuple(values["formats"])})


UNKNOWN: Final = StackFacts("", "", "name", UNNAMED, 0.0, "", ())
"""Stands for the facts of a stack of an earlier run, whose row has them."""


def facts_of(path: str, options: Effective, formats: tuple[str, ...], group: int | None) -> StackFacts:
    """Return the facts of the stack that a page begins; ``formats`` are those that can have several pages."""
    return StackFacts(
        options.profile_name or "",
        split(path)[0],
        options.group.by,
        stem_of(path) if options.group.by == "name" else "",
        options.group.quiet,
        options.group.blank,
        formats,
        options.output.mode,
        group,
        options.group.duplex,
        options.group.duplex_wait,
    )


@dataclass(slots=True, eq=False)
class Feed:
    """What comes to one folder, under one profile."""

    latest: Stack | None = None
    """The stack to which the latest page belongs."""
    piles: list[Stack] = field(default_factory=list)
    """The piles of fronts and backs that are no documents yet, in the order in which they began."""


@dataclass(slots=True)
class Span:
    """The first and the last of some times."""

    first: float = math.inf
    last: float = -math.inf

    def add(self, time: float) -> None:
        """Take another time."""
        self.first, self.last = min(self.first, time), max(self.last, time)

    def is_before(self, other: Span, gap: float = 0.0) -> bool:
        """Return whether all of it is at least ``gap`` before another one; False if either has no time."""
        return self.first <= self.last and other.first <= other.last and self.last + gap <= other.first


class Check(enum.Enum):
    """Whether a pile of fronts or backs was searched for pages that earlier documents lack: these are no pile."""

    DUE = enum.auto()
    RUNNING = enum.auto()
    DONE = enum.auto()
    """What is left is a pile."""
    EMPTY = enum.auto()
    """Nothing is left of it."""


@dataclass(slots=True, eq=False)
class Stack:
    """A stack in this run. Times are monotonic seconds."""

    facts: StackFacts
    changed_at: float
    """When its last page came."""
    id: int = 0
    """Its row in the ledger, 0 while it has none."""
    delivered: set[str] = field(default_factory=set)
    """Paths of its pages that were delivered."""
    missing: set[str] = field(default_factory=set)
    """Paths of its pages that are in the quarantine."""
    open: set[str] = field(default_factory=set)
    """Paths of its pages that are on their way."""
    longest_gap: float = 0.0
    """Longest time between two of its pages, in seconds."""
    feed: Feed = field(default_factory=Feed)
    """What comes to its folder."""
    closed_by: str = ""
    """Why no further page is taken; empty while it gathers."""
    expected: set[str] = field(default_factory=set)
    """Paths of files that were in the inbox when it was closed, were not read yet, and will be its pages."""
    is_written: bool = False
    """Whether its documents are planned, or about to be."""

    # Of a pile of fronts or backs:
    written: Span = field(default_factory=Span)
    """The times of its files, in seconds since 1970."""
    came: Span = field(default_factory=Span)
    """When its files came, as far as that is known."""
    closed_at: float = 0.0
    """When it was closed, or restored as closed."""
    is_held: bool = False
    """Whether the ledger has that it is closed."""
    restored_at: float = 0.0
    """When an earlier run's pile was restored as closed; 0 if it is none."""
    check: Check = Check.DUE
    doubt: str = ""
    """Why it is not sure that ``backs`` belong to it; empty if it is."""
    backs: Stack | None = None
    """The pile with the other sides, when both are complete."""

    @property
    def pages(self) -> int:
        """How many pages it has."""
        return len(self.delivered | self.missing | self.open)

    @property
    def is_pile(self) -> bool:
        """Whether its pages are the fronts or the backs of sheets."""
        return bool(self.facts.duplex)

    @property
    def is_followed(self) -> bool:
        """Whether pages of another name have come since its last page."""
        return self.feed.latest not in {None, self}

    @property
    def gives_up_at(self) -> float:
        """When fronts that are complete wait for their backs no longer."""
        return self.closed_at + self.facts.duplex_wait

    @property
    def closes_at(self) -> float:
        """When it is closed if no further page comes.

        If the feeder goes on with another name, its own pace counts: its pages came in shorter intervals. A stack whose
        feeder is still writing has a new latest page with each.
        """
        quiet = self.facts.quiet
        if self.is_followed and self.pages > 1:
            quiet = min(quiet, max(_INTERVALS * self.longest_gap, _SHORTEST_QUIET))
        return self.changed_at + quiet
