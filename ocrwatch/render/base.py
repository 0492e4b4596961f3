"""Protocol of a sidecar format, and what it gets of a scan besides its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from ocrwatch.document import Page


@dataclass(frozen=True, slots=True)
class Original:
    """The original of a sidecar."""

    path: str
    """Relative to the inbox."""
    bytes: int
    sha256: str
    review_reasons: tuple[str, ...] = ()
    """Why the text should be reviewed; empty if it need not be."""


class Format(Protocol):
    """Renders pages as one kind of sidecar.

    A process has one instance of it, made without arguments.
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
