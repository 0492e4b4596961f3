"""A form that only Adobe's programs show is refused, and not taken for its page that asks to wait."""

from __future__ import annotations

import io

import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

from ocrwatch.cache.codec import unpack
from ocrwatch.errors import Unsupported
from ocrwatch.splitting.pdf_document import PdfDocument
from ocrwatch.splitting.pdf_xfa import PAGES_NOTE
from tests.pdf_files import Sheet, made, text
from tests.unit.splitting.splitting import opened

WAIT = Sheet(text([(72, 700, "Please wait...")]))
REQUIRED = b"<config><acrobat><acrobat7><dynamicRender>required</dynamicRender></acrobat7></acrobat></config>"
STATIC = REQUIRED.replace(b"required", b"forbidden")


def form(
    config: bytes = STATIC, pages: int = 1, *, needs_rendering: bool, fields: bool, one_stream: bool = False
) -> bytes:
    """Return a PDF with an XFA form."""
    with Pdf.open(io.BytesIO(made([WAIT] * pages))) as pdf:
        packets = Array([String("template"), Stream(pdf, b"<template/>"), String("config"), Stream(pdf, config)])
        packets = Array([each if index % 2 == 0 else pdf.make_indirect(each) for index, each in enumerate(packets)])
        whole = pdf.make_indirect(Stream(pdf, b"<xdp:xdp><template/>" + config + b"</xdp:xdp>"))
        pdf.Root.AcroForm = Dictionary(Fields=Array([]), XFA=whole if one_stream else packets)
        if needs_rendering:
            pdf.Root.NeedsRendering = True
        if fields:
            widget = Dictionary(
                Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T=String("name"), Rect=Array([100, 400, 300, 430])
            )
            pdf.pages[0].obj.Annots = Array([pdf.make_indirect(widget)])
            pdf.Root.AcroForm.Fields = pdf.pages[0].obj.Annots
        file = io.BytesIO()
        pdf.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        form(needs_rendering=True, fields=False),
        form(REQUIRED, needs_rendering=False, fields=False),
        form(REQUIRED, needs_rendering=False, fields=False, one_stream=True),
    ],
    ids=["needs rendering", "by its configuration", "in one stream"],
)
def test_a_form_without_pages_is_refused(data: bytes) -> None:
    """The remedy is to print it with a program that shows it."""
    with pytest.raises(Unsupported, match="only Adobe's programs show") as refused, opened(data):
        pass
    assert "print it" in refused.value.remedy


def test_a_refused_file_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """``ocrwatch.read`` opens it in the caller's process, which may refuse many."""
    closed: list[PdfDocument] = []
    close = PdfDocument.close

    def counted(document: PdfDocument) -> None:
        closed.append(document)
        close(document)

    monkeypatch.setattr(PdfDocument, "close", counted)
    with pytest.raises(Unsupported), opened(form(REQUIRED, needs_rendering=True, fields=False)):
        pass
    assert [document.handle for document in closed] == [None]


def test_a_static_form_is_read_like_any_pdf() -> None:
    """Its pages show all of it."""
    with opened(form(needs_rendering=False, fields=False)) as split:
        said, _ = split.page()
    assert said.notes == ()
    assert unpack(said.packed).text == "Please wait...\n"
    with opened(form(needs_rendering=False, fields=True)) as split:
        assert split.page()[0].notes == ()


@pytest.mark.parametrize("data", [
    form(needs_rendering=True, fields=True), form(REQUIRED, 2, needs_rendering=False, fields=False),
], ids=["fields", "two pages"])  # fmt: skip
def test_a_dynamic_form_with_pages_is_read_and_marked(data: bytes) -> None:
    """What it would show in Adobe's programs is not known."""
    with opened(data) as split:
        assert split.page()[0].notes == (PAGES_NOTE,)
