"""STATUS.txt in the outbox, through the real daemon."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.observe.status_txt import first_line
from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.faulty_engines import install
from tests.system.disks import Disk, Manager, disk_for
from tests.system.dropping import delivered, files, put, scan, temporary_files
from tests.system.pausing import BRISK, bad_scan
from tests.waiting import until

WITH_NOTE = {"OCRWATCH_STATUS__SHARE_FILE": "true"}


def note(daemon: DaemonProcess, name: str = "STATUS.txt") -> str:
    """Return what the note says, nothing where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return (daemon.outbox / name).read_text(encoding="utf-8")
    return ""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Return what listens as systemd does."""
    manager = Manager(tmp_path / "notify.sock")
    yield manager
    manager.close()


def test_it_tells_of_a_day(tmp_path: Path) -> None:
    """Watching, then what was read and what could not be, and at the end that it is stopped; nothing hidden is left."""
    with DaemonProcess(tmp_path, "--set", "status.heartbeat=1s", environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        until(lambda: "has been watching since" in note(daemon), what="it says that it watches")
        assert note(daemon).splitlines()[0] == first_line(str(daemon.inbox))
        put(daemon.inbox, "sub/one.jpg", scan(1))
        put(daemon.inbox, "bad.jpg", bad_scan())
        delivered(daemon, "sub/one.jpg", 1)
        daemon.wait_for("scan.quarantined")
        until(lambda: "sub/one.txt" in note(daemon) and "bad.jpg: " in note(daemon), what="it tells of both")
        quiet = (daemon.outbox / "STATUS.txt").stat()
        written = (daemon.state / "status.json").stat().st_ino
        until(lambda: (daemon.state / "status.json").stat().st_ino != written, 25, "a heartbeat without news")
        assert (daemon.outbox / "STATUS.txt").stat().st_ino == quiet.st_ino
        assert daemon.stop() == 0
        assert "has been stopped since" in note(daemon)
        assert files(daemon.outbox) == {"STATUS.txt", "sub/one.txt"}
        assert not temporary_files(daemon)


def test_its_name_is_no_scans(tmp_path: Path) -> None:
    """The text of STATUS.jpg goes beside the note, and a user's STATUS.txt stays what it was."""
    outbox = tmp_path / "outbox"
    with DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "STATUS.jpg", scan(1))
        delivered(daemon, "STATUS.jpg", 1, sidecar="STATUS-2.txt")
        daemon.stop()
        assert "stopped" in note(daemon)
    (outbox / "STATUS.txt").write_text("my own\n")
    with DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        until(lambda: "watching" in note(daemon, "STATUS-3.txt"), what="the note gives way")
        assert note(daemon) == "my own\n"
        daemon.stop()


def test_once_leaves_no_note(tmp_path: Path) -> None:
    """Whoever reads once has the summary; a note would say "stopped" for ever."""
    put(tmp_path / "inbox", "one.jpg", scan(1))
    assert run_ocrwatch(tmp_path, "once").returncode == 0
    assert files(tmp_path / "outbox") == {"one.txt"}


def test_a_daemon_that_was_killed_leaves_a_note_that_the_next_one_goes_on_with(tmp_path: Path) -> None:
    """The note and its unfinished file are known again after a kill."""
    with DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        until(lambda: "watching" in note(daemon))
        daemon.kill()
        assert "watching" in note(daemon)
    with DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        daemon.stop()
        assert "stopped" in note(daemon)
        assert files(daemon.outbox) == {"STATUS.txt"}


def test_after_a_kill_it_says_what_is_true_and_what_was_read_last(tmp_path: Path) -> None:
    """The next start says at once that it starts, then what it does, and still names the texts of the run before."""
    with DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "sub/one.jpg", scan(1))
        delivered(daemon, "sub/one.jpg", 1)
        until(lambda: "sub/one.txt" in note(daemon), what="it tells of the text")
        daemon.kill()
        assert "has been watching since" in note(daemon) or "has been working since" in note(daemon)
    # An engine that loads slowly: what is true meanwhile is seen.
    (tmp_path / "engines").mkdir()
    install(tmp_path / "engines")
    path = os.pathsep.join([str(tmp_path / "engines"), str(Path(__file__).parents[2])])
    gate = tmp_path / "gate"
    gate.touch()
    config = f'[ocr]\nengine = "starts-late"\nwhitelist = "{gate}"\n'
    with DaemonProcess(tmp_path, config=config, environment={**WITH_NOTE, "PYTHONPATH": path}) as daemon:
        until(lambda: "has been starting since" in note(daemon), what="it says that it starts")
        assert "sub/one.txt" in note(daemon)
        assert "Waiting or being read" not in note(daemon)
        gate.unlink()
        until(lambda: "has been watching since" in note(daemon), what="it says that it watches")
        assert "sub/one.txt" in note(daemon)
        daemon.stop()


def test_a_start_that_fails_is_told(tmp_path: Path) -> None:
    """The note of a killed run does not go on saying that it watches: it says what is lacking and what to do."""
    with DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        until(lambda: "has been watching since" in note(daemon))
        daemon.kill()
    answer = run_ocrwatch(tmp_path, "run", "--languages", "isl", environment=WITH_NOTE)
    assert answer.returncode == 3
    says = (tmp_path / "outbox/STATUS.txt").read_text(encoding="utf-8")
    assert "has been stopped since" in says
    assert "It lacked:" in says
    assert "tesseract-ocr-isl" in says


def test_a_pause_is_told_everywhere_with_its_beginning(tmp_path: Path, manager: Manager) -> None:
    """With the archive read-only the log, status, the service manager and the note say what, since when, what to do."""
    (tmp_path / "archive").mkdir()
    with (
        disk_for(tmp_path / "archive") as disk,
        DaemonProcess(tmp_path, config=BRISK, environment={**WITH_NOTE, **manager.environment}) as daemon,
    ):
        daemon.wait_ready()
        disk.remount("ro")
        put(daemon.inbox, "one.jpg", scan(1))
        paused = daemon.wait_for("daemon.paused")
        assert str(daemon.archive) in paused["reason"]
        assert paused["time"]
        until(lambda: "has been paused since" in note(daemon), what="the note says so")
        says = note(daemon)
        assert paused["reason"] in says
        assert paused["remedy"] in says
        until(
            lambda: any(
                status.startswith("paused since 20") and paused["reason"] in status for status in manager.statuses()
            ),
            what="the service manager is told",
        )
        answer = run_ocrwatch(tmp_path, "status")
        assert answer.returncode == 3
        assert paused["reason"] in answer.stdout
        assert "paused since" in answer.stdout
        disk.remount("rw")
        daemon.wait_for("scan.delivered")
        until(lambda: "has been watching since" in note(daemon), what="the note says that it is over")
        assert "paused" not in note(daemon)


def _never_mentions_the_note(daemon: DaemonProcess) -> None:
    assert not [event for event in daemon.events() if "STATUS" in str(event)]
    assert not daemon.complaints


def test_an_outbox_that_fails_is_not_made_worse(tmp_path: Path) -> None:
    """A read-only outbox pauses for its scans only, and the note comes up to date when it is writable again."""
    (tmp_path / "outbox").mkdir()
    with (
        disk_for(tmp_path / "outbox") as disk,
        DaemonProcess(tmp_path, config=BRISK, environment=WITH_NOTE) as daemon,
    ):
        daemon.wait_ready()
        until(lambda: "watching" in note(daemon))
        disk.remount("ro")
        put(daemon.inbox, "one.jpg", scan(1))
        daemon.wait_for("daemon.paused")
        assert len(daemon.events("daemon.paused")) == 1
        disk.remount("rw")
        daemon.wait_for("scan.delivered")
        until(lambda: "one.txt" in note(daemon), what="the note is up to date")
        assert not temporary_files(daemon)
        _never_mentions_the_note(daemon)


def test_an_outbox_that_is_not_mounted_gets_no_note(tmp_path: Path) -> None:
    """The folder underneath the share stays empty, and a stop is not held up."""
    (tmp_path / "outbox").mkdir()
    with disk_for(tmp_path / "outbox") as disk, DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        until(lambda: "watching" in note(daemon))
        _unmounted(disk)
        assert daemon.stop(timeout=10) == 0
        assert files(daemon.outbox) == set()
        _never_mentions_the_note(daemon)


def _unmounted(disk: Disk) -> None:
    disk.unmount()
    assert not disk.place.is_mount()


def test_a_start_that_a_folder_refuses_is_told(tmp_path: Path) -> None:
    """Also before anything is open: the note and ``status`` name the folder, and not what was true before."""
    with DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        until(lambda: "has been watching since" in note(daemon))
        daemon.kill()
    daemon.archive.rmdir()
    daemon.archive.write_text("a file in its place")
    answer = run_ocrwatch(tmp_path, "run", environment=WITH_NOTE)
    assert answer.returncode == 3
    says = (tmp_path / "outbox/STATUS.txt").read_text(encoding="utf-8")
    assert "has been stopped since" in says
    assert str(daemon.archive) in says
    told = run_ocrwatch(tmp_path, "status").stdout
    assert "It could not start" in told
    assert str(daemon.archive) in " ".join(told.split())
