"""SIGHUP asks a daemon to reload its settings; on a terminal it means that the terminal is gone."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from types import FrameType


def hold_hangup() -> None:
    """Hold a SIGHUP until :func:`on_hangup`: it must neither end the start nor be lost.

    Whether there is a terminal now is remembered: it may be closed during the start.
    """
    _had_terminal()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def on_hangup(heard: Callable[[], None]) -> None:
    """Call ``heard`` at every SIGHUP; it must not block.

    If the signal is ignored (nohup), it stays ignored. A closed terminal ends the process as usual: its user could no
    longer see it.
    """
    _had_terminal()

    def handle(number: int, _frame: FrameType | None) -> None:
        if _had_terminal() and not _has_terminal():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        else:
            heard()

    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handle)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


@functools.cache
def _had_terminal() -> bool:
    """Return whether there was a controlling terminal when this was called first."""
    return _has_terminal()


def _has_terminal() -> bool:
    """Return whether this process's session has a controlling terminal (tty(4))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
