"""A share whose server does not answer: nothing that looks at it comes back, and nobody is left without a word."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.faulty_engines import install
from tests.system.disks import hung_share
from tests.system.dropping import delivered, files, put, scan
from tests.system.pausing import BRISK, all_is_well, drop_for, says_paused
from tests.waiting import until

SILENT = "does not answer"


@pytest.mark.parametrize("folder", ["inbox", "outbox"])
def test_hung_share_is_waited_for(tmp_path: Path, folder: str) -> None:
    """It says which folder it waits for, and goes on by itself when that answers again."""
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        with hung_share(tmp_path / folder):
            if folder != "inbox":
                drop_for(daemon, folder)
            says_paused(daemon, folder, SILENT)
        if folder == "inbox":
            drop_for(daemon, folder)
        all_is_well(daemon, folder)


def test_a_state_folder_that_hangs_is_waited_for_but_not_by_a_stop(tmp_path: Path) -> None:
    """The log says so, and the work goes on when it answers again; a stop ends in time, and the next start goes on."""
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        with hung_share(daemon.state):
            paused = daemon.wait_for("daemon.paused")
            assert f"the state {daemon.state} {SILENT}" in paused["reason"]
            drop_for(daemon, "state")
        all_is_well(daemon, "state")
        with hung_share(daemon.state):
            daemon.wait_for("daemon.paused", count=2)
            put(daemon.inbox, "more.jpg", scan(5))
            begun = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - begun < 15
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        daemon.wait_for("scan.delivered", path="more.jpg")


def test_stop_waits_for_no_share_that_hangs(tmp_path: Path) -> None:
    """What it had in hand is delivered after the next start, once."""
    with DaemonProcess(tmp_path, config=f'{BRISK}[workers]\nshutdown_timeout = "2s"\n') as daemon:
        daemon.wait_ready()
        with hung_share(daemon.outbox):
            drop_for(daemon, "outbox")
            says_paused(daemon, "outbox", SILENT)
            begun = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - begun < 15
    with DaemonProcess(tmp_path, config=BRISK) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "more.jpg", scan(5))
        daemon.wait_for("scan.delivered", count=4)
        assert len(files(daemon.outbox)) == len(files(daemon.archive)) == 4
        assert not files(daemon.inbox)


def test_stop_waits_for_no_share_that_has_just_begun_to_hang(tmp_path: Path) -> None:
    """Before the daemon knows that it hangs; a text that is being delivered is delivered after the next start."""
    config = f'{BRISK}[workers]\nshutdown_timeout = "1s"\n'
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        with hung_share(daemon.outbox):
            put(daemon.inbox, "page.jpg", scan(1))
            daemon.wait_for("batch.started")
            until(lambda: _delivering(daemon), what="the delivery waits for the share")
            begun = time.monotonic()
            assert daemon.stop(timeout=60) == 0
            assert time.monotonic() - begun < 25
    with DaemonProcess(tmp_path, config=config) as daemon:
        delivered(daemon, "page.jpg", 1)
        assert files(daemon.outbox) == {"page.txt"}
        assert not files(daemon.inbox)


def _delivering(daemon: DaemonProcess) -> bool:
    """Return whether a scan is being delivered, as the status says."""
    return bool(json.loads(run_ocrwatch(daemon.folder, "status", "--json").stdout).get("delivering"))


def test_once_that_is_interrupted_waits_for_no_share_that_hangs(tmp_path: Path) -> None:
    """The summary says that the rest is left, without looking at it."""
    install(tmp_path)
    config = '[ocr]\nengine = "slow"\nwhitelist = "5"\n[workers]\ncount = 1\nshutdown_timeout = "1s"\n'
    environment = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    for number in range(4):
        put(tmp_path / "inbox", f"{number}.jpg", scan(number))
    with DaemonProcess(tmp_path, command="once", config=config, environment=environment) as daemon:
        daemon.wait_for("batch.started")
        with hung_share(tmp_path / "inbox"):
            assert daemon.stop(timeout=60) == 1
        assert f"Stopped before the end: the rest is left in the inbox {tmp_path / 'inbox'}." in daemon.output


@pytest.mark.parametrize(
    "command", [["run"], ["once"], ["why", "a.jpg"], ["retry"], ["doctor"]], ids=lambda command: command[0]
)
def test_commands_wait_for_no_share_that_hangs(tmp_path: Path, command: list[str]) -> None:
    """They end with what does not answer, and with what to do."""
    (tmp_path / "inbox").mkdir()
    with hung_share(tmp_path / "inbox"):
        answer = run_ocrwatch(tmp_path, *command)
    assert answer.returncode == 3
    said = answer.stdout if command == ["doctor"] else answer.stderr
    assert f"the inbox {tmp_path / 'inbox'} {SILENT}" in said
    assert "mount it again" in said


def test_status_waits_for_no_state_folder_that_hangs(tmp_path: Path) -> None:
    """Whoever asks is told that nobody can tell."""
    (tmp_path / "state").mkdir()
    with hung_share(tmp_path / "state"):
        answer = run_ocrwatch(tmp_path, "status")
    assert (answer.returncode, answer.stdout) == (3, "")
    assert f"the state {tmp_path / 'state'} {SILENT}" in answer.stderr
