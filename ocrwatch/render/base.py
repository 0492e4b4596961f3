"""Protocol of a sidecar format, its input besides the page, and its result."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ocrwatch.document import FieldSummary, Page, PageSummary
from ocrwatch.recipe import FieldRule


@dataclass(frozen=True, slots=True)
class Original:
    """The original of a sidecar."""

    path: str
    """Relative to the inbox."""
    size: int
    """Bytes."""
    sha256: str
    review_reasons: tuple[str, ...] = ()
    """Why the text should be reviewed; empty if it need not be."""
    content: bytes = b""
    """The file, for formats that show it (:func:`shows_original`); empty for others."""
    straighten: bool = True
    """Whether formats that show the page put it upright and straight."""
    own_blocks: int = 0
    """Blocks, from the first, with the own text of a page that can itself be in a PDF; 0 for all other pages."""

    @property
    def printable_path(self) -> str:
        """The path in Unicode; bytes that are not UTF-8 are escaped in hexadecimal."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


class Format(Protocol):
    """Renders pages as one kind of sidecar.

    A process has one instance of it, made without arguments. Pages are rendered in worker processes.
    """

    name: ClassVar[str]
    """Name in ``output.formats``: the name of its entry point in the group ``ocrwatch.formats``."""
    ending: ClassVar[str]
    """Ending after the stem and a dot in a sidecar's name, such as ``txt`` or ``alto.xml``."""

    def render(self, page: Page, original: Original) -> bytes:
        """Return the whole content of the sidecar.

        The same page and original give the same bytes each time: an interrupted delivery is repeated, and duplicates
        are recognised by their sidecars' bytes. No files are used. An exception is a bug of the format: only this scan
        is not delivered, and it is quarantined with the reason.
        """


def shows_original(wanted: Format) -> bool:
    """Return whether a format gets the original's bytes. It declares this by a class attribute of this name."""
    return bool(getattr(wanted, "shows_original", False))


def shows_tables(wanted: Format) -> bool:
    """Return whether a format writes tables and nothing else. It declares this by a class attribute of this name."""
    return bool(getattr(wanted, "shows_tables", False))


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """What a worker makes of a page, for one scan."""

    formats: tuple[str, ...]
    """Names of the formats of its sidecars."""
    path: bytes
    """The scan's path relative to the inbox, as the file system has it."""
    size: int
    """The scan's bytes."""
    sha256: str
    review_below: float = 0.0
    """Confidence, 0 to 100, below which the text is marked for review; 0 disables all marks but those for required
    fields."""
    review_notes: tuple[str, ...] = ()
    """Reasons for a review that are known already."""
    preview_chars: int = 0
    """Length of the text's beginning in the summary."""
    packs: bool = False
    """Whether the page is wanted for the cache."""
    straighten: bool = True
    """Whether formats that show the page put it upright and straight."""
    fields: tuple[FieldRule, ...] = ()
    """The fields of the scan's profile, even if this reading does not look for them."""
    page: int = 0
    """Number of the page, from 1, in a file that has several; 0 for a scan. What must be in the file, such as required
    fields, need not be on each page."""
    keeps_page: bool = False
    """Whether the page itself can be in a PDF: then what was read besides its own text is kept apart."""


@dataclass(frozen=True, slots=True)
class StoredSidecar:
    """A sidecar that is in a file of the state folder: that of a file with many pages may be large."""

    path: str
    """Absolute."""
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """All that the daemon gets of a page, or of a file with several pages."""

    sidecars: tuple[tuple[str, bytes | StoredSidecar], ...]
    """Ending and content of each, in the order of publishing."""
    summary: PageSummary
    packed: bytes = b""
    """The page for the cache; empty if it was not wanted, or is too large."""
    fields: tuple[FieldSummary, ...] | None = None
    """The fields of the profile, in their order; None if it has none, or they were not looked for. They are not in the
    summary, which is logged."""
    is_partial: bool = False
    """Whether a page of the file is missing: another reading may have it."""
