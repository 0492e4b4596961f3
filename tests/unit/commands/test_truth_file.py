"""The CSV file with known values of fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrwatch.commands.truth_file import Truth, read_truth
from ocrwatch.errors import UsageError

A, B = Path("scans/a.jpg"), Path("scans/b.jpg")
NAMES = ("date", "total", "order_number")


def read(tmp_path: Path, content: str | bytes, *files: Path) -> Truth:
    """Write a file and read it."""
    path = tmp_path / "truth.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_truth(path, files or (A,), NAMES)


@pytest.mark.parametrize(
    "content",
    [
        "file,date,total\nscans/a.jpg,27/11/2026,3.50\n",
        "\ufeffFile,Date,Total\r\na.jpg,27/11/2026,3.50\r\n\r\n",
        "file;date;total\n./scans/a.jpg; 27/11/2026 ;3.50\n",
        "file\tdate\ttotal\na.jpg\t27/11/2026\t3.50",
        "file,date,date standing,total,total standing\na.jpg,27/11/2026,read,3.50,verified\n",
        '"file","date","total"\n"a.jpg","27/11/2026","3.50"\n',
    ],
)
def test_notations(tmp_path: Path, content: str) -> None:
    """Excel's byte order mark and separators, any case of headings, and columns of standings are understood."""
    truth = read(tmp_path, content)
    assert truth.names == ("date", "total")
    assert truth.values == {A: {"date": "27/11/2026", "total": "3.50"}}
    assert truth.others == 0


def test_values_as_they_are_written(tmp_path: Path) -> None:
    """Quotes hold separators; the apostrophe of a defused formula is not of the value; empty is known to be missing."""
    truth = read(tmp_path, "file,date,total,order_number\na.jpg,,\"1,234.50\",'=A1\nb.jpg,'quoted',,\n", A, B)
    assert truth.values == {
        A: {"date": "", "total": "1,234.50", "order_number": "=A1"},
        B: {"date": "'quoted'", "total": "", "order_number": ""},
    }


def test_lines_of_other_files_are_counted(tmp_path: Path) -> None:
    """A file with many known values serves for some of the scans."""
    assert read(tmp_path, "file,date\na.jpg,1\nb.jpg,2\nc.jpg,3\n").others == 2


@pytest.mark.parametrize(
    ("content", "message", "remedy"),
    [
        ("", "truth.csv has no header", "file,date,total"),
        ("a.jpg,27/11/2026\n", "truth.csv has no header", "begin its first line with file"),
        ("file\na.jpg\n", "truth.csv has no column of a field", "date, total, order_number"),
        ("file,totl\na.jpg,1\n", "has a column 'totl', which is no field of the profile", "did you mean total?"),
        ("file,zzz\na.jpg,1\n", "has a column 'zzz'", "the fields are date, total, order_number"),
        ("file,date,date\na.jpg,1,2\n", "has two columns 'date'", "delete one"),
        ("file,total\na.jpg,1,234.50\n", "line 2 of .*truth.csv has 3 cells, and the header has 2", "in quotes"),
        ("file,date,total\na.jpg,1\n", "line 2 of .*truth.csv has 2 cells, and the header has 3", "as many"),
        ("file,date\na.jpg,1\n\nscans/a.jpg,2\n", "lines 2 and 4 of .*truth.csv are both of scans/a.jpg", "delete one"),
        ("file,date\nb.jpg,1\n", "truth.csv has no line of scans/a.jpg", "add one, or do not give scans/a.jpg"),
        ('file,date\n"a.jpg"x,1\n', "line 2 of .*truth.csv is not valid CSV", "correct it"),
        (b"file,date\na.jpg,\xe4\n", r"truth.csv is not text in UTF-8 \(at byte 16\)", "CSV UTF-8"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str | bytes, message: str, remedy: str) -> None:
    """In one sentence that names the line, with what to do."""
    with pytest.raises(UsageError, match=message) as refused:
        read(tmp_path, content)
    assert remedy in refused.value.remedy


def test_a_name_that_two_files_have(tmp_path: Path) -> None:
    """It takes the path to tell them apart."""
    other = Path("older/a.jpg")
    with pytest.raises(UsageError, match=r"line 2 of .* may be of scans/a.jpg or of older/a.jpg"):
        read(tmp_path, "file,date\na.jpg,1\n", A, other)
    truth = read(tmp_path, "file,date\nolder/a.jpg,1\nscans/a.jpg,2\n", A, other)
    assert truth.values == {other: {"date": "1"}, A: {"date": "2"}}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Neither is one that is not there."""
    for path, message in ((tmp_path, "is not a file"), (tmp_path / "none.csv", "there is no file")):
        with pytest.raises(UsageError, match=message):
            read_truth(path, (A,), NAMES)
