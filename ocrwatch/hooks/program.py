"""Runs one program with the facts on its standard input; it and its children are killed at the time limit."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence

from ocrwatch.errors import system_reason

_LAST_WORDS = 2000
"""Bytes that are kept from the end of standard error."""

_NOT_FOR_CHILDREN = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"})
"""Variables of the service manager for its service: a program that used them would speak in the daemon's name."""


class ProgramFailed(Exception):
    """The program failed. ``stderr`` has the end of its standard error."""

    def __init__(self, reason: str, stderr: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.stderr = stderr


class Programs:
    """Runs programs, on the calling thread, and can kill all that run."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._lock = threading.Lock()
        self._closed = False

    def run(self, command: Sequence[str], facts: bytes, timeout: float) -> None:
        """Run ``command`` for at most ``timeout`` seconds; raises :class:`ProgramFailed`.

        It runs in ``/``, in its own session, with ``facts`` as its standard input; its standard output is discarded.
        """
        deadline = time.monotonic() + timeout
        with _file_with(facts) as stdin, _pipe() as (reading, writing):
            child = self._start(command, stdin, writing[0])
            os.close(writing.pop())
            try:
                words, ended = _last_words(reading, child.pid, deadline)
                if not ended:
                    _kill(child.pid)
            except OSError as error:
                # A process that cannot be watched could run forever.
                _kill(child.pid)
                raise ProgramFailed(f"could not be watched and was killed ({system_reason(error)})") from error
            finally:
                # Before it is reaped: after that its process id may be reused.
                with self._lock:
                    self._running.discard(child.pid)
                code = child.wait()
        if not ended:
            raise ProgramFailed(f"took longer than hooks.timeout ({timeout:g} s) and was killed", words)
        if code and self._closed:
            raise ProgramFailed("was ended because ocrwatch stopped", words)
        if code:
            how = f"exited with code {code}" if code > 0 else f"was killed by signal {-code}"
            raise ProgramFailed(how, words)

    def close(self) -> None:
        """Kill all running programs, and run no more."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for pid in running:
            _kill(pid)

    def _start(self, command: Sequence[str], stdin: int, stderr: int) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
        # Under the lock, so that none slips past close().
        with self._lock:
            if self._closed:
                raise ProgramFailed("was not run because ocrwatch stopped")
            try:
                child = subprocess.Popen(
                    command,
                    stdin=stdin,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    cwd="/",
                    env=environment,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise ProgramFailed(f"could not be started ({getattr(error, 'strerror', None) or error})") from error
            self._running.add(child.pid)
            return child


def _kill(pid: int) -> None:
    """Kill a process and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


@contextlib.contextmanager
def _file_with(data: bytes) -> Iterator[int]:
    """Yield a descriptor to read ``data`` from: a program that reads nothing blocks no thread."""
    descriptor = os.memfd_create("ocrwatch-hook-facts", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, list[int]]]:
    """Yield the reading end, and the writing end in a list; a caller that closes it takes it out of the list."""
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    os.set_blocking(writing, True)
    open_ends = [writing]
    try:
        yield reading, open_ends
    finally:
        os.close(reading)
        for descriptor in open_ends:
            os.close(descriptor)


def _last_words(reading: int, pid: int, deadline: float) -> tuple[str, bool]:
    """Read until the process ends or ``deadline``; return the end of what it wrote, and whether it ended."""
    words, at_end = b"", False
    process = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(reading, select.POLLIN)
        poller.register(process, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = {descriptor for descriptor, _ in poller.poll(max(0, left) * 1000)}
            piece = _read(reading)
            words = (words + (piece or b""))[-_LAST_WORDS:]
            # Not the pipe's end: a process that the program left running may hold that open.
            if process in ready or left <= 0:
                return words.decode("utf-8", "replace").strip(), process in ready
            if piece == b"" and not at_end:
                poller.unregister(reading)
                at_end = True
    finally:
        os.close(process)


def _read(descriptor: int) -> bytes | None:
    """Return available bytes, empty at the end, None if there are none yet."""
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return None
