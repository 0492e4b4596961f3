"""Printed sheets divide a pile into documents."""

from __future__ import annotations

import io
from pathlib import Path

import pypdfium2
import pytest

from ocrwatch.commands.separator_sheet import separator_sheet
from tests.daemon_process import DaemonProcess
from tests.document_accounts import documents_in
from tests.feeder import settings, stack
from tests.system.documents.feeding import feed, stop, texts
from tests.system.dropping import files, put

pytest.importorskip("zxingcpp")


INVOICES = """
[[profiles]]
match = "invoices/**"
name = "invoices"
[profiles.output]
formats = ["txt", "json"]
"""


def _scanned_sheet(profile: str = "") -> bytes:
    """Return the separator sheet as a scanner at 150 dpi saves it, upside down."""
    image = pypdfium2.PdfDocument(separator_sheet(profile))[0].render(scale=150 / 72, grayscale=True).to_pil()
    file = io.BytesIO()
    image.rotate(180).save(file, "JPEG", quality=60, dpi=(150, 150))
    return file.getvalue()


def test_separator_sheets_divide_a_pile(tmp_path: Path, engine: dict[str, str]) -> None:
    """Each document has the pages between two sheets; the sheets are in none, and are archived.

    One names a profile, whose options the document behind it has.
    """
    sheets = stack("pile", [1, 2, 0, 3, 0, 4], digits=2)
    dividers = {sheet.path for sheet in sheets if not sheet.number}
    with DaemonProcess(tmp_path, config=settings(by="separator", more=INVOICES), environment=engine) as daemon:
        daemon.wait_ready()
        for path in sorted(dividers):
            put(daemon.inbox, path, _scanned_sheet("invoices" if path == max(dividers) else ""))
        feed(daemon.inbox, [sheet for sheet in sheets if sheet.number])
        daemon.wait_for("document.delivered", count=3)
        stop(daemon)
        documents = documents_in(daemon.outbox)
    assert {stem: document.txt for stem, document in documents.items()} == {
        "pile_01-document": texts(1, 2),
        "pile_04-document": texts(3),
        "pile_06-document": texts(4),
    }
    assert documents["pile_01-document"].content["dropped"][0]["why"] == "separator"
    assert dividers <= set(files(tmp_path / "archive"))
    profiles = {event["document"]: event["profile"] for event in daemon.events("document.delivered")}
    assert profiles == {"pile_01-document": "**", "pile_04-document": "**", "pile_06-document": "invoices"}
    assert {stem: document.content["profile"] for stem, document in documents.items()} == profiles
    assert {stem for stem in documents if (tmp_path / "outbox" / f"{stem}.pdf").exists()} == {
        "pile_01-document",
        "pile_04-document",
    }
