"""A PDF, or a TIFF of several pages, comes into the inbox."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pypdf

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.feeder import settings, text_of
from tests.several_pages import pdf_of, tiff_of
from tests.system.documents.feeding import FINE, LONG, QUARANTINED, stop
from tests.system.dropping import files, put
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
    assert (tmp_path / "archive/post/letter.pdf").read_bytes() == pdf
    assert (tmp_path / "archive/fax.tif").read_bytes() == tiff
    assert not files(tmp_path / "state/pages")


def test_a_file_that_cannot_be_split_is_quarantined(tmp_path: Path, engine: dict[str, str]) -> None:
    """The reason says what to do; what can be read is not held up."""
    put(tmp_path / "inbox", "secret.pdf", pdf_of([3], password="s3cret"))  # noqa: S106 - of the test
    put(tmp_path / "inbox", "fine.tif", tiff_of([1, 2]))
    answer = run_ocrwatch(tmp_path, "once", config=settings(quiet=LONG), environment=engine)
    assert answer.returncode == QUARANTINED, answer.stderr
    (reason,) = (tmp_path / "quarantine").glob("secret.pdf.*")
    assert "password" in reason.read_text()
    assert (tmp_path / "outbox/fine.txt").read_text().split() == [text_of(1), text_of(2)]


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
