"""The process behind a slot: started in its own session, killed with all that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocrwatch.errors import EnvironmentFault, environment_fault, memory_short
from ocrwatch.executors.ipc import READS, RENDERS, Answer, Channel, Request, Setup, channel_to_worker

_LAST_WORDS = 2000


def cannot_spawn(error: OSError | MemoryError) -> EnvironmentFault:
    """Return the error that no worker process can be started, most often because its user may not run this Python."""
    if isinstance(error, MemoryError):
        return memory_short()
    return environment_fault(
        error, "cannot start a worker process", closed=f"let the user that ocrwatch runs as execute {sys.executable}"
    )


@dataclass(slots=True)
class WorkerProcess:
    """A running worker and the parent's end of its channel."""

    process: subprocess.Popen[bytes]
    channel: Channel[Request, Answer]
    stderr: int
    scratch: str = ""
    """Its own folder for temporary files: removed with it, so that a killed engine leaves nothing."""
    served: int = 0
    """Scans that it has read."""
    worn: bool = False
    """Whether the next scan should get a fresh worker."""
    setup: Setup | None = None
    """The set-up that it was started with."""

    @classmethod
    def spawn(cls, scratch_root: Path | None, *, reads: bool = True) -> WorkerProcess:
        """Start a worker, with its temporary files below ``scratch_root`` (None for the system's folder).

        Its own session keeps a terminal's signals away and makes its group killable as a whole. It is a new
        interpreter, not a fork: it has none of the parent's threads, locks or open files. Raises ``OSError`` or
        ``MemoryError``, and leaves nothing behind then.
        """
        scratch = tempfile.mkdtemp(prefix="ocrwatch-worker-", dir=scratch_root)
        try:
            worker = (_early() if reads else None) or cls.start(READS if reads else RENDERS)
        except BaseException:
            _remove(scratch)
            raise
        worker.scratch = scratch
        return worker

    @classmethod
    def start(cls, what: str) -> WorkerProcess:
        """Start a worker without a folder for temporary files: ``READS`` or ``RENDERS``."""
        with contextlib.ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                stderr = os.memfd_create("ocrwatch-worker-stderr")
                undo.callback(os.close, stderr)
                process = subprocess.Popen(
                    # -P: nothing in the working directory is ever imported.
                    [sys.executable, "-P", "-m", "ocrwatch.executors.worker_main", str(theirs.fileno()), what],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                    env={**os.environ, "OMP_THREAD_LIMIT": "1"},
                )
            undo.pop_all()
        return cls(process, channel_to_worker(ours), stderr)

    @property
    def pid(self) -> int:
        """The process id, which is also its group's."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def wait(self, seconds: float) -> None:
        """Wait so long for it to end by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=seconds)

    def signal_group(self) -> None:
        """Send SIGKILL to its group; may be called from any thread."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill its group, reap it, and release its resources. Called once."""
        self.signal_group()
        self.process.wait()
        self.channel.close()
        os.close(self.stderr)
        if self.scratch:
            _remove(self.scratch)

    def last_words(self) -> str:
        """Return the end of its standard error."""
        size = os.fstat(self.stderr).st_size
        text = os.pread(self.stderr, _LAST_WORDS, max(0, size - _LAST_WORDS))
        return text.decode("utf-8", "replace").strip()

    def how_it_ended(self) -> str:
        """Return how it ended, such as ``killed by SIGSEGV``."""
        code = self.process.wait()
        if code >= 0:
            return f"exited with code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"


EARLY: Final[deque[WorkerProcess]] = deque()
"""Reading workers that were started before a slot asked for one (:mod:`ocrwatch.executors.early_worker`)."""


def _early() -> WorkerProcess | None:
    """Return a worker that was started early; None if there is none, or another slot takes it now."""
    try:
        return EARLY.popleft()
    except IndexError:
        return None


def _remove(scratch: str) -> None:
    """Remove a folder as far as its disk allows.

    The next start of the daemon removes the rest.
    """
    # Some errors get through even with ignore_errors.
    with contextlib.suppress(OSError):
        shutil.rmtree(scratch, ignore_errors=True)
