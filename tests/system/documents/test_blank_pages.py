"""Backs without print stay in a document, are left out of it, or divide it, as the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.document_accounts import documents_in
from tests.feeder import Sheet, settings, stack
from tests.system.documents.feeding import FINE, check_accounts, feed, joined, stop, texts


def _sheets(*numbers: int) -> list[Sheet]:
    """Return sheets of which those without marks are blank."""
    return [Sheet(sheet.path, sheet.number, "printed" if sheet.number else "blank") for sheet in stack("scan", numbers)]


@pytest.mark.extended
def test_blank_pages_stay_in_the_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """By default a blank page is a page without text."""
    sheets = _sheets(1, 0, 2, 0)
    with DaemonProcess(tmp_path, config=settings(), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        document = joined(daemon, "scan")
        assert document.texts == document.txt == document.pdf == texts(1, 0, 2, 0)
        assert not document.content["dropped"]
        assert not document.content["review"]
        stop(daemon)
    check_accounts(tmp_path, sheets)


def test_blank_pages_are_left_out(tmp_path: Path, engine: dict[str, str]) -> None:
    """With "drop" the document has no blank pages, but names them; each has sidecars and an original of its own."""
    sheets = _sheets(0, 1, 0, 2, 3, 0)
    blank = [sheet.path for sheet in sheets if sheet.kind == "blank"]
    with DaemonProcess(tmp_path, config=settings(blank="drop"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        document = joined(daemon, "scan")
        assert document.texts == document.txt == document.pdf == texts(1, 2, 3)
        assert [each["path"] if isinstance(each, dict) else each for each in document.content["dropped"]] == blank
        assert document.content["page_count"] == 3
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 1
    check_accounts(tmp_path, sheets, left_out=blank)


def test_blank_pages_divide_documents(tmp_path: Path, engine: dict[str, str]) -> None:
    """With "split" one blank page ends a document, or several in a row do; at both ends they divide nothing."""
    sheets = _sheets(0, 1, 2, 0, 0, 3, 0, 4, 5, 0)
    blank = {sheet.path for sheet in sheets if sheet.kind == "blank"}
    with DaemonProcess(tmp_path, config=settings(blank="split"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        daemon.wait_for("document.delivered", count=3)
        stop(daemon)
        documents = documents_in(daemon.outbox)
        assert {stem: document.txt for stem, document in documents.items()} == {
            "scan": texts(1, 2),
            "scan-2": texts(3),
            "scan-3": texts(4, 5),
        }
    check_accounts(tmp_path, sheets, left_out=blank)


@pytest.mark.extended
@pytest.mark.parametrize("blank", ["drop", "split"])
def test_pages_that_are_all_blank_make_no_document(tmp_path: Path, engine: dict[str, str], blank: str) -> None:
    """They are delivered as any scan is, and nothing waits for ever."""
    sheets = _sheets(0, 0)
    feed(tmp_path / "inbox", sheets)
    answer = run_ocrwatch(tmp_path, "once", config=settings(blank=blank), environment=engine)
    assert answer.returncode == FINE, answer.stderr
    assert not documents_in(tmp_path / "outbox")
    check_accounts(tmp_path, sheets, left_out={sheet.path for sheet in sheets})
