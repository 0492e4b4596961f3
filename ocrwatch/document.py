"""Defines the result of reading: a page of blocks, lines and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the original's upright pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Word:
    """One word as the engine read it."""

    text: str
    box: Box
    confidence: float
    """0 to 100, as Tesseract gives it."""


_WITHOUT_SPACES = re.compile("[\u2e80-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]{2}")
"""Two characters of Chinese or Japanese, their punctuation and full-width forms; Korean has spaces."""


def _unspaced(last: str, first: str) -> bool:
    return _WITHOUT_SPACES.fullmatch(last + first) is not None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, in reading order."""

    words: tuple[Word, ...]
    box: Box
    paragraph: int = 0
    """Number of the paragraph within its block, from 0."""

    @property
    def text(self) -> str:
        """The words with one space between them, but none between two Chinese or Japanese characters.

        Tesseract returns nearly each of those as a word. Characters that are as far apart as they are tall are words,
        or columns.
        """
        apart = self.box.bottom - self.box.top
        text = "".join(
            word.text
            if _unspaced(word.text[-1:], following.text[:1]) and following.box.left - word.box.right < apart
            else f"{word.text} "
            for word, following in pairwise(self.words)
        )
        return text + "".join(word.text for word in self.words[-1:])

    @property
    def confidence(self) -> float | None:
        """Mean of the words', weighted by their lengths, 0 to 100; None if there are none."""
        return _mean_confidence(self.words)


@dataclass(frozen=True, slots=True)
class Block:
    """A column, a heading, a paragraph: a unit of the engine's layout analysis."""

    lines: tuple[Line, ...]
    box: Box


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Which engine read a page."""

    name: str
    version: str
    """Version of the reader: Tesseract's own, such as ``5.3.0``, or that of the package with the networks."""
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Second:
    """Result of a second engine for a page."""

    name: str
    version: str
    lines: int
    """How many lines of the page have its text."""
    failure: str = ""
    """Why it could not read, so that the page comes from the first engine alone; empty if it could."""


BLANK = "blank"
"""The step that says that a page has no print on it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One scan, read."""

    width: int
    """Pixels of the original, upright."""
    height: int
    dpi: float | None
    """Dots per inch as the scan declares them, None if it does not (or not credibly)."""
    orientation: int
    """The scan's EXIF orientation, 1 to 8; 1 means that the pixels are upright as stored."""
    blocks: tuple[Block, ...]
    engine: EngineInfo
    steps: tuple[str, ...] = ()
    """What was done to the image before it was read, in order, such as ``scale 0.58``."""
    warnings: tuple[str, ...] = ()
    timings: tuple[tuple[str, float], ...] = ()
    """Milliseconds spent in ``decode``, ``enhance`` and ``engine``."""
    unread: float | None = None
    """Share, 0 to 1, of the letter-like marks of the page as it came that lie in no box of a word with a confidence of
    50 and more; None if there are too few marks to tell, or they were not measured."""
    second: Second | None = None
    """The engine that reread what the first one was unsure of; None if nothing was read again."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines in reading order."""
        return tuple(line for block in self.blocks for line in block.lines)

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def text(self) -> str:
        """Lines separated by newlines, paragraphs by an empty line; ends with a newline unless empty."""
        paragraphs: list[list[str]] = []
        previous: tuple[int, int] | None = None
        for number, block in enumerate(self.blocks):
            for line in block.lines:
                if (number, line.paragraph) != previous:
                    paragraphs.append([])
                    previous = (number, line.paragraph)
                paragraphs[-1].append(line.text)
        text = "\n\n".join("\n".join(lines) for lines in paragraphs)
        return text + "\n" if text else ""

    @property
    def confidence(self) -> float | None:
        """Mean word confidence weighted by the words' lengths, 0 to 100.

        None if nothing was read, because Tesseract reports 95 for a page without words.
        """
        return _mean_confidence(self.words)

    @property
    def is_blank(self) -> bool:
        """Whether the page is blank.

        A page may also have no text because none could be read.
        """
        return BLANK in self.steps


BEGINNING = 200
"""Characters of a text for what shows its beginning on a line of 100: between two words there are at most two."""


@dataclass(frozen=True, slots=True)
class PageSummary:
    """What log and status say of a page."""

    engine: EngineInfo
    words: int
    """How many were read."""
    confidence: float | None
    """The page's, 0 to 100; None if nothing was read, or the engine gave no number."""
    second: Second | None = None
    warnings: tuple[str, ...] = ()
    preview: str = ""
    """The beginning of the text: :data:`BEGINNING` characters, or more if that was requested."""
    review_reasons: tuple[str, ...] = ()
    """Why the text should be reviewed; empty if it need not be."""


@dataclass(frozen=True, slots=True)
class Review:
    """Why the text of a page should be reviewed."""

    reasons: tuple[str, ...]
    """Short sentences, at least one."""
    confidence: float | None
    """The page's, 0 to 100; None if nothing was read."""


def _mean_confidence(words: tuple[Word, ...]) -> float | None:
    letters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / letters if letters else None
