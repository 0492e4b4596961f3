"""One ocrwatch per inbox, and per state folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault, LockedError
from ocrwatch.service.lock import LOCK_NAME, FolderLock, holder_of
from tests.privileges import reachable_folder, unprivileged
from tests.waiting import until

_HOLD = """
import sys, time
from pathlib import Path
from ocrwatch.service.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]), "inbox")
print("held", flush=True)
time.sleep(1000)
"""


def test_a_held_folder_is_refused_with_the_holders_name(tmp_path: Path) -> None:
    """The second one learns which process has the folder, and can have it when that lets go."""
    lock = FolderLock(tmp_path, "inbox")
    assert holder_of(tmp_path) == os.getpid()
    with pytest.raises(LockedError, match=rf"process {os.getpid()}\) has the inbox"):
        FolderLock(tmp_path, "inbox")
    assert holder_of(tmp_path) == os.getpid()
    lock.release()
    assert holder_of(tmp_path) is None
    FolderLock(tmp_path, "inbox").release()


def test_a_folder_that_was_never_held_has_no_holder(tmp_path: Path) -> None:
    """Asking makes no file, nor does a missing folder matter."""
    assert holder_of(tmp_path) is None
    assert holder_of(tmp_path / "missing") is None
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_is_killed_lets_go(tmp_path: Path) -> None:
    """A lock does not outlive its process, however that ends; what it leaves behind is in nobody's way."""
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            assert holder_of(tmp_path) == process.pid
            with pytest.raises(LockedError, match=str(process.pid)):
                FolderLock(tmp_path, "inbox")
        finally:
            process.kill()
    until(lambda: holder_of(tmp_path) is None, what="the lock's end")
    FolderLock(tmp_path, "inbox").release()


def test_a_childs_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """A program that the holder started does not keep the folder locked."""
    lock = FolderLock(tmp_path, "inbox")
    with subprocess.Popen(["sleep", "1000"], close_fds=False) as child:
        try:
            lock.release()
            assert holder_of(tmp_path) is None
        finally:
            child.kill()


def test_a_link_in_the_locks_place_is_refused(tmp_path: Path) -> None:
    """Whoever can write to the inbox cannot have the daemon empty another file."""
    (tmp_path / "precious").write_bytes(b"data")
    (tmp_path / LOCK_NAME).symlink_to("precious")
    with pytest.raises(EnvironmentFault, match="cannot lock the inbox"):
        FolderLock(tmp_path, "inbox")
    assert (tmp_path / "precious").read_bytes() == b"data"
    assert holder_of(tmp_path) is None


def test_a_fifo_in_the_locks_place_blocks_nobody(tmp_path: Path) -> None:
    """Neither locking nor asking waits for a writer."""
    os.mkfifo(tmp_path / LOCK_NAME)
    with pytest.raises(EnvironmentFault, match="cannot lock the inbox"):
        FolderLock(tmp_path, "inbox")
    assert holder_of(tmp_path) is None


def test_who_may_not_look_is_not_told_that_nobody_holds_it() -> None:
    """A folder that is closed to the user who asks may well be held."""
    with reachable_folder() as folder:
        lock = FolderLock(folder, "inbox")
        folder.chmod(0o000)
        with unprivileged(), pytest.raises(EnvironmentFault, match=r"cannot tell.*permission denied.*; ask as root"):
            holder_of(folder)
        lock.release()


def test_a_missing_folder_is_the_environments_fault(tmp_path: Path) -> None:
    """The error names the folder."""
    with pytest.raises(EnvironmentFault, match="missing"):
        FolderLock(tmp_path / "missing", "inbox")
