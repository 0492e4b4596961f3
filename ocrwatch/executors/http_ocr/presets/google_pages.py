"""Pages in the results of Google Cloud Vision, brought to blocks, lines and words.

The service has no lines: symbols say where one ends. Its words may be parts of one, such as a bracket or a comma; those
with nothing between them become one word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from ocrwatch.document import Block, Line
from ocrwatch.executors.http_ocr.presets.base import Image
from ocrwatch.executors.http_ocr.presets.columns import FEW
from ocrwatch.executors.http_ocr.presets.places import Place, Point, finite, polygon
from ocrwatch.executors.http_ocr.presets.text import Piece, block_of, line_of_words, percent


class _Break(Enum):
    """What is between two words."""

    NOTHING = "nothing"
    SPACE = "space"
    LINE_END = "line end"


_HYPHEN: Final = "HYPHEN"
"""The end of a line with a hyphen that is not among the symbols."""
_BREAKS: Final = {
    "SPACE": _Break.SPACE,
    "SURE_SPACE": _Break.SPACE,
    "EOL_SURE_SPACE": _Break.LINE_END,
    "LINE_BREAK": _Break.LINE_END,
    _HYPHEN: _Break.LINE_END,
}


def blocks_of(full: Any, image: Image) -> tuple[Block, ...]:
    """Return the blocks of a ``fullTextAnnotation``; nothing if it has no text, or not in the form that is known."""
    return tuple(
        made
        for page in _members(full, "pages")
        for block in _members(page, "blocks")
        for made in block_of(
            _line(words, image, number)
            for number, paragraph in enumerate(_members(block, "paragraphs"))
            for words in _lines(paragraph, _scale(page, image), image)
        )
    )


def _lines(paragraph: Any, scale: Point, image: Image) -> Iterator[list[list[Piece]]]:
    """Yield the words of each line of a paragraph, and of each word its parts."""
    words: list[list[Piece]] = [[]]
    for word in _members(paragraph, "words"):
        text, before, after = _spelled(word)
        part = Piece(text, percent(_member(word, "confidence")), _place(word, scale, image))
        for added, then in (([], before), ([part], after)):
            words[-1].extend(added)
            if then is _Break.LINE_END:
                yield words
            if then is not _Break.NOTHING:
                words = [[]] if then is _Break.LINE_END else [*words, []]
    yield words


def _line(words: Sequence[Sequence[Piece]], image: Image, paragraph: int) -> Line | None:
    """Return the line of words, each given as its parts."""
    if _runs_down([part for parts in words for part in parts]):
        words = [[replace(part, place=part.place and part.place.turned()) for part in parts] for parts in words]
    joined = [_joined(parts, image) for parts in words if parts]
    return line_of_words(joined, image, _span(joined, image), paragraph)


def _spelled(word: Any) -> tuple[str, _Break, _Break]:
    """Return the text of a word, and what is before and after it."""
    before = after = _Break.NOTHING
    letters = []
    for symbol in _members(word, "symbols"):
        found = _member(_member(symbol, "property"), "detectedBreak")
        kind, text = _member(found, "type"), _member(symbol, "text")
        if _member(found, "isPrefix") is True:
            before = _BREAKS.get(str(kind), before)
        else:
            after = _BREAKS.get(str(kind), after)
        letters.append(text if isinstance(text, str) else "")
        letters.append("-" if kind == _HYPHEN else "")
    return "".join(letters), before, after


def _place(word: Any, scale: Point, image: Image) -> Place | None:
    bounds = _member(word, "boundingBox")
    shares = _members(bounds, "normalizedVertices")
    place = polygon(shares, image, (image.width, image.height)) if shares else None
    return place or polygon(_members(bounds, "vertices"), image, scale)


def _joined(parts: Sequence[Piece], image: Image) -> Piece:
    """Return the parts of a word as one."""
    known = [(part.confidence, len(str(part.text))) for part in parts if part.confidence is not None]
    length = sum(letters for _, letters in known)
    confidence = sum(each * letters for each, letters in known) / length if length else None
    return Piece("".join(str(part.text) for part in parts), confidence, _span(parts, image))


def _span(pieces: Sequence[Piece], image: Image) -> Place | None:
    """Return the place from the first to the last of several that follow each other; None if that is not known."""
    places = [piece.place for piece in pieces if piece.place is not None]
    if not places or len(places) < len(pieces):
        return None
    if len(places) == 1:
        return places[0]
    if any(place.is_rectangle for place in places):
        return polygon([point for place in places for point in _points(place)], image)
    top_left, _, _, bottom_left = _points(places[0])
    _, top_right, bottom_right, _ = _points(places[-1])
    return polygon([top_left, top_right, bottom_right, bottom_left], image)


def _runs_down(parts: Sequence[Piece]) -> bool:
    """Return whether a line is a column of signs: the corners of words begin at the top left one in any case."""
    places = [part.place for part in parts if part.place is not None]
    if not places or any(place.is_rectangle for place in places):
        return False
    if len(places) == 1:
        return places[0].is_tall and len(str(parts[0].text)) > FEW
    first, last = places[0], places[-1]
    (x0, y0), (x1, y1), _, (x3, y3) = _points(first)
    (to_x, to_y), *_ = _points(last)
    x, y = to_x - x0, to_y - y0
    along, across = x * (x1 - x0) + y * (y1 - y0), x * (x3 - x0) + y * (y3 - y0)
    return across * first.width > along * first.height


def _points(place: Place) -> list[Point]:
    return list(zip(place.corners[0::2], place.corners[1::2], strict=True))


def _scale(page: Any, image: Image) -> Point:
    """Return the factors from the page's size to that of the image."""
    width, height = finite(_member(page, "width")), finite(_member(page, "height"))
    return (
        image.width / width if width is not None and width > 0 else 1.0,
        image.height / height if height is not None and height > 0 else 1.0,
    )


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _members(value: Any, name: str) -> list[Any]:
    """Return a list that an object has; empty if it has none."""
    found = _member(value, name)
    return found if isinstance(found, list) else []
