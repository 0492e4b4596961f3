"""Finds files that are attached to a PDF: their text is not that of its pages, and is not read.

A portfolio has nothing but a cover sheet and attached files. An electronic invoice has its data as XML for programs,
and some writers attach the source of the pages: those are no text that is missing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final

import pypdfium2.raw as pdfium

from ocrwatch.log import printable
from ocrwatch.splitting.pdf_document import PdfPage

_MOST_LOOKED_AT: Final = 200
"""Attached files that are looked at; pdfium searches its list for each."""
_MOST_ANNOTATIONS: Final = 10_000
_ATTACHED: Final = pdfium.FPDF_ANNOT_FILEATTACHMENT

_MOST_NAMED: Final = 3
_LONGEST_NAME: Final = 40
"""Characters of a name that are shown."""
_MOST_BYTES: Final = 4096
"""Of a name that pdfium returns; a longer one is taken for none."""

_OF_THE_PAGES: Final = frozenset({"Source", "Data", "Alternative"})
"""Relationships of files that hold what the pages show (ISO 32000-2, 7.11.3)."""

_BYTES_A_UNIT: Final = 2
"""Of UTF-16."""


def document_note(document: Any) -> str:
    """Return a note that files are attached to a document and are not read; an empty text if there are none."""
    count = int(pdfium.FPDFDoc_GetAttachmentCount(document))
    looked_at = min(count, _MOST_LOOKED_AT)
    return _note([pdfium.FPDFDoc_GetAttachment(document, index) for index in range(looked_at)], count - looked_at)


def page_note(page: PdfPage) -> str:
    """Return a note that files are attached to a place on a page, and are not read; an empty text without."""
    count = pdfium.FPDFPage_GetAnnotCount(page.handle)
    looked_at = min(count, _MOST_ANNOTATIONS)
    opened = [pdfium.FPDFPage_GetAnnot(page.handle, index) for index in range(looked_at)]
    try:
        found = [each for each in opened if each and pdfium.FPDFAnnot_GetSubtype(each) == _ATTACHED]
        return _note([pdfium.FPDFAnnot_GetFileAttachment(each) for each in found], 0)
    finally:
        for each in filter(None, opened):
            pdfium.FPDFPage_CloseAnnot(each)


def _note(attachments: Sequence[Any], others: int) -> str:
    """Return the note on these attached files, and on so many others that were not looked at."""
    names = []
    for attachment in attachments:
        name = _text(pdfium.FPDFAttachment_GetName, attachment) if attachment else ""
        if not (name.lower().endswith(".xml") or (attachment and _relationship(attachment) in _OF_THE_PAGES)):
            names.append(name)
    count = len(names) + others
    if not count:
        return ""
    shown = [_shortened(printable(name)) for name in names if name.strip()][:_MOST_NAMED]
    if shown and len(shown) < count:
        shown.append(f"{count - len(shown)} more")
    named = f": {', '.join(shown)}" if shown else ""
    return f"{count} attached {'file is' if count == 1 else 'files are'} not read{named}"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _relationship(attachment: Any) -> str:
    # pdfium has it since 2025; without it, a source of the pages counts as a file that is not read.
    get = getattr(pdfium, "FPDFAttachment_GetAFRelationship", None)
    return "" if get is None else _text(get, attachment)


def _text(get: Any, attachment: Any) -> str:
    """Return what pdfium says of an attached file; it counts bytes, with two zeros at the end."""
    size = int(get(attachment, None, 0))
    if not _BYTES_A_UNIT <= size <= _MOST_BYTES:
        return ""
    units = (ctypes.c_ushort * (size // _BYTES_A_UNIT))()
    get(attachment, units, size)
    return bytes(units)[: size - _BYTES_A_UNIT].decode("utf-16-le", "replace")
