"""Lays out a page of a PDF: how large it is, and where image and text lie on it. Knows no PDF library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ocrwatch.document import UNPLACED, Line, Page, Word
from ocrwatch.render.planar import UNCHANGED, Matrix, Point, upright
from ocrwatch.render.typography import in_visual_order, is_right_to_left, line_size, usual_size

_POINTS: Final = 72.0
"""PDF's unit: points to an inch."""

_LONGEST: Final = 14_400.0
"""Maximum length of a page's side in points (ISO 32000-1, annex C)."""

_SHORTEST: Final = 3.0
"""Minimum length (the same table). A narrower scan leaves a margin."""

_A4: Final = (595.28, 841.89)
_BODY_TEXT: Final = 11.0
"""Size in points that is assumed for the body text of a page of unknown resolution."""

_PLAUSIBLE_DPI: Final = (70.0, 2400.0)

_LEVEL: Final = 3.0
"""Degrees up to which a line of a straight page counts as horizontal: it was read together with the others."""

_EM_OF_BOX: Final = 0.75
"""Size of the type as a share of a line's height, if nothing better is known."""

_NARROWEST_SPACE: Final = 0.2
"""Width of a space in em below which poppler and PDFium join two words. On tilted print, boxes even overlap."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Text on the page, as long as its print."""

    text: str
    """In visual order: from left to right, also for scripts that are written from right to left."""
    x: float
    """Where it begins on its baseline, in points."""
    y: float
    length: float
    """In points."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text on the page."""

    size: float
    """Size of the type in points."""
    cosine: float
    sine: float
    """Of the angle, counter-clockwise, by which it is turned."""
    glyphs: tuple[Glyphs, ...]
    """Words, and the spaces between them."""


@dataclass(frozen=True, slots=True)
class PdfPage:
    """A page, in points with the origin in the lower left corner."""

    width: float
    height: float
    image: Matrix
    """Maps the unit square, in which PDF draws images, to the page."""
    lines: tuple[TextLine, ...]


def lay_out(page: Page, width: int, height: int, *, straighten: bool) -> PdfPage:
    """Lay a page out.

    ``width`` and ``height`` are those of the stored image, in pixels. If ``straighten``, the page's turn and skew are
    undone; a rectified page stays as it is, since a PDF cannot undo a perspective without changing the pixels.
    """
    to_straight, size = UNCHANGED, (float(page.width), float(page.height))
    if straighten and page.upright is not None and page.upright.is_affine:
        xx, xy, x0, yx, yy, y0 = page.upright.matrix[:6]
        to_straight, size = Matrix(xx, yx, xy, yy, x0, y0), (page.upright.width, page.upright.height)
    to_straight, size = _with_all_text(page, to_straight, size)
    points = _POINTS / _resolution(page, size)
    to_page = Matrix(points, 0, 0, -points, 0, size[1] * points).after(to_straight)
    of_unit_square = Matrix(width, 0, 0, -height, 0, height)
    image = to_page.after(upright(page.orientation, width, height)).after(of_unit_square)
    placed = (line for line in page.lines if line.baseline is not None)
    lines = tuple(_line(line, to_page, points, straight=straighten) for line in placed)
    width_of_page, height_of_page = (max(side * points, _SHORTEST) for side in size)
    return PdfPage(width_of_page, height_of_page, image, lines)


def _with_all_text(page: Page, to_straight: Matrix, size: Point) -> tuple[Matrix, Point]:
    """Return map and size of the straight page; it grows to hold the whole scan if text would be cut off."""
    boxes = (word.box for word in page.words if word.box != UNPLACED)
    centres = (to_straight.of((box.left + box.right) / 2, (box.top + box.bottom) / 2) for box in boxes)
    if all(0 <= x <= size[0] and 0 <= y <= size[1] for x, y in centres):
        return to_straight, size
    corners = [to_straight.of(x, y) for x in (0, page.width) for y in (0, page.height)]
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    right, bottom = max(x for x, _ in corners), max(y for _, y in corners)
    return Matrix(1, 0, 0, 1, -left, -top).after(to_straight), (right - left, bottom - top)


def _resolution(page: Page, size: Point) -> float:
    """Return the resolution in dpi: the scan's own, else by the size of the text, else so that the page fits on A4."""
    dpi = page.dpi
    lowest, highest = _PLAUSIBLE_DPI
    if dpi is None and (body := usual_size(page.lines)) is not None:
        dpi = min(max(body * _POINTS / _BODY_TEXT, lowest), highest)
    if dpi is None:
        (short, long), (narrow, tall) = sorted(size), _A4
        dpi = max(short / narrow, long / tall) * _POINTS
    return max(dpi, max(size) * _POINTS / _LONGEST)


def _line(line: Line, to_page: Matrix, points: float, *, straight: bool) -> TextLine:
    given = line.baseline
    if given is None:
        raise ValueError("the line has no baseline")
    (x0, y0), (x1, y1) = to_page.of(given.x0, given.y0), to_page.of(given.x1, given.y1)
    angle = math.atan2(y1 - y0, x1 - x0)
    along = (math.cos(angle), math.sin(angle))
    text_along = (1.0, 0.0) if straight and abs(math.degrees(angle)) <= _LEVEL else along
    size = (line_size(line) or _EM_OF_BOX * (line.box.bottom - line.box.top)) * points

    def extent(word: Word) -> tuple[float, float]:
        """Return where a word begins and ends on the baseline, in points from the baseline's beginning."""
        x, y = to_page.of((word.box.left + word.box.right) / 2, (word.box.top + word.box.bottom) / 2)
        middle = (x - x0) * along[0] + (y - y0) * along[1]
        half = word.width * points / 2
        return middle - half, middle + half

    def glyphs(text: str, begin: float, end: float) -> Glyphs:
        # The middle is on the baseline; a horizontal word begins at the height of its middle.
        middle, half = (begin + end) / 2, (end - begin) / 2
        x, y = x0 + middle * along[0] - half * text_along[0], y0 + middle * along[1] - half * text_along[1]
        return Glyphs(text, x, y, end - begin)

    pieces = _with_spaces([(text, *_around(map(extent, words))) for text, words in _runs(line)], size)
    if is_right_to_left(line):
        pieces.reverse()
    return TextLine(size, *text_along, tuple(glyphs(in_visual_order(text), *place) for text, *place in pieces))


_Piece = tuple[str, float, float]
"""Text, and where it begins and ends on the baseline."""


def _runs(line: Line) -> Iterator[tuple[str, Sequence[Word]]]:
    """Yield the words between spaces. Chinese has none: one run is extracted without spaces."""
    begins = [0, *(at for at in range(1, len(line.words)) if line.has_space_before(at)), len(line.words)]
    for begin, end in pairwise(begins):
        words = line.words[begin:end]
        yield "".join(word.text for word in words), words


def _around(extents: Iterable[tuple[float, float]]) -> tuple[float, float]:
    begins, ends = zip(*extents, strict=True)
    return min(begins), max(ends)


def _with_spaces(runs: Sequence[_Piece], size: float) -> list[_Piece]:
    """Return runs with the spaces between them; two that are too near to each other both get shorter.

    The line ends with a space too: pypdf joins lines that are close to each other.
    """
    narrowest = _NARROWEST_SPACE * size
    places = [[begin, end] for _, begin, end in runs]
    spaces = [_space_between(*pair, narrowest) for pair in pairwise(places)]
    pieces = [(text, begin, end) for (text, _, _), (begin, end) in zip(runs, places, strict=True)]
    _, begin, end = pieces[-1]
    last = (" ", end, end + narrowest) if begin >= pieces[0][1] else (" ", begin - narrowest, begin)
    return [each for pair in zip(pieces, (*spaces, last), strict=True) for each in pair]


def _space_between(first: list[float], second: list[float], narrowest: float) -> _Piece:
    """Return the space between two runs, after both were shortened if it is too narrow."""
    before, after = sorted((first, second), key=sum)
    if (lack := narrowest - (after[0] - before[1])) > 0:
        # None gets shorter than half its length.
        before[1] -= min(lack, before[1] - before[0]) / 2
        after[0] += min(lack, after[1] - after[0]) / 2
    return " ", before[1], max(after[0], before[1] + narrowest)
