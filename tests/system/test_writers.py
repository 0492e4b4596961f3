"""Writers of every habit: slow, pausing, preallocating, rewriting, deleting. Each scan is read whole, and once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.faulty_engines import install
from tests.rendering import render
from tests.system.dropping import delivered, emptied, files, is_read, only_once, phrase, put, scan, text_of
from tests.waiting import until

LINES = 4
SLOW_READER = """
[output]
formats = ["json"]
[settle]
stable_for = "200ms"
[ocr]
engine = "slow"
whitelist = "1.5"
[enhance]
enabled = false
"""
"""Reading takes long enough to do something to the file meanwhile."""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[DaemonProcess]:
    """Return a daemon that takes its time to read."""
    folder, engines = tmp_path / "slow", tmp_path / "engines"
    folder.mkdir()
    engines.mkdir()
    install(engines)
    path = os.pathsep.join([str(engines), str(Path(__file__).parents[2])])
    with DaemonProcess(folder, config=SLOW_READER, environment={"PYTHONPATH": path}) as daemon:
        yield daemon.wait_ready()


def _page(number: int) -> tuple[bytes, str]:
    """Return a scan that ends with a line of its own, and its text."""
    text = "\n".join([phrase(number)] * LINES + [f"This is the last line of page {number}"])
    return render(text, size=40), " ".join(text.split())


def _chunks(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def _write_slowly(path: Path, data: bytes, rate: int, pause: float, reopen: int) -> None:
    """Write at ``rate`` bytes a second, with a pause and (where ``reopen``) a close after each third."""
    size = max(256, rate // 20)
    file = path.open("wb", buffering=0)
    try:
        for number, chunk in enumerate(_chunks(data, size), start=1):
            file.write(chunk)
            time.sleep(size / rate)
            if number % max(1, len(data) // size // 3) == 0:
                if reopen:
                    file.close()
                time.sleep(pause)
                if reopen:
                    file = path.open("ab", buffering=0)
    finally:
        file.close()


def test_four_slow_writers_at_once(daemon: DaemonProcess) -> None:
    """Four writers at 5 to 200 KB/s that pause and reopen their files: each text has its last line, each comes once."""
    rates = {5_000: (0.0, 0), 20_000: (1.3, 0), 60_000: (1.3, 1), 200_000: (1.7, 1)}
    pages = {f"writer{rate}.jpg": _page(number) for number, rate in enumerate(rates)}
    writers = [
        threading.Thread(
            target=_write_slowly, args=(daemon.inbox / f"writer{rate}.jpg", pages[f"writer{rate}.jpg"][0], rate, *how)
        )
        for rate, how in rates.items()
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for name, (data, text) in pages.items():
        daemon.wait_for("scan.delivered", path=name)
        assert text_of(daemon, name.replace(".jpg", ".txt")) == text
        assert (daemon.archive / name).read_bytes() == data
        only_once(daemon, name)


@pytest.mark.parametrize("order", ["forwards", "backwards", "ends-first"])
def test_preallocated_file_is_read_when_it_is_filled(daemon: DaemonProcess, order: str) -> None:
    """A file that has its full size from the start is read when its last part is there, in whatever order they come."""
    data, text = _page(4)
    name = f"preallocated-{order}.jpg"
    starts = list(range(0, len(data), 4096))
    match order:
        case "backwards":
            starts.reverse()
        case "ends-first":
            starts = [starts[-1], *starts[:-1]]
    with (daemon.inbox / name).open("wb", buffering=0) as file:
        file.truncate(len(data))
        for start in starts:
            file.seek(start)
            file.write(data[start : start + 4096])
            time.sleep(0.3)
    daemon.wait_for("scan.delivered", path=name)
    assert text_of(daemon, name.replace(".jpg", ".txt")) == text
    only_once(daemon, name)


def test_preallocated_file_whose_middle_comes_late_is_not_read_before(daemon: DaemonProcess) -> None:
    """A hole in a file that has its beginning and its end already is waited for, longer than the quiet time."""
    data, text = _page(5)
    middle = slice(8192, len(data) // 4096 * 4096)
    with (daemon.inbox / "late-middle.jpg").open("wb", buffering=0) as file:
        file.truncate(len(data))
        file.write(data[: middle.start])
        os.pwrite(file.fileno(), data[middle.stop :], middle.stop)
        until(
            lambda: (
                daemon.events("scan.waiting", path="late-middle.jpg") or not (daemon.inbox / "late-middle.jpg").exists()
            )
        )
        os.pwrite(file.fileno(), data[middle], middle.start)
    daemon.wait_for("scan.delivered", path="late-middle.jpg", timeout=10)
    assert text_of(daemon, "late-middle.txt") == text
    only_once(daemon, "late-middle.jpg")


def test_folder_that_is_moved_in_while_it_is_written_to(daemon: DaemonProcess, tmp_path: Path) -> None:
    """A scan that is still written to in a folder that moves in is read when it is whole."""
    data, text = _page(7)
    folder = tmp_path / "moving"
    folder.mkdir()
    with (folder / "half.jpg").open("wb", buffering=0) as file:
        file.write(data[: len(data) // 2])
        folder.rename(daemon.inbox / "moving")
        daemon.wait_for("scan.waiting", path="moving/half.jpg")
        file.write(data[len(data) // 2 :])
    daemon.wait_for("scan.delivered", path="moving/half.jpg")
    assert text_of(daemon, "moving/half.txt") == text
    only_once(daemon, "moving/half.jpg")


def test_many_temporary_names_are_renamed_at_once(daemon: DaemonProcess) -> None:
    """Scans that are written under temporary names and renamed all together are each read once."""
    names = {f"renamed{number}.jpg": number for number in range(8)}
    for name, number in names.items():
        (daemon.inbox / f"{name}.filepart").write_bytes(scan(number))
    for name in names:
        (daemon.inbox / f"{name}.filepart").rename(daemon.inbox / name)
    for name, number in names.items():
        delivered(daemon, name, number)
        only_once(daemon, name)


def test_scan_that_is_touched_all_the_time_while_it_is_read(slow: DaemonProcess) -> None:
    """New times on unchanged bytes, as a NAS's indexer sets them, neither spoil nor double a reading."""
    path = put(slow.inbox, "touched.jpg", scan(1))
    until(lambda: slow.workers() and is_read(slow, "touched.jpg"), what="it is read")
    touched = 0
    with contextlib.suppress(FileNotFoundError):
        while touched < 100_000:
            os.utime(path)
            touched += 1
    assert touched > 10
    slow.wait_for("scan.delivered", path="touched.jpg")
    emptied(slow.inbox)
    assert files(slow.outbox) == {"touched.json"}
    assert files(slow.archive) == {"touched.jpg"}
    assert len(slow.events("scan.delivered")) == 1


@pytest.mark.parametrize("stamp", ["new-time", "old-time"])
def test_scan_that_is_overwritten_in_place_while_it_is_read(slow: DaemonProcess, stamp: str) -> None:
    """Other bytes of the same length in the same file: what was read of the old ones goes with no other original."""
    old, new = scan(2), scan(3)
    longest = max(len(old), len(new))
    old, new = old.ljust(longest, b"\0"), new.ljust(longest, b"\0")
    path = put(slow.inbox, "rewritten.jpg", old)
    times = path.stat()
    until(lambda: is_read(slow, "rewritten.jpg"), what="it is read")
    with path.open("r+b") as file:
        file.write(new)
    if stamp == "old-time":
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    emptied(slow.inbox)
    for sidecar in files(slow.outbox):
        original = (slow.archive / sidecar).with_suffix(".jpg").read_bytes()
        assert _sha256_in(slow.outbox / sidecar) == _sha256(original)
    assert [new] == [path.read_bytes() for path in slow.archive.rglob("*.jpg")]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha256_in(sidecar: Path) -> str:
    return str(json.loads(sidecar.read_bytes())["source"]["sha256"])


def test_scan_that_is_deleted_while_it_is_read(slow: DaemonProcess) -> None:
    """Whoever takes a scan back while it is read gets no text of it; another of the same name is read as usual."""
    path = put(slow.inbox, "taken.jpg", scan(3))
    until(lambda: is_read(slow, "taken.jpg"), what="it is read")
    path.unlink()
    slow.wait_for("scan.changed", path="taken.jpg")
    assert not files(slow.outbox)
    put(slow.inbox, "taken.jpg", scan(4))
    slow.wait_for("scan.delivered", path="taken.jpg")
    assert files(slow.outbox) == {"taken.json"}
    assert (slow.archive / "taken.jpg").read_bytes() == scan(4)
    assert not files(slow.quarantine)


def test_same_name_again_as_soon_as_it_is_free(daemon: DaemonProcess) -> None:
    """A scanner that reuses a name the moment it has gone from the inbox gets a text for each scan."""
    path = daemon.inbox / "reused.jpg"
    for number in range(10, 16):
        until(lambda: not path.exists(), 40, "the name is free")
        path.write_bytes(scan(number))
    daemon.wait_for("scan.delivered", path="reused.jpg", count=6)
    emptied(daemon.inbox / "reused.jpg")
    stems = ["reused", *(f"reused-{count}" for count in range(2, 7))]
    for stem, number in zip(stems, range(10, 16), strict=True):
        assert text_of(daemon, f"{stem}.txt") == phrase(number)
        assert (daemon.archive / f"{stem}.jpg").read_bytes() == scan(number)


def test_same_content_again_under_any_name(daemon: DaemonProcess) -> None:
    """Known bytes that come again, under the same name or others, give a text and an original each time."""
    names = ["copies/a.jpg", "copies/b.jpg", "copies/a.jpg", "copies/c.JPG", "copies/a.jpg"]
    for turn, name in enumerate(names, start=1):
        put(daemon.inbox, name, scan(17))
        daemon.wait_for("scan.delivered", path=name, count=names[:turn].count(name))
    stems = {"a", "a-2", "a-3", "b", "c"}
    assert {path.stem for path in (daemon.outbox / "copies").glob("*.txt")} == stems
    assert {path.stem for path in (daemon.archive / "copies").iterdir()} == stems
    for stem in stems:
        assert text_of(daemon, f"copies/{stem}.txt") == phrase(17)
