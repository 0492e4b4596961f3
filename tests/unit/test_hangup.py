"""SIGHUP: a request on a server, and the end of a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

PROGRAM = """
import fcntl, sys, termios
from ocrwatch.hangup import hold_hangup, on_hangup

for terminal in map(int, sys.argv[1:]):
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
hold_hangup()
print("held", flush=True)
sys.stdin.readline()
on_hangup(lambda: print("asked to reload", flush=True))
print("started", flush=True)
sys.stdin.readline()
"""


def _started(terminal: int | None) -> subprocess.Popen[str]:
    """Start a program that holds the signal, in a session of its own, with a terminal or without."""
    terminals = [] if terminal is None else [terminal]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, terminals)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        pass_fds=terminals,
    )
    assert _line(process) == "held"
    return process


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_terminal_that_is_closed_during_the_start_ends_the_process() -> None:
    """Else it would hold the locks of the folders, and nobody would see it."""
    ours, theirs = pty.openpty()
    with _started(theirs) as process:
        os.close(theirs)
        os.close(ours)
        _go_on(process)
        assert process.wait(20) == -signal.SIGHUP


def test_a_terminal_that_is_closed_later_ends_the_process() -> None:
    """As any program that is run on it."""
    ours, theirs = pty.openpty()
    with _started(theirs) as process:
        _go_on(process)
        assert _line(process) == "started"
        os.close(theirs)
        os.close(ours)
        assert process.wait(20) == -signal.SIGHUP


def test_a_request_during_the_start_is_heard() -> None:
    """Without a terminal it asks for new settings, and is not lost."""
    with _started(None) as process:
        process.send_signal(signal.SIGHUP)
        _go_on(process)
        assert {_line(process), _line(process)} == {"asked to reload", "started"}
        _go_on(process)
        assert process.wait(20) == 0
