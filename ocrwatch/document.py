"""Defines the result of reading: a page of blocks, lines and words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the original's upright pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int


UNPLACED: Final = Box(0, 0, 0, 0)
"""Box of text whose position is unknown: some OCR services give none. Every other box has at least one pixel."""


def bounding_box(boxes: Iterable[Box]) -> Box:
    """Return the bounding box of boxes; :data:`UNPLACED` if the position of none is known."""
    placed = [(box.left, box.top, box.right, box.bottom) for box in boxes if box != UNPLACED]
    if not placed:
        return UNPLACED
    lefts, tops, rights, bottoms = zip(*placed, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


@dataclass(frozen=True, slots=True)
class Word:
    """One word as the engine read it."""

    text: str
    box: Box
    confidence: float | None
    """0 to 100, as Tesseract gives it; None if the engine gives none."""
    width: float = 0.0
    """Length along its line in pixels of the original, whatever the line's direction; 0 if unknown."""
    height: float = 0.0
    """Extent across its line in pixels of the original; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The line on which letters stand, in the original's upright pixels.

    From the left end of the text to the right end, as the text is read when it is upright.
    """

    x0: float
    y0: float
    x1: float
    y1: float


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
    baseline: Baseline | None = None
    """None if it is unknown."""

    @property
    def text(self) -> str:
        """The words with one space between them, but none between two Chinese or Japanese characters.

        Tesseract returns nearly each of those as a word. Characters that are as far apart as they are tall are words,
        or columns.
        """
        return "".join(
            f" {word.text}" if self.has_space_before(at) else word.text for at, word in enumerate(self.words)
        )

    def has_space_before(self, at: int) -> bool:
        """Return whether there is a space between the word of this index and the one before."""
        if not at:
            return False
        last, first = self.words[at - 1], self.words[at]
        if not _unspaced(last.text[-1:], first.text[:1]):
            return True
        return last.box != UNPLACED and first.box.left - last.box.right >= self.box.bottom - self.box.top

    @property
    def confidence(self) -> float | None:
        """Mean of the words', weighted by their lengths, 0 to 100; None if there are none, or it is unknown."""
        return mean_confidence(self.words)


@dataclass(frozen=True, slots=True)
class Block:
    """A column, a heading, a paragraph: a unit of the engine's layout analysis."""

    lines: tuple[Line, ...]
    box: Box

    @property
    def paragraphs(self) -> tuple[tuple[Line, ...], ...]:
        """The lines of each paragraph."""
        return tuple(tuple(lines) for _, lines in groupby(self.lines, key=lambda line: line.paragraph))


Quad = tuple[float, float, float, float, float, float, float, float]
"""x and y of four corners in the original's upright pixels: clockwise from the top left one of the upright text."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    row: int
    """The first row it takes, from 0."""
    column: int
    """The first column it takes, from 0, from the left of the upright text."""
    rows: int
    """How many rows it takes, at least 1."""
    columns: int
    text: str
    """The words with one space between them, whatever lines they are on; empty if the cell is empty."""
    box: Box
    """Bounding box of ``corners``."""
    corners: Quad
    """The place of the cell: between its rules, or between neighbouring rows and columns."""
    words: tuple[int, ...] = ()
    """Indices into the page's words, in the order of the text."""
    confidence: float | None = None
    """Mean of the words', weighted by their lengths, 0 to 100; None if there are none, or it is unknown."""
    is_header: bool = False
    """Whether it is in the rows of headings above the data."""
    is_unread: bool = False
    """Whether there is print in it that was not read: it has no text, or that of one line less."""


TableKind = Literal["grid", "rules", "aligned"]
"""What shows a table's rows and columns: a full ``grid`` of rules; ``rules`` between some of them, or around them; or
only the alignment of the text."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table on a page."""

    kind: TableKind
    rows: int
    columns: int
    box: Box
    """Bounding box of ``corners``."""
    corners: Quad
    cells: tuple[Cell, ...]
    """Row by row, from left to right. They cover each row and column once; some may be empty."""
    confidence: float
    """How well rows and columns explain what is printed there, 0 to 100: the share of the words, by width, that lies
    within their cells, times the share of the cells with print that were read."""


class Standing(StrEnum):
    """How sure the value of a field is."""

    VERIFIED = "verified"
    """Two independent grounds, such as a check digit, or a sum that is right, agree on it."""
    READ = "read"
    """It was read, and nothing speaks for or against it."""
    DOUBTFUL = "doubtful"
    """It was read, and something speaks against it."""
    MISSING = "missing"
    """It was not found."""


LONGEST_VALUE: Final = 2_000
"""Characters of a field's value, which goes to hooks and to a cell of a list; a line of print has less."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a document, such as the total of a receipt."""

    name: str
    standing: Standing
    value: str
    """The value in one notation, empty if it is missing. Dates are ``2026-11-27``; amounts have a point before the
    decimals and no thousands separators; numbers with a check digit have no spaces. Others are as they were read."""
    text: str
    """The value as it was read."""
    ground: str
    """Why it has this standing, in words."""
    box: Box = UNPLACED
    corners: Quad | None = None
    """The place of the value; None if it is missing, or its place is unknown."""
    words: tuple[int, ...] = ()
    """Indices into the page's words; empty if it was read in a second look."""
    confidence: float | None = None
    """Mean of the words', weighted by their lengths, 0 to 100; None if it is missing or unknown."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class FieldSummary:
    """What leaves a worker of a field, besides the sidecars."""

    name: str
    standing: Standing
    required: bool
    # Not in the representation, which may be logged: values are confidential.
    value: str = field(repr=False)


CodeKind = Literal["code128", "code39", "qr"]
"""What kind of code it is: a bar code by Code 128 or Code 39, or a QR code."""

LONGEST_CODE: Final = 7_089
"""Characters of a code's text: digits in the largest QR code (ISO/IEC 18004)."""


@dataclass(frozen=True, slots=True)
class Code:
    """A bar code or QR code on a page."""

    kind: CodeKind
    text: str
    """What is in it, as it is: anyone can print a code, so that it may have any characters."""
    box: Box
    """Bounding box of ``corners``."""
    corners: Quad
    """The place of the code, from the top left corner of the upright code. That of a bar code is where it was read,
    which may be less than its height."""


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


@dataclass(frozen=True, slots=True)
class Upright:
    """How the page lies on the scan, and the map from the scan to the straight page.

    The straight page has the scan's resolution, and its lines of text are horizontal and upright.
    """

    turns: int
    """Clockwise quarter turns, 0 to 3, that make the original upright, after its EXIF orientation."""
    angle: float
    """Skew in degrees that is left then, -45 to 45; positive if lines fall to the right."""
    width: float
    """Pixels of the straight page."""
    height: float
    matrix: tuple[float, float, float, float, float, float, float, float, float]
    """Maps original to straight pixels: three rows of a homogeneous matrix. The last row is 0, 0, 1 unless the
    perspective of a photograph was rectified."""

    @property
    def is_affine(self) -> bool:
        """Whether parallel lines stay parallel: the page was not rectified."""
        return self.matrix[6:] == (0.0, 0.0, 1.0)

    def straight(self, x: float, y: float) -> tuple[float, float]:
        """Map a point of the original to the straight page."""
        xx, xy, x0, yx, yy, y0, wx, wy, w0 = self.matrix
        scale = wx * x + wy * y + w0
        return (xx * x + xy * y + x0) / scale, (yx * x + yy * y + y0) / scale


@dataclass(frozen=True, slots=True)
class StoredImage:
    """The image in the scan's file, as it is stored."""

    kind: str
    """``jpeg``, ``png`` or ``tiff``."""
    width: int
    """Pixels, before the EXIF orientation is applied."""
    height: int
    components: int
    """1 grey (or a palette), 2 with transparency, 3 colour, 4 CMYK or colour with transparency."""
    bits: int
    """Of a component."""
    page: int = 0
    """Number of the page in a file with several, from 0."""
    progressive: bool = False
    """Whether a JPEG is progressive, or a PNG interlaced."""
    adobe_transform: int | None = None
    """Colour transform of Adobe's marker in a JPEG, 0 to 2; None without it."""


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
    """Milliseconds spent in ``decode``, ``enhance`` and ``engine``, and in ``tables``, ``fields`` and ``codes`` if they
    are looked for; in ``prepare`` for the image that a service gets."""
    unread: float | None = None
    """Share, 0 to 1, of the letter-like marks of the page as it came that lie in no box of a word with a confidence of
    50 and more; None if there are too few marks to tell, or they were not measured. If words have no places, it is an
    estimate by their letters: None unless a part of the page must be unread."""
    second: Second | None = None
    """The engine that reread what the first one was unsure of; None if nothing was read again."""
    upright: Upright | None = None
    """How the page lies on the scan; None if no text was read that would show it."""
    image: StoredImage | None = None
    """The stored image; None if it is unknown."""
    tables: tuple[Table, ...] | None = None
    """The tables, from top to bottom; None if the recipe does not ask for them."""
    fields: tuple[Field, ...] | None = None
    """The fields of the recipe, in its order; None if it has none."""
    codes: tuple[Code, ...] | None = None
    """The bar codes and QR codes, from top to bottom; None if the recipe does not ask for them."""

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
        paragraphs = (paragraph for block in self.blocks for paragraph in block.paragraphs)
        text = "\n\n".join("\n".join(line.text for line in paragraph) for paragraph in paragraphs)
        return text + "\n" if text else ""

    @property
    def confidence(self) -> float | None:
        """Mean word confidence weighted by the words' lengths, 0 to 100.

        None if nothing was read, because Tesseract reports 95 for a page without words, or if it is unknown.
        """
        return mean_confidence(self.words)

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
    is_doubtful: bool = False
    """Whether a remote second reader should read the page; never if another one has read it."""
    is_blank: bool = False
    """Whether the page has no print on it."""
    is_separator: bool = False
    """Whether the page is a separator sheet between two documents; never if codes were not looked for."""
    profiles_named: tuple[str, ...] = ()
    """Names of profiles in its separator codes, as they are printed: anyone can print a code."""


@dataclass(frozen=True, slots=True)
class Review:
    """Why the text of a page should be reviewed."""

    reasons: tuple[str, ...]
    """Short sentences, at least one."""
    confidence: float | None
    """The page's, 0 to 100; None if nothing was read."""


def mean_confidence(words: Iterable[Word]) -> float | None:
    """Return the mean confidence of words, weighted by their lengths, 0 to 100; None if none has one."""
    known = [(word.confidence, len(word.text)) for word in words if word.confidence is not None]
    letters = sum(length for _, length in known)
    return sum(confidence * length for confidence, length in known) / letters if letters else None
