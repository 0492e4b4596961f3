"""Markdown of several pages, with a thematic break between them, which viewers show as a rule.

No page has one of its own, since a line of its text that would be one is escaped. So a program can split the pages at
the lines that are ``---``.
"""

from __future__ import annotations

from typing import BinaryIO, ClassVar, Final

from ocrwatch.render.joining.base import DamagedPart, Document, as_unicode, read_part
from ocrwatch.render.markdown import MarkdownFormat, escaped

# Without the empty line before it, the line above would be a heading, and at the beginning of a file it would be the
# metadata of many site generators.
_BREAK: Final = b"\n---\n\n"


class JoinedMarkdown:
    """There is one break less than pages. A missing page is a paragraph that says so."""

    name: ClassVar[str] = MarkdownFormat.name
    ending: ClassVar[str] = MarkdownFormat.ending

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the text."""
        for number, page in document.numbered():
            if number > 1:
                file.write(_BREAK)
            if page.missing is not None:
                file.write(f"{escaped(as_unicode(document.missing_line(number)))}\n".encode())
            else:
                file.write(_checked(read_part(page, number, self.name), number))


def _checked(part: bytes, number: int) -> bytes:
    try:
        text = part.decode()
    except UnicodeDecodeError as error:
        raise DamagedPart(number, f"its md is not UTF-8 ({error.reason})") from error
    if text and not text.endswith("\n"):
        raise DamagedPart(number, "its md is not complete")
    return part
