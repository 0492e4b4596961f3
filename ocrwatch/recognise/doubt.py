"""When a page is in doubt, so that another engine reads it again.

Cheap to import: pages are rendered by workers that load no image library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ocrwatch.document import Page


@dataclass(frozen=True, slots=True)
class Doubt:
    """Confidences, 0 to 100, below which a page, or a line of another page, is reread."""

    page: float
    line: float


RUNNING: Final = Doubt(page=86.0, line=65.0)
"""For running text. Measured on 60 scans: with 88 for the page or 75 for the line, books take 20 or 6 % more time for
at most .001 of word F1; with 70 for the line, 1.5 % more."""

OTHER: Final = Doubt(page=88.0, line=85.0)
"""For capitals and digits, as on receipts, where Tesseract is overconfident. The values for running text lower word F1
of receipts by .007 and save 15 % of their time; 90 for the page gains .001 for 6 %."""

LEAST_ALONE: Final = 50.0
"""Minimum confidence of a line that only the first of two readers found."""

MAX_UNREAD: Final = 0.3
"""Share of unread letter-like components from which other options are tried. Pages read correctly have .25 and less,
nearly all less than .1; pages read with wrong options have .5 to 1."""


def is_doubtful(page: Page) -> bool:
    """Return whether a remote second reader should read a page again.

    The values for receipts are taken for all pages, since the page does not say of what kind it is.
    """
    if page.is_blank:
        return False
    if not page.words:
        return True
    confidence = page.confidence
    is_unsure = confidence is not None and confidence < OTHER.page
    return is_unsure or (page.unread is not None and page.unread > MAX_UNREAD)


def second_failed(why: str) -> tuple[str, ...]:
    """Return the warning that the second reader failed; none if there is no reason why."""
    return (f"the second reader could not read: {why}",) if why else ()
