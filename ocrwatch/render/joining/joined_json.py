"""The JSON of pages in one object, written page by page."""

from __future__ import annotations

from typing import Any, BinaryIO, ClassVar, Final

import msgspec

from ocrwatch.render.joining.base import (
    PAGES_OF_JSON,
    DamagedPart,
    Document,
    DocumentPage,
    SourceFile,
    as_unicode,
    read_part,
)
from ocrwatch.render.json import JSON_SCHEMA, JsonFormat

DOCUMENT_SCHEMA: Final = "ocrwatch.document/1"
"""Name and version; the number grows when a field changes its meaning or is removed."""

_END: Final = b"\n}"
_INDENT: Final = 1


class JoinedJson:
    """What is known of the document, and the object of each page as its own sidecar has it."""

    name: ClassVar[str] = JsonFormat.name
    ending: ClassVar[str] = JsonFormat.ending

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the object."""
        file.write(_formatted(_head(document)).removesuffix(_END))
        file.write(PAGES_OF_JSON)
        for number, page in document.numbered():
            file.write(b",\n  " if number > 1 else b"\n  ")
            self._write_page(page, number, file)
        file.write(b"\n ]" + _END + b"\n")

    def _write_page(self, page: DocumentPage, number: int, file: BinaryIO) -> None:
        missing = None
        if page.missing is not None:
            missing = {"code": as_unicode(page.missing.code), "reason": as_unicode(page.missing.reason)}
        about = {"number": number, "path": as_unicode(page.path), "sha256": page.sha256, "missing": missing}
        content = b"null" if page.missing is not None else _checked(read_part(page, number, self.name), number)
        # Strings have no line ends in JSON: each one is of the layout.
        head = _formatted(about).removesuffix(_END).replace(b"\n", b"\n  ")
        file.write(head + b',\n   "page": ' + content.replace(b"\n", b"\n   ") + b"\n  }")


def _head(document: Document) -> dict[str, Any]:
    return {
        "schema": DOCUMENT_SCHEMA,
        **_source(document.source),
        "name": as_unicode(document.name),
        "folder": as_unicode(document.folder),
        **({"replaces": as_unicode(document.replaces)} if document.replaces else {}),
        "profile": as_unicode(document.profile) or None,
        "grouped_by": document.grouped_by,
        "page_count": len(document.pages),
        "review": bool(document.review_reasons),
        "review_reasons": [as_unicode(reason) for reason in document.review_reasons],
        "dropped": [
            {"path": as_unicode(each.path), "sha256": each.sha256, "why": each.why} for each in document.dropped
        ],
    }


def _source(source: SourceFile | None) -> dict[str, Any]:
    """Return the file that has the pages, as the JSON of a page has its scan."""
    if source is None:
        return {}
    return {"source": {"path": as_unicode(source.path), "bytes": source.size, "sha256": source.sha256}}


def _formatted(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=_INDENT)


def _checked(part: bytes, number: int) -> bytes:
    """Return the object of a page as it is laid out in its sidecar."""
    try:
        decoded = msgspec.json.decode(part)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedPart(number, f"its json cannot be read ({error})") from error
    if not isinstance(decoded, dict) or decoded.get("schema") != JSON_SCHEMA:
        raise DamagedPart(number, f"its json has another schema than {JSON_SCHEMA}")
    return msgspec.json.format(part, indent=_INDENT)
