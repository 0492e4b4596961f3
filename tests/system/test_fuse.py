"""Folders on a real FUSE mount: no hard links, no rename that spares what is there, no lasting inode numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.storage.files import facts_of, folder, is_reservation, needs_reservations, rename_noreplace
from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.fuse import rclone_mount
from tests.rendering import render
from tests.system.dropping import files, phrase, put, scan
from tests.waiting import until

FOLDERS = ("inbox", "outbox", "archive", "quarantine")
BRISK = """
[watch]
poll_interval = "200ms"
[settle]
stable_for = "200ms"
"""
BROKEN = render("bad", size=20).replace(b"\xff\xc0", b"\xff\xc3", 1)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """Mount a FUSE file system."""
    with rclone_mount(tmp_path / "behind", tmp_path / "mount") as place:
        yield place


def on(mount: Path, *names: str) -> str:
    """Return settings that have these folders on the mount, and the others beside it."""
    return "".join(f'{name} = "{mount / name}"\n' for name in names)


def make(mount: Path, *names: str) -> None:
    """Make folders on the mount, which the start would do as well."""
    for name in names:
        (mount / name).mkdir()


@pytest.mark.parametrize("away", [("inbox",), ("outbox",), ("archive", "quarantine"), FOLDERS])
def test_any_folder_may_be_on_fuse(tmp_path: Path, mount: Path, away: tuple[str, ...]) -> None:
    """Scans are read, archived or quarantined, names that are taken are spared, and nothing else is left."""
    make(mount, *away)
    places = {name: (mount if name in away else tmp_path) / name for name in FOLDERS}
    for name, taken in (("outbox", "scan2.txt"), ("archive", "scan3.jpg"), ("quarantine", "broken.jpg")):
        places[name].mkdir(exist_ok=True)
        (places[name] / taken).write_bytes(b"")
    put(places["inbox"], "scan2.jpg", scan(2))
    put(places["inbox"], "sub/scan3.jpg", scan(3))
    put(places["inbox"], "scan3.jpg", scan(3))
    put(places["inbox"], "broken.jpg", BROKEN)
    (tmp_path / "ocrwatch.toml").write_text(on(mount, *away))
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == 1, answer.stderr
    assert (places["outbox"] / "scan2.txt").read_bytes() == b""
    assert (places["outbox"] / "scan2-2.txt").read_text().strip() == phrase(2)
    assert files(places["outbox"]) == {"scan2.txt", "scan2-2.txt", "scan3-2.txt", "sub/scan3.txt"}
    assert files(places["archive"]) == {"scan2-2.jpg", "scan3.jpg", "scan3-2.jpg", "sub/scan3.jpg"}
    assert files(places["quarantine"]) == {"broken.jpg", "broken-2.jpg", "broken-2.jpg.reason.json"}
    assert files(places["inbox"]) == set()


def test_scans_dropped_behind_the_mount_survive_kills(tmp_path: Path, mount: Path) -> None:
    """Each scan that others put there gets one text and one place in the archive, wherever the daemon is killed."""
    make(mount, *FOLDERS)
    behind = tmp_path / "behind/inbox"
    names = [f"scan{number}" for number in range(2, 14)]
    for life in range(4):
        with DaemonProcess(tmp_path, config=on(mount, *FOLDERS) + BRISK) as daemon:
            daemon.wait_ready()
            for name in names[life * 3 : life * 3 + 3]:
                put(behind, f"{name}.jpg", scan(int(name.removeprefix("scan"))))
            until(lambda: len(daemon.events("scan.delivered")) + len(daemon.events("scan.recovered")) >= 2, 40)
            daemon.kill()
    with DaemonProcess(tmp_path, config=on(mount, *FOLDERS) + BRISK) as daemon:
        daemon.wait_ready()
        until(lambda: len(files(mount / "archive")) >= len(names) and not files(mount / "inbox"), 60, "all are read")
        assert daemon.stop() == 0
    assert files(mount / "archive") == {f"{name}.jpg" for name in names}
    assert files(mount / "outbox") == {f"{name}.txt" for name in names}
    assert not files(mount / "quarantine")
    for name in names:
        assert (mount / f"outbox/{name}.txt").read_text().strip() == phrase(int(name.removeprefix("scan")))


def test_scans_that_stay_on_fuse_are_read_once(tmp_path: Path, mount: Path) -> None:
    """Written through the mount, where each reading moves the time of a file that is not uploaded yet."""
    make(mount, "inbox")
    config = on(mount, "inbox") + 'on_success = "keep"\n' + BRISK
    for _ in range(2):
        with DaemonProcess(tmp_path, config=config) as daemon:
            daemon.wait_ready()
            if not files(mount / "inbox"):
                put(mount / "inbox", "scan2.jpg", scan(2))
                daemon.wait_for("scan.delivered", path="scan2.jpg")
            put(mount / "inbox", f"scan{len(files(mount / 'inbox')) + 2}.jpg", scan(3))
            daemon.wait_for("scan.delivered", timeout=40, path=f"scan{len(files(mount / 'inbox')) + 1}.jpg")
            assert daemon.stop() == 0
    assert files(tmp_path / "outbox") == {"scan2.txt", "scan3.txt", "scan4.txt"}


def test_doctor_says_what_is_not_guaranteed_and_invents_nothing(tmp_path: Path, mount: Path) -> None:
    """Rclone counts no free files, which is no problem; that names are reserved is a warning for each folder."""
    make(mount, *FOLDERS)
    (tmp_path / "ocrwatch.toml").write_text(on(mount, *FOLDERS) + '[output]\nmode = "0600"\n')
    answer = run_ocrwatch(tmp_path, "doctor", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(answer.stdout)}
    assert answer.returncode == 0, answer.stdout
    assert not {f"{name} files" for name in FOLDERS} & set(findings)
    for name in FOLDERS:
        assert findings[name]["severity"] == "fine"
        assert findings[f"{name} names"]["severity"] == "warning"
    assert "output.mode is 0600, and files in" in findings["outbox permissions"]["message"]
    assert files(mount) == set()


def test_a_state_folder_on_fuse_is_a_problem(tmp_path: Path, mount: Path) -> None:
    """SQLite cannot lock there."""
    answer = run_ocrwatch(tmp_path, "doctor", "--json", "--state", str(mount))
    assert answer.returncode == 3
    findings = {finding["subject"]: finding for finding in json.loads(answer.stdout)}
    assert findings["ledger"]["severity"] == "problem"


def test_a_retry_on_fuse_moves_the_scan_back(tmp_path: Path, mount: Path) -> None:
    """It is copied and then removed; nothing hidden is left."""
    make(mount, *FOLDERS)
    (tmp_path / "ocrwatch.toml").write_text(on(mount, *FOLDERS))
    put(mount / "inbox", "broken.jpg", BROKEN)
    assert run_ocrwatch(tmp_path, "once").returncode == 1
    answer = run_ocrwatch(tmp_path, "retry")
    assert answer.returncode == 0, answer.stderr
    assert files(mount / "inbox") == {"broken.jpg"}
    assert files(mount / "quarantine") == set()


def test_a_name_is_reserved_before_it_is_given(mount: Path) -> None:
    """What is there is spared, also if it is empty; what a killed call has reserved is given after all."""
    for name in ("one", "two", "three"):
        (mount / name).write_bytes(name.encode())
    (mount / "empty").touch()
    with folder(mount) as here:
        assert needs_reservations(here)
        assert is_reservation(here, "empty")
        assert not is_reservation(here, "two")
        for taken in ("two", "empty"):
            with pytest.raises(FileExistsError):
                rename_noreplace(here, "one", here, taken)
        with pytest.raises(FileExistsError):
            rename_noreplace(here, "one", here, "two", again=True)
        rename_noreplace(here, "one", here, "empty", again=True)
        rename_noreplace(here, "three", here, "four")
        with pytest.raises(FileNotFoundError):
            rename_noreplace(here, "missing", here, "five")
    assert {path.name: path.read_bytes() for path in mount.iterdir()} == {
        "two": b"two",
        "empty": b"one",
        "four": b"three",
    }


def test_inode_numbers_count_for_nothing(mount: Path) -> None:
    """Rclone may number a renamed file anew, which must not make it another."""
    (mount / "one").write_bytes(b"data")
    assert (mount / "one").stat().st_ino != 0
    assert facts_of((mount / "one").stat()).inode == 0
