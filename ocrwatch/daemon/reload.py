"""New settings while the daemon runs: read at SIGHUP, proved and only then taken; wrong ones change nothing.

To a daemon SIGHUP means to read its settings again, on a terminal that the terminal is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from ocrwatch.checks.new_settings import Proof, prove
from ocrwatch.daemon.assembly import Assembly
from ocrwatch.errors import OcrwatchError
from ocrwatch.executors.trial import try_start
from ocrwatch.log import get_logger, set_level
from ocrwatch.observe.systemd import notify
from ocrwatch.settings import Settings
from ocrwatch.settings.changes import Changes, changes
from ocrwatch.storage.threads import run_in

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Proved:
    changes: Changes
    proof: Proof


class Reloading:
    """Reads the settings again when asked to, one time after the other. Lives on the event loop.

    ``reread`` returns the settings as a start would find them now, and raises :class:`OcrwatchError` if it would.
    """

    def __init__(self, assembly: Assembly, reread: Callable[[], Settings]) -> None:
        self._assembly = assembly
        self._reread = reread
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have the settings read again as soon as that is possible."""
        self._asked.set()

    async def run(self) -> None:
        """Serve until cancelled. Started when the daemon is ready, and ended when it is told to stop."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            # sd_notify(3): together, so that the manager knows which reload READY=1 belongs to.
            notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                self._take(await run_in(self._assembly.threads.io, self._prove))
            except OcrwatchError as error:
                self._assembly.report.settings_refused(error)
                _log.error("daemon.reload_failed", reason=error.message, remedy=error.remedy)
            except Exception as error:  # noqa: BLE001 - the settings in force stay, whatever it was
                bug = OcrwatchError(f"a bug in ocrwatch: {error!r}", "report it with the log")
                self._assembly.report.settings_refused(bug)
                _log.error("daemon.reload_failed", reason=bug.message, exc_info=error)
            notify("READY=1")

    def _prove(self) -> _Proved:
        """Read them and try out all that could be wrong with them; on an I/O thread."""
        assembly = self._assembly
        found = changes(assembly.settings, self._reread())
        proof = prove(found.settings)
        wanted, running = (assembly.slot_options(each) for each in (found.settings, assembly.settings))
        if (wanted.recipes, wanted.max_memory) != (running.recipes, running.max_memory):
            # An engine or a variable that does not exist shows only when a worker starts.
            try_start(wanted)
        assembly.cache.learn(wanted.recipes)
        return _Proved(found, proof)

    def _take(self, proved: _Proved) -> None:
        settings = proved.changes.settings
        set_level(settings.log.level)
        self._assembly.change(settings, proved.proof.groups, proved.proof.hooks)
        self._assembly.report.settings_refused(None)
        for key in proved.changes.kept:
            _log.warning("setting.kept", key=key, remedy=f"restart ocrwatch for the new {key}")
        workers = self._assembly.executor.capacity
        _log.info("daemon.reloaded", changed=list(proved.changes.taken), workers=workers)


def hold_hangup() -> None:
    """Keep a SIGHUP that comes from here on until :func:`on_hangup`: it must neither end the start nor be lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def on_hangup(heard: Callable[[], None]) -> None:
    """Call ``heard`` at every SIGHUP; it must not block.

    Whoever has the signal ignored (nohup) has it ignored. A terminal that is closed ends the process as ever:
    nobody would see it work on.
    """
    had_terminal = _has_terminal()

    def handle(number: int, _frame: FrameType | None) -> None:
        if had_terminal and not _has_terminal():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        else:
            heard()

    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handle)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def _has_terminal() -> bool:
    """Tell whether this process's session has a controlling terminal (tty(4))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
