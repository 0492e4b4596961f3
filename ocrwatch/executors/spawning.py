"""Starts worker processes.

The first one starts before the settings and the rest of the daemon are loaded, so this module imports next to nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

READS: Final = "reads"
"""Argument of a worker that loads what reading needs before it is set up."""

RENDERS: Final = "renders"
"""Argument of a worker that only renders pages."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """A worker's process, the parent's end of its channel, and what it writes to standard error."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    stderr: int

    def end(self) -> None:
        """Kill its group, reap it, and release its resources."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()
        os.close(self.stderr)


def spawn(role: str) -> Spawned:
    """Start a worker; ``role`` is ``READS`` or ``RENDERS``.

    Its own session keeps a terminal's signals away and makes its group killable as a whole. It is a new interpreter,
    not a fork: it has none of the parent's threads, locks or open files. Raises ``OSError`` or ``MemoryError``, and
    leaves nothing behind then.
    """
    with contextlib.ExitStack() as undo:
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        with theirs:
            stderr = os.memfd_create("ocrwatch-worker-stderr")
            undo.callback(os.close, stderr)
            process = subprocess.Popen(
                # -P: nothing in the working directory is ever imported.
                [sys.executable, "-P", "-m", "ocrwatch.executors.worker_main", str(theirs.fileno()), role],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            )
        undo.pop_all()
    return Spawned(process, ours, stderr)


_early: Final[deque[Spawned]] = deque()


@contextlib.contextmanager
def early_worker() -> Iterator[None]:
    """Start a worker, which loads its libraries while this process loads its own; the first slot gets it.

    If no slot takes it, it ends with the context.
    """
    # A slot that finds none starts one, and reports what prevents it.
    with contextlib.suppress(OSError, MemoryError):
        _early.append(spawn(READS))
    try:
        yield
    finally:
        discard_early()


def take_early() -> Spawned | None:
    """Return the worker that was started early; None if there is none, it has ended, or another slot has taken it."""
    try:
        spawned = _early.popleft()
    except IndexError:
        return None
    if spawned.process.poll() is None:
        return spawned
    # The kernel ended it for want of memory, for example. A slot starts another.
    spawned.end()
    return None


def discard_early() -> None:
    """End the worker that was started early, if no slot has taken it."""
    if (spawned := take_early()) is not None:
        spawned.end()
