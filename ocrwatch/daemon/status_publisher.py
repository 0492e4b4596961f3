"""What the daemon says of itself in each turn: to its status file, to its outlets and to the service manager."""

from __future__ import annotations

import time

from ocrwatch.daemon.activity import Calendar, activity_of
from ocrwatch.daemon.assembly import Assembly
from ocrwatch.daemon.outlets import StatusOutputs
from ocrwatch.observe.systemd import notify, watchdog_interval


class StatusPublisher:
    """Told the daemon's state, it says the rest. Lives on the loop's thread."""

    def __init__(self, assembly: Assembly, outlets: StatusOutputs) -> None:
        self._assembly = assembly
        self._outlets = outlets
        self._calendar = Calendar()
        self._sign_interval = watchdog_interval()
        self._next_sign = 0.0
        self._told = ""

    def next_wake(self) -> float:
        """Return when something is to be said even if nothing happens (monotonic seconds)."""
        report = self._assembly.report.next_wake()
        return min(report, self._next_sign) if self._sign_interval else report

    def tell(self, now: float, state: str, *, at_once: bool = False) -> None:
        """Say what has changed, and give a sign of life. ``at_once`` leaves nothing for later."""
        assembly = self._assembly
        if assembly.reception.not_read.take_news():
            assembly.report.changed()
        status = assembly.report.write(
            now,
            state=state,
            watch=assembly.reception.mode,
            waiting=assembly.open_scans - len(assembly.scans.in_work),
            more=assembly.reception.more,
            oldest=assembly.reception.oldest,
            in_work=assembly.scans.in_work,
            pauses=assembly.backoff,
            reviews=assembly.reviews.found,
            activity=lambda: activity_of(assembly, self._calendar),
            at_once=at_once,
        )
        if status is not None:
            self._outlets.tell(status)
            if not at_once:
                # In time for the next one; after the last one there is no thread left to look.
                assembly.reviews.look()
        self._outlets.turned(now)
        if (sentence := self._sentence(state)) != self._told:
            self._told = sentence
            notify(f"STATUS={sentence}")
        if self._sign_interval and now >= self._next_sign:
            self._next_sign = now + self._sign_interval
            notify("WATCHDOG=1")

    def _sentence(self, state: str) -> str:
        """Say what it does, in one line for the service manager."""
        for pause in self._assembly.backoff.active.values():
            since = time.strftime(" since %Y-%m-%d %H:%M %Z", time.localtime(pause.since)) if state == "paused" else ""
            return f"{state}{since}: {pause.message}; {pause.remedy}".replace("\n", " ")
        if self._assembly.report.refused_settings is not None:
            return f"{state}; new settings refused: {self._assembly.report.refused_settings.reason}".replace("\n", " ")
        return state
