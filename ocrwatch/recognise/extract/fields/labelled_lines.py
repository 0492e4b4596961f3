"""Tells where labels end, and which pieces of a line are labels.

Cards and forms repeat a label in a second language: "Surname / Nom".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ocrwatch.recognise.extract.fields.labels import Label
from ocrwatch.recognise.extract.fields.text_lines import TextLine

_WORD: Final = r"[^\W\d_][^\W\d_.'\u2019\u00b0-]*"
_TRANSLATIONS: Final = re.compile(rf"(?:\s?/\s?{_WORD}(?: {_WORD}){{0,2}})+\s*")
"""One to three words after each sign: more are no label."""

_COLON: Final = re.compile(r":(?![\d/])")
"""Ends a label; a time and an address of a website have other colons."""


@dataclass(frozen=True)
class LabelledLines:
    """The lines of a page that have labels."""

    labels: Sequence[Label]

    @cached_property
    def labels_by_line(self) -> dict[int, list[Label]]:
        """The labels of each line that has some, by its number."""
        by_line: dict[int, list[Label]] = {}
        for label in self.labels:
            by_line.setdefault(label.line.number, []).append(label)
        return by_line

    @staticmethod
    def end_of_label(label: Label, *, is_above: bool) -> int:
        """Return where a label ends with its translations; ``is_above`` says whether its value should be below it.

        Without a colon, several words may as well be the value, unless that is below.
        """
        text = label.line.text
        _, end = label.line.piece_at(label.start)
        match = _TRANSLATIONS.match(text, label.end, end)
        if match is None:
            return label.end
        if _COLON.match(text, match.end(), end):
            return match.end() + 1
        has_one_word = len(match[0].replace("/", " ").split()) == match[0].count("/")
        if (is_above or has_one_word) and not _has_letters(text[match.end() : end]):
            return end
        return label.end

    def text_after(self, label: Label) -> str:
        """Return the text that follows a label without a gap, up to the next label."""
        line = label.line
        _, end = line.piece_at(label.start)
        start = self.end_of_label(label, is_above=True)
        return line.text[start : min(end, self.next_label(line, start))]

    def next_label(self, line: TextLine, begin: int) -> int:
        """Return where the first label from ``begin`` on starts; where the line ends if there is none."""
        labels = self.labels_by_line.get(line.number, ())
        return min((label.start for label in labels if label.start >= begin), default=len(line.text))

    def label_of(self, line: TextLine, start: int, end: int) -> Label | None:
        """Return the label that a piece of a line is, or begins with before a colon; None if it is another text."""
        labels = self.labels_by_line.get(line.number, ())
        first = next((label for label in labels if start <= label.start < end), None)
        if first is None or _has_letters(line.text[start : first.start]):
            return None
        rest = line.text[self.end_of_label(first, is_above=True) : end]
        return first if not _has_letters(rest) or has_colon(first) else None


def has_colon(label: Label) -> bool:
    """Return whether a colon follows a label."""
    return label.line.text[label.end :].lstrip(" .").startswith(":")


def _has_letters(text: str) -> bool:
    return any(map(str.isalnum, text))
