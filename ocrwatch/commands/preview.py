"""The beginning of a text, on one line of a terminal."""

from __future__ import annotations

from typing import Final

from ocrwatch import log

PREVIEW_CHARS: Final = 100

TEXT_FOR_PREVIEW: Final = 2 * PREVIEW_CHARS
"""Characters of a text from which a preview is made: between two words there are at most two, of which one is shown."""


def preview_of(text: str) -> str:
    """Return the first characters of a text on one line."""
    return log.printable(" ".join(text.split())[:PREVIEW_CHARS])
