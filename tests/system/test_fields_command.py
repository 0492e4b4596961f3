"""``fields``: prints the fields of documents, and compares them with known values, as a user meets it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.daemon_process import run_ocrwatch
from tests.rendering import render
from tests.system.dropping import files, put, scan
from tests.system.terminal import Terminal

FINE, NOT_RIGHT, USAGE, ENVIRONMENT = 0, 1, 2, 3

RECEIPT = render("Corner Shop\nStore No 4711\nDate 27/11/2026\nBread 2.40\nMilk 1.10\nTotal 3.50", size=36)
ORDER = render("Corner Shop\nDate 28/11/2026\nTotal 12.60", size=36)
PROFILE = """
[[profiles]]
match = "shop/**"
name = "shop"
locale = "en_GB"

[[profiles.fields]]
name = "date"
type = "date"
near = ["date"]
required = true
second_look = false

[[profiles.fields]]
name = "store"
type = "code"
near = ["store no"]
second_look = false

[[profiles.fields]]
name = "vat"
type = "vat"
near = ["vat no"]
required = true
"""
FROM_A_FILE = ("sh", "-c", 'exec "$@" < receipt.jpg', "sh")
NAMES = ["date", "store", "vat"]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Make a folder with two documents, and one that cannot be read."""
    put(tmp_path, "receipt.jpg", RECEIPT)
    put(tmp_path, "order.jpg", ORDER)
    put(tmp_path, "bad.jpg", b"no JPEG at all")
    return tmp_path


def test_fields_of_the_only_profile(desk: Path) -> None:
    """Each file has a table with name, value, standing and ground; nothing is written to a folder."""
    before = files(desk)
    answer = run_ocrwatch(desk, "fields", "receipt.jpg", "order.jpg", config=PROFILE)
    assert (answer.returncode, answer.stderr) == (FINE, "")
    lines = answer.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["receipt.jpg", "order.jpg"]
    rows = [line.split(maxsplit=2) for line in lines if line.startswith(" ")]
    assert [row[:2] for row in rows[:3]] == [["date", "2026-11-27"], ["store", "4711"], ["vat", "-"]]
    assert [row[:2] for row in rows[3:]] == [["date", "2026-11-28"], ["store", "-"], ["vat", "-"]]
    assert rows[0][2].startswith("read ")
    assert rows[2][2].startswith("missing, required ")
    assert rows[4][2].startswith("missing ")
    assert {line.index(row[2]) for line, row in zip(lines[1:4], rows, strict=False)} == {len("  store  2026-11-27  ")}
    assert all(line == line.rstrip() for line in lines)
    assert files(desk) == before | {"ocrwatch.toml"}


def test_a_type_of_document_needs_no_settings(desk: Path) -> None:
    """Its name is that of a profile, unless the settings have a profile of this name."""
    answer = run_ocrwatch(desk, "fields", "receipt.jpg", "--profile", "receipt")
    assert answer.returncode == FINE
    assert "\n  date " in answer.stdout
    answer = run_ocrwatch(desk, "fields", "receipt.jpg", "-p", "receipt", config=PROFILE.replace('"shop"', '"receipt"'))
    assert [line.split()[0] for line in answer.stdout.splitlines()[1:]] == NAMES


def test_the_locale_decides_which_number_is_the_day(tmp_path: Path) -> None:
    """That of the command has precedence over that of the profile."""
    put(tmp_path, "receipt.jpg", render("Corner Shop\nDate 02/03/2026\nTotal 12.60", size=36))
    for locale, date in (("en_US", "2026-02-03"), ("en-GB", "2026-03-02")):
        answer = run_ocrwatch(tmp_path, "fields", "receipt.jpg", "--locale", locale, config=PROFILE)
        assert answer.stdout.splitlines()[1].split()[:3] == ["date", date, "read"]


def test_fields_as_json(desk: Path) -> None:
    """One object a line, with the fields as they are in the JSON sidecar."""
    answer = run_ocrwatch(desk, "fields", "--json", "-", "order.jpg", config=PROFILE, wrapper=FROM_A_FILE)
    assert answer.returncode == FINE
    first, second = map(json.loads, answer.stdout.splitlines())
    assert (first["path"], second["path"]) == ("-", "order.jpg")
    assert list(first["fields"]) == NAMES
    date = first["fields"]["date"]
    assert (date["value"], date["text"], date["standing"], date["required"]) == (
        "2026-11-27", "27/11/2026", "read", True,
    )  # fmt: skip
    assert date["confidence"] > 60
    assert len(date["box"]) == len(date["corners"]) == 4
    assert second["fields"]["store"]["value"] is None


def test_fields_as_csv_and_what_cannot_be_read(desk: Path) -> None:
    """One line for each file that was read, in order; the others are named with the reason."""
    answer = run_ocrwatch(desk, "fields", "--csv", "receipt.jpg", "bad.jpg", "order.jpg", config=PROFILE)
    assert answer.returncode == NOT_RIGHT
    assert answer.stderr.startswith("ocrwatch: bad.jpg: ")
    assert len(answer.stderr.splitlines()) == 1
    assert list(csv.reader(io.StringIO(answer.stdout))) == [
        ["file", "date", "date standing", "store", "store standing", "vat", "vat standing"],
        ["receipt.jpg", "2026-11-27", "read", "4711", "read", "", "missing"],
        ["order.jpg", "2026-11-28", "read", "", "missing", "", "missing"],
    ]


def test_a_value_is_no_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    """It has an apostrophe before it, as in the CSV of tables; in JSON it is as it was read."""
    put(tmp_path, "page.jpg", render("Note =SUM(4)", size=40))
    config = '[[profiles]]\nmatch = "**"\n[[profiles.fields]]\nname = "note"\npattern = "note (.*)"\n'
    answer = run_ocrwatch(tmp_path, "fields", "--json", "page.jpg", config=config)
    value = json.loads(answer.stdout)["fields"]["note"]["value"]
    assert value.startswith("=")
    answer = run_ocrwatch(tmp_path, "fields", "--csv", "page.jpg")
    assert list(csv.reader(io.StringIO(answer.stdout)))[1][1] == f"'{value}"


def test_on_a_narrow_terminal_the_ground_is_wrapped(desk: Path) -> None:
    """Its column stays aligned; standings have colours there."""
    (desk / "ocrwatch.toml").write_text(PROFILE)
    with Terminal(desk, "fields", "receipt.jpg", columns=58) as terminal:
        assert terminal.wait() == FINE
    lines = terminal.shown.splitlines()
    assert max(map(len, lines)) <= 58
    assert b"\x1b[31mmissing, required\x1b[0m" in terminal.raw


def test_all_values_are_right(desk: Path) -> None:
    """Known values may be written as on the document; those without a column are not scored."""
    (desk / "truth.csv").write_text(
        "\ufefffile;date;store\r\nreceipt.jpg;27/11/2026;4711\r\norder.jpg;28 Nov 2026;\r\n"
    )
    answer = run_ocrwatch(desk, "fields", "receipt.jpg", "order.jpg", "--check", "truth.csv", config=PROFILE)
    assert (answer.returncode, answer.stderr) == (FINE, "")
    rows = [line.split() for line in answer.stdout.splitlines()]
    assert [row[:6] for row in rows[1:]] == [
        ["date", "2", "of", "2", "0", "0"],
        ["store", "2", "of", "2", "0", "0"],
        ["all", "4", "of", "4", "0", "0"],
    ]


def test_values_that_are_not_right_are_listed(desk: Path) -> None:
    """Each with its file, what was expected, what was found and why; the exit code tells."""
    (desk / "truth.csv").write_text(
        "file,vat,date\nreceipt.jpg,GB123456789,28/11/2026\norder.jpg,,28/11/2026\nother.jpg,,\n"
    )
    answer = run_ocrwatch(desk, "fields", "receipt.jpg", "order.jpg", "--check", "truth.csv", config=PROFILE)
    assert (answer.returncode, answer.stderr) == (NOT_RIGHT, "")
    counts, listed, note = answer.stdout.split("\n\n")
    assert [row.split()[:6] for row in counts.splitlines()[1:]] == [
        ["vat", "1", "of", "2", "0", "1"],
        ["date", "1", "of", "2", "1", "0"],
        ["all", "2", "of", "4", "1", "1"],
    ]
    heading, vat, date = listed.splitlines()
    assert heading == "Not right:"
    assert " ".join(vat.split()).startswith("receipt.jpg vat expected GB123456789 got nothing missing ")
    assert " ".join(date.split()).startswith("receipt.jpg date expected 28/11/2026 got 2026-11-27 read ")
    assert note == "1 line is of files that were not given.\n"


def test_corrected_output_is_a_truth(desk: Path) -> None:
    """What --csv prints can be given to --check."""
    answer = run_ocrwatch(desk, "fields", "--csv", "receipt.jpg", config=PROFILE)
    (desk / "truth.csv").write_text(answer.stdout)
    answer = run_ocrwatch(desk, "fields", "receipt.jpg", "--check", "truth.csv")
    assert answer.returncode == FINE


@pytest.mark.parametrize(
    ("config", "arguments", "says"),
    [
        ("", [], "no profile has fields; choose a profile or a type of document with --profile: receipt, invoice"),
        (
            PROFILE + PROFILE.replace('"shop"', '"other"'),
            [],
            "several profiles have fields; choose a profile or a type of document with --profile: shop, other, receipt",
        ),
        (PROFILE, ["--profile", "shp"], "there is no profile or type of document named shp; did you mean shop?"),
        ("", ["--profile", "zzz"], "there is no profile or type of document named zzz; choose one of: receipt"),
        ("", ["--profile", "none"], "there is no profile or type of document named none; choose one of: receipt"),
        ('[[profiles]]\nmatch = "a/**"\n', ["-p", "a/**"], "the profile a/** has no fields; give it a document_type"),
        (PROFILE, ["--csv", "--json"], "--json, --csv and --check cannot be combined; give one of them"),
        (PROFILE, ["--csv", "--check", "truth.csv"], "--json, --csv and --check cannot be combined; give one of them"),
        ("", ["-p", "receipt", "--locale", "xx_QQ"], "there is no locale xx_QQ; give a language and a country"),
        (PROFILE, ["--check", "truth.csv"], "there is no file truth.csv; name a CSV file"),
        (PROFILE, ["--check", "receipt.jpg"], "receipt.jpg is not text in UTF-8 (at byte 0); save it as UTF-8"),
    ],
)
def test_what_cannot_be_done_is_said(desk: Path, config: str, arguments: list[str], says: str) -> None:
    """In one sentence, with what to do, before anything is read."""
    answer = run_ocrwatch(desk, "fields", "receipt.jpg", *arguments, config=config)
    assert (answer.returncode, answer.stdout) == (USAGE, "")
    assert answer.stderr.startswith(f"ocrwatch: {says}")
    assert len(answer.stderr.splitlines()) == 1


def test_fields_with_a_language_that_is_missing(tmp_path: Path) -> None:
    """The language is that of the profile; another profile's does not matter."""
    put(tmp_path, "page.jpg", scan(1))
    config = PROFILE + '[[profiles]]\nmatch = "b/**"\nname = "b"\nlanguages = ["tlh"]\ndocument_type = "receipt"\n'
    answer = run_ocrwatch(tmp_path, "fields", "page.jpg", "--profile", "b", config=config)
    assert (answer.returncode, answer.stdout) == (ENVIRONMENT, "")
    assert "tlh.traineddata" in answer.stderr
    answer = run_ocrwatch(tmp_path, "fields", "page.jpg", "--profile", "shop")
    assert (answer.returncode, answer.stderr) == (FINE, "")
