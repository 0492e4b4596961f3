"""The list of the fields of all scans in a folder: lines are appended, each once, and nothing of others is changed."""

from __future__ import annotations

import csv
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrwatch.delivery import field_lists
from ocrwatch.delivery.durability import SYNC_NOW
from ocrwatch.delivery.field_lists import ListedFields, StagedLine, append, drop, is_list, listed_fields
from ocrwatch.document import FieldSummary, Standing
from ocrwatch.errors import EnvironmentFault
from ocrwatch.recipe import FieldRule

AT = 1_795_811_330.5
RULES = (FieldRule("shop"), FieldRule("total", required=True))
FIELDS = (
    FieldSummary("shop", Standing.READ, required=False, value='Müller, "Söhne"'),
    FieldSummary("total", Standing.VERIFIED, required=True, value="12.50"),
)
LINE = listed_fields(RULES, FIELDS, AT)
OTHER = listed_fields(RULES[:1], FIELDS, AT)
HEADER = b"\xef\xbb\xbffile,read_at,shop,shop_standing,total,total_standing\r\n"


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """Make a folder."""
    return tmp_path


def stage(outbox: Path, number: int = 1, line: ListedFields = LINE) -> StagedLine:
    """Stage the line of a scan."""
    name = f".ocrwatch-{number}.tmp"
    (outbox / name).write_bytes(line.to_json())
    return StagedLine(name, f"scan{number}.jpg")


def add(outbox: Path, *staged: StagedLine, again: bool = False) -> None:
    """Append lines, and remove what was staged."""
    append(outbox, "", staged, again=again, disk=SYNC_NOW)
    for each in staged:
        drop(outbox, "", each.temporary, SYNC_NOW)


def line_of(number: int) -> bytes:
    """Return the line of a scan."""
    return f'scan{number}.jpg,2026-11-27T20:28:50.500+00:00,"Müller, ""Söhne""",read,12.50,verified\r\n'.encode()


def content(outbox: Path, name: str = "fields.csv") -> bytes:
    """Return a list."""
    return (outbox / name).read_bytes()


# The line.


def test_a_list_has_a_header_and_a_line_for_each_scan(outbox: Path) -> None:
    """Excel knows that it is UTF-8; lines end as RFC 4180 says."""
    add(outbox, stage(outbox, 1), stage(outbox, 2))
    add(outbox, stage(outbox, 3))
    assert content(outbox) == HEADER + line_of(1) + line_of(2) + line_of(3)
    assert [path.name for path in outbox.iterdir()] == ["fields.csv"]


def test_fields_that_were_not_looked_for_have_empty_cells() -> None:
    """The columns are those of the profile in any case."""
    line = listed_fields(RULES, None, AT)
    assert (line.columns, line.cells[1:]) == (LINE.columns, ("", "", "", ""))


def test_a_missing_field_has_its_standing() -> None:
    """And no value."""
    fields = (FIELDS[0], FieldSummary("total", Standing.MISSING, required=True, value=""))
    assert listed_fields(RULES, fields, AT).cells[3:] == ("", "missing")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@sum", "'@sum"),
        ("-12.50", "-12.50"),
        ("two\nlines\r\n of\ttext", "two lines of text"),
        ("a;=cmd", "a;'=cmd"),
    ],
)
def test_a_value_is_one_line_and_no_formula(value: str, cell: str) -> None:
    """As in the sidecar csv."""
    fields = (FieldSummary("shop", Standing.READ, required=False, value=value),)
    assert listed_fields(RULES[:1], fields, AT).cells[1] == cell


@pytest.mark.parametrize(
    ("name", "cell"),
    [("=1.jpg", "'=1.jpg"), ("a\nb.jpg", "a\\nb.jpg"), ("\udcff.jpg", "\\xff.jpg"), ("é.jpg", "é.jpg")],
)
def test_a_name_is_one_line_and_no_formula(name: str, cell: str) -> None:
    """Bytes that are not UTF-8 are escaped."""
    assert LINE.named(name)[0] == cell


def test_a_staged_line_keeps_its_text() -> None:
    """In ASCII, whatever it is."""
    assert ListedFields.from_json(LINE.to_json()) == LINE
    odd = ListedFields(("read_at",), ("\udcff\u2028",))
    assert ListedFields.from_json(odd.to_json()) == odd


# Other lists.


def test_other_columns_go_to_another_list(outbox: Path) -> None:
    """Two profiles may write into one folder, and settings change; each list is continued later."""
    add(outbox, stage(outbox, 1), stage(outbox, 2, OTHER))
    add(outbox, stage(outbox, 3, OTHER), stage(outbox, 4))
    assert content(outbox) == HEADER + line_of(1) + line_of(4)
    names = [row[0] for row in csv.reader(content(outbox, "fields-2.csv").decode("utf-8-sig").splitlines())]
    assert names == ["file", "scan2.jpg", "scan3.jpg"]


@pytest.mark.parametrize(
    "made", [HEADER.replace(b",", b";"), HEADER[3:], HEADER.replace(b"\r\n", b"\n"), b"notes of a person", b"\xff\xfe"]
)
def test_a_list_that_was_saved_in_another_notation_is_not_changed(outbox: Path, made: bytes) -> None:
    """Delimiter, encoding and line breaks are never mixed."""
    (outbox / "fields.csv").write_bytes(made + b"a person's\n")
    add(outbox, stage(outbox))
    assert content(outbox) == made + b"a person's\n"
    assert content(outbox, "fields-2.csv") == HEADER + line_of(1)


def _link(place: Path) -> None:
    (place.parent / "target").write_bytes(HEADER)
    place.symlink_to("target")


@pytest.mark.parametrize("occupy", [Path.mkdir, os.mkfifo, _link, lambda place: place.symlink_to("nowhere")])
def test_what_is_no_file_is_neither_followed_nor_waited_for(outbox: Path, occupy: Callable[[Path], None]) -> None:
    """The line goes to the next list."""
    occupy(outbox / "fields.csv")
    add(outbox, stage(outbox))
    assert content(outbox, "fields-2.csv") == HEADER + line_of(1)
    assert not (outbox / "nowhere").exists()
    if (outbox / "target").exists():
        assert content(outbox, "target") == HEADER


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EBUSY, errno.ETXTBSY])
def test_a_list_that_is_in_use_is_left_alone(outbox: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of an SMB server while a spreadsheet has it open: no text waits for that."""
    add(outbox, stage(outbox, 1))
    real = os.open

    def refusing(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "fields.csv" and flags & os.O_RDWR:
            raise OSError(number, os.strerror(number))
        return real(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as in_use:
        in_use.setattr(os, "open", refusing)
        add(outbox, stage(outbox, 2))
    add(outbox, stage(outbox, 3))
    assert content(outbox) == HEADER + line_of(1) + line_of(3)
    assert content(outbox, "fields-2.csv") == HEADER + line_of(2)


def test_a_folder_in_which_no_list_can_be_made_is_an_error(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is waited out like any other; the line stays staged."""
    staged = stage(outbox)
    real = os.open

    def refusing(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as closed:
        closed.setattr(os, "open", refusing)
        with pytest.raises(PermissionError):
            add(outbox, staged)
    add(outbox, staged, again=True)
    assert content(outbox) == HEADER + line_of(1)


def test_all_names_may_be_taken(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    monkeypatch.setattr(field_lists, "_MOST_LISTS", 2)
    for name in ("fields.csv", "fields-2.csv"):
        (outbox / name).write_bytes(b"mine")
    with pytest.raises(EnvironmentFault, match=r"each name from fields\.csv on is taken"):
        add(outbox, stage(outbox))


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("fields.csv", True),
        ("fields-2.csv", True),
        ("fields-02.csv", False),
        ("fields.tables.csv", False),
        ("myfields.csv", False),
    ],
)
def test_lists_are_known_by_their_names(name: str, *, fits: bool) -> None:
    """A scan named fields.jpg has the sidecar fields.tables.csv."""
    assert is_list(name) is fits


# Lists that were cut off.


@pytest.mark.parametrize("length", [0, 1, 3, 20, len(HEADER) - 2, len(HEADER) - 1])
def test_a_header_that_was_cut_off_is_completed(outbox: Path, length: int) -> None:
    """An empty file is the beginning of a list, too."""
    (outbox / "fields.csv").write_bytes(HEADER[:length])
    add(outbox, stage(outbox))
    assert content(outbox) == HEADER + line_of(1)


@pytest.mark.parametrize("length", range(1, len(line_of(1))))
@pytest.mark.parametrize("again", [False, True])
def test_a_line_that_was_cut_off_is_completed(outbox: Path, length: int, *, again: bool) -> None:
    """At any byte, even in the middle of a letter, by the line itself: it is there once."""
    (outbox / "fields.csv").write_bytes(HEADER + line_of(2) + line_of(1)[:length])
    add(outbox, stage(outbox), again=again)
    assert content(outbox).splitlines() == (HEADER + line_of(2) + line_of(1)).splitlines()


@pytest.mark.parametrize(
    ("cut", "end"), [(b"scan9", b"\r\n"), (b'scan9,"M', b'"\r\n'), (b'scan9,"a""b"', b"\r\n"), (b"scan9\r", b"\n")]
)
def test_another_line_that_was_cut_off_ends_before_the_next(outbox: Path, cut: bytes, end: bytes) -> None:
    """Nothing of it is removed, and an open quotation does not take in the next line."""
    (outbox / "fields.csv").write_bytes(HEADER + cut)
    add(outbox, stage(outbox))
    assert content(outbox) == HEADER + cut + end + line_of(1)
    assert len(list(csv.reader(content(outbox).decode("utf-8-sig").splitlines(keepends=True)))) == 3


def test_of_several_lines_the_one_that_was_cut_off_comes_first(outbox: Path) -> None:
    """In whatever order the scans come."""
    (outbox / "fields.csv").write_bytes(HEADER + line_of(2)[:-30])
    add(outbox, stage(outbox, 1), stage(outbox, 2), stage(outbox, 3))
    assert content(outbox) == HEADER + line_of(2) + line_of(1) + line_of(3)


def test_a_long_last_line_is_ended(outbox: Path) -> None:
    """It is not read as a whole."""
    (outbox / "fields.csv").write_bytes(HEADER + b"x" * 200_000)
    add(outbox, stage(outbox))
    assert content(outbox) == HEADER + b"x" * 200_000 + b"\r\n" + line_of(1)


# After an interruption.


def test_a_line_is_not_appended_twice(outbox: Path) -> None:
    """Wherever it is in the list by now."""
    for number in (1, 2, 3):
        append(outbox, "", [stage(outbox, number)], again=False, disk=SYNC_NOW)
    lines = content(outbox).splitlines(keepends=True)
    (outbox / "fields.csv").write_bytes(b"".join((lines[0], *reversed(lines[1:]))))
    before = content(outbox)
    for number in (1, 2, 3):
        append(outbox, "", [stage(outbox, number)], again=True, disk=SYNC_NOW)
    assert content(outbox) == before


def test_a_line_that_is_listed_is_durable_before_it_is_dropped(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The earlier attempt may have been killed before it waited for the disk."""
    staged = stage(outbox)
    append(outbox, "", [staged], again=False, disk=SYNC_NOW)
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    append(outbox, "", [staged], again=True, disk=SYNC_NOW)
    assert synced == [str(outbox / "fields.csv"), str(outbox)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_line_is_found_in_a_list_that_was_saved_in_another_notation(
    outbox: Path, encoding: str, delimiter: str
) -> None:
    """By the scan's name and the time, in any order of columns; another scan's line is none."""
    append(outbox, "", [stage(outbox)], again=False, disk=SYNC_NOW)
    rows = list(csv.reader(content(outbox).decode("utf-8-sig").splitlines()))
    rows[1][4] = "12,5"
    with (outbox / "fields.csv").open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(row[::-1] for row in rows)
    before = content(outbox)
    append(outbox, "", [stage(outbox)], again=True, disk=SYNC_NOW)
    assert content(outbox) == before
    assert not (outbox / "fields-2.csv").exists()
    staged = stage(outbox)
    append(outbox, "", [StagedLine(staged.temporary, "an1.jpg")], again=True, disk=SYNC_NOW)
    assert content(outbox, "fields-2.csv").splitlines()[1].startswith(b"an1.jpg,")


def test_a_scan_with_a_part_of_the_name_is_another(outbox: Path) -> None:
    """Also if it was read in the same millisecond, and has the same fields."""
    append(outbox, "", [stage(outbox, 11)], again=False, disk=SYNC_NOW)
    append(outbox, "", [StagedLine(stage(outbox).temporary, "1.jpg")], again=True, disk=SYNC_NOW)
    assert content(outbox).count(b"1.jpg,") == 2


def test_a_staged_line_that_is_gone_was_appended(outbox: Path) -> None:
    """So was one that is no longer what was staged; nothing is made of it."""
    (outbox / "rubbish").write_bytes(b'{"columns": 1}')
    (outbox / "link").symlink_to("rubbish")
    append(outbox, "", [StagedLine(name, "a.jpg") for name in ("gone", "rubbish", "link")], again=True, disk=SYNC_NOW)
    append(outbox, "gone", [StagedLine("gone", "a.jpg")], again=True, disk=SYNC_NOW)
    assert not (outbox / "fields.csv").exists()


# Permissions.


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_list_has_the_permissions_of_sidecars(outbox: Path, mode: int) -> None:
    """Those that the staged line was given; a list that a person gave others keeps them."""
    staged = stage(outbox)
    (outbox / staged.temporary).chmod(mode)
    add(outbox, staged)
    assert stat.S_IMODE((outbox / "fields.csv").stat().st_mode) == mode
    (outbox / "fields.csv").chmod(0o606)
    add(outbox, stage(outbox, 2))
    assert stat.S_IMODE((outbox / "fields.csv").stat().st_mode) == 0o606
