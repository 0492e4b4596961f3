"""Finds the lines of print in a place of the page by their letters, so that those that were not read are known.

If a cell beside has one line, halfway between two lines of a text, Tesseract reads these as one, or loses one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ocrwatch.recognise.extract.extents import Extent, extent
from ocrwatch.recognise.extract.straight_page import StraightPage
from ocrwatch.recognise.extract.word_ink import letters_in

_LOWEST: Final = 0.5
"""Height of a line of print, at least; lower ones are accents, dots, or the rest of a rule."""

_SAME_LINE: Final = 0.45
"""Distance of the middles of a line of print and of a word in it, at most."""

_TWO_LINES: Final = 2.4
"""Height of a place with two lines of print, and space around them, at least."""

_REACHES_IN: Final = 0.2
"""By how much a word reaches into a place, at least; boxes of words are larger than their print."""


def lines_of_letters(letters: Iterable[Extent], space: float = 0.0) -> list[list[Extent]]:
    """Group letters to lines, from top to bottom, with blank space of more than ``space`` between them."""
    lines: list[list[Extent]] = []
    end = 0.0
    for letter in sorted(letters, key=lambda letter: letter.top):
        if not lines or letter.top - end > space:
            lines.append([])
            end = letter.bottom
        lines[-1].append(letter)
        end = max(end, letter.bottom)
    return lines


def has_unread_line(place: Extent, its_words: Sequence[Extent], page: StraightPage) -> bool:
    """Return whether a place has several lines of print of which one was not read.

    ``its_words`` are the words in it. No word is at the height of such a line, or one that reaches over two lines: both
    were read as one, and its text is wrong.
    """
    if place.bottom - place.top < _TWO_LINES:
        return False
    lines = [
        line for line in map(extent, lines_of_letters(letters_in(place, page))) if line.bottom - line.top > _LOWEST
    ]
    if len(lines) < 2:  # noqa: PLR2004
        return False
    if any(sum(word.top < line.y < word.bottom for line in lines) > 1 for word in its_words):
        return True
    unread = [line for line in lines if not _is_read(line, its_words)]
    # Words of the next cell may reach into this one: there are many words, so they come last.
    return bool(unread) and not all(
        _is_read(line, (word for word in page.words if word.overlaps(line, _REACHES_IN))) for line in unread
    )


def _is_read(line: Extent, words: Iterable[Extent]) -> bool:
    return any(abs(word.y - line.y) < _SAME_LINE for word in words)
