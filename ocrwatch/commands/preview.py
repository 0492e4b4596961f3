"""The beginning of a text, on one line of a terminal."""

from __future__ import annotations

from typing import Final

from ocrwatch import log

PREVIEW_CHARS: Final = 100


def preview_of(text: str) -> str:
    """Return the first characters of a text on one line."""
    return log.printable(" ".join(text.split())[:PREVIEW_CHARS])
