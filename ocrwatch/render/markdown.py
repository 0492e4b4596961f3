"""The format ``md``: text for people and language models, as CommonMark.

Headings are lines in larger type. Lines of running text are joined, and so are words that are divided at a line's end.
Other lines end with a line break, as those of an address or a receipt must. Tables are those of GitHub Flavored
Markdown, which CommonMark does not have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Final

from ocrwatch.document import UNPLACED, Block, Line, Page, Table
from ocrwatch.render.base import Original
from ocrwatch.render.table_texts import count_heading_rows, heading_texts, rows_of
from ocrwatch.render.text_flow import text_flow
from ocrwatch.render.typography import extent, line_size, usual_size

_HEADINGS: Final = ((1.9, "#"), (1.45, "##"), (1.2, "###"))
"""Minimum size of a heading's type relative to the body text, and its mark."""

_LONGEST_HEADING: Final = 2
"""Lines."""

_DIVIDED: Final = re.compile(r"[^\W\d_]{2}[-\u00ad\u2010\u00ac]\Z")
"""The end of a line in the middle of a word."""

_BULLETS: Final = frozenset("\u2022\u25cf\u25e6\u25aa\u25a0\u00b7")
_DASHES: Final = frozenset("-\u2013\u2014*")
"""Bullets if several lines of the page begin with the same one."""

_NUMBER: Final = re.compile(r"(\d{1,3})([.)])\Z")
_SPACE: Final = 0.3
"""Width of a space as a share of the height of a line."""

_INDENT: Final = 2.5
"""Indent of a paragraph's first line, in heights of the line."""

_EDGE: Final = 1.0
"""Distance from the edge of the text at which a line still ends there, in heights of the line."""

_FEWEST_AT_EDGE: Final = 3
_NARROWEST: Final = 7.0
"""Width of a column of running text, in heights of a line: some 15 letters."""

_GAP: Final = 1.5
"""Gap between two words that is none between words of running text, even if justified, in heights of the line."""

_MARKUP: Final = re.compile(r"[\\`*_\[\]<>|~&]")
_BEGINS_BLOCK: Final = re.compile(r"#|[=+-]")
_BEGINS_ITEM: Final = re.compile(r"(\d{1,9})(?=[.)](?:\s|\Z))")
_CLOSES_HEADING: Final = re.compile(r"(?:(?<=\s)|\A)#(?=#*\Z)")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A paragraph, a heading, or an item of a list."""

    mark: str
    """``#``, ``-``, ``3.`` and the like; empty for a paragraph."""
    text: str
    """Its lines, not escaped."""
    continues: bool = False
    """Whether it follows the item before without an empty line."""


@dataclass(frozen=True, slots=True)
class _Usual:
    """What the page's lines have in common."""

    size: float | None
    """Size of the body text in pixels; None if it is unknown."""
    firsts: Mapping[str, int]
    """How many lines begin with a word."""
    ends: tuple[int, ...]
    """Where lines end."""


class MarkdownFormat:
    """Headings, paragraphs, lists and tables."""

    name: ClassVar[str] = "md"
    ending: ClassVar[str] = "md"

    def render(self, page: Page, original: Original) -> bytes:  # noqa: ARG002 - the protocol's
        """Render the text; a page without text gives no bytes."""
        text = "".join(map(_rendered, _pieces(page)))
        return f"{text.lstrip()}\n".encode() if text else b""


def escaped(text: str) -> str:
    """Return text of one line without any meaning in CommonMark."""
    text = _without_markup(text)
    if _BEGINS_BLOCK.match(text):
        return f"\\{text}"
    return _BEGINS_ITEM.sub(r"\g<1>\\", text, count=1) if _BEGINS_ITEM.match(text) else text


def _without_markup(text: str) -> str:
    """Return text that has no meaning after the beginning of a line."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def _rendered(piece: _Piece | Table) -> str:
    """Return a piece with what separates it from the piece before."""
    if isinstance(piece, Table):
        return f"\n\n{_pipe_table(piece)}"
    mark = f"{piece.mark} " if piece.mark else ""
    text = f"\\\n{' ' * len(mark)}".join(map(escaped, piece.text.split("\n")))
    if mark.startswith("#"):
        text = _CLOSES_HEADING.sub(r"\\#", text)
    return ("\n" if piece.continues else "\n\n") + mark + text


def _pipe_table(table: Table) -> str:
    """Return a table of GitHub Flavored Markdown.

    It must have exactly one header row: that of a table without headings is its first row.
    """
    above = count_heading_rows(table) or 1
    rows = [heading_texts(table, above), *rows_of(table)[above:]]
    lines = [f"| {' | '.join(map(_without_markup, row))} |" for row in rows]
    return "\n".join((lines[0], f"|{' --- |' * table.columns}", *lines[1:]))


def _pieces(page: Page) -> Iterator[_Piece | Table]:
    parts = tuple(text_flow(page))
    # The size of the body text is that of the page, though most of it may be a table.
    lines = tuple(line for part in parts if isinstance(part, Block) for line in part.lines)
    firsts = Counter(line.words[0].text for line in lines if len(line.words) > 1)
    usual = _Usual(usual_size(page.lines), firsts, tuple(extent(line, line.box)[1] for line in lines))
    last = ""
    """Mark of the piece before."""
    for part in parts:
        if isinstance(part, Table):
            if any(cell.text for cell in part.cells):
                yield part
                last = ""
            continue
        for piece in _pieces_of(part, usual, last):
            yield piece
            last = piece.mark


def _pieces_of(block: Block, usual: _Usual, last: str) -> Iterator[_Piece]:
    """Divide a block. ``last`` is the mark of the piece before."""
    for paragraph in block.paragraphs:
        if mark := _heading_mark(paragraph, usual.size):
            yield _Piece(mark, _joined(paragraph, [True] * len(paragraph)))
            last = mark
            continue
        for number, piece in enumerate(_items(paragraph, usual, last)):
            is_next = number > 0 and piece.mark[-1:] == last[-1:] != ""
            yield replace(piece, continues=is_next)
            last = piece.mark


def _items(paragraph: Sequence[Line], usual: _Usual, last: str) -> Iterator[_Piece]:
    """Divide a paragraph into the items of a list, and other text. ``last`` is the mark of the piece before."""
    runs_on = _runs_on(paragraph, usual.ends)
    begins = {0: _item_mark(paragraph[0], usual.firsts, last)}
    mark = begins[0]
    for at, line in enumerate(paragraph[1:], 1):
        # Within running text a line may begin with a dash, or with a number that ends a sentence.
        if (mark or not runs_on[at - 1]) and (found := _item_mark(line, usual.firsts, mark)):
            begins[at] = mark = found
    for begin, end in pairwise((*begins, len(paragraph))):
        lines = list(paragraph[begin:end])
        if begins[begin]:
            lines[0] = replace(lines[0], words=lines[0].words[1:])
        yield _Piece(begins[begin], _joined(lines, runs_on[begin:end]))


def _item_mark(line: Line, firsts: Mapping[str, int], last: str) -> str:
    """Return the mark of the item that begins with this line; empty if none does.

    CommonMark counts the items of a list itself: a number that does not continue the list ``last`` is text.
    """
    if len(line.words) == 1:
        return ""
    first = line.words[0].text
    if first in _BULLETS or (first in _DASHES and firsts[first] > 1):
        return "-"
    if (match := _NUMBER.match(first)) is None:
        return ""
    number, sign = int(match[1]), match[2]
    is_next = last == f"{number - 1}{sign}" if last.endswith(sign) else f"{number + 1}{sign}" in firsts
    return f"{number}{sign}" if is_next else ""


def _heading_mark(paragraph: Sequence[Line], body: float | None) -> str:
    sizes = [size for line in paragraph if (size := line_size(line)) is not None]
    if body is None or not sizes or len(paragraph) > _LONGEST_HEADING:
        return ""
    if sum(map(str.isalpha, "".join(line.text for line in paragraph))) < 2:  # noqa: PLR2004 - a word, and no number
        return ""
    return next((mark for ratio, mark in _HEADINGS if min(sizes) >= ratio * body), "")


def _joined(lines: Sequence[Line], runs_on: Sequence[bool]) -> str:
    """Return the text of lines; those that run on are joined with the next one, the others end with a newline."""
    text = lines[0].text
    for line, flows in zip(lines[1:], runs_on, strict=False):
        following = line.text
        if _DIVIDED.search(text) and following[:1].islower():
            text = text[:-1] + following
        else:
            text += f" {following}" if flows else f"\n{following}"
    return text


def _runs_on(lines: Sequence[Line], ends: Sequence[int]) -> list[bool]:
    """Return for each line whether it is running text that goes on with the next line.

    It is if the first word of the next line would not have fitted, if both begin at about the same place, and if there
    is no wide gap in it, as between the columns of a receipt. ``ends`` are the ends of all lines of the page: the edge
    of the text is known only if several lines end there.
    """
    if any(line.box == UNPLACED for line in lines):
        return [False] * len(lines)
    extents = [extent(line, line.box) for line in lines]
    edge = max(end for _, end in extents)
    height = max(line.box.bottom - line.box.top for line in lines)
    at_edge = sum(abs(edge - end) <= _EDGE * height for end in ends)
    if at_edge < _FEWEST_AT_EDGE or edge - min(begin for begin, _ in extents) < _NARROWEST * height:
        return [False] * len(lines)
    runs_on = []
    for (line, (begin, end)), (following, (next_begin, _)) in pairwise(zip(lines, extents, strict=True)):
        height = line.box.bottom - line.box.top
        begin_of_word, end_of_word = extent(following, following.words[0].box)
        fits = end_of_word - begin_of_word + _SPACE * height <= edge - end
        runs_on.append(not fits and abs(next_begin - begin) <= _INDENT * height and not _has_gap(line, height))
    return [*runs_on, False]


def _has_gap(line: Line, height: int) -> bool:
    places = [extent(line, word.box) for word in line.words]
    return any(begin - end > _GAP * height for (_, end), (begin, _) in pairwise(places))
