"""A PDF, or a TIFF of several pages, comes into the inbox."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pypdf
from openpyxl.reader.excel import load_workbook

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.feeder import settings, text_of
from tests.rendering import encode
from tests.several_pages import pdf_of, tiff_of
from tests.system.documents.feeding import FINE, LONG, QUARANTINED, stop
from tests.system.dropping import files, put
from tests.table_images import draw_table, simple
from tests.waiting import until

_LETTER = "Dear Ms Miller, your invoice 4711 is paid"


def _document(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "outbox" / name).read_text())
    return found


def test_pages_of_a_file_become_one_text(tmp_path: Path, engine: dict[str, str]) -> None:
    """Scanned pages are read, text is taken as it is; a folder with documents of its own changes nothing of that."""
    pdf, tiff = pdf_of([3, _LETTER, 5]), tiff_of([7, 8, 9])
    put(tmp_path / "inbox", "post/letter.pdf", pdf)
    put(tmp_path / "inbox", "fax.tif", tiff)
    config = settings(quiet=LONG, more="[tables]\nenabled = true\n[codes]\nenabled = true")
    answer = run_ocrwatch(tmp_path, "once", config=config, environment=engine)
    assert answer.returncode == FINE, answer.stderr
    outbox = tmp_path / "outbox"
    assert files(outbox) == {f"{stem}.{ending}" for stem in ("fax", "post/letter") for ending in ("json", "pdf", "txt")}
    assert [page.strip() for page in (outbox / "fax.txt").read_text().split("\f")] == [text_of(n) for n in (7, 8, 9)]
    letter = [page.strip() for page in (outbox / "post/letter.txt").read_text().split("\f")]
    assert letter == [text_of(3), _LETTER, text_of(5)]
    pages = [page["page"] for page in _document(tmp_path, "post/letter.json")["pages"]]
    assert [page["engine"]["name"] for page in pages] == ["counts-marks", "pdfium", "counts-marks"]
    # They are looked for whether text was read or not.
    assert [(page["tables"], page["codes"]) for page in pages] == [([], [])] * 3
    searchable = pypdf.PdfReader(io.BytesIO((outbox / "post/letter.pdf").read_bytes()))
    assert [" ".join(page.extract_text().split()) for page in searchable.pages] == letter
    # The letter is the page itself.
    assert [len(page.images) for page in searchable.pages] == [1, 0, 1]
    assert (tmp_path / "archive/post/letter.pdf").read_bytes() == pdf
    assert (tmp_path / "archive/fax.tif").read_bytes() == tiff
    assert not files(tmp_path / "state/pages")


def test_tables_of_files_and_documents(tmp_path: Path) -> None:
    """All pages' tables are in one CSV and in one workbook, whether a file has the pages or a feeder saved each."""
    rows = [[["Item", "Price"], [item, "4.50"], ["Window", "7.10"]] for item in ("Lantern", "Teapot")]
    bills = [draw_table(simple(table)).image for table in rows]
    file = io.BytesIO()
    bills[0].save(file, "TIFF", save_all=True, append_images=bills[1:], dpi=(300, 300))
    put(tmp_path / "inbox", "bills.tif", file.getvalue())
    for number, bill in enumerate(bills, 1):
        put(tmp_path / "inbox", f"feeder/bill_{number}.jpg", encode(bill))
    config = settings("csv", "xlsx", quiet=LONG, engine="auto", more="[tables]\nenabled = true")
    answer = run_ocrwatch(tmp_path, "once", config=config)
    assert answer.returncode == FINE, answer.stderr
    outbox = tmp_path / "outbox"
    pages = {f"feeder/bill_{number}.tables.{ending}" for number in (1, 2) for ending in ("csv", "xlsx")}
    assert files(outbox) - pages == {
        f"{stem}.tables.{ending}" for stem in ("bills", "feeder/bill") for ending in ("csv", "xlsx")
    }
    for stem in ("bills", "feeder/bill"):
        found = list(csv.reader((outbox / f"{stem}.tables.csv").read_text("utf-8-sig").splitlines()))
        assert found == [*rows[0], [], *rows[1]]
        book = load_workbook(outbox / f"{stem}.tables.xlsx")
        assert book.sheetnames == ["p1 table 1", "p2 table 1"]
        assert [sheet["A2"].value for sheet in book] == ["Lantern", "Teapot"]


def test_a_file_that_cannot_be_split_is_quarantined(tmp_path: Path, engine: dict[str, str]) -> None:
    """The reason says what to do; what can be read is not held up."""
    put(tmp_path / "inbox", "secret.pdf", pdf_of([3], password="s3cret"))  # noqa: S106 - of the test
    put(tmp_path / "inbox", "fine.tif", tiff_of([1, 2]))
    answer = run_ocrwatch(tmp_path, "once", config=settings(quiet=LONG), environment=engine)
    assert answer.returncode == QUARANTINED, answer.stderr
    (reason,) = (tmp_path / "quarantine").glob("secret.pdf.*")
    assert "password" in reason.read_text()
    assert (tmp_path / "outbox/fine.txt").read_text().split() == [text_of(1), text_of(2)]


def test_a_file_that_lacks_a_page_is_never_deleted(tmp_path: Path, engine: dict[str, str]) -> None:
    """The archive is there for it even if all other originals are deleted."""
    torn = tiff_of([1, 2, 3], unreadable=[2])
    put(tmp_path / "inbox", "torn.tif", torn)
    put(tmp_path / "inbox", "whole.tif", tiff_of([4, 5]))
    config = settings(quiet=LONG, top='on_success = "delete"').partition("[[profiles]]")[0]
    answer = run_ocrwatch(tmp_path, "once", config=config, environment=engine)
    assert answer.returncode == FINE, answer.stderr
    assert {"torn.txt", "whole.txt"} < files(tmp_path / "outbox")
    assert not any(files(tmp_path / name) for name in ("inbox", "quarantine"))
    assert files(tmp_path / "archive") == {"torn.tif"}
    assert (tmp_path / "archive/torn.tif").read_bytes() == torn


def test_a_file_survives_kills(tmp_path: Path, engine: dict[str, str]) -> None:
    """Whenever the daemon is killed, the file has all its pages in the end, once."""
    content = tiff_of(range(1, 25))
    with DaemonProcess(tmp_path, config=settings(quiet=LONG), environment=engine) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "fax.tif", content)
        daemon.wait_for("scan.split")
        daemon.kill()
    # Of three kills with nothing else in work the file would be suspected.
    with DaemonProcess(tmp_path, environment=engine) as daemon:
        daemon.wait_ready()
        pages = daemon.state / "pages"
        until(lambda: len(list(pages.glob("*.json"))) >= 6, what="some pages are read")
        daemon.kill()
    with DaemonProcess(tmp_path, environment=engine) as daemon:
        until((daemon.archive / "fax.tif").exists, what="the file is delivered")
        stop(daemon)
    assert files(tmp_path / "outbox") == {"fax.json", "fax.pdf", "fax.txt"}
    assert (tmp_path / "outbox/fax.txt").read_text().split() == [text_of(number) for number in range(1, 25)]
    assert (tmp_path / "archive/fax.tif").read_bytes() == content
    assert not any(files(tmp_path / name) for name in ("inbox", "quarantine", "state/pages"))
