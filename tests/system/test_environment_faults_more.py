"""Folders that are read-only, forbidden or deleted, data that is gone: waited out, said, and nothing lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.tessdata import check_languages
from tests.daemon_process import DaemonProcess
from tests.system.disks import Manager, disk_for
from tests.system.dropping import delivered, emptied, files, phrase, put, scan, text_of
from tests.system.pausing import BRISK, OUTPUTS, all_is_well, drop_for, says_paused
from tests.waiting import until


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Return a service manager that listens to the daemons of the test."""
    listening = Manager(tmp_path / "notify")
    yield listening
    listening.close()


@pytest.mark.parametrize("folder", OUTPUTS)
def test_read_only_disk_is_waited_out(tmp_path: Path, folder: str) -> None:
    """A disk that turns read-only, as a damaged one does, is waited for until it can be written to again."""
    with disk_for(tmp_path / folder) as disk, DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        disk.remount("ro")
        drop_for(daemon, folder)
        says_paused(daemon, folder, "read-only")
        disk.remount("rw")
        all_is_well(daemon, folder)


@pytest.mark.parametrize("folder", OUTPUTS)
def test_folder_without_permission_is_waited_for(tmp_path: Path, unprivileged: tuple[str, ...], folder: str) -> None:
    """A folder that the daemon may not write to any more is waited for until it may."""
    with DaemonProcess(tmp_path, config=BRISK, wrapper=unprivileged) as daemon:
        daemon.wait_ready()
        (tmp_path / folder).chmod(0o555)
        drop_for(daemon, folder)
        says_paused(daemon, folder, "permission denied")
        (tmp_path / folder).chmod(0o755)
        all_is_well(daemon, folder)


def test_inbox_without_permission_is_waited_for(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """An inbox that may not be read for a while loses nothing of what came meanwhile."""
    with DaemonProcess(tmp_path, config=BRISK, wrapper=unprivileged) as daemon:
        daemon.wait_ready()
        daemon.inbox.chmod(0)
        says_paused(daemon, "inbox", "permission denied")
        daemon.inbox.chmod(0o755)
        drop_for(daemon, "inbox")
        all_is_well(daemon, "inbox")


def test_full_quarantine_is_waited_out(tmp_path: Path) -> None:
    """A scan that cannot be read stays where it is until there is room for it and its reason; others are read."""
    with disk_for(tmp_path / "quarantine", megabytes=1) as disk, DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        filler = disk.place / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 12)):
                pass
        drop_for(daemon, "quarantine")
        says_paused(daemon, "quarantine", "no space left on device")
        filler.unlink()
        all_is_well(daemon, "quarantine")


@pytest.mark.parametrize("folder", OUTPUTS)
def test_deleted_folder_is_waited_for(tmp_path: Path, folder: str) -> None:
    """A folder that somebody has deleted is used again once somebody has made it again."""
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        shutil.rmtree(tmp_path / folder)
        drop_for(daemon, folder)
        says_paused(daemon, folder, "no such file or directory")
        assert not (tmp_path / folder).exists()
        (tmp_path / folder).mkdir()
        all_is_well(daemon, folder)


@pytest.mark.parametrize("fate", ["renamed", "deleted"])
def test_records_that_go_away_lose_no_scan(tmp_path: Path, fate: str) -> None:
    """Where the state folder goes while it runs, each scan is delivered once, at the latest after a restart."""
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "before.jpg", scan(1))
        delivered(daemon, "before.jpg", 1)
        if fate == "renamed":
            daemon.state.rename(tmp_path / "away")
        else:
            shutil.rmtree(daemon.state)
        drop_for(daemon, "state")
        until(lambda: daemon.events("daemon.paused") or not files(daemon.inbox), 40, "it goes on, or says why not")
        assert daemon.process.poll() is None
        if fate == "renamed":
            (tmp_path / "away").rename(daemon.state)
            emptied(daemon.inbox)
        assert daemon.stop() == 0
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        emptied(daemon.inbox)
        assert daemon.stop() == 0
        stems = ["before", *(f"scan{number}" for number in range(2, 5))]
        assert files(daemon.outbox) == {f"{stem}.txt" for stem in stems}
        assert files(daemon.archive) == {f"{stem}.jpg" for stem in stems}
        assert not files(daemon.quarantine)


def test_language_data_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    """New workers that miss the language data make it pause, not quarantine; with the data back it goes on."""
    usual = check_languages(Recipe(engine="auto", languages=("eng",), enhance=EnhanceOptions()))
    data = tmp_path / "tessdata"
    data.mkdir()
    shutil.copy(usual / "eng.traineddata", data)
    config = f'{BRISK}[workers]\ncount = 1\nmax_scans = 1\n[ocr]\ntessdata = "{data}"\n'
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        data.rename(tmp_path / "away")
        drop_for(daemon, "inbox")
        says_paused(daemon, "tessdata", "traineddata")
        assert daemon.events("daemon.paused")[0]["cause"] == "workers"
        (tmp_path / "away").rename(data)
        all_is_well(daemon, "inbox")


def test_one_full_disk_for_everything_corrupts_nothing(tmp_path: Path) -> None:
    """Where outbox, archive and records fill one disk together, each is sound afterwards."""
    with disk_for(tmp_path / "shared") as disk:
        folders = [f"--{name}={disk.place / name}" for name in ("outbox", "archive", "state")]
        with DaemonProcess(tmp_path, *folders, config=BRISK) as daemon:
            daemon.wait_ready()
            filler = disk.place / "filler"
            _fill(filler)
            for number in range(12):
                put(daemon.inbox, f"scan{number}.jpg", scan(number))
            daemon.wait_for("daemon.paused")
            for size in range(5):
                os.truncate(filler, filler.stat().st_size - (size << 12))
                daemon.wait_for("daemon.paused", count=1)
            filler.unlink()
            emptied(daemon.inbox)
            assert daemon.stop() == 0
        daemon.outbox = disk.place / "outbox"
        assert files(daemon.outbox) == {f"scan{number}.txt" for number in range(12)}
        for number in range(12):
            assert text_of(daemon, f"scan{number}.txt") == phrase(number)
            assert (disk.place / "archive" / f"scan{number}.jpg").read_bytes() == scan(number)
        with closing(sqlite3.connect(disk.place / "state" / "ledger.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            (done,) = database.execute("SELECT count(*) FROM scans WHERE state = 'delivered'").fetchone()
        assert done == 12
        assert not files(daemon.quarantine)
        assert not list(disk.place.rglob(".ocrwatch-*"))


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 12)):
                pass
        except OSError:
            return


@pytest.mark.parametrize("watchdog", ["with-watchdog", "without-watchdog"])
def test_service_manager_is_told_what_it_waits_for(tmp_path: Path, manager: Manager, watchdog: str) -> None:
    """What a pause is for is in the status of the service manager, until it is over."""
    environment = {**manager.environment, **({"WATCHDOG_USEC": "1000000"} if watchdog == "with-watchdog" else {})}
    with DaemonProcess(tmp_path, config=BRISK, environment=environment) as daemon:
        daemon.wait_ready()
        daemon.archive.rename(tmp_path / "away")
        put(daemon.inbox, "one.jpg", scan(1))
        paused = daemon.wait_for("daemon.paused")
        until(lambda: any("paused" in status for status in manager.statuses()), 8, "it is told of a pause")
        until(lambda: any(paused["reason"] in status for status in manager.statuses()), 8, "it is told of what")
        (tmp_path / "away").rename(daemon.archive)
        daemon.wait_for("daemon.resumed")
        until(lambda: "paused" not in manager.statuses()[-1], what="it is told of the end")
