"""Lines of text with the place of each character."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ocrwatch.recognise.extract.table_words import Spacing, TableWord, middle, split_at_gaps


@dataclass(frozen=True, slots=True)
class TextLine:
    """Words on one line of the straight page, from left to right."""

    number: int
    """From the top of the page, from 0."""
    words: Sequence[TableWord]
    text: str
    """The words with one space between them."""
    starts: Sequence[int]
    """Index into ``text`` of each word's first character."""
    y: float
    """The mean of the words' middles, in heights of a word from the top of the page."""
    pieces: Sequence[tuple[int, int]] = ()
    """Start and end in ``text`` of each piece: wide gaps are between them."""

    def piece_at(self, start: int) -> tuple[int, int]:
        """Return start and end of the piece with the character at ``start``."""
        return next((piece for piece in self.pieces if piece[0] <= start < piece[1]), (0, len(self.text)))

    def words_between(self, start: int, end: int) -> list[TableWord]:
        """Return the words that have characters from ``start`` up to ``end``."""
        first = max(0, bisect_right(self.starts, start) - 1)
        return [word for word, at in zip(self.words[first:], self.starts[first:], strict=True) if at < end]


def text_lines(lines: Iterable[Sequence[TableWord]], spacing: Spacing) -> list[TextLine]:
    """Return the lines of a page, from top to bottom; ``spacing`` says which gaps are wide."""
    return [_text_line(number, words, spacing) for number, words in enumerate(lines)]


def _text_line(number: int, words: Sequence[TableWord], spacing: Spacing) -> TextLine:
    """Return the line of these words, at least one."""
    lengths = (len(word.text) + 1 for word in words)
    starts = list(accumulate(lengths, initial=0))[:-1]
    pieces: list[tuple[int, int]] = []
    first = 0
    for piece in split_at_gaps(list(words), spacing.gap):
        last = first + len(piece) - 1
        pieces.append((starts[first], starts[last] + len(words[last].text)))
        first = last + 1
    return TextLine(number, words, " ".join(word.text for word in words), starts, middle(words), pieces)
