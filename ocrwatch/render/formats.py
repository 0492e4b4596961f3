"""Renders a Page to the bytes of a sidecar. A new format is one function here and its line in ``FORMATS``.

What is rendered depends on nothing but the Page and its source, so that the same scan always gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ocrwatch.document import Block, Box, Line, Page, Second

JSON_SCHEMA: Final = "ocrwatch.page/1"
"""Name and version of the JSON sidecar; the number grows when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class Original:
    """What a sidecar says of the scan it belongs to."""

    path: str
    """Relative to the inbox."""
    bytes: int
    sha256: str
    review_reasons: tuple[str, ...] = ()
    """Why the text should be reviewed; empty if it need not be."""


Format = Callable[[Page, Original], bytes]


MOST_UNREAD: Final = 0.35
"""Share of a page's letter-like marks, 0 to 1, that may be unread before the page is marked for review.

Chosen with ``output.review_below`` on 104 scans that were spoilt in eight ways, and 120 others. Of those with a word F1
below .5, this and a confidence of 75 mark 16 of 16 and 1 of 1; of those above .8, 3 of 64 and 1 of 105. A confidence of
77 marks 4 of 64 and 4 of 105 of the latter.
"""


def review_reasons(page: Page, below: float) -> tuple[str, ...]:
    """Return why the text of a page should be reviewed, as short sentences; empty if it need not be.

    ``below`` is the confidence, 0 to 100, from which on a text is good enough; 0 switches all reasons off. A page that
    the reading proved blank has none.
    """
    if not below or page.is_blank:
        return ()
    reasons = []
    confidence = page.confidence
    if confidence is None:
        reasons.append("no text")
    elif confidence < below:
        # Rounded down: 79.6 is not to be shown as the 80 that it misses.
        reasons.append(f"confidence {int(max(confidence, 0.0))}")
    if page.unread is not None and page.unread > MOST_UNREAD:
        reasons.append(f"{page.unread * 100:.0f} % of the marks unread")
    return tuple(reasons)


def to_text(page: Page, _original: Original) -> bytes:
    """Render the text alone, UTF-8, paragraphs separated by an empty line."""
    return page.text.encode("utf-8")


def to_json(page: Page, original: Original) -> bytes:
    """Render everything: text, blocks, lines and words with boxes in upright pixels and confidences, UTF-8."""
    return (json.dumps(page_as_dict(page, original), ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def page_as_dict(page: Page, original: Original) -> dict[str, Any]:
    """Return the JSON sidecar's content. Timings are left out: they differ each time."""
    return {
        "schema": JSON_SCHEMA,
        "source": {
            # A name that is not UTF-8 shows its odd bytes as \\xNN.
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
    """Return what a second engine did; nothing if there was none, so that its extra changes nothing elsewhere."""
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


FORMATS: Final[dict[str, Format]] = {"json": to_json, "txt": to_text}
"""Ending of the sidecar to its renderer, in the order of publishing: ``.txt`` is last, as the commit mark."""


def render(page: Page, original: Original, formats: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """Return ``(ending, bytes)`` for each wanted format, in the order of publishing."""
    return tuple((ending, FORMATS[ending](page, original)) for ending in FORMATS if ending in formats)
