"""Documents for the tests of joining: the sidecars of their pages are rendered as the daemon has them rendered."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image

from ocrwatch.document import Page
from ocrwatch.render.base import Original
from ocrwatch.render.joining.base import Document, DocumentPage, Dropped, Missing
from ocrwatch.render.joining.registry import JOINED
from ocrwatch.render.registry import render
from tests.rendering import encode
from tests.unit.render.made_pages import page, paragraphs

FORMATS: Final = tuple(JOINED)
SIZE: Final = (400, 600)
REASON: Final = "the image data end too early"


def text_page(*texts: str) -> Page:
    """Make a page of paragraphs that is as large as its scan: 288 to 432 points."""
    return replace(page(paragraphs(*texts)), width=SIZE[0], height=SIZE[1], dpi=100.0)


def scan_of(shade: int = 255, size: tuple[int, int] = SIZE) -> bytes:
    """Make a JPEG."""
    return encode(Image.new("L", size, shade), dpi=100)


def written(folder: Path, pages: Sequence[Page | None], path: str = "sub/scan_{}.jpg") -> tuple[DocumentPage, ...]:
    """Write the sidecars of pages, and return them; those that are None are missing."""
    return tuple(
        DocumentPage(path.format(number), None, {}, Missing("truncated", REASON))
        if each is None
        else one_page(folder, each, path.format(number))
        for number, each in enumerate(pages, 1)
    )


def one_page(folder: Path, given: Page, path: str, content: bytes | None = None) -> DocumentPage:
    """Write the sidecars of one page."""
    content = scan_of() if content is None else content
    digest = hashlib.sha256(content).hexdigest()
    sidecars = {}
    original = Original(path, len(content), digest, content=content)
    endings = {JOINED[name].ending: name for name in FORMATS}
    for ending, data in render(given, original, FORMATS):
        target = folder / f"{len(list(folder.iterdir()))}.{ending}"
        target.write_bytes(data)
        sidecars[endings[ending]] = str(target)
    return DocumentPage(path, digest, sidecars)


def document(
    pages: Iterable[DocumentPage], name: str = "scan", reasons: tuple[str, ...] = (), dropped: tuple[Dropped, ...] = ()
) -> Document:
    """Make a document."""
    return Document(name, "sub", "name", reasons, tuple(pages), dropped)


def joined(given: Document, name: str) -> bytes:
    """Join one format."""
    file = io.BytesIO()
    JOINED[name].join(given, file)
    return file.getvalue()
