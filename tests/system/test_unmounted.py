"""Shares that are unmounted and come back: nothing is written underneath, nothing is lost, nothing is read twice."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.disks import disk_for
from tests.system.dropping import BY_EVENTS, delivered, emptied, files, put, scan, temporary_files
from tests.system.pausing import BRISK, OUTPUTS, all_is_well, drop_for, says_paused
from tests.waiting import until


@pytest.mark.parametrize("folder", OUTPUTS)
def test_unmounted_disk_is_waited_for(tmp_path: Path, folder: str) -> None:
    """While a disk is not mounted nothing is written to the folder underneath; mounted again, it gets everything."""
    with disk_for(tmp_path / folder) as disk, DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        disk.unmount()
        drop_for(daemon, folder)
        until(lambda: daemon.events("daemon.paused") or files(disk.place), 40, "a pause, or a file underneath")
        assert not files(disk.place)
        says_paused(daemon, folder, "mounted")
        disk.mount()
        all_is_well(daemon, folder)


def _in_hand(daemon: DaemonProcess) -> bool:
    return any(path.name.startswith("scan") for path in daemon.outbox.iterdir())


def _replace_by_empty(folder: Path) -> Callable[[], None]:
    """Put an empty folder in a folder's place, as an unmounted share does; return what brings the first one back."""
    away = folder.with_name("real")
    folder.rename(away)
    folder.mkdir()

    def bring_back() -> None:
        shutil.rmtree(folder)
        away.rename(folder)

    return bring_back


def test_inbox_that_is_unmounted_in_mid_delivery_gives_nothing_twice(tmp_path: Path) -> None:
    """Where the inbox goes away between a scan's text and the move of its original, the scan is not read once more."""
    with DaemonProcess(tmp_path, *BY_EVENTS, config=BRISK) as daemon:
        daemon.wait_ready()
        daemon.archive.rename(tmp_path / "away")
        put(daemon.inbox, "scan2.jpg", scan(2))
        daemon.wait_for("daemon.paused")
        until(lambda: _in_hand(daemon), what="its text is there")
        bring_back = _replace_by_empty(daemon.inbox)
        looks = len(daemon.events("watch.lost"))
        until(lambda: len(daemon.events("watch.lost")) > looks or daemon.events("daemon.paused", cause="inbox"))
        (tmp_path / "away").rename(daemon.archive)
        until(
            lambda: daemon.events("scan.waiting", path="scan2.jpg") or daemon.events("daemon.paused", cause="inbox"), 40
        )
        bring_back()
        emptied(daemon.inbox)
        until(lambda: files(daemon.archive), 40, "the original is put away")
        assert files(daemon.outbox) == {"scan2.txt"}
        assert files(daemon.archive) == {"scan2.jpg"}


def test_text_that_waits_in_an_unmounted_outbox_is_not_taken_for_published(tmp_path: Path) -> None:
    """Killed before a text got its name, and started with the outbox not mounted: the original is kept for its text."""
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        # In a folder that can only be added to, files can be made but get no other name.
        if subprocess.run(["chattr", "+a", daemon.outbox], check=False).returncode != 0:
            pytest.skip("only root can make a folder append-only, and not everywhere")
        try:
            put(daemon.inbox, "scan2.jpg", scan(2))
            daemon.wait_for("daemon.paused")
            daemon.kill()
        finally:
            subprocess.run(["chattr", "-a", daemon.outbox], check=True)
    assert temporary_files(daemon)
    bring_back = _replace_by_empty(tmp_path / "outbox")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        until(lambda: daemon.events("daemon.paused") or not files(daemon.inbox), 40, "it has tried to go on")
        texts = {name for name in files(daemon.outbox) if name.endswith(".txt")}
        bring_back()
        until(lambda: texts or files(daemon.outbox) == {"scan2.txt"}, 10, "the text is there")


def test_unmounted_inbox_comes_back_with_its_scans(tmp_path: Path) -> None:
    """Scans that wait in an inbox that is unmounted for a while are each read once, and nothing is left underneath."""
    with disk_for(tmp_path / "inbox") as disk, DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        drop_for(daemon, "inbox")
        disk.unmount()
        until(lambda: daemon.events("watch.lost") or daemon.events("daemon.paused"), what="it notices")
        assert not files(disk.place)
        disk.mount()
        emptied(daemon.inbox)
        for number in range(2, 5):
            delivered(daemon, f"scan{number}.jpg", number)
        assert files(daemon.outbox) == {f"scan{number}.txt" for number in range(2, 5)}
        assert not files(daemon.quarantine)


def test_a_share_that_is_missing_at_the_start_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    """The outbox was on a disk of its own: without that it does not start, says what to do, and writes nothing."""
    with disk_for(tmp_path / "share") as disk:
        where = f'outbox = "{tmp_path / "share" / "outbox"}"\n'
        with DaemonProcess(tmp_path, config=where) as daemon:
            daemon.wait_ready()
            assert daemon.stop() == 0
        disk.unmount()
        answer = run_ocrwatch(tmp_path, "once")
        assert answer.returncode == 3
        assert f"nothing is mounted on {tmp_path / 'share'}" in answer.stderr
        assert "mount it" in answer.stderr
        assert not list((tmp_path / "share").iterdir())
        disk.mount()
        put(tmp_path / "inbox", "scan2.jpg", scan(2))
        assert run_ocrwatch(tmp_path, "once").returncode == 0
        assert files(tmp_path / "share") == {"outbox/scan2.txt"}
