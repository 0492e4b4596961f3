"""Runs programs with a notification on standard input.

One that is too slow is killed with all its children.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

_TAIL_SIZE: Final = 2000
"""Bytes that are kept from the end of standard error."""
_PIPE_SIZE: Final = 1 << 16
"""What a pipe holds (pipe(7)): one read gets all that a program left in it."""
_NOT_FOR_CHILDREN: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"})
"""Variables of the service manager for its service: a program that used them would speak in the daemon's name."""


class ProgramFailed(Exception):
    """The program failed. ``stderr`` has the end of its standard error."""

    def __init__(self, reason: str, stderr: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.stderr = stderr


class Programs:
    """Runs programs, and can kill all that run."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._closed = False

    async def run(self, command: Sequence[str], body: bytes, time_limit: float) -> None:
        """Run ``command`` for at most ``time_limit`` seconds.

        Raises :class:`ProgramFailed`. It runs in ``/``, in its own session, with ``body`` as its standard input; its
        standard output is discarded.
        """
        if self._closed:
            raise ProgramFailed("was not run because ocrwatch stopped")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + time_limit
        # asyncio starts subprocesses on the event loop's thread. But execve(2) waits for the program's disk, perhaps a
        # share that does not answer. With a thread for each program, one that hangs delays no other.
        thread = ThreadPoolExecutor(1, "hooks-program")
        try:
            starting = thread.submit(_start, command, body)
            process = await asyncio.wrap_future(starting)
            exited = loop.run_in_executor(thread, _wait_for_exit, process.pid)
        except (OSError, ValueError, RuntimeError) as error:
            raise ProgramFailed(f"could not be started ({getattr(error, 'strerror', None) or error})") from error
        except asyncio.CancelledError:
            # After the start, which cannot be cancelled.
            thread.submit(_kill_started, starting)
            raise
        finally:
            thread.shutdown(wait=False)
        pid = process.pid
        self._running.add(pid)
        if self._closed:
            _kill(pid)
        try:
            with contextlib.closing(_Tail(process)) as stderr:
                await asyncio.wait([exited], timeout=deadline - loop.time())
                if is_late := not exited.done():
                    _kill(pid)
                    await exited
                words = stderr.text()
        finally:
            # Whatever the error, no program runs on without a time limit.
            if not exited.done():
                _kill(pid)
            # Before it is reaped: close() must not kill another process that got its id.
            self._running.discard(pid)
        code = process.wait()
        if is_late:
            raise ProgramFailed(f"took longer than hooks.timeout ({time_limit:g} s) and was killed", words)
        if code and self._closed:
            raise ProgramFailed("was ended because ocrwatch stopped", words)
        if code:
            how = f"exited with code {code}" if code > 0 else f"was killed by signal {-code}"
            raise ProgramFailed(how, words)

    def close(self) -> None:
        """Kill all running programs, and run no more."""
        self._closed = True
        for pid in self._running:
            _kill(pid)


class _Tail:
    """The end of a program's standard error, read on the event loop.

    The pipe's end is not waited for: a process that the program left running may hold it open.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None  # noqa: S101 - for the type checker; _start asks for a pipe
        self._pipe = process.stderr
        self._tail = b""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(self._pipe.fileno(), False)
        self._loop.add_reader(self._pipe, self._read)

    def text(self) -> str:
        """Return the end of all that was written so far."""
        self._read()
        return self._tail.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Read no more."""
        self._loop.remove_reader(self._pipe)
        self._pipe.close()

    def _read(self) -> None:
        piece = self._pipe.read(_PIPE_SIZE)
        if piece == b"":
            self._loop.remove_reader(self._pipe)
        self._tail = (self._tail + (piece or b""))[-_TAIL_SIZE:]


def _start(command: Sequence[str], body: bytes) -> subprocess.Popen[bytes]:
    # A file, not a pipe: a program that reads nothing blocks no writer.
    with os.fdopen(os.memfd_create("ocrwatch-hook"), "w+b") as stdin:
        stdin.write(body)
        stdin.seek(0)
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN},
            start_new_session=True,
        )


def _kill_started(starting: Future[subprocess.Popen[bytes]]) -> None:
    """Kill a program that is no longer wanted, if it could be started."""
    if not starting.cancelled() and starting.exception() is None:
        with starting.result() as process:
            _kill(process.pid)


def _wait_for_exit(pid: int) -> None:
    """Return when a process has exited.

    It is not reaped: until then no other process gets its id.
    """
    # If ocrwatch was started with SIGCHLD ignored, the kernel reaps it (waitpid(2)).
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _kill(pid: int) -> None:
    """Kill a process and its children."""
    # PermissionError: a program such as sudo runs as another user.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
