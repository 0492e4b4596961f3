"""Pages in the results of Azure's Read, in the notations of both services, brought to lines and blocks.

A page says its size in the unit of its boxes: they are brought to pixels of the image by that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from ocrwatch.document import Block, Line
from ocrwatch.executors.http_ocr.presets.base import Image
from ocrwatch.executors.http_ocr.presets.places import Point, finite, polygon
from ocrwatch.executors.http_ocr.presets.text import Piece, block_of, clean, line_of_words, percent, split_line


def lines_with_words(page: Any, image: Image) -> tuple[Block, ...]:
    """Return the block of a page of Computer Vision, whose lines have words."""
    reader = _Reader("text", "boundingBox", _scale(page, image), image)
    return block_of(reader.line(line, members(line, "words")) for line in members(page, "lines"))


def lines_beside_words(page: Any, paragraphs: Sequence[Any], image: Image) -> tuple[Block, ...]:
    """Return the blocks of a page of Document Intelligence, one for each of its paragraphs.

    Lines and words are side by side: a word is of the line whose part of the text it begins in. Words of no line come
    last, in a block of their own, so that no text is lost.
    """
    reader = _Reader("content", "polygon", _scale(page, image), image)
    lines = members(page, "lines")
    line_at, paragraph_at = _Spans(lines), _Spans(paragraphs)
    words: dict[int | None, list[Any]] = {}
    for word in members(page, "words"):
        words.setdefault(line_at.owner(_offset(word)), []).append(word)
    made = [(paragraph_at.owner(_offset(line)), reader.line(line, words.get(at, ()))) for at, line in enumerate(lines)]
    blocks = [block_of(line for _, line in group) for _, group in groupby(made, key=lambda each: each[0])]
    return tuple(block for each in (*blocks, block_of([reader.words(words.get(None, ()))])) for block in each)


def members(value: Any, name: str) -> list[Any]:
    """Return a list that an object has; empty if it has none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


class _Reader:
    """Reads lines and words in the notation of one service."""

    def __init__(self, text: str, box: str, scale: Point, image: Image) -> None:
        self._text = text
        self._box = box
        self._scale = scale
        self._image = image

    def line(self, line: Any, words: Sequence[Any]) -> Line | None:
        """Return a line with its words; with those of its text if it has none."""
        piece = self._piece(line)
        return self.words(words, piece) or split_line(piece, self._image)

    def words(self, words: Sequence[Any], line: Piece | None = None) -> Line | None:
        """Return the line of words; None if none has text."""
        return line_of_words(map(self._piece, words), self._image, line.place if line is not None else None)

    def _piece(self, value: Any) -> Piece:
        facts = value if isinstance(value, dict) else {}
        place = polygon(facts.get(self._box), self._image, self._scale)
        return Piece(clean(facts.get(self._text)), percent(facts.get("confidence")), place)


class _Spans:
    """Which of several objects has a place in the text."""

    def __init__(self, owners: Iterable[Any]) -> None:
        spans = sorted(
            (begin, begin + length, at)
            for at, owner in enumerate(owners)
            for span in members(owner, "spans")
            if (begin := _number(span, "offset")) is not None and (length := _number(span, "length")) is not None
        )
        self._spans = spans
        self._begins = [begin for begin, _, _ in spans]

    def owner(self, offset: int | None) -> int | None:
        """Return the number of the object that has this place, from 0; None if none has it."""
        at = bisect_right(self._begins, offset) - 1 if offset is not None else -1
        return self._spans[at][2] if offset is not None and at >= 0 and offset < self._spans[at][1] else None


def _offset(value: Any) -> int | None:
    """Return where a word (``span``), or a line (``spans``), begins in the text."""
    span = value.get("span") if isinstance(value, dict) else None
    return _number(span if span is not None else next(iter(members(value, "spans")), None), "offset")


def _number(span: Any, name: str) -> int | None:
    number = finite(span.get(name)) if isinstance(span, dict) else None
    return int(number) if number is not None else None


def _scale(page: Any, image: Image) -> Point:
    """Return the factors from the page's unit to pixels; 1 if it does not say its size."""
    facts = page if isinstance(page, dict) else {}
    width, height = finite(facts.get("width")), finite(facts.get("height"))
    return (
        image.width / width if width is not None and width > 0 else 1.0,
        image.height / height if height is not None and height > 0 else 1.0,
    )
