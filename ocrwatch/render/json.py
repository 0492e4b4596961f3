"""The format ``json``: all data of a page, for programs."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Final

import msgspec

from ocrwatch.document import Block, Box, Line, Page, Second
from ocrwatch.render.base import Original

JSON_SCHEMA: Final = "ocrwatch.page/1"
"""Name and version of the JSON sidecar; the number grows when a field changes its meaning or is removed."""


class JsonFormat:
    """Text, blocks, lines and words, with boxes in upright pixels and confidences."""

    name: ClassVar[str] = "json"
    ending: ClassVar[str] = "json"

    def render(self, page: Page, original: Original) -> bytes:
        """Render the result of :func:`page_as_dict`.

        A number that is not finite becomes null (RFC 8259).
        """
        return msgspec.json.format(msgspec.json.encode(page_as_dict(page, original)), indent=1) + b"\n"


def page_as_dict(page: Page, original: Original) -> dict[str, Any]:
    """Return the JSON sidecar's content. Timings are left out: they differ each time."""
    return {
        "schema": JSON_SCHEMA,
        "source": {
            # A name that is not UTF-8 shows its invalid bytes as \\xNN.
            "path": os.fsencode(original.path).decode("utf-8", "backslashreplace"),
            "bytes": original.bytes,
            "sha256": original.sha256,
        },
        "width": page.width,
        "height": page.height,
        "dpi": page.dpi,
        "orientation": page.orientation,
        "engine": {
            "name": page.engine.name,
            "version": page.engine.version,
            "languages": list(page.engine.languages),
        },
        **_second(page.second),
        "steps": list(page.steps),
        "warnings": list(page.warnings),
        "confidence": _rounded(page.confidence),
        "unread": _rounded(page.unread),
        "review": bool(original.review_reasons),
        "review_reasons": list(original.review_reasons),
        "text": page.text,
        "blocks": [_block(block) for block in page.blocks],
    }


def _second(second: Second | None) -> dict[str, Any]:
    """Return what a second engine did; nothing if there was none.

    So the JSON of other pages is the same with and without its extra.
    """
    if second is None:
        return {}
    return {"second": {"name": second.name, "version": second.version, "lines": second.lines}}


def _block(block: Block) -> dict[str, Any]:
    return {"box": _box(block.box), "lines": [_line(line) for line in block.lines]}


def _line(line: Line) -> dict[str, Any]:
    return {
        "text": line.text,
        "box": _box(line.box),
        "paragraph": line.paragraph,
        "confidence": _rounded(line.confidence),
        "words": [
            {"text": word.text, "box": _box(word.box), "confidence": _rounded(word.confidence)} for word in line.words
        ],
    }


def _box(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)
