"""Full disks, folders that are gone, links in their place: it pauses, says so, and goes on by itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.dropping import BY_EVENTS, delivered, files, phrase, put, scan, temporary_files, text_of
from tests.waiting import until

WITH_NOTE = {"OCRWATCH_STATUS__SHARE_FILE": "true"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return an empty folder on a file system of its own with room for a few megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _fill(folder: Path) -> Path:
    """Take all the space there is, and return the file that does."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass
    return filler


def _status(daemon: DaemonProcess) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run_ocrwatch(daemon.folder, "status", "--json").stdout)
    return answer


def _waiting(daemon: DaemonProcess) -> int:
    now = _status(daemon)
    return int(now["waiting"]) + len(now["in_work"])


@pytest.mark.parametrize("full", ["outbox", "archive"])
def test_full_disk_is_waited_out(tmp_path: Path, small_disk: Path, full: str) -> None:
    """Where the outbox or the archive is full it pauses; when there is space again everything is delivered, once."""
    with DaemonProcess(tmp_path, f"--{full}", str(small_disk / full)) as daemon:
        daemon.wait_ready()
        filler = _fill(small_disk)
        names = {f"scan{number}.jpg": number for number in range(3)}
        for name, number in names.items():
            put(daemon.inbox, name, scan(number))
        paused = daemon.wait_for("daemon.paused")
        assert "no space left" in paused["reason"]
        assert str(small_disk / full) in paused["reason"]
        assert "free some space" in paused["remedy"]
        until(lambda: _status(daemon)["state"] == "paused", what="the status says so")
        answer = run_ocrwatch(tmp_path, "status")
        assert answer.returncode == 3
        assert "no space left" in answer.stdout
        three = re.compile(r"^waiting +3, the first", re.MULTILINE)
        until(lambda: three.search(run_ocrwatch(tmp_path, "status").stdout), what="all of them are counted")
        assert not daemon.events("scan.delivered")
        filler.unlink()
        daemon.wait_for("daemon.resumed")
        for name in names:
            daemon.wait_for("scan.delivered", path=name)
        assert len(daemon.events("scan.delivered")) == 3
        assert len(daemon.events("daemon.paused")) == 1
        assert not files(daemon.quarantine)
        assert not temporary_files(daemon)
        assert not list(small_disk.rglob(".ocrwatch-*"))
        places = {"outbox": daemon.outbox, "archive": daemon.archive, full: small_disk / full}
        assert files(places["archive"]) == set(names)
        for name, number in names.items():
            text = (places["outbox"] / name.replace(".jpg", ".txt")).read_text(encoding="utf-8")
            assert text.split() == phrase(number).split()
        until(lambda: _status(daemon)["state"] == "watching", what="the status says so")


def test_stopped_while_the_disk_is_full(tmp_path: Path, small_disk: Path) -> None:
    """It can be stopped in a pause, and the scan is delivered after a restart with space."""
    with DaemonProcess(tmp_path, "--outbox", str(small_disk / "outbox")) as daemon:
        daemon.wait_ready()
        filler = _fill(small_disk)
        put(daemon.inbox, "patient.jpg", scan(1))
        daemon.wait_for("daemon.paused")
        assert daemon.stop(timeout=10) == 0
        assert files(daemon.inbox) == {"patient.jpg"}
    filler.unlink()
    with DaemonProcess(tmp_path, "--outbox", str(small_disk / "outbox")) as daemon:
        daemon.wait_for("scan.delivered", path="patient.jpg")
        assert files(small_disk) == {"outbox/patient.txt"}


def test_started_while_the_disk_is_full(tmp_path: Path, small_disk: Path) -> None:
    """Killed in a pause and started again with the disk still full, it pauses anew instead of giving up.

    Each scan is counted once among those that wait, though what the first run left of it is to be cleared away.
    """
    names = [f"patient{number}.jpg" for number in range(6)]
    with DaemonProcess(tmp_path, "--archive", str(small_disk / "archive"), environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        filler = _fill(small_disk)
        for number, name in enumerate(names):
            put(daemon.inbox, name, scan(number))
        daemon.wait_for("daemon.paused")
        until(lambda: _waiting(daemon) == len(names), what="all are counted")
        daemon.kill()
    with DaemonProcess(tmp_path, "--archive", str(small_disk / "archive"), environment=WITH_NOTE) as daemon:
        until(lambda: daemon.events("daemon.paused") or daemon.process.poll() is not None)
        assert daemon.process.poll() is None
        until(lambda: _status(daemon)["state"] == "paused", what="the status says so")
        until(lambda: _waiting(daemon) == len(names), what="all are counted once")
        assert daemon.stop() == 0
        assert "Waiting" not in (daemon.outbox / "STATUS.txt").read_text()
    with DaemonProcess(tmp_path, "--archive", str(small_disk / "archive"), environment=WITH_NOTE) as daemon:
        until(lambda: daemon.events("daemon.paused"))
        filler.unlink()
        until(lambda: not files(daemon.inbox), 40, "the scans are delivered")
        assert files(daemon.outbox) == {name.replace(".jpg", ".txt") for name in names} | {"STATUS.txt"}
        assert files(small_disk) == {f"archive/{name}" for name in names}


def test_full_disk_for_the_records_is_waited_out(tmp_path: Path, small_disk: Path) -> None:
    """Where the state folder's disk is full it pauses as well, and goes on when there is space."""
    with DaemonProcess(tmp_path, "--state", str(small_disk / "state")) as daemon:
        daemon.wait_ready()
        filler = _fill(small_disk)
        names = [f"scan{number}.jpg" for number in range(12)]
        for number, name in enumerate(names):
            put(daemon.inbox, name, scan(number))
        daemon.wait_for("daemon.paused")
        filler.unlink()
        for name in names:
            daemon.wait_for("scan.delivered", path=name)
        assert files(daemon.outbox) == {name.replace(".jpg", ".txt") for name in names}
        assert files(daemon.archive) == set(names)
        assert not files(daemon.quarantine)


@pytest.mark.parametrize("name", ["outbox", "archive"])
def test_folder_that_is_gone_is_waited_for(tmp_path: Path, name: str) -> None:
    """A folder that vanishes, as an unmounted share does, is not made again in its place but waited for."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        folder = tmp_path / name
        folder.rename(tmp_path / "away")
        put(daemon.inbox, "one.jpg", scan(1))
        paused = daemon.wait_for("daemon.paused")
        assert f"{name} {folder}" in paused["reason"]
        assert not folder.exists()
        (tmp_path / "away").rename(folder)
        daemon.wait_for("daemon.resumed")
        delivered(daemon, "one.jpg", 1)
        assert len(daemon.events("scan.delivered")) == 1


def test_inbox_that_goes_and_comes_back(tmp_path: Path) -> None:
    """An inbox that is renamed away and back, as a share that is lost for a while, is watched again."""
    with DaemonProcess(tmp_path, "--set", "watch.rescan=500ms") as daemon:
        daemon.wait_ready()
        away = tmp_path / "away"
        daemon.inbox.rename(away)
        paused = daemon.wait_for("daemon.paused", cause="inbox")
        assert str(daemon.inbox) in paused["reason"]
        put(away, "meanwhile.jpg", scan(1))
        away.rename(daemon.inbox)
        daemon.wait_for("daemon.resumed", cause="inbox")
        delivered(daemon, "meanwhile.jpg", 1)
        put(daemon.inbox, "after.jpg", scan(2))
        delivered(daemon, "after.jpg", 2)


def test_inbox_that_is_replaced_is_watched_by_events_again(tmp_path: Path) -> None:
    """When another folder takes the inbox's place, events come from that one: a scan need not wait for a look."""
    with DaemonProcess(tmp_path, *BY_EVENTS, "--set", "watch.rescan=1s") as daemon:
        daemon.wait_ready()
        daemon.inbox.rename(tmp_path / "old")
        daemon.inbox.mkdir()
        daemon.wait_for("watch.lost")
        daemon.wait_for("watch.armed", count=2)
        put(daemon.inbox, "new.jpg", scan(1))
        delivered(daemon, "new.jpg", 1)


def test_link_in_the_place_of_a_mirrored_folder_is_not_followed(tmp_path: Path) -> None:
    """A link in the outbox is not followed, so that nobody there leads texts elsewhere; the folder gets a number."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        (daemon.outbox / "sub").symlink_to(elsewhere)
        put(daemon.inbox, "sub/one.jpg", scan(1))
        assert daemon.wait_for("scan.delivered")["sidecars"] == ["sub-2/one.txt"]
        assert not files(elsewhere)
        assert (daemon.outbox / "sub-2/one.txt").is_file()
        assert (daemon.archive / "sub-2/one.jpg").is_file()


@pytest.mark.parametrize(("first", "second"), [("a.jpg", "a.txt/b.jpg"), ("album.jpg", "album.jpg/page.jpg")])
def test_names_in_each_others_way_stop_nobody_else(tmp_path: Path, first: str, second: str) -> None:
    """A folder with the name of an earlier scan's text or original holds no other scan up."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, first, scan(1))
        delivered(daemon, first, 1)
        put(daemon.inbox, second, scan(2))
        until(lambda: daemon.events("daemon.paused") or daemon.events("scan.delivered", path=second))
        put(daemon.inbox, "bystander.jpg", scan(3))
        daemon.wait_for("scan.delivered", path="bystander.jpg", timeout=6)


def test_scan_taken_away_while_it_waits_is_no_failure(tmp_path: Path) -> None:
    """A scan that is removed from the inbox before it could be delivered is forgotten without a text."""
    put(tmp_path / "inbox", "first.jpg", scan(1, 100))
    put(tmp_path / "inbox", "second.jpg", scan(2, 100))
    with DaemonProcess(tmp_path, "--workers", "1") as daemon:
        daemon.wait_for("batch.started")
        (daemon.inbox / "second.jpg").unlink()
        daemon.wait_for("batch.finished", delivered=1, changed=1)
        assert files(daemon.outbox) == {"first.txt"}
        assert not files(daemon.quarantine)
        assert text_of(daemon, "first.txt").startswith(phrase(1))
