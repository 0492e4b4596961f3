"""Defines errors by whose fault they are; no code reads message texts.

A message is one sentence that names the thing; ``remedy`` is one sentence that says what to do about it.
"""

from __future__ import annotations

import enum
import errno
import os
from typing import TypeVar

E = TypeVar("E", bound=BaseException)

ASK_ITS_USER = "run the command as root or as the user that ocrwatch runs as"
"""Remedy if only ocrwatch's own user may see something."""

NO_SERVER = "check that the share's server is running, or unmount the share (umount -l) and mount it again"
"""Remedy if a share is mounted and its server is gone."""

_CLOSED = frozenset({errno.EACCES, errno.EPERM})
_REMEDIES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EROFS: "remount it writable; if it is, let the service write there (ReadWritePaths=, see its unit)",
    **dict.fromkeys(_CLOSED, "let the user that ocrwatch runs as read and write it"),
    errno.EPERM: "let the user that ocrwatch runs as read and write it; see also that it is not immutable (lsattr)",
    errno.EEXIST: "name a folder, or remove the file that is in its place",
    errno.ENOENT: "bring the folder back (is the share mounted?)",
    errno.ELOOP: "replace the symbolic link with a real folder",
    errno.ENOTDIR: "remove the file that is in the folder's place",
    **dict.fromkeys(
        (errno.ENOTCONN, errno.ESTALE, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT),
        NO_SERVER,
    ),
}


class ExitCode(enum.IntEnum):
    """Exit codes of the commands."""

    FINE = 0
    QUARANTINED = 1
    """A file was not read (``once``, ``read``, ``fields``), was left in place (``retry``, ``review``), is unknown
    (``why``), or has other fields than it should (``fields --check``)."""
    USAGE = 2
    """Usage or configuration."""
    ENVIRONMENT = 3
    """The environment lacks something."""
    LOCKED = 4
    """Another ocrwatch has this inbox."""
    BUG = 5
    """A bug in ocrwatch."""


class OcrwatchError(Exception):
    """Base of all expected errors: they reach the user as one sentence with the remedy."""

    exit_code = ExitCode.ENVIRONMENT

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        # For programs that read in separate processes: with multiprocessing, errors are pickled.
        return (type(self), (self.message, self.remedy))

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class UsageError(OcrwatchError):
    """A wrong setting or argument."""

    exit_code = ExitCode.USAGE


class LockedError(OcrwatchError):
    """Another ocrwatch works on this inbox or state folder."""

    exit_code = ExitCode.LOCKED


class EnvironmentFault(OcrwatchError):
    """Disk full, no permission, share gone, no language data, out of memory: pause and retry."""

    exit_code = ExitCode.ENVIRONMENT
    is_full = False
    """Whether a disk has no room left."""


def without_frames(error: E) -> E:
    """Return the error without its traceback and without the errors that it was raised from.

    An error that is kept would keep the frames of its traceback, and with them a scan and its bytes.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def memory_short() -> EnvironmentFault:
    """Return the error that the machine, or this process's limit, has no memory left."""
    return EnvironmentFault(
        "memory is short", "end other programs, give the machine more memory, or set a lower workers.count"
    )


_MEMORY_MARKS = ("Insufficient memory", "Failed to allocate memory", "bad_alloc")
"""Messages of cv2.error and of onnxruntime's errors; they carry no better mark."""


def is_memory_error(error: BaseException) -> bool:
    """Return whether memory was short: Python itself may fail because of that, with the real error behind its own."""
    if isinstance(error, MemoryError) or any(mark in str(error) for mark in _MEMORY_MARKS):
        return True
    return isinstance(error, SystemError) and error.__cause__ is not None and is_memory_error(error.__cause__)


class Blocked(EnvironmentFault):
    """The environment refuses one scan only: it waits, and the others go on."""


class ServiceFault(EnvironmentFault):
    """A remote OCR service refuses, or does not answer: it pauses, and scans with another engine go on."""

    service: str = ""
    """Its name; set by the executor."""
    wait: float = 0.0
    """Seconds that the service asks to wait (Retry-After); 0 if it does not say."""
    tried_at: float = 0.0
    """When the request began (monotonic seconds)."""


class ScanFault(OcrwatchError):
    """The scan cannot be read.

    ``code`` is stable and goes into the log and the reason file.
    """

    exit_code = ExitCode.QUARANTINED
    code = "unreadable"
    retryable = False
    """Whether the same bytes may succeed another time."""


class OtherFormat(ScanFault):
    """The bytes are no image of a kind that is read."""

    code = "other-format"


class Truncated(ScanFault):
    """The file ends before the image does."""

    code = "truncated"


class Damaged(ScanFault):
    """An image with data that contradicts itself."""

    code = "damaged"


class TooLarge(ScanFault):
    """More bytes or pixels than the settings allow."""

    code = "too-large"


class Unsupported(ScanFault):
    """A file of a kind that cannot be decoded, such as a lossless JPEG, or a form that only Adobe's programs show."""

    code = "unsupported"


class Encrypted(ScanFault):
    """A PDF that only a password opens."""

    code = "encrypted"


class TimedOut(ScanFault):
    """Reading took longer than ``workers.timeout``."""

    code = "timeout"
    retryable = True


class WorkerDied(ScanFault):
    """The worker process died while it had this scan."""

    code = "worker-died"
    retryable = True


class OutOfMemory(ScanFault):
    """Reading needed more than ``workers.max_memory``."""

    code = "out-of-memory"
    retryable = True


class EngineFailed(ScanFault):
    """The engine reported a failure on this scan."""

    code = "engine-failed"
    retryable = True


class Rejected(ScanFault):
    """A remote OCR service refuses this image, while it takes others."""

    code = "rejected"


class NoFreeName(ScanFault):
    """Each name for its files is taken, or too long for the file system."""

    code = "no-free-name"


class InternalFault(ScanFault):
    """A bug in ocrwatch, or in a package that extends it.

    It is logged with its traceback and the scan is quarantined; the daemon goes on.
    """

    code = "internal-error"

    def __init__(self, message: str, remedy: str = "", trace: str = "") -> None:
        super().__init__(message, remedy)
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.remedy, self.trace))


def invalid_page(engine: str, error: Exception, trace: str = "") -> InternalFault:
    """Return the fault of an engine, which may be of another package, that returned values of wrong types."""
    return InternalFault(
        f"the engine {engine} returned an invalid page ({error})",
        "please report it; if ocr.engine is another package's, to its authors",
        trace,
    )


class Changed(Exception):
    """The file changed or disappeared meanwhile: not an error, it starts again if it is still there."""


class Stopping(Exception):
    """ocrwatch is being stopped, and this scan has not begun: the next start reads it."""


def system_reason(error: OSError) -> str:
    """Return the system's text of an error, as part of a sentence: ``no space left on device``."""
    # Errors of name look-ups have their own numbers, below zero.
    number = error.errno or 0
    return (os.strerror(number) if number > 0 else error.strerror or str(error)).lower()


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def environment_fault(error: OSError, what: str, *, closed: str | None = None) -> EnvironmentFault:
    """Return an error that says in one sentence what the environment refuses, with its remedy.

    ``what`` names the thing and the intention, such as ``cannot write to the outbox /srv/outbox``; ``closed`` is the
    remedy, instead of the usual one, if this user has no permission.
    """
    remedy = _REMEDIES.get(error.errno or 0, "check the disk or the share")
    if closed is not None and error.errno in _CLOSED:
        remedy = closed
    fault = EnvironmentFault(f"{what} ({system_reason(error)})", remedy)
    fault.is_full = error.errno in _FULL
    return fault
