"""The main job, with everything at its defaults: a scan that comes into the inbox becomes text in the outbox."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.images import saved
from tests.rendering import draw, render
from tests.system.dropping import delivered, files, only_once, phrase, put, scan

PAUSE = 1.3
"""Seconds that a slow writer rests between two pieces of a scan: longer than the quiet time."""

_CUTS = (0, 500, 3000, 6000)


def _pieces(data: bytes) -> list[bytes]:
    ends = (*_CUTS[1:], len(data))
    return [data[start:end] for start, end in zip(_CUTS, ends, strict=True)]


def test_scan_that_is_copied_slowly_is_read_when_whole(daemon: DaemonProcess) -> None:
    """A file that grows in pieces, with pauses longer than the quiet time, is read once, and only when it is whole."""
    path = daemon.inbox / "slow.jpg"
    with path.open("wb", buffering=0) as file:
        for piece in _pieces(scan(0)):
            assert not (daemon.outbox / "slow.txt").exists()
            file.write(piece)
            time.sleep(PAUSE)
    assert daemon.events("scan.waiting", path="slow.jpg")
    event = delivered(daemon, "slow.jpg", 0)
    assert event["attempt"] == 1
    only_once(daemon, "slow.jpg")


def test_scan_that_is_closed_after_every_piece_is_read_when_whole(daemon: DaemonProcess) -> None:
    """A writer that closes its file between the pieces of a scan has it read when it is whole, once."""
    path = daemon.inbox / "pieces.jpg"
    for piece in _pieces(scan(1)):
        assert not (daemon.outbox / "pieces.txt").exists()
        with path.open("ab") as file:
            file.write(piece)
        time.sleep(PAUSE)
    assert daemon.events("scan.waiting", path="pieces.jpg")
    delivered(daemon, "pieces.jpg", 1)
    only_once(daemon, "pieces.jpg")


def test_complete_file_that_stays_open_is_read(daemon: DaemonProcess) -> None:
    """A file that is whole is read although its writer keeps it open."""
    with (daemon.inbox / "open.jpg").open("wb", buffering=0) as file:
        file.write(scan(2))
        delivered(daemon, "open.jpg", 2)
    only_once(daemon, "open.jpg")


def test_scan_that_is_renamed_in_is_read(daemon: DaemonProcess) -> None:
    """A scan that is written as ``.part`` is left alone until it gets its final name."""
    part = daemon.inbox / "upload.jpg.part"
    part.write_bytes(scan(3))
    part.rename(daemon.inbox / "upload.jpg")
    delivered(daemon, "upload.jpg", 3)
    assert not daemon.events(path="upload.jpg.part")


def test_scan_that_is_moved_in_from_outside_is_read(daemon: DaemonProcess, tmp_path: Path) -> None:
    """A scan that is moved in from another folder is read."""
    (tmp_path / "moved.jpg").write_bytes(scan(4))
    shutil.move(tmp_path / "moved.jpg", daemon.inbox)
    delivered(daemon, "moved.jpg", 4)


def test_hard_link_is_read(daemon: DaemonProcess, tmp_path: Path) -> None:
    """A hard link in the inbox is read and archived; the file's other name stays."""
    original = tmp_path / "linked.jpg"
    original.write_bytes(scan(5))
    os.link(original, daemon.inbox / "linked.jpg")
    delivered(daemon, "linked.jpg", 5)
    assert original.read_bytes() == scan(5)


def test_scans_that_come_at_once_are_all_read(daemon: DaemonProcess) -> None:
    """Several scans that are written at the same time are all delivered, each once."""
    names = {f"together{number}.jpg": number for number in range(10, 18)}
    writers = [
        threading.Thread(target=(daemon.inbox / name).write_bytes, args=[scan(number)])
        for name, number in names.items()
    ]
    for writer in writers:
        writer.start()
    for name, number in names.items():
        delivered(daemon, name, number)
        only_once(daemon, name)


@pytest.mark.parametrize("name", ["A.JPG", "B.Jpeg", "C.jpe", "D.JFIF"])
def test_endings_count_in_any_case(daemon: DaemonProcess, name: str) -> None:
    """All the usual endings of JPEG files are taken, in upper and lower case."""
    put(daemon.inbox, name, scan(6))
    delivered(daemon, name, 6)


def test_subfolders_are_mirrored(daemon: DaemonProcess) -> None:
    """A scan in a folder that is new and gets its first file at once lies in the same folder everywhere."""
    folder = daemon.inbox / "2026" / "May"
    folder.mkdir(parents=True)
    (folder / "letter.jpg").write_bytes(scan(7))
    event = delivered(daemon, "2026/May/letter.jpg", 7)
    assert event["sidecars"] == ["2026/May/letter.json", "2026/May/letter.txt"]
    put(daemon.inbox, "2026/letter.jpg", scan(8))
    delivered(daemon, "2026/letter.jpg", 8)


def test_folder_that_is_moved_in_is_read_with_all_it_contains(daemon: DaemonProcess, tmp_path: Path) -> None:
    """The scans in a folder that is moved in whole are all read."""
    names = {"pile/one.jpg": 20, "pile/inner/two.jpg": 21, "pile/inner/deep/three.jpg": 22}
    for name, number in names.items():
        put(tmp_path, name, scan(number))
    shutil.move(tmp_path / "pile", daemon.inbox)
    for name, number in names.items():
        delivered(daemon, name, number)


def test_file_in_a_folder_that_was_moved_in_later_is_read(daemon: DaemonProcess, tmp_path: Path) -> None:
    """A folder that was moved in is watched from then on."""
    put(tmp_path, "box/first.jpg", scan(23))
    shutil.move(tmp_path / "box", daemon.inbox)
    delivered(daemon, "box/first.jpg", 23)
    (daemon.inbox / "box" / "second.jpg").write_bytes(scan(24))
    delivered(daemon, "box/second.jpg", 24)


@pytest.mark.parametrize(
    "name",
    [
        "two words & ümläut.jpg",
        "line\nbreak.jpg",
        "-rf.jpg",
        "$(touch x).jpg",
        "`touch x`;'\".jpg",
        "a..b.jpg",
        os.fsdecode(b"caf\xe9 \xff.jpg"),
        "n" * 251 + ".jpg",
        "ü" * 125 + "n.jpg",
        os.fsdecode(b"\xff" * 251 + b".jpg"),
    ],
    ids=["spaces", "newline", "dash", "dollar", "quotes", "dots", "not-utf8", "255-ascii", "255-utf8", "255-bytes"],
)
def test_names_are_only_data(daemon: DaemonProcess, name: str) -> None:
    """A scan of any name that the file system allows is delivered; the name is neither run nor a path."""
    (daemon.inbox / name).write_bytes(scan(9))
    event = daemon.wait_for("scan.delivered", path=name)
    sidecar = next(entry for entry in event["sidecars"] if entry.endswith(".txt"))
    if len(os.fsencode(name)) < 200:
        assert sidecar == f"{name.removesuffix('.jpg')}.txt"
    assert (daemon.outbox / sidecar).read_text(encoding="utf-8").split() == phrase(9).split()
    assert (daemon.archive / event["archived"]).read_bytes() == scan(9)
    assert event["archived"] == sidecar.removesuffix(".txt") + ".jpg"
    assert not (daemon.inbox / name).exists()
    assert not list(daemon.folder.rglob("x"))


def test_json_sidecar_has_words_with_places(daemon: DaemonProcess) -> None:
    """The JSON sidecar names the scan and has the words, in order, with boxes inside the page."""
    put(daemon.inbox, "places.jpg", scan(25))
    delivered(daemon, "places.jpg", 25)
    page = json.loads((daemon.outbox / "places.json").read_bytes())
    assert page["schema"].startswith("ocrwatch.page/")
    text = json.dumps(page)
    positions = [text.index(f'"{word}"') for word in phrase(25).split()]
    assert positions == sorted(positions)
    assert "places.jpg" in text


def test_same_name_again_gets_a_number(daemon: DaemonProcess) -> None:
    """A second and a third scan of the same name overwrite nothing: texts and originals get the same new number."""
    for count, number in enumerate((26, 27, 28), start=1):
        put(daemon.inbox, "counter.jpg", scan(number))
        daemon.wait_for("scan.delivered", path="counter.jpg", count=count)
    for stem, number in (("counter", 26), ("counter-2", 27), ("counter-3", 28)):
        assert (daemon.outbox / f"{stem}.txt").read_text(encoding="utf-8").split() == phrase(number).split()
        assert (daemon.outbox / f"{stem}.json").is_file()
        assert (daemon.archive / f"{stem}.jpg").read_bytes() == scan(number)


@pytest.mark.parametrize("taken", ["outbox/mine.txt", "outbox/mine.json", "archive/mine.jpg"])
def test_files_of_others_are_never_overwritten(daemon: DaemonProcess, taken: str) -> None:
    """Where a file that ocrwatch did not write has one of the names, all of the scan's files get a number."""
    stem = taken.replace("/", "-").replace(".", "-")
    stranger = daemon.folder / taken.replace("mine", stem)
    stranger.write_bytes(b"not yours")
    put(daemon.inbox, f"{stem}.jpg", scan(29))
    delivered(daemon, f"{stem}.jpg", 29, sidecar=f"{stem}-2.txt")
    assert stranger.read_bytes() == b"not yours"


def test_same_bytes_under_two_names_give_two_texts(daemon: DaemonProcess) -> None:
    """A copy of a scan under another name is a scan as well."""
    for name in ("twin-a.jpg", "twin-b.jpg"):
        put(daemon.inbox, name, scan(30))
    for name in ("twin-a.jpg", "twin-b.jpg"):
        delivered(daemon, name, 30)


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("page.png", "PNG", {}),
        ("fax.tif", "TIFF", {"compression": "group4"}),
        ("page.TIFF", "TIFF", {"compression": "tiff_lzw"}),
        ("really-png.jpg", "PNG", {}),
    ],
)
def test_images_of_other_kinds_are_read(daemon: DaemonProcess, name: str, kind: str, options: dict[str, str]) -> None:
    """A PNG or TIFF is a scan like a JPEG, whatever its name ends in; while it is written it waits."""
    number = 60
    page = draw(phrase(number), size=40)
    data = saved(page.convert("1") if options.get("compression") == "group4" else page, kind, **options)
    path = f"{kind}-{number}-{name}"
    put(daemon.inbox, path, data)
    delivered(daemon, path, number)


def test_ignored_names_are_left_alone(daemon: DaemonProcess) -> None:
    """Hidden and unfinished files, and what NAS boxes and sync programs keep, are not touched."""
    names = [
        ".hidden.jpg", "._resource.jpg", "x.jpg.part", "x.jpg.tmp", "x.jpg.crdownload", "~lock.jpg", "notes.txt",
        "@eaDir/thumb.jpg", ".@__thumb/a.jpg", ".stversions/old.jpg", "#recycle/gone.jpg", "sub/@eaDir/b.jpg",
        "Thumbs.db", "picture.gif", "jpg",
    ]  # fmt: skip
    for name in names:
        put(daemon.inbox, name, scan(31))
    # Its folder is new, so that there was a look at the whole inbox.
    put(daemon.inbox, "later/seen.jpg", scan(31))
    delivered(daemon, "later/seen.jpg", 31)
    assert set(names) <= files(daemon.inbox)
    assert not [event for name in names for event in daemon.events(path=name)]


def test_profile_has_rules_of_its_own(daemon: DaemonProcess) -> None:
    """A scan in a profile's folder is read with the profile's options, and its event names the profile."""
    put(daemon.inbox, "numbers/bill.jpg", render("Total 4711 and 0815", size=40))
    event = daemon.wait_for("scan.delivered", path="numbers/bill.jpg")
    assert event["profile"] == "numbers"
    text = (daemon.outbox / "numbers" / "bill.txt").read_text(encoding="utf-8")
    assert "4711" in text
    assert "0815" in text
    assert not any(character.isalpha() for character in text)


def test_profile_has_formats_of_its_own(daemon: DaemonProcess) -> None:
    """A profile decides which sidecars are written."""
    put(daemon.inbox, "tables/sheet.jpg", scan(32))
    event = daemon.wait_for("scan.delivered", path="tables/sheet.jpg")
    assert event["sidecars"] == ["tables/sheet.json"]
    assert not (daemon.outbox / "tables" / "sheet.txt").exists()


def test_text_is_in_no_log(daemon: DaemonProcess) -> None:
    """What a scan says stays out of the log, and out of ocrwatch's records but for the cache, which is private."""
    put(daemon.inbox, "secret.jpg", render("Confidential zebra", size=40))
    event = daemon.wait_for("scan.delivered", path="secret.jpg")
    assert event["words"] == 2
    assert "zebra" in (daemon.outbox / "secret.txt").read_text(encoding="utf-8")
    assert "zebra" not in json.dumps(daemon.events())
    records = [path for path in daemon.state.rglob("*") if path.is_file()]
    cache = [path for path in records if path.name.startswith("cache.db")]
    assert not [path for path in records if path not in cache and b"zebra" in path.read_bytes()]
    assert {path.stat().st_mode & 0o077 for path in cache} == {0}


def test_scan_that_is_replaced_while_it_is_read_starts_again(daemon: DaemonProcess) -> None:
    """Where a scan is replaced, no text ends up with another scan's original, and the last one is read."""
    for number in range(33, 37):
        batches = len(daemon.events("batch.started"))
        put(daemon.inbox, "again.jpg", scan(number))
        daemon.wait_for("batch.started", count=batches + 1)
    daemon.wait_for("scan.delivered", sha256=hashlib.sha256(scan(36)).hexdigest())
    originals = {path.stem: path.read_bytes() for path in daemon.archive.glob("again*.jpg")}
    texts = {path.stem: path.read_text(encoding="utf-8").split() for path in daemon.outbox.glob("again*.txt")}
    numbers = {stem: next(n for n in range(33, 37) if scan(n) == data) for stem, data in originals.items()}
    assert texts == {stem: phrase(number).split() for stem, number in numbers.items()}
    assert 36 in numbers.values()
    assert not files(daemon.inbox) & {"again.jpg"}
    assert len(set(numbers.values())) == len(numbers)
