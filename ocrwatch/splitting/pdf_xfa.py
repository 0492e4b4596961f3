"""Tells forms that only Adobe's programs show (XFA): the page of such a PDF just asks to wait, or for another program.

A static form has pages as well, with the fields that are filled in; they are read like those of any other PDF.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any, Final

import pypdfium2.raw as pdfium

from ocrwatch.errors import Unsupported
from ocrwatch.splitting.pdf_document import PdfDocument

_DYNAMIC: Final = re.compile(rb"<dynamicRender>\s*required\s*<")
"""In the configuration of a form that is laid out anew each time (XFA 3.3, config); older ones have no other sign."""

_MOST_PACKETS: Final = 100
_LARGEST_PACKET: Final = 1 << 20
"""Bytes in which that is looked for; a configuration has a few thousand."""

_PRINT: Final = "open it in Adobe Acrobat Reader and print it to a new PDF"

PAGES_NOTE: Final = "the PDF is a form that only Adobe's programs show: the page may lack what is filled in"


def form_note(document: PdfDocument) -> str:
    """Return a note if the pages of a form may not show all of it; an empty text for any other document.

    Raises Unsupported if its only page stands for a form that is not there, Damaged or OSError.
    """
    if not _is_dynamic(document.handle):
        return ""
    if document.count == 1:
        with document.page(1) as page:
            if pdfium.FPDF_ANNOT_WIDGET not in page.annotations:
                raise Unsupported("the PDF is a form that only Adobe's programs show (XFA)", _PRINT)
    return PAGES_NOTE


def _is_dynamic(document: Any) -> bool:
    kind = pdfium.FPDF_GetFormType(document)
    if kind != pdfium.FORMTYPE_XFA_FOREGROUND:
        # pdfium takes this kind for one that must be laid out (NeedsRendering in the catalog).
        return bool(kind == pdfium.FORMTYPE_XFA_FULL)
    packets = min(pdfium.FPDF_GetXFAPacketCount(document), _MOST_PACKETS)
    return any(_DYNAMIC.search(_packet(document, index)) for index in range(packets))


def _packet(document: Any, index: int) -> bytes:
    size = ctypes.c_ulong()
    if not pdfium.FPDF_GetXFAPacketContent(document, index, None, 0, size) or size.value > _LARGEST_PACKET:
        return b""
    content = ctypes.create_string_buffer(size.value)
    pdfium.FPDF_GetXFAPacketContent(document, index, content, size.value, size)
    return content.raw
