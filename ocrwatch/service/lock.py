"""One ocrwatch per inbox, and per state folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from ocrwatch.errors import LockedError, environment_fault
from ocrwatch.membership import remedy_for_reader

LOCK_NAME = ".ocrwatch.lock"

_NO_LOCK = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


class FolderLock:
    """Holds a folder until it is released or this process ends, however it ends (flock(2))."""

    def __init__(self, folder: Path, what: str) -> None:
        """Take the lock.

        Raises :class:`LockedError` naming the holder's process, :class:`EnvironmentFault` where no lock can be made.
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
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            self.release()
            raise LockedError(
                f"another ocrwatch (process {holder or 'unknown'}) has the {what} {folder}",
                "stop it, or give this one folders of its own",
            ) from None
        except OSError as error:
            self.release()
            raise environment_fault(error, f"cannot lock the {what} {folder}") from error

    def release(self) -> None:
        """Let go. The file stays: removing it would let two others each lock a file of their own."""
        # It lets go also where a disk, written to at last, tells so late that it is full.
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def holder_of(folder: Path) -> int | None:
    """Return the process id of the ocrwatch that holds ``folder``, None if none does.

    Raises :class:`EnvironmentFault` where the folder refuses to be looked at: somebody may well hold it.
    """
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_LOCK:
            return None
        what = f"cannot tell whether ocrwatch runs: cannot look into {folder}"
        raise environment_fault(error, what, closed=remedy_for_reader(folder / LOCK_NAME)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else 0
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None
