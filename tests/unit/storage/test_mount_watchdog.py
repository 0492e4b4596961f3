"""A folder that does not answer is known as such, and keeps nobody waiting."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.storage import mount_watchdog
from ocrwatch.storage.mount_watchdog import MountWatchdog, check_answers
from tests.waiting import until

REMEDY = "check that the share's server is running, or unmount the share (umount -l) and mount it again"


class Share:
    """A folder below ``hung`` that answers when it is let."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers = threading.Event()

    def ask(self, folder: Path) -> None:
        """Stand in for statvfs(3)."""
        if folder == self.folder:
            self.answers.wait()
        elif not folder.exists():
            raise FileNotFoundError


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Share]:
    """Make a share that hangs, and have everybody be impatient."""
    share = Share(tmp_path / "hung")
    monkeypatch.setattr(os, "statvfs", share.ask)
    monkeypatch.setattr(mount_watchdog, "PATIENCE", 0.2)
    monkeypatch.setattr(mount_watchdog, "_INTERVAL", 0.02)
    yield share
    share.answers.set()


def test_silence_is_told_and_its_end_too(tmp_path: Path, share: Share) -> None:
    """Of all folders together, those that answer or are missing left out."""
    folders = {"inbox": share.folder, "outbox": tmp_path, "archive": tmp_path / "missing", "quarantine": share.folder}
    asking = MountWatchdog(folders)
    assert asking.fault(time.monotonic()) is None
    both = f"the inbox {share.folder} and the quarantine {share.folder} do not answer"

    def told() -> EnvironmentFault | None:
        fault = asking.fault(time.monotonic())
        return fault if fault is not None and fault.message == both else None

    # Each is asked by a thread of its own: for a moment only one of them may have been silent for too long.
    fault = until(told, what="silence of both")
    assert fault is not None
    assert fault.remedy == REMEDY
    share.answers.set()
    until(lambda: asking.fault(time.monotonic()) is None, what="an answer")
    asking.close()


def test_who_asks_once_is_told_in_time(tmp_path: Path, share: Share) -> None:
    """A folder that answers, be it with an error, is fine."""
    check_answers({"inbox": tmp_path, "outbox": tmp_path / "missing"})
    with pytest.raises(EnvironmentFault, match=re.escape(f"the outbox {share.folder} does not answer; {REMEDY}")):
        check_answers({"inbox": tmp_path, "outbox": share.folder})
    share.answers.set()
    check_answers({"inbox": tmp_path, "outbox": share.folder})


def test_a_call_that_waits_for_a_silent_folder_is_left_to_itself(tmp_path: Path, share: Share) -> None:
    """Also if the folder stops answering while the call waits for it; one that needs only other folders is made."""
    asking = MountWatchdog({"state": tmp_path, "outbox": share.folder})
    made: list[str] = []
    # The watch begins with the call, so nothing is known of the folder yet.
    assert not asking.wait_for(share.answers.wait)
    assert not asking.wait_for(lambda: made.append("outbox"))
    assert asking.wait_for(lambda: made.append("state"), "state")
    assert made == ["state"]
    share.answers.set()
    until(lambda: asking.fault(time.monotonic()) is None, what="an answer")
    assert asking.wait_for(lambda: made.append("outbox"))
    assert made == ["state", "outbox"]
    asking.close()


def test_a_call_that_takes_long_is_waited_for_if_all_folders_answer(tmp_path: Path) -> None:
    """A delivery may take its time."""
    asking = MountWatchdog({"outbox": tmp_path})
    assert asking.wait_for(lambda: time.sleep(1.2))
    asking.close()


def test_what_a_call_raises_is_raised_to_who_waits(tmp_path: Path) -> None:
    """As if it had been called without a thread of its own."""
    asking = MountWatchdog({"state": tmp_path})

    def fail() -> None:
        raise EnvironmentFault("the disk is full", "free some space")

    with pytest.raises(EnvironmentFault, match="the disk is full"):
        asking.wait_for(fail, "state")
    asking.close()


def test_a_call_is_made_if_no_thread_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is more important than that it cannot hang."""
    asking = MountWatchdog({"state": tmp_path})
    made: list[str] = []

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert asking.wait_for(lambda: made.append("state"))
    assert made == ["state"]
    asking.close()
