"""New settings while the daemon runs: read, proved and only then taken; wrong ones change nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ocrwatch.checks.new_settings import Proof, prove
from ocrwatch.daemon.assembly import Assembly
from ocrwatch.errors import OcrwatchError
from ocrwatch.executors.trial import try_start
from ocrwatch.log import get_logger, set_level
from ocrwatch.observe.systemd import notify
from ocrwatch.settings import Settings
from ocrwatch.settings.changes import Changes, changes

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Proved:
    changes: Changes
    proof: Proof


class Reloading:
    """Reads the settings again when asked to, one time after the other. Lives on the loop's thread.

    ``reread`` returns the settings as a start would find them now, and raises :class:`OcrwatchError` where it would.
    ``may_begin`` tells whether the daemon is ready and not about to stop; what is asked for before that is remembered.
    """

    def __init__(self, assembly: Assembly, reread: Callable[[], Settings], may_begin: Callable[[], bool]) -> None:
        self._assembly = assembly
        self._reread = reread
        self._may_begin = may_begin
        self._wanted = False
        self._busy = False

    def ask(self) -> None:
        """Have the settings read again, now or as soon as that is possible."""
        self._wanted = True
        self.begin()

    def begin(self) -> None:
        """Read them if that was asked for and can be done."""
        if not self._wanted or self._busy or not self._may_begin():
            return
        self._wanted, self._busy = False, True
        # sd_notify(3): together, so that the manager knows which reload READY=1 belongs to.
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self._assembly.loop.background(self._prove, self._take, self._refuse)

    def _prove(self) -> _Proved:
        """Read them and try out all that could be wrong with them; on an I/O thread."""
        found = changes(self._assembly.settings, self._reread())
        proof = prove(found.settings)
        wanted, running = (self._assembly.slot_options(each) for each in (found.settings, self._assembly.settings))
        if (wanted.recipes, wanted.max_memory) != (running.recipes, running.max_memory):
            # An engine or a variable that does not exist shows only when a worker starts.
            try_start(wanted)
        self._assembly.cache.learn(wanted.recipes)
        return _Proved(found, proof)

    def _take(self, proved: _Proved) -> None:
        if self._may_begin():
            settings = proved.changes.settings
            set_level(settings.log.level)
            self._assembly.change(settings, proved.proof.groups, proved.proof.hooks)
            self._assembly.report.settings_refused(None)
            for key in proved.changes.kept:
                _log.warning("setting.kept", key=key, remedy=f"restart ocrwatch for the new {key}")
            _log.info("daemon.reloaded", changed=list(proved.changes.taken), workers=self._assembly.executor.capacity)
        self._end()

    def _refuse(self, error: BaseException) -> None:
        if isinstance(error, OcrwatchError):
            self._assembly.report.settings_refused(error)
            _log.error("daemon.reload_failed", reason=error.message, remedy=error.remedy)
        else:
            self._assembly.report.settings_refused(
                OcrwatchError(f"a bug in ocrwatch: {error!r}", "report it with the log")
            )
            _log.error("daemon.reload_failed", reason=f"a bug in ocrwatch: {error!r}", exc_info=error)
        self._end()

    def _end(self) -> None:
        self._busy = False
        if self._may_begin():
            notify("READY=1")
        self.begin()
