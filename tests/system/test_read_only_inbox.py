"""An inbox that can only be read: its scans are read and stay, and nothing is written to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.rendering import render
from tests.system.dropping import files, put, scan
from tests.waiting import until

KEEP = 'on_success = "keep"\n[watch]\nmode = "poll"\npoll_interval = "200ms"\n'
BROKEN = render("bad", size=20).replace(b"\xff\xc0", b"\xff\xc3", 1)
"""A lossless JPEG, which cannot be decoded."""


@contextlib.contextmanager
def mounted_read_only(inbox: Path) -> Iterator[Path]:
    """Mount what is in ``inbox`` over it so that it cannot be written to; yield where it still can be."""
    writable = inbox.with_name("writable")
    inbox.rename(writable)
    inbox.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a folder read-only")
    for command in (("mount", "--bind", writable, inbox), ("mount", "-o", "remount,ro,bind", inbox)):
        if subprocess.run(command, check=False).returncode != 0:
            pytest.skip("nothing can be mounted here")
    try:
        yield writable
    finally:
        subprocess.run(["umount", "--lazy", inbox], check=True)


def fill(inbox: Path) -> None:
    """Put a scan, one in a subfolder and one that cannot be read into an inbox."""
    put(inbox, "scan2.jpg", scan(2))
    put(inbox, "sub/scan3.jpg", scan(3))
    (inbox / "broken.jpg").write_bytes(BROKEN)


def assert_read(folder: Path, before: dict[str, bytes]) -> None:
    """Each scan has its text, the broken one is in the quarantine with its reason, and the inbox is as it was."""
    assert files(folder / "outbox") == {"scan2.txt", "sub/scan3.txt"}
    assert files(folder / "quarantine") == {"broken.jpg", "broken.jpg.reason.json"}
    assert (folder / "quarantine/broken.jpg").read_bytes() == BROKEN
    assert contents(folder / "inbox") == before


def contents(inbox: Path) -> dict[str, bytes]:
    """Return all files of an inbox, hidden ones too."""
    return {str(path.relative_to(inbox)): path.read_bytes() for path in inbox.rglob("*") if path.is_file()}


def test_scans_in_a_read_only_inbox_are_read_once(tmp_path: Path) -> None:
    """They stay, the broken one is copied to the quarantine, and neither a restart nor a new scan reads one again."""
    (tmp_path / "inbox").mkdir()
    fill(tmp_path / "inbox")
    before = contents(tmp_path / "inbox")
    with mounted_read_only(tmp_path / "inbox") as writable:
        with DaemonProcess(tmp_path, config=KEEP) as daemon:
            daemon.wait_ready()
            until(lambda: daemon.events("scan.quarantined") and len(daemon.events("scan.delivered")) == 2, 60)
            assert_read(tmp_path, before)
            assert daemon.stop() == 0
        with DaemonProcess(tmp_path, config=KEEP) as daemon:
            daemon.wait_ready()
            put(writable, "scan4.jpg", scan(4))
            daemon.wait_for("scan.delivered", path="scan4.jpg")
            assert len(daemon.events("scan.delivered")) == 1
            assert not daemon.events("scan.quarantined")
            assert not daemon.events("daemon.paused")
            assert daemon.stop() == 0
        assert files(tmp_path / "quarantine") == {"broken.jpg", "broken.jpg.reason.json"}
        why = run_ocrwatch(tmp_path, "why", "broken.jpg")
        assert "could not be read" in why.stdout
        assert "It stays in the inbox" in why.stdout
        assert f"ocrwatch read {tmp_path / 'quarantine/broken.jpg'}" in why.stdout


def test_an_inbox_that_its_user_may_only_read(tmp_path: Path, unprivileged: Sequence[str]) -> None:
    """``once`` works for a user who may list and read it, no more; so do two runs in a row."""
    fill(tmp_path / "inbox")
    before = contents(tmp_path / "inbox")
    closed = (tmp_path / "inbox", tmp_path / "inbox/sub")
    for folder in closed:
        folder.chmod(0o555)
    try:
        for code in (1, 0):
            answer = run_ocrwatch(tmp_path, "once", "--set", "on_success=keep", wrapper=unprivileged)
            assert answer.returncode == code, answer.stderr
            assert_read(tmp_path, before)
    finally:
        for folder in closed:
            folder.chmod(0o755)


@pytest.mark.parametrize("setting", ["archive", "delete"])
def test_originals_that_cannot_be_moved_are_told_at_the_start(tmp_path: Path, setting: str) -> None:
    """With another ``on_success`` it does not start, and says that keep would do; doctor says the same."""
    (tmp_path / "inbox").mkdir()
    with mounted_read_only(tmp_path / "inbox"):
        answer = run_ocrwatch(tmp_path, "once", "--set", f"on_success={setting}")
        assert answer.returncode == 3
        assert f"cannot write to the inbox {tmp_path / 'inbox'} (read-only file system)" in answer.stderr
        assert 'set on_success to "keep"' in answer.stderr
        findings = _findings(tmp_path, f"on_success={setting}")
        assert findings["inbox"]["severity"] == "problem"
        assert 'set on_success to "keep"' in findings["inbox"]["remedy"]


def test_doctor_finds_a_read_only_inbox_in_order_if_scans_stay_in_it(tmp_path: Path) -> None:
    """Neither a file that cannot be made nor a full disk matters there."""
    (tmp_path / "inbox").mkdir()
    with mounted_read_only(tmp_path / "inbox"):
        findings = _findings(tmp_path, "on_success=keep")
        assert findings["inbox"] == {
            "subject": "inbox",
            "severity": "fine",
            "message": f"scans in {tmp_path / 'inbox'} can be read; they stay there",
            "remedy": "",
        }
        assert "inbox space" not in findings
        assert all(finding["severity"] != "problem" for finding in findings.values())


def test_two_daemons_with_records_of_their_own_exclude_each_other(tmp_path: Path) -> None:
    """The second names the first, also if neither can write to the inbox."""
    (tmp_path / "inbox").mkdir()
    with mounted_read_only(tmp_path / "inbox"), DaemonProcess(tmp_path, config=KEEP) as daemon:
        daemon.wait_ready()
        answer = run_ocrwatch(tmp_path, "once", "--state", "other", "--set", "on_success=keep")
        assert answer.returncode == 4
        assert f"another ocrwatch (process {daemon.pid}) has the inbox" in answer.stderr


def _findings(folder: Path, setting: str) -> dict[str, dict[str, str]]:
    answer = run_ocrwatch(folder, "doctor", "--json", "--set", setting)
    assert answer.stderr == ""
    return {finding["subject"]: finding for finding in json.loads(answer.stdout)}


def test_duplicates_that_would_be_moved_are_refused_at_the_start(tmp_path: Path) -> None:
    """Nothing can be moved out of such an inbox: the start says which settings work with it."""
    (tmp_path / "inbox").mkdir()
    fill(tmp_path / "inbox")
    with mounted_read_only(tmp_path / "inbox"):
        answer = run_ocrwatch(tmp_path, "run", config=KEEP + '[intake]\nduplicates = "archive"\n')
    assert answer.returncode == 3
    assert 'intake.duplicates to "skip"' in answer.stderr


def test_a_scan_that_may_not_be_moved_is_copied_to_the_quarantine_with_keep(tmp_path: Path) -> None:
    """Its folder may be written to, only it may not be moved: it is quarantined as in a read-only inbox."""
    (tmp_path / "inbox").mkdir()
    bad = tmp_path / "inbox/bad.jpg"
    bad.write_bytes(BROKEN)
    if subprocess.run(["chattr", "+i", bad], capture_output=True, check=False).returncode:
        pytest.skip("needs root, and a file system with attributes")
    try:
        with DaemonProcess(tmp_path, config=KEEP) as daemon:
            daemon.wait_ready()
            daemon.wait_for("scan.quarantined", path="bad.jpg")
            assert files(daemon.quarantine) == {"bad.jpg", "bad.jpg.reason.json"}
            assert files(daemon.inbox) == {"bad.jpg"}
    finally:
        subprocess.run(["chattr", "-i", bad], check=True)
