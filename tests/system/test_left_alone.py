"""What is in an inbox and no file that may be read: left alone, with a line in the log, and holding nothing up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.system.dropping import delivered, files, put, scan


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
        assert "user" in event["then"]
        put(daemon.inbox, "open.jpg", scan(12))
        delivered(daemon, "open.jpg", 12)
        (daemon.inbox / "closed.jpg").chmod(0o644)
        delivered(daemon, "closed.jpg", 11)
