"""What the settings change about the main job: where originals go, how new scans are noticed; and starting again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.system.dropping import delivered, emptied, files, only_once, phrase, put, scan, text_of
from tests.waiting import until


def test_scans_that_wait_at_the_start_are_read(tmp_path: Path) -> None:
    """What was put into the inbox while no ocrwatch ran is read, in subfolders as well."""
    put(tmp_path / "inbox", "early.jpg", scan(1))
    put(tmp_path / "inbox", "a/b/EARLY.JPG", scan(2))
    with DaemonProcess(tmp_path) as daemon:
        delivered(daemon, "early.jpg", 1)
        delivered(daemon, "a/b/EARLY.JPG", 2)
        assert daemon.stop() == 0


def test_incomplete_scan_at_the_start_settles_first(tmp_path: Path) -> None:
    """Half a scan in the inbox at the start is not taken before its other half came."""
    (tmp_path / "inbox").mkdir()
    half = len(scan(1)) // 2
    with (tmp_path / "inbox" / "half.jpg").open("wb", buffering=0) as file:
        file.write(scan(1)[:half])
        with DaemonProcess(tmp_path) as daemon:
            daemon.wait_for("scan.waiting", path="half.jpg", reason="incomplete")
            file.write(scan(1)[half:])
            delivered(daemon, "half.jpg", 1)
            only_once(daemon, "half.jpg")


def test_backlog_is_read_in_the_order_of_a_person(tmp_path: Path) -> None:
    """With one worker, page 2 comes before page 10."""
    names = [f"page{number}.jpg" for number in (1, 2, 3, 10, 11, 20)]
    for number, name in enumerate(reversed(names)):
        put(tmp_path / "inbox", name, scan(number))
    with DaemonProcess(tmp_path, "--workers", "1") as daemon:
        daemon.wait_for("scan.delivered", count=len(names))
        assert [event["path"] for event in daemon.events("scan.delivered")] == names


def test_kept_originals_stay_and_are_read_once(tmp_path: Path) -> None:
    """With on_success = keep the original stays; neither a look, nor a touch, nor a restart has it read again."""
    config = 'on_success = "keep"\n[watch]\nrescan = "500ms"\n'
    with DaemonProcess(tmp_path, config=config) as daemon:
        put(daemon.inbox.parent, "inbox/stays.jpg", scan(1))
        event = daemon.wait_for("scan.delivered", path="stays.jpg")
        assert event["archived"] is None
        os.utime(daemon.inbox / "stays.jpg")
        put(daemon.inbox, "next.jpg", scan(2))
        daemon.wait_for("scan.delivered", path="next.jpg")
        only_once(daemon, "stays.jpg")
        assert daemon.stop() == 0
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "third.jpg", scan(3))
        daemon.wait_for("scan.delivered", path="third.jpg")
        assert [event["path"] for event in daemon.events("scan.delivered")] == ["third.jpg"]
        assert files(daemon.inbox) == {"stays.jpg", "next.jpg", "third.jpg"}
        assert files(daemon.outbox) == {"stays.txt", "next.txt", "third.txt"}


def test_kept_original_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    """With on_success = keep another scan under a known name is a new scan."""
    with DaemonProcess(tmp_path, config='on_success = "keep"\n') as daemon:
        daemon.wait_ready()
        for count, number in enumerate((1, 2), start=1):
            put(daemon.inbox, "same.jpg", scan(number))
            daemon.wait_for("scan.delivered", path="same.jpg", count=count)
        assert text_of(daemon, "same.txt") == phrase(1)
        assert text_of(daemon, "same-2.txt") == phrase(2)


def test_deleted_originals_are_gone(tmp_path: Path) -> None:
    """With on_success = delete the text is there and the original is nowhere."""
    with DaemonProcess(tmp_path, "--set", "on_success=delete") as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "sub/gone.jpg", scan(1))
        daemon.wait_for("scan.delivered", path="sub/gone.jpg")
        assert text_of(daemon, "sub/gone.txt") == phrase(1)
        assert not files(daemon.inbox)
        assert not list(tmp_path.rglob("*.jpg"))


def test_polling_does_the_same_job(tmp_path: Path) -> None:
    """Without events, as on a network share, looks alone find scans however they come."""
    with DaemonProcess(
        tmp_path, "--set", "watch.mode=poll", "--set", "watch.poll_interval=200ms", "--set", "settle.stable_for=300ms"
    ) as daemon:
        daemon.wait_ready()
        assert daemon.events("watch.armed")[0]["mode"] == "poll"
        (daemon.inbox / "written.jpg").write_bytes(scan(1))
        put(daemon.inbox, "sub/renamed.JPG", scan(2))
        put(tmp_path, "pile/inner/moved.jpg", scan(3))
        shutil.move(tmp_path / "pile", daemon.inbox)
        with (daemon.inbox / "slow.jpg").open("wb", buffering=0) as file:
            file.write(scan(4)[:3000])
            daemon.wait_for("scan.waiting", path="slow.jpg", reason="incomplete")
            file.write(scan(4)[3000:])
        for number, path in enumerate(["written.jpg", "sub/renamed.JPG", "pile/inner/moved.jpg", "slow.jpg"], start=1):
            delivered(daemon, path, number)
            only_once(daemon, path)


def test_top_folder_only(tmp_path: Path) -> None:
    """With watch.recursive off, subfolders are left alone."""
    with DaemonProcess(tmp_path, "--set", "watch.recursive=false") as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "sub/below.jpg", scan(1))
        put(daemon.inbox, "top.jpg", scan(2))
        delivered(daemon, "top.jpg", 2)
        assert files(daemon.inbox) == {"sub/below.jpg"}


def test_folders_may_be_anywhere(tmp_path: Path) -> None:
    """Folders given on the command line are used and made; their names may have spaces."""
    places = {name: tmp_path / "some where" / f"my {name}" for name in ("inbox", "outbox", "archive", "quarantine")}
    options = [word for name, path in places.items() for word in (f"--{name}", str(path))]
    with DaemonProcess(tmp_path, *options) as daemon:
        daemon.wait_ready()
        put(places["inbox"], "here.jpg", scan(1))
        daemon.wait_for("scan.delivered", path="here.jpg")
        assert files(places["outbox"]) == {"here.txt"}
        assert files(places["archive"]) == {"here.jpg"}
        assert not (tmp_path / "inbox").exists()


def test_archive_on_another_file_system_gets_whole_originals(tmp_path: Path) -> None:
    """Where the archive is on another file system the original is copied there whole and then removed."""
    elsewhere = Path("/dev/shm")
    if not os.access(elsewhere, os.W_OK) or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    archive = elsewhere / f"ocrwatch-test-{os.getpid()}"
    try:
        with DaemonProcess(tmp_path, "--archive", str(archive)) as daemon:
            daemon.wait_ready()
            put(daemon.inbox, "far/away.jpg", scan(1))
            daemon.wait_for("scan.delivered", path="far/away.jpg")
            assert (archive / "far" / "away.jpg").read_bytes() == scan(1)
            assert files(archive) == {"far/away.jpg"}
            emptied(daemon.inbox)
    finally:
        shutil.rmtree(archive, ignore_errors=True)


def test_sidecars_get_mode_and_group(tmp_path: Path) -> None:
    """The permissions and the group of the sidecars are as set, so that a NAS's users can read them."""
    with DaemonProcess(tmp_path, "--set", "output.mode=0640", "--set", "output.formats=txt,json") as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "mine.jpg", scan(1))
        daemon.wait_for("scan.delivered", path="mine.jpg")
        modes = {path.name: path.stat().st_mode & 0o777 for path in daemon.outbox.iterdir()}
        assert modes == {"mine.txt": 0o640, "mine.json": 0o640}


def test_records_are_not_for_everybody(tmp_path: Path) -> None:
    """The state folder tells names of people's scans: nobody outside the owner's group can look into it."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        until((daemon.state / "status.json").exists)
        assert daemon.state.stat().st_mode & 0o007 == 0


def test_records_in_an_open_state_folder_are_not_for_everybody(tmp_path: Path) -> None:
    """In a state folder that was there before and is open to all, ocrwatch's own files are closed to others."""
    (tmp_path / "state").mkdir(mode=0o755)
    with DaemonProcess(tmp_path) as daemon:
        put(tmp_path / "inbox", "one.jpg", scan(1))
        daemon.wait_for("scan.delivered")
        until((daemon.state / "status.json").exists)
        open_to_all = {path.name for path in daemon.state.iterdir() if path.stat().st_mode & 0o007}
        assert not open_to_all
