"""What the tests of presets share: an image, services, and what is asserted of each answer."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from ocrwatch.document import UNPLACED, Block, Box, Line, Word
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, open_preset
from ocrwatch.recipe import RemoteService

SENT = Image(b"\xff\xd8 bytes of an image", "image/jpeg", 1000, 800)
RECEIVED = Image(b"", "image/jpeg", 1000, 800)
"""The same image, as it is known to who parses the answer."""


def service(preset: str, url: str = "http://localhost:8080", **options: str) -> RemoteService:
    """Return a service with these options."""
    return RemoteService("office", preset, url, options=tuple(sorted(options.items())))


def answer_of(preset: str, content: Any, image: Image = RECEIVED, **options: str) -> Answer:
    """Parse an answer, which is bytes or is encoded as JSON, and assert what holds for each."""
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    answer = open_preset(preset).answer(body, image, service(preset, **options))
    assert_possible(answer, image)
    return answer


def lines_of(answer: Answer) -> list[Line]:
    """Return all lines in order."""
    return [line for block in answer.blocks for line in block.lines]


def texts_of(answer: Answer) -> list[str]:
    """Return the text of all lines in order."""
    return [line.text for line in lines_of(answer)]


def words_of(answer: Answer) -> list[Word]:
    """Return all words in order."""
    return [word for line in lines_of(answer) for word in line.words]


def assert_possible(answer: Answer, image: Image) -> None:
    """Each block has lines and each line words with text, and all places lie on the image."""
    for block in answer.blocks:
        assert block.lines
        assert_on(block, image)
        for line in block.lines:
            assert line.words
            assert_on(line, image)
            if line.baseline is not None:
                ends = (line.baseline.x0, line.baseline.y0, line.baseline.x1, line.baseline.y1)
                assert all(map(math.isfinite, ends))
            for word in line.words:
                assert word.text == word.text.strip() != ""
                assert_on(word, image)
                assert word.confidence is None or 0 <= word.confidence <= 100
                assert math.isfinite(word.width)
                assert math.isfinite(word.height)


def assert_on(part: Block | Line | Word, image: Image) -> None:
    """Assert that a box has at least one pixel of the image, or is unplaced."""
    box = part.box
    assert box == UNPLACED or is_within(box, image), box


def is_within(box: Box, image: Image) -> bool:
    """Return whether a box has at least one pixel, and all of them are the image's."""
    return 0 <= box.left < box.right <= image.width and 0 <= box.top < box.bottom <= image.height
