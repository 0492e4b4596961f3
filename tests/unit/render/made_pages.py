"""Pages for the tests of formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies

from ocrwatch.document import Baseline, Block, Box, EngineInfo, Line, Page, Word, bounding_box
from ocrwatch.render.base import Original
from ocrwatch.render.registry import render
from ocrwatch.render.typography import DEEP, SMALL, TALL

ORIGINAL = Original("sub/scan1.jpg", 1234, "ab" * 32)
ENGINE = EngineInfo("tesserocr", "5.5.0", ("deu", "eng"))

HEIGHT = 40
"""Size of the type in pixels; characters are half as wide."""


def line(text: str, *, top: int = 0, left: int = 0, size: float = 1.0, paragraph: int = 0) -> Line:
    """Make a line of words in type of a relative ``size``, with boxes as tall as their letters."""
    em = HEIGHT * size
    foot = top + round(TALL * em)
    words = []
    for part in text.split(" "):
        width = round(em / 2 * len(part))
        over = SMALL if set("acemnorsuvwxz").issuperset(part) else TALL
        below = 0.0 if set("gjpqy").isdisjoint(part) else DEEP
        box = Box(left, foot - round(over * em), left + width, foot + round(below * em))
        words.append(Word(part, box, 90.0, float(width), float(box.bottom - box.top)))
        left += width + round(em / 2)
    words = [word for word in words if word.text]
    box = bounding_box(word.box for word in words)
    return Line(tuple(words), box, paragraph, Baseline(box.left, foot, box.right, foot))


def paragraphs(*texts: str, size: float = 1.0) -> Block:
    """Make a block of paragraphs, each of the lines of one text."""
    lines: list[Line] = []
    for number, text in enumerate(texts):
        for row in text.split("\n"):
            lines.append(line(row, top=len(lines) * 60, size=size, paragraph=number))
    return Block(tuple(lines), bounding_box(each.box for each in lines))


def page(*blocks: Block) -> Page:
    """Make a page of blocks."""
    return Page(2000, 3000, 300.0, 1, blocks, ENGINE, steps=("scale 0.58",))


def rendered(given: Page, name: str, original: Original = ORIGINAL) -> str:
    """Render one format, which is UTF-8."""
    ((_, data),) = render(given, original, (name,))
    return data.decode()


def turned(given: Line, baseline: Sequence[float]) -> Line:
    """Return a line with another baseline."""
    return replace(given, baseline=Baseline(*baseline))


WORDS = strategies.text(strategies.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
"""Words of any characters."""

MARKUP = strategies.text("\\`*_[]<>|~&=+-#@!()1.) \tax\"';:{}$^%/\u00a0漢", min_size=1, max_size=12)
"""Words full of what means something in some format."""

LINES = strategies.lists(strategies.lists(WORDS | MARKUP, min_size=1, max_size=5), min_size=1, max_size=4)


def page_of(lines: Sequence[Sequence[str]]) -> Page:
    """Make a page of one paragraph whose words have these texts."""
    made = []
    for number, words in enumerate(lines):
        boxes = [Box(100 * at, 60 * number, 100 * at + 80, 60 * number + 40) for at in range(len(words))]
        texts = tuple(Word(text, box, 90.0, 80.0, 40.0) for text, box in zip(words, boxes, strict=True))
        made.append(Line(texts, bounding_box(boxes), 0, None))
    return page(Block(tuple(made), bounding_box(each.box for each in made)))
