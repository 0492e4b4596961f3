"""The legend of the format ``explain``: what the marks mean, and what is known of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from PIL import Image
from PIL.ImageFont import FreeTypeFont

from ocrwatch.document import Field, Page, Standing
from ocrwatch.render.base import Original
from ocrwatch.render.explain_marks import (
    BASELINE,
    CELL,
    DOUBTFUL,
    DOUBTFUL_FIELD,
    FIELD,
    HEADING,
    SPANNING,
    SURE,
    TABLE,
    UNKNOWN,
    UNREAD,
    UNSURE,
    Colour,
    Mark,
    Pen,
    field_mark_of,
    legible,
    line_height,
    mark_of,
    percent,
)

_PAPER: Final = (244, 244, 240)
_INK: Final = (20, 20, 20)
_NAME_INK: Final = (100, 100, 100)
_ALARM: Final = UNSURE.colour

_NAMES: Final = 5.5
"""Width of the column with the names of facts, in sizes of the font."""
_SAMPLE: Final = 2.0
"""Width of the sample of a mark, in sizes of the font."""
_KEY_LINES: Final = 1.4
"""Height of a row of marks, in lines of text."""

_LONGEST: Final = 500
"""Characters of a fact: an engine of another package may have much to remark."""

_STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    text: str
    is_alarm: bool = False


def legend(
    page: Page, original: Original, font: FreeTypeFont, width: int, unit: int, *, is_shown: bool = True
) -> Image.Image:
    """Return the strip below the picture. ``is_shown`` is whether the scan itself is in the picture."""
    margin, step = round(font.size), line_height(font)
    room = width - 2 * margin
    keys = _rows(list(_keys(page)), font, room)
    facts = list(_facts(page, original))
    if not is_shown:
        facts.append(_Fact("Picture", "the scan was read, but cannot be shown", is_alarm=True))
    names = round(_NAMES * font.size)
    texts = [(fact, _wrapped(legible(_cut(fact.text)), font, room - names)) for fact in facts]
    height = step * (_KEY_LINES * len(keys) + sum(len(lines) for _, lines in texts) + 1)
    strip = Image.new("RGB", (width, round(height)), _PAPER)
    pen = Pen(strip, unit)
    pen.line(((0, 0), (width, 0)), Mark(_NAME_INK, 2))
    top = step * 0.5
    for row in keys:
        left = float(margin)
        for mark, text in row:
            _draw_key(pen, left, top, mark, text, font)
            left += _key_width(text, font)
        top += step * _KEY_LINES
    for fact, lines in texts:
        pen.text((margin, top), fact.name, font, _NAME_INK)
        for line in lines:
            pen.text((margin + names, top), line, font, _ink(fact))
            top += step
    return strip


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _ink(fact: _Fact) -> Colour:
    return _ALARM if fact.is_alarm else _INK


def _keys(page: Page) -> Iterator[tuple[Mark, str]]:
    """Yield the marks that a reader meets on this page, each with its meaning."""
    words = Counter(mark_of(word.confidence) for word in page.words)
    yield SURE, f"sure, 90 % and more: {_words(words[SURE])}"
    yield DOUBTFUL, f"doubtful, 60 to 90 %: {_words(words[DOUBTFUL])}"
    yield UNSURE, f"unsure, below 60 %: {_words(words[UNSURE])}"
    if words[UNKNOWN]:
        yield UNKNOWN, f"confidence unknown: {_words(words[UNKNOWN])}"
    if any(line.baseline for line in page.lines):
        yield BASELINE, "line of text"
    cells = [cell for table in page.tables or () for cell in table.cells]
    if cells:
        yield TABLE, "table"
        yield CELL, "cell"
    if any(cell.is_header for cell in cells):
        yield HEADING, "heading"
    if any(cell.rows * cell.columns > 1 for cell in cells):
        yield SPANNING, "cell of several rows or columns"
    if any(cell.is_unread for cell in cells):
        yield UNREAD, "cell with print that was not read"
    found = [field for field in page.fields or () if field.corners is not None]
    for mark, meaning in ((FIELD, "field"), (DOUBTFUL_FIELD, "doubtful field")):
        if any(field_mark_of(field) is mark for field in found):
            yield mark, meaning


def _facts(page: Page, original: Original) -> Iterator[_Fact]:
    """Yield what is known of the page."""
    # Its folder is of no interest, and not the same on another machine.
    name = original.printable_path.rpartition("/")[2]
    resolution = "no resolution declared" if page.dpi is None else f"{page.dpi:.0f} dpi"
    number = f", page {page.image.page + 1} of the file" if page.image is not None and page.image.page else ""
    yield _Fact("Scan", "standard input" if name == _STANDARD_INPUT else name)
    yield _Fact("Size", f"{page.width} x {page.height} pixels, {resolution}{number}")
    yield _Fact("Position", _position(page))
    yield _Fact("Prepared", ", ".join(page.steps) or "as it came")
    yield _Fact("Text", _text(page))
    yield _Fact("Tables", "not looked for" if page.tables is None else str(len(page.tables) or "none found"))
    if page.fields is not None:
        yield _Fact("Fields", _fields(page.fields))
    if page.warnings:
        yield _Fact("Warnings", "; ".join(page.warnings))
    reasons = original.review_reasons
    yield _Fact("Review", "; ".join(reasons) or "no reason for a review", is_alarm=bool(reasons))


def _position(page: Page) -> str:
    if page.upright is None:
        return "unknown"
    turns, angle = page.upright.turns, page.upright.angle
    turned = f"turned by {90 * turns}° clockwise to be read" if turns else "upright"
    skew = f"skew {abs(angle):.1f}°, lines {'fall' if angle > 0 else 'rise'} to the right"
    return f"{turned}; {skew if abs(angle) >= 0.05 else 'no skew'}"  # noqa: PLR2004 - what is shown as 0.0


def _text(page: Page) -> str:
    if not page.words:
        return "the page is blank" if page.is_blank else "none was read"
    languages = f" ({', '.join(page.engine.languages)})" if page.engine.languages else ""
    read_by = f"{page.engine.name} {page.engine.version}{languages}"
    return f"{_words(len(page.words))}, confidence {percent(page.confidence)}, read by {read_by}"


def _fields(fields: Iterable[Field]) -> str:
    """Return the names of the fields by their standing: ``verified: date, total; missing: card``."""
    names = ((standing, [field.name for field in fields if field.standing is standing]) for standing in Standing)
    return "; ".join(f"{standing.value}: {', '.join(which)}" for standing, which in names if which)


def _words(count: int) -> str:
    return f"{count} word{'' if count == 1 else 's'}"


def _draw_key(pen: Pen, left: float, top: float, mark: Mark, text: str, font: FreeTypeFont) -> None:
    right, bottom = left + _SAMPLE * font.size, top + font.size
    if mark is BASELINE:
        pen.line(((left, (top + bottom) / 2), (right, (top + bottom) / 2)), mark)
    else:
        pen.outline(((left, top), (right, top), (right, bottom), (left, bottom)), mark)
    pen.text((right + font.size / 2, top), text, font, _INK)


def _key_width(text: str, font: FreeTypeFont) -> float:
    return font.getlength(text) + (_SAMPLE + 2) * font.size


def _rows(keys: list[tuple[Mark, str]], font: FreeTypeFont, room: float) -> list[list[tuple[Mark, str]]]:
    """Distribute the marks over rows."""
    rows: list[list[tuple[Mark, str]]] = [[]]
    left = 0.0
    for key in keys:
        width = _key_width(key[1], font)
        if rows[-1] and left + width > room:
            rows.append([])
            left = 0.0
        rows[-1].append(key)
        left += width
    return rows


def _wrapped(text: str, font: FreeTypeFont, room: float) -> list[str]:
    """Break a text into lines; a word that is too long is broken."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if font.getlength(lines[-1] + letter) > room:
                lines.append("")
            lines[-1] += letter
    return lines
