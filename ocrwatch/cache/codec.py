"""A Page as few bytes, and back, exactly."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Second, Word

_FAST: Final = 1
"""zlib's level: the higher ones save little of what is mostly numbers."""


def pack(page: Page) -> bytes:
    """Render everything but the timings, which are of one reading only. Raises ``TypeError`` for odd values."""
    engine = page.engine
    content = [
        page.width,
        page.height,
        page.dpi,
        page.orientation,
        [engine.name, engine.version, list(engine.languages)],
        list(page.steps),
        list(page.warnings),
        [[_corners(block.box), [_line(line) for line in block.lines]] for block in page.blocks],
        page.unread,
        None if page.second is None else [page.second.name, page.second.version, page.second.lines],
    ]
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode("ascii"), _FAST)


def unpack(data: bytes) -> Page:
    """Read what :func:`pack` wrote. Raises ``ValueError`` for anything else, also where a single bit differs."""
    try:
        # Its checksum tells damage (RFC 1950).
        content = json.loads(zlib.decompress(data))
        width, height, dpi, orientation, engine, steps, warnings, blocks, unread, second = content
        name, version, languages = engine
        return Page(
            width,
            height,
            dpi,
            orientation,
            tuple(Block(tuple(_unpacked(line) for line in lines), Box(*box)) for box, lines in blocks),
            EngineInfo(name, version, tuple(languages)),
            tuple(steps),
            tuple(warnings),
            unread=unread,
            second=None if second is None else Second(*second),
        )
    except (zlib.error, TypeError) as error:
        raise ValueError("not a packed page") from error


def _line(line: Line) -> list[Any]:
    words = [[word.text, *_corners(word.box), word.confidence] for word in line.words]
    return [_corners(line.box), line.paragraph, words]


def _unpacked(line: list[Any]) -> Line:
    box, paragraph, words = line
    return Line(
        tuple(
            Word(text, Box(left, top, right, bottom), confidence)
            for text, left, top, right, bottom, confidence in words
        ),
        Box(*box),
        paragraph,
    )


def _corners(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]
