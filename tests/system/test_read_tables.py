"""``read`` with tables: the picture of what was found, tables as CSV and in JSON, as a user meets them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.daemon_process import run_ocrwatch
from tests.rendering import encode
from tests.system.dropping import files, put, scan
from tests.table_images import draw_table, simple

FINE, QUARANTINED, USAGE, ENVIRONMENT = 0, 1, 2, 3

ROWS = [["Item", "Amount", "Price"], ["Lantern", "12", "4.50"], ["Teapot", "3", "18.20"], ["Window", "40", "7.10"]]
BILL = encode(draw_table(simple(ROWS)).image)
FROM_A_FILE = ("sh", "-c", 'exec "$@" < bill.jpg', "sh")
TABLE_BLUE = (0, 90, 170)


def colours(path: Path) -> set[object]:
    """Return the colours of a picture."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return {colour for _, colour in picture.getcolors(1 << 20) or ()}


def test_explain_draws_and_prints(tmp_path: Path) -> None:
    """The picture shows the table, whatever the settings say; the text is printed as ever, and nothing else is left."""
    put(tmp_path, "bill.jpg", BILL)
    plain = run_ocrwatch(tmp_path, "read", "bill.jpg")
    answer = run_ocrwatch(tmp_path, "read", "bill.jpg", "--explain", "out.png", config="[tables]\nenabled = false\n")
    assert (answer.returncode, answer.stderr, answer.stdout) == (FINE, "", plain.stdout)
    assert TABLE_BLUE in colours(tmp_path / "out.png")
    assert files(tmp_path) == {"bill.jpg", "out.png", "ocrwatch.toml"}


def test_explain_replaces_an_earlier_picture(tmp_path: Path) -> None:
    """From standard input too; JSON has the tables then."""
    put(tmp_path, "bill.jpg", BILL)
    (tmp_path / "out.png").write_bytes(b"earlier")
    answer = run_ocrwatch(tmp_path, "read", "--json", "--explain", "out.png", "-", wrapper=FROM_A_FILE)
    assert (answer.returncode, answer.stderr) == (FINE, "")
    (table,) = json.loads(answer.stdout)["tables"]
    assert (table["rows"], table["columns"]) == (4, 3)
    assert TABLE_BLUE in colours(tmp_path / "out.png")


def test_explain_of_a_bad_scan_leaves_the_earlier_picture(tmp_path: Path) -> None:
    """There is nothing to show."""
    put(tmp_path, "bad.jpg", b"no JPEG at all")
    (tmp_path / "out.png").write_bytes(b"earlier")
    answer = run_ocrwatch(tmp_path, "read", "bad.jpg", "--explain", "out.png")
    assert answer.returncode == QUARANTINED
    assert answer.stderr.startswith("ocrwatch: bad.jpg: ")
    assert (tmp_path / "out.png").read_bytes() == b"earlier"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.jpg", "b.jpg", "--explain", "out.png"], "--explain makes one picture, and 2 files are given; run"),
        (["a.jpg", "--explain", "b.jpg"], "the picture b.jpg does not end in .png; name"),
        (["a.jpg", "--explain", "nowhere/out.png"], "there is no folder nowhere; make it"),
        (["a.jpg", "--csv", "--json"], "--csv cannot be combined with --json or --preview; give one"),
        (["a.jpg", "--csv", "--preview"], "--csv cannot be combined with --json or --preview; give one"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: list[str], says: str) -> None:
    """In one sentence, with what to do, before anything is read."""
    for name in ("a.jpg", "b.jpg"):
        put(tmp_path, name, scan(1))
    answer = run_ocrwatch(tmp_path, "read", *arguments)
    assert (answer.returncode, answer.stdout) == (USAGE, "")
    assert answer.stderr.startswith(f"ocrwatch: {says}")
    assert len(answer.stderr.splitlines()) == 1
    assert files(tmp_path) == {"a.jpg", "b.jpg", "ocrwatch.toml"}


def test_csv_for_other_programs(tmp_path: Path) -> None:
    """The tables and nothing else; a file without one is named, and is no failure."""
    put(tmp_path, "bill.jpg", BILL)
    put(tmp_path, "text.jpg", scan(1))
    answer = run_ocrwatch(tmp_path, "read", "--csv", "text.jpg", "bill.jpg")
    assert answer.returncode == FINE
    # A rule beside a number may be read as a bracket.
    found = [[text.strip("]|") for text in row] for row in csv.reader(io.StringIO(answer.stdout))]
    assert found == ROWS
    assert "\r" not in answer.stdout
    assert answer.stdout.startswith("Item")
    assert answer.stderr == "ocrwatch: text.jpg: no table was found\n"


def test_tables_in_json(tmp_path: Path) -> None:
    """--tables is the same as --set tables.enabled=true, and stronger than the opposite."""
    put(tmp_path, "bill.jpg", BILL)
    answer = run_ocrwatch(tmp_path, "read", "--json", "bill.jpg")
    assert "tables" not in json.loads(answer.stdout)
    answer = run_ocrwatch(tmp_path, "read", "--json", "--tables", "--set", "tables.enabled=false", "bill.jpg")
    assert len(json.loads(answer.stdout)["tables"]) == 1


def test_explain_as_a_sidecar(tmp_path: Path) -> None:
    """The daemon writes the picture beside the text."""
    put(tmp_path / "inbox", "bill.jpg", BILL)
    config = '[output]\nformats = ["txt", "explain"]\n[tables]\nenabled = true\n'
    answer = run_ocrwatch(tmp_path, "once", config=config)
    assert answer.returncode == FINE
    assert files(tmp_path / "outbox") == {"bill.txt", "bill.explain.png"}
    assert TABLE_BLUE in colours(tmp_path / "outbox" / "bill.explain.png")
