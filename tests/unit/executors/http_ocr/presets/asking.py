"""Requests to presets and answers of theirs, for tests."""

from __future__ import annotations

import json
from typing import Any, Final

from ocrwatch.document import Block, Box, Line, Word
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, Preset, open_preset
from ocrwatch.recipe import RemoteService

CONTENT: Final = b"\xff\xd8" + b" the bytes of a scan " * 40 + b"\xff\xd9"
IMAGE: Final = Image(CONTENT, "image/jpeg", 1000, 1400)
SENT: Final = Image(b"", "image/jpeg", 1000, 1400)
"""What is known of it when the answer is there."""


def service(preset: str, url: str = "https://ocr.example.org", **options: str) -> RemoteService:
    """Return a service named ``cloud``; for options with dots in their names see :func:`with_options`."""
    return with_options(preset, options, url)


def with_options(preset: str, options: dict[str, str], url: str = "https://ocr.example.org") -> RemoteService:
    """Return a service named ``cloud`` with these options."""
    return RemoteService("cloud", preset, url, options=tuple(sorted(options.items())))


def preset_of(of: RemoteService) -> Preset:
    """Return the preset of a service, whose options it has checked."""
    preset = open_preset(of.preset)
    preset.check(of)
    return preset


def answer_of(body: Any, of: RemoteService, image: Image = SENT) -> Answer:
    """Return what a preset makes of a body, which is given as bytes, or as what becomes JSON."""
    return preset_of(of).answer(body if isinstance(body, bytes) else json.dumps(body).encode(), image, of)


def lines_of(answer: Answer) -> list[str]:
    """Return the texts of the lines."""
    return [line.text for line in _lines(answer.blocks)]


def line_of(answer: Answer, at: int = 0) -> Line:
    """Return a line by its number, from 0."""
    return _lines(answer.blocks)[at]


def words_of(answer: Answer) -> list[tuple[str, Box, float | None]]:
    """Return text, box and rounded confidence of each word."""
    return [_facts(word) for line in _lines(answer.blocks) for word in line.words]


def _facts(word: Word) -> tuple[str, Box, float | None]:
    return word.text, word.box, None if word.confidence is None else round(word.confidence, 1)


def _lines(blocks: tuple[Block, ...]) -> list[Line]:
    return [line for block in blocks for line in block.lines]
