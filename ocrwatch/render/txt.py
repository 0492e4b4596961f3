"""The format ``txt``: the text alone, for people and for search."""

from __future__ import annotations

from typing import ClassVar

from ocrwatch.document import Page
from ocrwatch.render.base import Original


class TxtFormat:
    """The text in UTF-8, with an empty line between paragraphs."""

    name: ClassVar[str] = "txt"
    ending: ClassVar[str] = "txt"

    def render(self, page: Page, original: Original) -> bytes:  # noqa: ARG002 - the protocol's
        """Render the text; a page without text gives no bytes."""
        return page.text.encode("utf-8")
