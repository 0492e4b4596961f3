"""The process that splits one file: started, asked and ended without holding up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocrwatch.errors import Blocked, environment_fault, memory_short, system_reason
from ocrwatch.magic import HEAD, SPLIT, image_kind, other_format
from ocrwatch.rlimits import kills_for_memory
from ocrwatch.splitting.messages import LONGEST_LINE, MODULE, Ready, encode

LAST_MOMENT: Final = 1.0
"""Seconds that a process has to end after it has closed its channel: the exit status says more."""

_WORDS: Final = 4000
"""Bytes that are kept from the end of standard error."""

NO_KNOWN_REMEDY: Final = "run ocrwatch doctor"
"""Of a process that ended by itself as it started."""

_NO_PROCESS: Final = "free memory, or allow more processes (TasksMax=, ulimit -u)"

_NO_DESCRIPTOR: Final = "allow more open files (LimitNOFILE=, ulimit -n)"

_REMEDIES: Final = {
    errno.ENOMEM: memory_short().remedy,
    errno.EAGAIN: _NO_PROCESS,
    errno.EMFILE: _NO_DESCRIPTOR,
    errno.ENFILE: _NO_DESCRIPTOR,
}
"""What to do if the system refuses a process."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    how: str
    """Such as ``killed by SIGSEGV``."""
    starved: bool
    """Whether the kernel killed a process for lack of memory meanwhile."""
    words: str
    """The end of its standard error."""


def cannot_start(reason: str, remedy: str = NO_KNOWN_REMEDY) -> Blocked:
    """Return why a file waits: scans are read without that process."""
    return Blocked(f"cannot start the process that splits files into pages ({reason})", remedy)


class _Child:
    """The process itself; its methods block, and are called from its own thread."""

    def __init__(self, source: Path, folder: Path) -> None:
        """Start it, and leave nothing behind if that fails.

        Raises EnvironmentFault if the file or the folder cannot be opened, OtherFormat, and Blocked if the system
        refuses the process.
        """
        with contextlib.ExitStack() as opened, contextlib.ExitStack() as undo:
            try:
                file = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
                opened.callback(os.close, file)
                head = os.pread(file, HEAD, 0)
            except OSError as error:
                raise environment_fault(error, f"cannot read {source}") from error
            kind = image_kind(head)
            if kind is None or kind not in SPLIT:
                raise other_format(head)
            try:
                directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                opened.callback(os.close, directory)
                self.connection, theirs = socket.socketpair()
                undo.callback(self.connection.close)
                opened.callback(theirs.close)
                self._stderr = os.memfd_create("ocrwatch-splitter-stderr")
                undo.callback(os.close, self._stderr)
                self._kills = kills_for_memory()
                inherited = (theirs.fileno(), file, directory)
                self._process = subprocess.Popen(
                    # -P: nothing in the working directory is ever imported.
                    [sys.executable, "-P", "-m", MODULE, *map(str, inherited), kind.name],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._stderr,
                    pass_fds=inherited,
                    start_new_session=True,
                    env={**os.environ, "OMP_THREAD_LIMIT": "1"},
                )
            except OSError as error:
                remedy = _REMEDIES.get(error.errno or 0, f"let the user that ocrwatch runs as execute {sys.executable}")
                raise cannot_start(system_reason(error), remedy) from error
            except MemoryError as error:
                raise cannot_start("memory is short", memory_short().remedy) from error
            undo.pop_all()
        self._lock = threading.Lock()

    def kill(self) -> None:
        """Kill it, unless it is reaped: then another process may have its id. Does not block."""
        with self._lock:
            if self._process.returncode is None:
                self._process.kill()

    def reap(self) -> Ended:
        """Wait until it has ended. Called on the thread that started it, whose end would kill it, too."""
        # If ocrwatch was started with SIGCHLD ignored, the kernel reaps it (waitpid(2)).
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            code = self._process.wait()
        starved = kills_for_memory() > self._kills
        size = os.fstat(self._stderr).st_size
        words = os.pread(self._stderr, _WORDS, max(0, size - _WORDS)).decode("utf-8", "replace").strip()
        os.close(self._stderr)
        how = f"ended with exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        return Ended(how, starved, words)


class SplitProcess:
    """A process that runs, and its channel."""

    def __init__(
        self,
        child: _Child,
        exited: asyncio.Future[Ended],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._child = child
        self._exited = exited
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, source: Path, folder: Path) -> SplitProcess:
        """Start a process, and wait until it is ready. Raises EnvironmentFault, OtherFormat, and Blocked.

        asyncio would start it on the event loop's thread; but the disks of the program, the file and the folder may
        hang. Each process has a thread, so that one that hangs delays no other.
        """
        thread = ThreadPoolExecutor(1, "splitter")
        try:
            starting = thread.submit(_Child, source, folder)
        except RuntimeError as error:
            # Python reports a refused thread as a RuntimeError.
            raise cannot_start(str(error), _NO_PROCESS) from error
        try:
            child = await asyncio.wrap_future(starting)
        except asyncio.CancelledError:
            # After the start, which cannot be cancelled.
            thread.submit(_end_started, starting)
            raise
        else:
            exited = asyncio.get_running_loop().run_in_executor(thread, child.reap)
        finally:
            thread.shutdown(wait=False)
        try:
            channel = await asyncio.open_connection(sock=child.connection, limit=LONGEST_LINE)
        except BaseException:
            child.connection.close()
            child.kill()
            raise
        process = cls(child, exited, *channel)
        try:
            await process._wait_until_ready()
        except BaseException:
            process.kill()
            raise
        return process

    async def ask(self, message: bytes) -> bytes:
        """Send a message and return the answer: a line, or less if the process has ended.

        Raises ValueError for an answer that is too long.
        """
        with contextlib.suppress(ConnectionError):
            self._writer.write(message)
            await self._writer.drain()
            return await self._reader.readline()
        return b""

    async def _wait_until_ready(self) -> None:
        """Wait for its first answer. Raises Blocked if it ends before that: the file is not at fault then."""
        line = b""
        with contextlib.suppress(ConnectionError, ValueError):
            line = await self._reader.readline()
        if line == encode(Ready()):
            return
        ended = await self.ended(LAST_MOMENT)
        if ended.starved:
            raise cannot_start("memory is short", memory_short().remedy)
        last = next(reversed(ended.words.splitlines()), "")
        raise cannot_start(f"{ended.how} as it started" + f": {last}" * bool(last))

    async def ended(self, grace: float) -> Ended:
        """Return how the process ended; kill it if it does not within ``grace`` seconds."""
        await asyncio.wait([self._exited], timeout=grace)
        return await self.end()

    def kill(self) -> None:
        """Kill the process, and close the channel."""
        self._writer.close()
        self._child.kill()

    async def end(self) -> Ended:
        """Kill the process, and return when it is gone."""
        self.kill()
        return await asyncio.shield(self._exited)


def _end_started(starting: Future[_Child]) -> None:
    """End a process that is no longer wanted, if it could be started."""
    if not starting.cancelled() and starting.exception() is None:
        child = starting.result()
        child.connection.close()
        child.kill()
        child.reap()
