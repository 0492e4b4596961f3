"""Files that are attached to a PDF are not read, and that is said, unless they hold what its pages show."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from pikepdf import Array, AttachedFileSpec, Dictionary, Name, Pdf

from tests.pdf_files import Sheet, made, text
from tests.unit.splitting.splitting import opened

TWO_PAGES = made([Sheet(text([(72, 700, "Invoice 2041")])), Sheet(text([(72, 700, "Terms")]))])


def attached(files: Mapping[str, Name], **catalog: Any) -> bytes:
    """Return a PDF with attached files, by their relationships to it."""
    with Pdf.open(io.BytesIO(TWO_PAGES)) as pdf:
        for name, relationship in files.items():
            pdf.attachments[name] = AttachedFileSpec(pdf, b"<a/>", filename=name, relationship=relationship)
        for key, value in catalog.items():
            pdf.Root[f"/{key}"] = value
        file = io.BytesIO()
        pdf.save(file)
    return file.getvalue()


PLAIN = Name.Unspecified


@pytest.mark.parametrize(
    ("files", "note"),
    [
        ({"offer.pdf": PLAIN}, "1 attached file is not read: offer.pdf"),
        ({"a.pdf": PLAIN, "b.docx": Name.Supplement}, "2 attached files are not read: a.pdf, b.docx"),
        ({f"{n}.pdf": PLAIN for n in range(5)}, "5 attached files are not read: 0.pdf, 1.pdf, 2.pdf, 2 more"),
        ({"factur-x.xml": Name.Alternative, "terms.pdf": PLAIN}, "1 attached file is not read: terms.pdf"),
        ({"a\n\u202e" + "b" * 90: PLAIN}, "1 attached file is not read: a\\n\\u202e" + "b" * 30 + "…"),
    ],
)
def test_the_first_page_says_which_files_are_not_read(files: Mapping[str, Name], note: str) -> None:
    """Also that of a portfolio; names are cut short, and what cannot be printed is escaped."""
    with opened(attached(files, Collection=Dictionary(View=Name.D))) as split:
        assert split.page(1)[0].notes == (note,)
        assert split.page(2)[0].notes == ()


@pytest.mark.parametrize(
    "files",
    [
        {"factur-x.xml": Name.Data},
        {"ZUGFeRD-invoice.XML": PLAIN},
        {"original.odt": Name.Source},
        {"table.csv": Name.Data},
        {},
    ],
)
def test_data_of_the_pages_are_no_text_that_is_missing(files: Mapping[str, Name]) -> None:
    """Such as those of an electronic invoice."""
    with opened(attached(files)) as split:
        assert split.page()[0].notes == ()


def test_a_file_at_a_place_of_a_page_is_named_there() -> None:
    """Its sign on the page has no text."""
    with Pdf.open(io.BytesIO(TWO_PAGES)) as pdf:
        receipt = AttachedFileSpec(pdf, b"%PDF-1.7", filename="receipt.pdf")
        pin = Dictionary(Type=Name.Annot, Subtype=Name.FileAttachment, Rect=Array([9, 9, 29, 29]), FS=receipt.obj)
        pdf.pages[1].Annots = Array([pdf.make_indirect(pin)])
        file = io.BytesIO()
        pdf.save(file)
    with opened(file.getvalue()) as split:
        assert split.page(1)[0].notes == ()
        assert split.page(2)[0].notes == ("1 attached file is not read: receipt.pdf",)
