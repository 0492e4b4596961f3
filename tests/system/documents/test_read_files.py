"""``ocrwatch read`` prints all pages of a file."""

from __future__ import annotations

import json
from pathlib import Path

from tests.daemon_process import run_ocrwatch
from tests.feeder import CountsMarks, text_of
from tests.several_pages import pdf_of, tiff_of
from tests.system.documents.feeding import FINE, QUARANTINED
from tests.system.dropping import files, put

USAGE = 2
CONFIG = f'[ocr]\nengine = "{CountsMarks.name}"\n[enhance]\nturn = false\n'
LETTER = "Dear Ms Miller, your invoice 4711 is paid"


def test_read_prints_all_pages_of_a_file(tmp_path: Path, engine: dict[str, str]) -> None:
    """With a form feed between them, in the order of files and pages; nothing is left behind."""
    put(tmp_path, "letter.pdf", pdf_of([3, LETTER]))
    put(tmp_path, "one.tif", tiff_of([4]))
    put(tmp_path, "fax.tif", tiff_of([7, 8, 9]))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    names, environment = ("letter.pdf", "one.tif", "fax.tif"), {**engine, "TMPDIR": str(scratch)}
    answer = run_ocrwatch(tmp_path, "read", *names, config=CONFIG, environment=environment)
    assert (answer.returncode, answer.stderr) == (FINE, "")
    # The text of an image is as it was: no form feed follows it.
    assert answer.stdout == f"{text_of(3)}\n\f{LETTER}\n{text_of(4)}\n{text_of(7)}\n\f{text_of(8)}\n\f{text_of(9)}\n"
    assert not list(scratch.glob("ocrwatch-*"))
    assert files(tmp_path) == {*names, "ocrwatch.toml"}


def test_read_names_what_it_cannot_read(tmp_path: Path, engine: dict[str, str]) -> None:
    """Each is one sentence with the remedy; what could be read is printed, and the exit code tells."""
    put(tmp_path, "secret.pdf", pdf_of([3], password="s3cret"))  # noqa: S106 - of the test
    put(tmp_path, "fax.tif", tiff_of([7, 8, 9], unreadable=[2]))
    put(tmp_path, "one.tif", tiff_of([4]))
    answer = run_ocrwatch(
        tmp_path, "read", "--json", "secret.pdf", "fax.tif", "one.tif", config=CONFIG, environment=engine
    )
    assert answer.returncode == QUARANTINED
    locked, gap = answer.stderr.splitlines()
    assert locked.startswith("ocrwatch: secret.pdf: the PDF can only be opened with a password; ")
    assert gap.startswith("ocrwatch: fax.tif: page 2 of 3 is missing: the TIFF has a compression ")
    assert "; save it as TIFF with LZW" in gap
    document, page = map(json.loads, answer.stdout.splitlines())
    assert (document["schema"], document["source"]["path"]) == ("ocrwatch.document/1", "fax.tif")
    assert [each["page"] and each["page"]["text"].strip() for each in document["pages"]] == [
        text_of(7),
        None,
        text_of(9),
    ]
    assert (page["schema"], page["text"].strip()) == ("ocrwatch.page/1", text_of(4))


def test_read_prints_one_page_of_a_file(tmp_path: Path, engine: dict[str, str]) -> None:
    """A file without this page is named; an image has one page."""
    put(tmp_path, "fax.tif", tiff_of([7, 8, 9]))
    put(tmp_path, "one.tif", tiff_of([4]))
    answer = run_ocrwatch(tmp_path, "read", "--page", "2", "fax.tif", "one.tif", config=CONFIG, environment=engine)
    assert (answer.returncode, answer.stdout) == (USAGE, f"{text_of(8)}\n")
    assert "one.tif: it has one page, and no page 2; " in answer.stderr
