"""A value that was found in a text."""

from __future__ import annotations

from typing import NamedTuple


class FoundValue(NamedTuple):
    """A value and its place in the text."""

    start: int
    end: int
    value: str
    """In the notation of :class:`ocrwatch.document.Field`."""
    doubt: str = ""
    """What speaks against it, in words; empty if nothing does."""
    is_checked: bool = False
    """Whether its check digits are right."""
