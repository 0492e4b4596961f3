"""Writes the PDF of a document: pages of other files, and notices of missing ones. pikepdf reads them."""

from __future__ import annotations

import io
from typing import BinaryIO

import pikepdf
from pikepdf import Dictionary, Pdf

from ocrwatch import __version__
from ocrwatch.render.joining.base import DamagedPart, Document, as_unicode, read_part
from ocrwatch.render.joining.kept_pages import KeptPages
from ocrwatch.render.joining.missing_page import A4, add_missing_page
from ocrwatch.render.joining.pdf_writer import PdfWriter
from ocrwatch.render.pdf import PdfFormat


def write_pdf(document: Document, file: BinaryIO) -> None:
    """Write the document. Raises like :meth:`ocrwatch.render.joining.base.JoinedFormat.join`."""
    writer = PdfWriter(file)
    size = A4
    copy = "" if document.source is None else document.source.copy
    with KeptPages.of(copy, len(document.pages), writer) as kept:
        for number, page in document.numbered():
            if page.missing is None:
                size = _add(writer, kept, read_part(page, number, PdfFormat.name), number)
            else:
                with Pdf.new() as pdf:
                    writer.add_page(add_missing_page(pdf, document, number, size).obj)
    writer.finish(Dictionary(Title=as_unicode(document.name), Producer=f"ocrwatch {__version__}"))


def _add(writer: PdfWriter, kept: KeptPages, content: bytes, number: int) -> tuple[float, float]:
    """Add the page of a sidecar, and return its size in points."""
    try:
        # Without recovery: what was lost must not be missing in silence.
        with pikepdf.open(io.BytesIO(content), attempt_recovery=False, suppress_warnings=True) as pdf:
            (page,) = pdf.pages
            left, bottom, right, top = map(float, page.mediabox)
            if not kept.add(number, page.obj):
                writer.add_page(page.obj)
            is_damaged = bool(pdf.get_warnings())
    except (pikepdf.PdfError, RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise DamagedPart(number, f"its pdf cannot be read ({error})") from error
    if is_damaged:
        raise DamagedPart(number, "its pdf is damaged")
    return right - left, top - bottom
