"""Reloads the settings at SIGHUP: checked first, then applied; wrong ones change nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ocrwatch.checks import startup
from ocrwatch.checks.new_settings import Proof, prove
from ocrwatch.daemon.assembly import Assembly
from ocrwatch.errors import OcrwatchError
from ocrwatch.events import DaemonReloaded, DaemonReloadFailed, SettingKept, publish
from ocrwatch.log import set_level
from ocrwatch.observe.systemd import notify
from ocrwatch.settings import Settings
from ocrwatch.settings.reloadable import Changes, changes
from ocrwatch.storage.threads import run_in


@dataclass(frozen=True, slots=True)
class _Proved:
    changes: Changes
    proof: Proof


class Reloading:
    """Reloads the settings on request, one request at a time. Lives on the event loop.

    ``reread`` returns the settings that a start would use now, and raises :class:`OcrwatchError` if a start would.
    """

    def __init__(self, assembly: Assembly, reread: Callable[[], Settings]) -> None:
        self._assembly = assembly
        self._reread = reread
        self._asked = asyncio.Event()
        self._is_stopped = False

    def ask(self) -> None:
        """Request a reload as soon as possible."""
        self._asked.set()

    def stop(self) -> None:
        """Take no more settings, those that are being checked among them: the daemon is about to end."""
        self._is_stopped = True

    async def run(self) -> None:
        """Serve until cancelled. Started when the daemon is ready."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._is_stopped:
                continue
            # sd_notify(3): together, so that the manager knows which reload READY=1 belongs to.
            notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                proved = await run_in(self._assembly.threads.io, self._prove)
                if not self._is_stopped:
                    self._take(proved)
            except OcrwatchError as error:
                self._assembly.report.settings_refused(error)
                publish(DaemonReloadFailed(reason=error.message, remedy=error.remedy))
            except Exception as error:  # noqa: BLE001 - the settings in force stay, whatever the error
                bug = OcrwatchError(f"a bug in ocrwatch: {error!r}", "report it with the log")
                self._assembly.report.settings_refused(bug)
                publish(DaemonReloadFailed(reason=bug.message, exception=error))
            if not self._is_stopped:
                notify("READY=1")

    def _prove(self) -> _Proved:
        """Load the settings and check all that could be wrong with them; on an I/O thread."""
        assembly = self._assembly
        found = changes(assembly.settings, self._reread())
        proof = prove(found.settings)
        wanted, running = (assembly.worker_options(each) for each in (found.settings, assembly.settings))
        if replace(wanted, timeout=0, max_scans=0, workers=0) != replace(running, timeout=0, max_scans=0, workers=0):
            # A missing engine or variable shows only when a worker starts.
            assembly.executor.prove(wanted)
        if startup.folders(found.settings) != startup.folders(assembly.settings):
            startup.make_folders(found.settings)
        assembly.cache.learn(startup.recipes(found.settings))
        assembly.learn_endings(found.settings)
        return _Proved(found, proof)

    def _take(self, proved: _Proved) -> None:
        settings = proved.changes.settings
        set_level(settings.log.level)
        self._assembly.change(settings, proved.proof.groups, proved.proof.hooks)
        self._assembly.report.settings_refused(None)
        for key in proved.changes.kept:
            publish(SettingKept(key=key, remedy=f"restart ocrwatch for the new {key}"))
        workers = self._assembly.executor.capacity
        publish(DaemonReloaded(changed=proved.changes.taken, workers=workers))
