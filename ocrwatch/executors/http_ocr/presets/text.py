"""Text in the answers of services, brought to lines and words of :mod:`ocrwatch.document`.

A service may send anything as a text or a confidence. What has no text is left out; what has a wrong place or
confidence has none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Final

from ocrwatch.document import UNPLACED, Block, Line, Word, bounding_box
from ocrwatch.executors.http_ocr.presets.base import Image
from ocrwatch.executors.http_ocr.presets.places import Place, finite, rectangle

_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
"""White space and control characters: sidecars in XML cannot have these."""

_NOTHING: Final = re.compile("[\ud800-\udfff\ufffe\uffff\ufeff\u200b\u2060]")
"""What is no character, or has no extent and no meaning in the text of a scan."""

_LINE_END: Final = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")

_WORD: Final = re.compile(
    r"\S+(?:(?<=[\u2e80-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef])"
    r" (?=[\u2e80-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef])\S+)*"
)
"""A word of a line with single spaces. A space between two Chinese or Japanese characters does not end it, because
:attr:`ocrwatch.document.Line.text` has none between two such words."""

_WIDE: Final = frozenset("WF")
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_LEFT_TO_RIGHT: Final = "L"

_ROUNDING: Final = 1.01
"""What a confidence may exceed its scale by, as a factor; more is on another scale, and so unknown."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A line or word as a service gives it."""

    text: object
    """Its text, as it is in the answer; what is no text, or has only white space, is left out."""
    confidence: float | None = None
    """0 to 100; None if the service gives none."""
    place: Place | None = None


def clean(value: object) -> str:
    """Return a text without control characters, with single spaces and none around it.

    A number becomes its text; anything else is empty.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    try:
        text = str(value)
    except ValueError:  # an integer of thousands of digits
        return ""
    return _SPACE.sub(" ", _NOTHING.sub("", text)).strip()


def percent(value: object, most: float = 1.0) -> float | None:
    """Return a confidence from 0 to 100 of one from 0 to ``most``, which may also be a text such as ``0.98``.

    ``98 %`` is a percentage whatever ``most`` is. None if there is none, or it is no number from 0 to ``most``.
    """
    if isinstance(value, str) and value.rstrip().endswith("%"):
        value, most = value.rstrip().removesuffix("%"), 100.0
    number = finite(value)
    if number is None or not 0 <= number <= most * _ROUNDING:
        return None
    return min(100.0 * number / most, 100.0)


def word(piece: Piece, image: Image) -> Word | None:
    """Return a word as it is, even if it has spaces; None if it has no text."""
    text = clean(piece.text)
    if not text:
        return None
    if piece.place is None:
        return Word(text, UNPLACED, piece.confidence)
    place = _along(piece.place, text)
    return Word(text, place.box(image), piece.confidence, place.width, place.height)


def split_line(piece: Piece, image: Image, paragraph: int = 0) -> Line | None:
    """Return a line that a service gives whole, split into words at spaces; None if it has no text.

    The words divide the line's place in proportion to their characters; Chinese and Japanese ones are twice as wide as
    others. Text without spaces stays one word. Each word has the line's confidence.
    """
    text = clean(piece.text)
    if not text:
        return None
    if piece.place is None:
        words = [Word(match[0], UNPLACED, piece.confidence) for match in _WORD.finditer(text)]
        return Line(tuple(words), UNPLACED, paragraph)
    place = _along(piece.place, text)
    words = [
        Word(part, share.box(image), piece.confidence, share.width, share.height) for part, share in _parts(text, place)
    ]
    return Line(tuple(words), bounding_box(each.box for each in words), paragraph, place.baseline)


def line_of_words(pieces: Iterable[Piece], image: Image, place: Place | None = None, paragraph: int = 0) -> Line | None:
    """Return a line of words that a service gives one by one, in their order; None if none has text.

    ``place`` is that of the line, if the service gives it: it has the baseline.
    """
    words = tuple(each for piece in pieces if (each := word(piece, image)) is not None)
    if not words:
        return None
    box = bounding_box(each.box for each in words)
    if place is None:
        return Line(words, box, paragraph)
    along = _along(place, " ".join(each.text for each in words))
    return Line(words, along.box(image) if box == UNPLACED else box, paragraph, along.baseline)


def block_of(lines: Iterable[Line | None]) -> tuple[Block, ...]:
    """Return a block of the lines that have text, or nothing if none has."""
    some = tuple(line for line in lines if line is not None)
    return (Block(some, bounding_box(line.box for line in some)),) if some else ()


def kept_within(blocks: Iterable[Block], image: Image) -> tuple[Block, ...]:
    """Return blocks that another parser made, with boxes and confidences that are possible on the image."""
    return tuple(
        each
        for block in blocks
        for each in block_of(
            line_of_words(map(_piece, line.words, repeat(image)), image, paragraph=line.paragraph)
            for line in block.lines
        )
    )


def unplaced(text: str, confidence: float | None = None) -> tuple[Block, ...]:
    """Return the blocks of a text whose places are unknown: its lines; empty ones are between blocks."""
    blocks: list[list[Line]] = [[]]
    nowhere = Image(b"", "image/jpeg", 1, 1)
    for row in _LINE_END.split(text):
        line = split_line(Piece(row, confidence), nowhere)
        if line is not None:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return tuple(block for lines in blocks for block in block_of(lines))


def _piece(word: Word, image: Image) -> Piece:
    box = word.box
    place = rectangle(box.left, box.top, box.right - box.left, box.bottom - box.top, image)
    return Piece(word.text, percent(word.confidence, 100.0), place)


def _along(place: Place, text: str) -> Place:
    """Return the place so that its line runs along the text.

    A rectangle does not tell: if it is tall and has several characters, the text runs down.
    """
    several = 2
    return place.turned() if place.is_rectangle and place.is_tall and len(text) > several else place


def _parts(text: str, place: Place) -> Iterator[tuple[str, Place]]:
    """Yield the words of a line with their parts of its place."""
    ends = [0]
    for character in text:
        ends.append(ends[-1] + _extent(character))
    if not ends[-1]:  # combining marks alone
        yield text, place
        return
    is_mirrored = _is_right_to_left(text)
    for match in _WORD.finditer(text):
        begin, end = ends[match.start()] / ends[-1], ends[match.end()] / ends[-1]
        yield match[0], place.part(1 - end, 1 - begin) if is_mirrored else place.part(begin, end)


def _extent(character: str) -> int:
    """Return how wide a character is, roughly, in Latin letters."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def _is_right_to_left(text: str) -> bool:
    """Return whether the first letter is of a script that is written from right to left."""
    directions = map(unicodedata.bidirectional, text)
    first = next((each for each in directions if each in _RIGHT_TO_LEFT or each == _LEFT_TO_RIGHT), _LEFT_TO_RIGHT)
    return first in _RIGHT_TO_LEFT
