"""One ocrwatch per inbox, and per state folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from ocrwatch.errors import LockedError, environment_fault
from ocrwatch.group_membership import remedy_for_reader

LOCK_NAME = ".ocrwatch.lock"
"""In the state folder. Older versions had one in the inbox too."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LOCK = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
_LONGEST_NUMBER = 32
_LOCKS = Path("/proc/locks")


class FolderLock:
    """Holds a folder by a file lock in it until it is released or this process ends in any way (flock(2))."""

    def __init__(self, folder: Path, what: str) -> None:
        """Take the lock.

        Raises :class:`LockedError` naming the holder's process, :class:`EnvironmentFault` if no lock can be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        path = folder / LOCK_NAME
        try:
            self._descriptor = os.open(path, flags, 0o640)
        except OSError as error:
            raise environment_fault(error, f"cannot lock the {what} {folder}") from error
        try:
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                raise OSError(errno.EINVAL, f"{LOCK_NAME} is no regular file")
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = _number_in(self._descriptor)
            self.release()
            raise _taken(folder, what, holder) from None
        except OSError as error:
            self.release()
            raise environment_fault(error, f"cannot lock the {what} {folder}") from error

    def release(self) -> None:
        """Release it. The file stays: removing it would let two others each lock their own file."""
        # It is released even if the disk reports only now that it is full.
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


class InboxLock:
    """Holds an inbox by a lock on the folder itself, which leaves no file and works if it is read-only.

    Linux keeps such locks in this machine's kernel, also for NFS, SMB and FUSE: they exclude every other ocrwatch on
    this machine, in containers too, but none on another.
    """

    def __init__(self, folder: Path, what: str) -> None:
        """Take the lock.

        Raises :class:`LockedError` naming the holder's process, :class:`EnvironmentFault` if the folder refuses.
        """
        self.refusal: OSError | None = None
        """Why no lock excludes another ocrwatch; None if there is one."""
        try:
            self._descriptor = os.open(folder, _FOLDER)
        except OSError as error:
            raise environment_fault(error, f"cannot lock the {what} {folder}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _take_former_lock(folder, what)
        except BlockingIOError:
            holder = _holder_by_kernel(self._descriptor)
            self.release()
            raise _taken(folder, what, holder) from None
        except OSError as error:
            # Some file system may have no locks; then running without is better than not running.
            self.refusal = error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Release it."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def holder_of(folder: Path) -> int | None:
    """Return the process id of the ocrwatch that holds a state folder, None if none does; 0 if it is not known.

    Raises :class:`EnvironmentFault` if the folder refuses access: a process may well hold it.
    """
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        _explain(folder, folder / LOCK_NAME, error)
        return None
    try:
        return _number_in(descriptor) if _is_locked(descriptor) else None
    finally:
        os.close(descriptor)


def inbox_holder(folder: Path) -> int | None:
    """Return the process id of the ocrwatch that holds an inbox, like :func:`holder_of` for a state folder."""
    try:
        descriptor = os.open(folder, _FOLDER)
    except OSError as error:
        _explain(folder, folder, error)
        return None
    try:
        return _holder_by_kernel(descriptor) if _is_locked(descriptor) else None
    finally:
        os.close(descriptor)


def _explain(folder: Path, refused: Path, error: OSError) -> None:
    """Return if no process can hold a folder that gives the error ``refused``, else raise :class:`EnvironmentFault`."""
    if error.errno in _NO_LOCK:
        return
    what = f"cannot tell whether ocrwatch runs: cannot look into {folder}"
    raise environment_fault(error, what, closed=remedy_for_reader(refused)) from error


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _number_in(descriptor: int) -> int:
    text = os.pread(descriptor, _LONGEST_NUMBER, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdecimal() else 0


def _holder_by_kernel(descriptor: int) -> int:
    """Return the process that has locked an open folder, 0 if the kernel does not say (proc_locks(5))."""
    status = os.fstat(descriptor)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError, ValueError):
        for line in _LOCKS.read_text().splitlines():
            fields = line.split()
            # A waiting lock has an arrow in it, and a lock of another PID namespace has no process.
            if fields[1] == "FLOCK" and fields[5] == place:
                return max(0, int(fields[4]))
    return 0


def _taken(folder: Path, what: str, holder: int) -> LockedError:
    return LockedError(
        f"another ocrwatch (process {holder or 'unknown'}) has the {what} {folder}",
        "stop it, or give this one folders of its own",
    )


def _take_former_lock(inbox: Path, what: str) -> None:
    """Remove the lock file of an older version.

    Raises :class:`LockedError` if that still runs.
    """
    with contextlib.suppress(OSError):
        path = inbox / LOCK_NAME
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return
            if _is_locked(descriptor):
                raise _taken(inbox, what, _number_in(descriptor))
            path.unlink()
        finally:
            os.close(descriptor)
