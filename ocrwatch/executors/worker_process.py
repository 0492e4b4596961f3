"""The process behind a slot: started in its own session, killed with all that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ocrwatch.errors import EnvironmentFault, environment_fault, memory_short
from ocrwatch.executors.ipc import Answer, Channel, Request, Setup, channel_to_worker
from ocrwatch.executors.spawning import READS, RENDERS, spawn, take_early

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
    scratch: str
    """Its own folder for temporary files: removed with it, so that a killed engine leaves nothing."""
    served: int = 0
    """Scans that it has read; the first worker of a slot starts with more than 0."""
    worn: bool = False
    """Whether the next scan should get a fresh worker."""
    setup: Setup | None = None
    """The set-up that it was started with."""

    @classmethod
    def spawn(cls, scratch_root: Path | None, *, reads: bool = True) -> WorkerProcess:
        """Take the worker that was started early, or start one.

        Its temporary files are below ``scratch_root`` (None for the system's folder).

        Raises ``OSError`` or ``MemoryError``, and leaves nothing behind then.
        """
        scratch = tempfile.mkdtemp(prefix="ocrwatch-worker-", dir=scratch_root)
        try:
            spawned = (take_early() if reads else None) or spawn(READS if reads else RENDERS)
        except BaseException:
            _remove(scratch)
            raise
        return cls(spawned.process, channel_to_worker(spawned.connection), spawned.stderr, scratch)

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


def _remove(scratch: str) -> None:
    """Remove a folder as far as its disk allows.

    The next start of the daemon removes the rest.
    """
    # Some errors get through even with ignore_errors.
    with contextlib.suppress(OSError):
        shutil.rmtree(scratch, ignore_errors=True)
