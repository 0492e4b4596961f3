"""Widths of Helvetica, which each PDF viewer has, so that lines can be broken (Adobe's font metrics)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

UNITS: Final = 1000

_FIRST: Final = " "
# fmt: off
_WIDTHS: Final = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)
# fmt: on
"""Of the characters from space to tilde."""


def encoded(text: str) -> bytes:
    """Return the codes of a text (WinAnsiEncoding); a question mark for what the font does not have."""
    return text.encode("cp1252", "replace")


def width(text: str) -> float:
    """Return the width of a text in em. An accent adds nothing; of other characters the widest is assumed."""
    return sum(map(_width, text)) / UNITS


def wrapped(text: str, room: float) -> Iterator[str]:
    """Yield the lines of a text that are no wider than ``room`` em. Words that are too long are divided."""
    line = ""
    for word in text.split():
        if line and width(f"{line} {word}") <= room:
            line = f"{line} {word}"
            continue
        if line:
            yield line
        line = word
        while width(line) > room and len(line) > 1:
            fitting = shortened(line, room)
            yield fitting
            line = line[len(fitting) :]
    if line:
        yield line


def shortened(text: str, room: float) -> str:
    """Return the beginning of a text that is no wider than ``room`` em; at least one character."""
    used = 0.0
    for at, character in enumerate(text):
        used += _width(character) / UNITS
        if at and used > room:
            return text[:at]
    return text


def _width(character: str) -> int:
    at = ord(unicodedata.normalize("NFD", character)[0]) - ord(_FIRST)
    return _WIDTHS[at] if 0 <= at < len(_WIDTHS) else UNITS
