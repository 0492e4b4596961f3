"""Defines a page of a file that has several: an image file of its own, and what is raised if there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ocrwatch.errors import ScanFault

MOST_PAGES: Final = 10_000
"""A file with more pages is refused."""


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """What splitting one file may take."""

    max_memory: int
    """Bytes of address space of the process; 0 for no limit."""
    timeout: float
    """Seconds for one page."""
    max_pixels: int = 200_000_000
    """Width x height of a page's image."""
    max_pages: int = MOST_PAGES


@dataclass(frozen=True, slots=True)
class SplitPage:
    """One page, whose image is a file in the folder that the splitter was given."""

    number: int
    """In its file, from 1."""
    name: str
    """Of the image: JPEG, PNG or TIFF with one page."""
    size: int
    """Bytes of the image."""
    sha256: str
    """Of the image. The same page of the same file has the same image each time."""
    packed: bytes = b""
    """Its text, as :func:`ocrwatch.cache.codec.pack` writes a page; empty if the image must be read."""
    notes: tuple[str, ...] = ()
    """Why its text should be reviewed."""
    keeps_page: bool = False
    """Whether a searchable PDF can have the page itself: it has nothing but what it shows, and its text is its own."""


class FileFailed(Exception):
    """No more pages of this file can be taken out: the process that splits it has died or hung too often.

    No ``ScanFault``, so that it is not taken for the fault of one page. ``fault`` is that of the last page that was
    tried.
    """

    def __init__(self, fault: ScanFault) -> None:
        super().__init__(fault.message)
        self.fault = fault
