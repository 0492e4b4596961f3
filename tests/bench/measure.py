"""What a command costs, with all that it starts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.daemon_process import children_of

_INTERVAL = 0.1
"""Seconds between two looks at the memory. Looking takes about a millisecond a process, from all ways alike."""

_KB = 1024
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one command and its descendants."""

    seconds: float
    """From its start to its end, by the clock."""
    cpu: float
    """Seconds of processor time, user and system, of all processes that were waited for."""
    peak_mb: float
    """The most memory that all processes had at one time: proportional set sizes, in which shared pages count once."""
    process_mb: Mapping[int, float]
    """The most resident memory that each process ever had, by its id. Pages that it shares count in full."""
    code: int
    output: str
    """Standard output and standard error."""


class _Watch(threading.Thread):
    """Looks at the memory of a process tree until told to stop."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._over = threading.Event()
        self.peak = 0
        self.process_peaks: dict[int, float] = {}

    def run(self) -> None:
        while not self._over.wait(_INTERVAL):
            self._look()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._over.set()
        self.join()

    def _look(self) -> None:
        together = 0
        todo = [self._root]
        while todo:
            pid = todo.pop()
            todo += children_of(pid)
            together += _field(pid, "smaps_rollup", "Pss:")
            # The kernel keeps the highest value itself, so that only what happens after the last look is missed.
            if resident := _field(pid, "status", "VmHWM:"):
                self.process_peaks[pid] = resident / _MB
        self.peak = max(self.peak, together)


def measured(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float) -> Cost:
    """Run a command in ``folder`` to its end and say what it cost.

    Raises TimeoutError after ``timeout`` seconds, when the command and all it started have been killed.
    """
    with (folder / ".output").open("w+b") as output:
        begun = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch = _Watch(process.pid)
        watch.start()
        late = threading.Timer(timeout, _kill, (process.pid,))
        late.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            _kill(process.pid)
            raise
        finally:
            seconds = time.monotonic() - begun
            late.cancel()
            watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if seconds >= timeout:
        raise TimeoutError(f"not done within {timeout:g} s: {' '.join(command)}")
    cpu = used.ru_utime + used.ru_stime
    return Cost(seconds, cpu, watch.peak / _MB, watch.process_peaks, process.returncode, text)


def _kill(pid: int) -> None:
    """Kill a process and its descendants, some of which may be in sessions of their own."""
    for child in children_of(pid):
        _kill(child)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _field(pid: int, file: str, name: str) -> int:
    """Bytes that a file of /proc tells; 0 where the process has gone."""
    try:
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * _KB
    except (OSError, ValueError):
        pass
    return 0
