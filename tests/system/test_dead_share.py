"""A share whose server is gone: every look at its folder is refused until it is mounted again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.disks import dead_share
from tests.system.dropping import put, scan
from tests.system.pausing import BRISK, OUTPUTS, all_is_well, drop_for, says_paused
from tests.waiting import until

FOLDERS = ("inbox", *OUTPUTS, "state")
REFUSED = "transport endpoint is not connected"


def _complaint(folder: Path, *arguments: str, wrapper: Sequence[str] = ()) -> str:
    """Run a command that the environment does not let do its work, and return the one line that it says."""
    answer = run_ocrwatch(folder, *arguments, wrapper=wrapper)
    assert (answer.returncode, answer.stdout) == (3, ""), answer.stderr
    (line,) = answer.stderr.splitlines()
    assert line.startswith("ocrwatch: ")
    return line


@pytest.mark.parametrize("folder", OUTPUTS)
def test_dead_share_is_waited_for(tmp_path: Path, folder: str) -> None:
    """It says which folder refuses, wherever it meets that first; mounted again, it gets everything."""
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        with dead_share(tmp_path / folder):
            drop_for(daemon, folder)
            says_paused(daemon, folder, REFUSED)
        all_is_well(daemon, folder)


def test_dead_inbox_is_waited_for(tmp_path: Path) -> None:
    """An inbox too, and what was put into it meanwhile at the other end is read."""
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        with dead_share(daemon.inbox):
            says_paused(daemon, "inbox", REFUSED)
        drop_for(daemon, "inbox")
        all_is_well(daemon, "inbox")


def test_dead_state_folder_is_no_daemon_that_does_not_run(tmp_path: Path) -> None:
    """Whoever asks is told that nobody can tell, and scans that are delivered meanwhile are delivered once."""
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        with dead_share(daemon.state):
            drop_for(daemon, "state")
            for command in (["status"], ["status", "--json"], ["why", "scan2.jpg"]):
                complaint = _complaint(tmp_path, *command)
                assert str(daemon.state) in complaint
                assert REFUSED in complaint
            assert "no ocrwatch runs here" not in run_ocrwatch(tmp_path, "doctor").stdout
        until(lambda: len(daemon.events("scan.delivered")) == 3, 40, "all are delivered")
        assert daemon.stop() == 0
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "last.jpg", scan(5))
        daemon.wait_for("scan.delivered", path="last.jpg")
        assert len(list(daemon.outbox.iterdir())) == len(list(daemon.archive.iterdir())) == 4


@pytest.mark.parametrize("folder", FOLDERS)
def test_start_on_a_dead_share(tmp_path: Path, folder: str) -> None:
    """It does not start, says which folder is the matter, and that the share has to be mounted again."""
    (tmp_path / folder).mkdir()
    with dead_share(tmp_path / folder):
        for command in ("run", "once"):
            complaint = _complaint(tmp_path, command)
            assert f"cannot use the {folder} {tmp_path / folder} ({REFUSED})" in complaint
            assert complaint.endswith("mount it again")


def test_language_data_on_a_dead_share(tmp_path: Path) -> None:
    """It is named like any other folder without language data."""
    (tmp_path / "data").mkdir()
    with dead_share(tmp_path / "data"):
        assert f"names {tmp_path / 'data'}" in _complaint(tmp_path, "once", "--set", f"ocr.tessdata={tmp_path}/data")
        assert run_ocrwatch(tmp_path, "doctor", "--set", f"ocr.tessdata={tmp_path}/data").returncode == 3


def test_who_may_not_look_into_the_state_folder_is_told_so(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """A service's state is closed to other users: they do not hear that it is not running, but whom to ask."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        daemon.wait_for("scan.delivered", path="a.jpg")
        daemon.state.chmod(0o000)
        try:
            for command in (["status"], ["status", "--json"], ["why", "a.jpg"]):
                complaint = _complaint(tmp_path, *command, wrapper=unprivileged)
                assert f"{daemon.state} (permission denied); run the command as root or as the user that" in complaint
            answer = run_ocrwatch(tmp_path, "doctor", "--json", wrapper=unprivileged)
            assert answer.returncode == 3, answer.stderr
            (found,) = (finding for finding in json.loads(answer.stdout) if finding["subject"] == "daemon")
            assert found["severity"] == "warning"
            assert "permission denied" in found["message"]
        finally:
            daemon.state.chmod(0o750)
        assert run_ocrwatch(tmp_path, "status").returncode == 0
