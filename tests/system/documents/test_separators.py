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


def _scanned_sheet() -> bytes:
    """Return the separator sheet as a scanner at 150 dpi saves it, upside down."""
    image = pypdfium2.PdfDocument(separator_sheet())[0].render(scale=150 / 72, grayscale=True).to_pil()
    file = io.BytesIO()
    image.rotate(180).save(file, "JPEG", quality=60, dpi=(150, 150))
    return file.getvalue()


def test_separator_sheets_divide_a_pile(tmp_path: Path, engine: dict[str, str]) -> None:
    """Each document has the pages between two sheets; the sheets are in none, and are archived."""
    sheets = stack("pile", [1, 2, 0, 3, 0, 4], digits=2)
    dividers = {sheet.path for sheet in sheets if not sheet.number}
    with DaemonProcess(tmp_path, config=settings(by="separator"), environment=engine) as daemon:
        daemon.wait_ready()
        for path in sorted(dividers):
            put(daemon.inbox, path, _scanned_sheet())
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
