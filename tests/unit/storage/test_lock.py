"""One ocrwatch per inbox, and per state folder."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault, LockedError
from ocrwatch.storage import lock as lock_module
from ocrwatch.storage.lock import LOCK_NAME, FolderLock, InboxLock, holder_of, inbox_holder
from tests.privileges import reachable_folder, unprivileged
from tests.waiting import until

Lock = type[FolderLock | InboxLock]
HOLDER_OF = {FolderLock: holder_of, InboxLock: inbox_holder}

both = pytest.mark.parametrize("lock_type", [FolderLock, InboxLock])

_HOLD = """
import sys, time
from pathlib import Path
from ocrwatch.storage import lock
held = getattr(lock, sys.argv[2])(Path(sys.argv[1]), "inbox")
print("held", flush=True)
time.sleep(1000)
"""


@both
def test_a_held_folder_is_refused_with_the_holders_name(tmp_path: Path, lock_type: Lock) -> None:
    """The second one learns which process has the folder, and can have it when that lets go."""
    holder = HOLDER_OF[lock_type]
    lock = lock_type(tmp_path, "inbox")
    assert holder(tmp_path) == os.getpid()
    with pytest.raises(LockedError, match=rf"process {os.getpid()}\) has the inbox"):
        lock_type(tmp_path, "inbox")
    assert holder(tmp_path) == os.getpid()
    lock.release()
    assert holder(tmp_path) is None
    lock_type(tmp_path, "inbox").release()


@both
def test_a_folder_that_was_never_held_has_no_holder(tmp_path: Path, lock_type: Lock) -> None:
    """Asking makes no file, nor does a missing folder matter."""
    assert HOLDER_OF[lock_type](tmp_path) is None
    assert HOLDER_OF[lock_type](tmp_path / "missing") is None
    assert list(tmp_path.iterdir()) == []


@both
def test_a_holder_that_is_killed_lets_go(tmp_path: Path, lock_type: Lock) -> None:
    """A lock does not outlive its process, however that ends; what it leaves behind is in nobody's way."""
    holder = HOLDER_OF[lock_type]
    command = [sys.executable, "-c", _HOLD, str(tmp_path), lock_type.__name__]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            assert holder(tmp_path) == process.pid
            with pytest.raises(LockedError, match=str(process.pid)):
                lock_type(tmp_path, "inbox")
        finally:
            process.kill()
    until(lambda: holder(tmp_path) is None, what="the lock's end")
    lock_type(tmp_path, "inbox").release()


@both
def test_a_childs_child_does_not_inherit_the_lock(tmp_path: Path, lock_type: Lock) -> None:
    """A program that the holder started does not keep the folder locked."""
    lock = lock_type(tmp_path, "inbox")
    with subprocess.Popen(["sleep", "1000"], close_fds=False) as child:
        try:
            lock.release()
            assert HOLDER_OF[lock_type](tmp_path) is None
        finally:
            child.kill()


def test_the_lock_of_an_inbox_leaves_nothing_in_it_and_needs_no_right_to_write() -> None:
    """An inbox may be read-only; by another path it is the same inbox."""
    with reachable_folder() as folder:
        inbox = folder / "inbox"
        inbox.mkdir()
        (folder / "link").symlink_to("inbox")
        inbox.chmod(0o555)
        with unprivileged():
            lock = InboxLock(inbox, "inbox")
            with pytest.raises(LockedError):
                InboxLock(folder / "link", "inbox")
        assert list(inbox.iterdir()) == []
        lock.release()


def test_an_older_versions_lock_file_in_the_inbox_is_removed(tmp_path: Path) -> None:
    """Unless that version runs, which is told like any other; what is no lock file stays."""
    former = FolderLock(tmp_path, "inbox")
    with pytest.raises(LockedError, match=rf"process {os.getpid()}\) has the inbox"):
        InboxLock(tmp_path, "inbox")
    former.release()
    InboxLock(tmp_path, "inbox").release()
    assert list(tmp_path.iterdir()) == []
    os.mkfifo(tmp_path / LOCK_NAME)
    InboxLock(tmp_path, "inbox").release()
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_NAME]


def test_a_holder_that_the_kernel_does_not_name_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the service's sandbox /proc has processes only."""
    monkeypatch.setattr(lock_module, "_LOCKS", tmp_path / "missing")
    lock = InboxLock(tmp_path, "inbox")
    assert inbox_holder(tmp_path) == 0
    with pytest.raises(LockedError, match=r"process unknown"):
        InboxLock(tmp_path, "inbox")
    lock.release()


def test_a_file_system_without_locks_is_no_reason_not_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noted that nothing keeps another out."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    lock = InboxLock(tmp_path, "inbox")
    assert lock.refusal is not None
    assert lock.refusal.errno == errno.ENOLCK
    assert inbox_holder(tmp_path) is None
    lock.release()


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
        with (
            unprivileged(),
            pytest.raises(EnvironmentFault, match=r"cannot tell.*permission denied.*; run the command as root"),
        ):
            holder_of(folder)
        lock.release()


def test_a_missing_folder_is_the_environments_fault(tmp_path: Path) -> None:
    """The error names the folder."""
    with pytest.raises(EnvironmentFault, match="missing"):
        FolderLock(tmp_path / "missing", "inbox")
