"""One scan that may not be moved: it waits by itself, is named with the remedy everywhere, and no other waits."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.privileges import NOBODY
from tests.system.dropping import delivered, files, put, scan
from tests.system.pausing import BRISK
from tests.waiting import until

WITH_NOTE = {"OCRWATCH_STATUS__SHARE_FILE": "true"}
ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Obstacle:
    """What keeps a scan where it is."""

    path: str
    set_up: Callable[[Path], None]
    """Keeps the scan in this inbox."""
    end: Callable[[Path], None]
    remedy: str
    """Command that every answer names; ``{inbox}`` stands for the inbox."""


def _chattr(flag: str, place: Path) -> None:
    done = subprocess.run(["chattr", flag, str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs a file system with attributes")


def _sticky(inbox: Path) -> None:
    os.chown(inbox / "stuck.jpg", NOBODY, NOBODY)
    os.chown(inbox, NOBODY, NOBODY)
    inbox.chmod(0o1777)


def _without_group_write(inbox: Path) -> None:
    os.chown(inbox / "job", NOBODY, 0)
    (inbox / "job").chmod(0o755)


OBSTACLES = {
    "immutable file": Obstacle(
        "stuck.jpg",
        lambda inbox: _chattr("+i", inbox / "stuck.jpg"),
        lambda inbox: _chattr("-i", inbox / "stuck.jpg"),
        "sudo chattr -i {inbox}/stuck.jpg",
    ),
    "another user's in a sticky folder": Obstacle(
        "stuck.jpg", _sticky, lambda inbox: inbox.chmod(0o777), "sudo chmod -t {inbox}"
    ),
    "folder copied in without group write": Obstacle(
        "job/stuck.jpg",
        _without_group_write,
        lambda inbox: (inbox / "job").chmod(0o777),
        "chmod -R g+rwX {inbox}/job",
    ),
}


@pytest.mark.skipif(not ROOT, reason="needs files of several users")
@pytest.mark.parametrize("name", OBSTACLES)
def test_one_scan_that_may_not_be_moved_stops_no_other(
    tmp_path: Path, unprivileged: tuple[str, ...], name: str
) -> None:
    """No text of it is published; log, status, STATUS.txt, why and doctor name it, or its folder, and the remedy."""
    obstacle = OBSTACLES[name]
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    put(tmp_path, obstacle.path, scan(1))
    (tmp_path / obstacle.path.split("/")[0]).rename(inbox / obstacle.path.split("/")[0])
    remedy = obstacle.remedy.format(inbox=inbox)
    try:
        obstacle.set_up(inbox)
        with DaemonProcess(tmp_path, config=BRISK, environment=WITH_NOTE, wrapper=unprivileged) as daemon:
            daemon.wait_ready()
            waiting = daemon.wait_for("scan.waiting", path=obstacle.path)
            assert remedy in waiting["next_step"]
            put(inbox, "other.jpg", scan(2))
            daemon.wait_for("scan.delivered", path="other.jpg")
            assert not daemon.events("daemon.paused")
            assert not files(daemon.outbox) - {"STATUS.txt", "other.txt"}
            until(lambda: remedy in (daemon.outbox / "STATUS.txt").read_text(), what="STATUS.txt names the remedy")
            assert f"Blocked: {obstacle.path}" in (daemon.outbox / "STATUS.txt").read_text()
            for command in (["status"], ["why", f"inbox/{obstacle.path}"]):
                said = " ".join(run_ocrwatch(tmp_path, *command).stdout.split())
                assert obstacle.path in said
                assert remedy in said
            found = json.loads(run_ocrwatch(tmp_path, "doctor", "--json", wrapper=unprivileged).stdout)
            (told,) = (each for each in found if each["subject"] == "scans")
            assert (told["severity"], told["remedy"]) == ("warning", waiting["next_step"])
            assert told["message"].startswith(f"{obstacle.path} cannot be moved out of the inbox")
            assert daemon.stop() == 0
    finally:
        obstacle.end(inbox)
    with DaemonProcess(tmp_path, wrapper=unprivileged) as daemon:
        delivered(daemon, obstacle.path, 1)
        assert files(daemon.outbox) - {"STATUS.txt"} == {"other.txt", obstacle.path.replace(".jpg", ".txt")}


def test_once_goes_on_without_it_and_says_so(tmp_path: Path) -> None:
    """``ocrwatch once`` reads the others, and names the one that stays with the reason."""
    put(tmp_path / "inbox", "a.jpg", scan(1))
    put(tmp_path / "inbox", "b.jpg", scan(2))
    _chattr("+i", tmp_path / "inbox/a.jpg")
    try:
        done = run_ocrwatch(tmp_path, "once")
    finally:
        _chattr("-i", tmp_path / "inbox/a.jpg")
    assert done.returncode == 1
    assert "a.jpg (it is marked immutable, so that it cannot be moved; sudo chattr -i" in " ".join(done.stdout.split())
    assert files(tmp_path / "outbox") - {"STATUS.txt"} == {"b.txt"}
