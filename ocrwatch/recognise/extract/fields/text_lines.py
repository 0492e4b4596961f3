"""Lines of text with the place of each character."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocrwatch.recognise.extract.table_words import Spacing, TableWord, middle, split_at_gaps


@dataclass(frozen=True, slots=True)
class TextLine:
    """Words on one line of the straight page, from left to right."""

    number: int
    """From the top of the page, from 0."""
    words: Sequence[TableWord]
    text: str
    """The words with one space between them, and two at wide gaps."""
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
    text = ""
    starts: list[int] = []
    pieces: list[tuple[int, int]] = []
    # Numbers with a smaller gap between them may be one: French has a space between thousands.
    for piece in split_at_gaps(words, spacing.gap, numbers_are_apart=False):
        # Two spaces, so that no value reaches over a gap: "3    150.00" is not 3150.00.
        text += "  " if text else ""
        begin = len(text)
        for word in piece:
            text += " " if len(text) > begin else ""
            starts.append(len(text))
            text += word.text
        pieces.append((begin, len(text)))
    return TextLine(number, words, text, starts, middle(words), pieces)
