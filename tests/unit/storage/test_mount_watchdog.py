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
