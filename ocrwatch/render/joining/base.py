"""Protocol of a joined format, its input, and how the sidecars of pages are read.

Only one page is in memory at a time. The same document gives the same bytes each time: an interrupted delivery is
repeated.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, Final, Protocol

from ocrwatch.log import printable
from ocrwatch.storage.files import open_regular

PAGES_OF_JSON: Final = b',\n "pages": ['
"""What stands in the JSON of a document between its head, which lacks its closing brace, and its pages."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO})
"""What opening a file answers if it is missing, or something else is in its place."""


class DamagedPart(Exception):
    """The sidecar of a page is missing, or is not what its format writes."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"page {number}: {reason}")
        self.number = number
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a page has no sidecars."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One page of a document."""

    path: str
    """Of its scan, relative to the inbox."""
    sha256: str | None
    """Of its scan; None if it is unknown."""
    sidecars: dict[str, str]
    """Path of its sidecar for each format; empty if the page is missing."""
    missing: Missing | None = None

    @property
    def name(self) -> str:
        """The scan's name without its folder, for one line of text."""
        return printable(self.path.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Dropped:
    """A scan of the document that is no page of it."""

    path: str
    sha256: str | None
    why: str
    """``blank`` or ``separator``."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The one file that has all pages of a document."""

    path: str
    """Relative to the inbox."""
    size: int
    """Bytes."""
    sha256: str
    copy: str = ""
    """Path of the copy that pages are taken from; empty if all pages are those of their sidecars."""
    max_memory: int = 0
    """Bytes of address space for taking pages from the copy; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Document:
    """The pages of a document in their order."""

    name: str
    folder: str
    """Relative to the inbox."""
    grouped_by: str
    review_reasons: tuple[str, ...]
    """Why the document should be reviewed; empty if it need not be."""
    pages: tuple[DocumentPage, ...]
    dropped: tuple[Dropped, ...]
    source: SourceFile | None = None
    """None if each page is a scan of its own."""
    profile: str = ""
    """The profile that its separator sheet names, or else that of its pages; empty if it is not known."""
    replaces: str = ""
    """Name of the earlier document that lacked pages which this one has; empty if there is none."""

    def numbered(self) -> Iterator[tuple[int, DocumentPage]]:
        """Yield the pages with their numbers, which count from 1."""
        yield from enumerate(self.pages, 1)

    def missing_line(self, number: int) -> str:
        """Return what stands for a missing page in a text: one line without its end."""
        page = self.pages[number - 1]
        return f"[page {number} of {len(self.pages)} ({page.name}) is missing: {reason_of(page)}]"


class JoinedFormat(Protocol):
    """Joins the sidecars of one format."""

    name: ClassVar[str]
    """Name of the format of the pages."""
    ending: ClassVar[str]

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the document to ``file``, which need not be seekable.

        Raises DamagedPart if a page's sidecar is missing or is not what its format writes, OSError if a file cannot be
        read or written, EnvironmentFault if a package that the format needs cannot be used.
        """


def reason_of(page: DocumentPage) -> str:
    """Return why a page is missing, in one line."""
    return printable(page.missing.reason) if page.missing is not None else ""


def as_unicode(text: str) -> str:
    """Return ``text`` with bytes that are not UTF-8 escaped in hexadecimal."""
    return _SURROGATE.sub(lambda found: printable(found[0]), text)


def read_part(page: DocumentPage, number: int, wanted: str) -> bytes:
    """Return the sidecar of a page in the format ``wanted``. Raises DamagedPart if there is none, and OSError."""
    if (path := page.sidecars.get(wanted)) is None:
        raise DamagedPart(number, f"it has no {wanted}")
    if (content := read_file(path)) is None:
        raise DamagedPart(number, f"its {wanted} is gone")
    return content


def read_file(path: str) -> bytes | None:
    """Return a regular file; None if there is none of this name. Raises OSError if it cannot be read."""
    folder, _, name = path.rpartition("/")
    try:
        with _opened(folder or ("/" if path.startswith("/") else ".")) as parent:
            descriptor = open_regular(parent, name)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        return file.read()


@contextmanager
def _opened(folder: str) -> Iterator[int]:
    parent = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield parent
    finally:
        os.close(parent)
