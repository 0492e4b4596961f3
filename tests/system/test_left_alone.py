"""What is in an inbox and no file that may be read: left alone, with a line in the log, and holding nothing up."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.dropping import delivered, files, put, scan
from tests.waiting import until


@pytest.mark.parametrize("kind", ["fifo", "symlink", "dangling", "folder", "socket"])
def test_what_is_no_file_is_left_alone(impatient: DaemonProcess, tmp_path: Path, kind: str) -> None:
    """A FIFO, a link, a socket or a folder with a scan's name stays, is logged once, and holds nothing up."""
    name = f"{kind}.jpg"
    strange = impatient.inbox / name
    target = tmp_path / "target.jpg"
    target.write_bytes(scan(4))
    match kind:
        case "fifo":
            os.mkfifo(strange)
        case "symlink":
            strange.symlink_to(target)
        case "dangling":
            strange.symlink_to(tmp_path / "nowhere.jpg")
        case "folder":
            strange.mkdir()
        case _:
            os.mknod(strange, 0o600 | 0o140000)
    event = impatient.wait_for("scan.ignored", path=name)
    assert event["reason"]
    put(impatient.inbox, f"after-{name}", scan(5))
    delivered(impatient, f"after-{name}", 5)
    assert os.path.lexists(strange)
    assert target.read_bytes() == scan(4)
    assert len(impatient.events("scan.ignored", path=name)) == 1
    assert not (impatient.outbox / f"{kind}.txt").exists()


def test_scans_in_a_folder_with_a_scans_name_are_read(impatient: DaemonProcess) -> None:
    """A folder called x.jpg is a subfolder like any other."""
    put(impatient.inbox, "album.jpg/inside.jpg", scan(6))
    delivered(impatient, "album.jpg/inside.jpg", 6)


def test_linked_folder_is_not_followed(impatient: DaemonProcess, tmp_path: Path) -> None:
    """What lies behind a link to a folder is neither read nor moved."""
    put(tmp_path, "private.jpg", scan(7))
    (impatient.inbox / "way-out").symlink_to(tmp_path)
    put(impatient.inbox, "later/after-link.jpg", scan(8))
    delivered(impatient, "later/after-link.jpg", 8)
    assert files(tmp_path) == {"private.jpg"}
    assert not impatient.events(path="way-out/private.jpg")


def test_file_without_permission_waits_until_it_may_be_read(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """A file that the daemon's user may not read stays, is logged with the remedy, and is read once it may be."""
    with DaemonProcess(tmp_path, wrapper=unprivileged) as daemon:
        daemon.wait_ready()
        closed = tmp_path / ".closed"
        closed.write_bytes(scan(11))
        closed.chmod(0)
        closed.rename(daemon.inbox / "closed.jpg")
        event = daemon.wait_for("scan.waiting", path="closed.jpg", reason="unreadable")
        assert "user" in event["next_step"]
        put(daemon.inbox, "open.jpg", scan(12))
        delivered(daemon, "open.jpg", 12)
        (daemon.inbox / "closed.jpg").chmod(0o644)
        delivered(daemon, "closed.jpg", 11)


def test_what_is_not_read_is_said_everywhere(tmp_path: Path) -> None:
    """A GIF and a JPEG without an ending: once in the log, in status and STATUS.txt, and after a restart not again."""
    environment = {"OCRWATCH_STATUS__SHARE_FILE": "true"}
    put(tmp_path / "inbox", "doc.gif", b"GIF89a")
    put(tmp_path / "inbox", "sub/@Recycle/deleted.jpg", scan(2))
    note = tmp_path / "outbox/STATUS.txt"

    def said(text: str) -> bool:
        return note.exists() and text in note.read_text(encoding="utf-8")

    with DaemonProcess(tmp_path, environment=environment) as daemon:
        event = daemon.wait_for("scan.ignored", path="doc.gif")
        assert "GIF image" in event["reason"]
        assert "as JPEG" in event["remedy"]
        put(daemon.inbox, "scan", scan(1))
        daemon.wait_for("scan.ignored", path="scan")
        until(lambda: said("Not read: 2 files"), what="the office is told")
        assert "doc.gif: it is a GIF image" in note.read_text(encoding="utf-8")
        answer = run_ocrwatch(tmp_path, "status").stdout
        assert "not read    2" in answer
        assert "scan: it is a JPEG, but its name has no ending; rename it to scan.jpg" in answer
        (daemon.inbox / "scan").rename(daemon.inbox / "scan.jpg")
        delivered(daemon, "scan.jpg", 1)
        until(lambda: said("Not read: 1 file\n"), what="what got a scan's name is not counted any more")
        until(lambda: json.loads(run_ocrwatch(tmp_path, "status", "--json").stdout)["not_read"] == 1)
        assert len(daemon.events("scan.ignored")) == 2
        daemon.kill()
    with DaemonProcess(tmp_path, environment=environment) as daemon:
        daemon.wait_ready()
        until(lambda: said("has been watching") and said("Not read: 1 file"))
        assert not daemon.events("scan.ignored")
        assert not daemon.events("log.warning")
        daemon.stop()
    assert (tmp_path / "inbox/sub/@Recycle/deleted.jpg").exists()


def test_a_folder_that_may_not_be_entered_holds_nothing_up(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """It is named with its path and what to do, by log and status; the others are read; opened, it is watched."""
    for name in ("closed1", "closed2"):
        put(tmp_path / "inbox", f"{name}/a.jpg", scan(1))
        (tmp_path / "inbox" / name).chmod(0)
    config = '[watch]\nrescan = "1s"\n'
    with DaemonProcess(tmp_path, config=config, wrapper=unprivileged) as daemon:
        daemon.wait_ready()
        event = daemon.wait_for("scan.ignored", path="closed1")
        assert event["reason"] == f"folder {daemon.inbox / 'closed1'} cannot be read: permission denied"
        assert "let the user" in event["remedy"]
        put(daemon.inbox, "open/b.jpg", scan(2))
        delivered(daemon, "open/b.jpg", 2)
        answer = run_ocrwatch(tmp_path, "status").stdout
        assert f"closed2: folder {daemon.inbox / 'closed2'} cannot be read" in answer
        for name in ("closed1", "closed2"):
            (tmp_path / "inbox" / name).chmod(0o755)
        delivered(daemon, "closed1/a.jpg", 1)
        assert len(daemon.events("scan.ignored")) == 2
        assert not daemon.events("log.warning")
        assert not daemon.complaints


def _is_stopped(pid: int) -> bool:
    """Tell whether each thread of a process is stopped (proc(5), stat)."""
    stats = [task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def test_dropped_events_cost_no_time(tmp_path: Path) -> None:
    """A burst overflows the kernel's queue while the daemon is busy: it looks at once, in new folders too."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip(f"a queue of {limit} events takes long to fill")
    config = '[watch]\nmode = "inotify"\nrescan = "1h"\n'
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        daemon.process.send_signal(signal.SIGSTOP)
        until(lambda: _is_stopped(daemon.pid), what="all of its threads are stopped")
        burst = [daemon.inbox / name for name in (".one", ".two")]
        # Each is opened for writing and closed; the kernel merges events only if they are alike and adjacent.
        for number in range(limit + 100):
            os.close(os.open(burst[number % 2], os.O_WRONLY | os.O_CREAT, 0o644))
        put(daemon.inbox, "new/a.jpg", scan(1))
        daemon.process.send_signal(signal.SIGCONT)
        daemon.wait_for("watch.overflowed")
        delivered(daemon, "new/a.jpg", 1)
        put(daemon.inbox, "new/b.jpg", scan(2))
        delivered(daemon, "new/b.jpg", 2)
        assert not daemon.events("log.warning")
        assert not daemon.complaints
