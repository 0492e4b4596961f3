"""What a sidecar format is, and what it is told of a scan besides its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from ocrwatch.document import Page


@dataclass(frozen=True, slots=True)
class Original:
    """What is known of the scan that a sidecar belongs to."""

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
    """As ``output.formats`` has it: the name of its entry point in the group ``ocrwatch.formats``."""
    ending: ClassVar[str]
    """What follows the stem and a dot in a sidecar's name, such as ``txt`` or ``alto.xml``."""

    def render(self, page: Page, original: Original) -> bytes:
        """Return the whole content of the sidecar.

        The same page and original give the same bytes each time: a delivery that was interrupted is done once more,
        and duplicates are known by their sidecars' bytes. No files are touched. An exception is a bug of the format:
        it costs this scan its delivery, which is then quarantined with the reason, and no other scan.
        """
