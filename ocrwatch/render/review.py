"""Decides whether a person should review a page's text, and why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from ocrwatch.document import Field, FieldSummary, Page, Standing

MOST_UNREAD: Final = 0.35
"""Share of a page's letter-like marks, 0 to 1, that may be unread before the page is marked for review.

Chosen with ``output.review_below`` on 104 scans that were spoilt in eight ways, and 120 others. Of those with a word F1
below .5, this and a confidence of 75 mark 16 of 16 and 1 of 1; of those above .8, 3 of 64 and 1 of 105. A confidence of
77 marks 4 of 64 and 4 of 105 of the latter.
"""


def review_reasons(page: Page, below: float, *, demands_fields: bool = True) -> tuple[str, ...]:
    """Return why a page's text should be reviewed, empty if it need not be.

    ``below`` is the confidence, 0 to 100, from which on a text is good enough; 0 disables all reasons but the required
    fields that are missing. A page that was proved blank has no others either. Without ``demands_fields`` those are no
    reasons: another page of its file may have them.
    """
    of_text = _reasons_of_text(page, below) if below and not page.is_blank else ()
    # Demanded by name: a blank page in their profile may be a sheet that was fed upside down.
    return (*of_text, *(missing_fields(page.fields or ()) if demands_fields else ()))


def missing_fields(fields: Iterable[Field | FieldSummary]) -> tuple[str, ...]:
    """Return a reason for each required field that is missing."""
    return tuple(
        f"required field {field.name} is missing"
        for field in fields
        if field.required and field.standing is Standing.MISSING
    )


def _reasons_of_text(page: Page, below: float) -> tuple[str, ...]:
    reasons = []
    confidence = page.confidence
    if not page.words:
        reasons.append("no text")
    elif confidence is None or math.isnan(confidence):
        reasons.append("no confidence")
    elif confidence < below:
        # Rounded down: 79.6 must not be shown as the 80 that it misses.
        reasons.append(f"confidence {int(max(confidence, 0.0))}")
    if confidence is not None and (unsure := sum(word.confidence is None for word in page.words)):
        # A second reader that does not say how sure it is has read a part of the page.
        reasons.append(f"{unsure} {'word' if unsure == 1 else 'words'} without a confidence")
    if page.unread is not None and page.unread > MOST_UNREAD:
        reasons.append(f"{page.unread * 100:.0f} % of the marks unread")
    unread = sum(cell.is_unread for table in page.tables or () for cell in table.cells)
    if unread:
        reasons.append(f"{unread} {'cell' if unread == 1 else 'cells'} of tables unread")
    return tuple(reasons)
