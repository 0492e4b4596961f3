"""Detects new files: by inotify if the inbox's file system has it, and by regular rescans in any case."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.errors import EnvironmentFault, OcrwatchError, environment_fault
from ocrwatch.events import WatchArmed, WatchLost, WatchOverflowed, publish
from ocrwatch.intake.ignore_rules import AT_REST
from ocrwatch.intake.inotify import InotifyWatcher
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.rescan import Rescan, rescan
from ocrwatch.scan import Arrival
from ocrwatch.settings import Watch
from ocrwatch.storage.mounts import MountGuard, mount_of, watch_mode
from ocrwatch.storage.threads import Threads, run_in

_MOST_DEATHS = 2

_MORE_WATCHES = "raise fs.inotify.max_user_watches with sysctl, or set watch.mode to poll"


class _Events:
    """Passes events from watchdog's threads to the event loop."""

    def __init__(self, arrivals: Arrivals, loop: asyncio.AbstractEventLoop) -> None:
        self._arrivals = arrivals
        self._loop = loop

    def arrived(self, arrival: Arrival) -> None:
        self._post(self._arrivals.arrived, arrival)

    def stirred(self) -> None:
        self._post(self._arrivals.look_within, 0.0)

    def left_alone(self) -> None:
        self._post(self._arrivals.look_within, AT_REST)

    def overflowed(self) -> None:
        self._post(self._arrivals.overflowed)

    def limited(self) -> None:
        self._post(self._arrivals.limited)

    def ended(self) -> None:
        self._post(self._arrivals.ended)

    def _post(self, call: Callable[..., None], *arguments: object) -> None:
        # While the process ends, the event loop may be closed already.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)


class Arrivals:
    """Detects new files in the inbox.

    Lives on the event loop; ``wake`` is set when there is something to do.
    """

    def __init__(self, threads: Threads, backoff: Backoff, inbox: Path, options: Watch, wake: asyncio.Event) -> None:
        self._threads = threads
        self._backoff = backoff
        self._inbox = inbox
        self._options = options
        self._wake = wake
        self._rules = NameRules.of(options.include, options.exclude)
        self._inotify: InotifyWatcher | None = None
        self._inotify_lock = threading.Lock()
        self._arrived: list[Arrival] = []
        self._looking = False
        self._next_look = 0.0
        self._identity: tuple[int, int] | None = None
        self._overflowed = False
        self._guard = MountGuard(inbox, "inbox")
        self._deaths = 0
        self._disarmed = False
        self.mode: Literal["inotify", "poll"] = "poll"
        self.looked = False
        """Whether a rescan has ended."""
        self._began_look = self._looked_at = float("-inf")
        """When the latest rescan, and the latest one that ended, began (monotonic seconds)."""

    async def arm(self) -> None:
        """Start to listen to events, if the inbox's file system has them."""
        kind, source = await run_in(self._threads.io, mount_of, self._inbox)
        self.mode = watch_mode(kind) if self._options.mode == "auto" else self._options.mode
        if self.mode == "inotify":
            events = _Events(self, asyncio.get_running_loop())
            self._inotify = InotifyWatcher(self._inbox, self._rules, events, recursive=self._options.recursive)
            try:
                await run_in(self._threads.io, self._arm_now)
            except EnvironmentFault as error:
                self._give_up_events(error)
        publish(WatchArmed(inbox=str(self._inbox), mode=self.mode, file_system=kind, source=source))

    def disarm(self) -> None:
        """Stop listening. Does not wait until watchdog has ended."""
        self._disarmed = True
        if self._inotify is not None:
            # Without a thread for it, it ends with the process.
            with contextlib.suppress(RuntimeError):
                self._threads.io.submit(self._disarm_now)

    def change(self, options: Watch) -> None:
        """Rescan at other intervals from here on; what is watched, and how, stays."""
        self._options = self._options.model_copy(
            update={"rescan": options.rescan, "poll_interval": options.poll_interval}
        )
        self.look_within(0.0)

    @property
    def is_looking(self) -> bool:
        """Whether a rescan is under way."""
        return self._looking

    @property
    def known_until(self) -> float:
        """The time until which all files that have come to the inbox are known (monotonic seconds)."""
        has_events = self.mode == "inotify" and self._is_armed and Cause.INBOX not in self._backoff
        return time.monotonic() if self.looked and has_events else self._looked_at

    def take(self) -> list[Arrival]:
        """Return the paths of events since the last call."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def arrived(self, arrival: Arrival) -> None:
        """Record an event."""
        self._arrived.append(arrival)
        self._wake.set()

    def look_within(self, seconds: float) -> None:
        """Rescan the inbox within so many seconds."""
        self._next_look = min(self._next_look, time.monotonic() + seconds if seconds else 0.0)
        self._wake.set()

    def overflowed(self) -> None:
        """Rescan for the scans with events that the kernel dropped."""
        if not self._overflowed:
            # Once per rescan: a burst may overflow again and again.
            self._overflowed = True
            publish(
                WatchOverflowed(
                    reason="more happened in the inbox at once than the kernel keeps; it is rescanned",
                    remedy="if this is seen often, raise fs.inotify.max_queued_events with sysctl",
                )
            )
        self.look_within(0.0)

    def limited(self) -> None:
        """Rescan regularly instead, since not all folders can be watched."""
        if self.mode == "inotify":
            self._threads.io.submit(self._disarm_now)
            self._give_up_events(EnvironmentFault("the inbox has more folders than may be watched", _MORE_WATCHES))
            self.look_within(0.0)

    def ended(self) -> None:
        """Check whether the watch is still armed; if not, :meth:`next_look` is due at once."""
        self._wake.set()

    def failed(self, error: OcrwatchError) -> None:
        """Pause because the inbox refuses, until a rescan succeeds."""
        self._next_look = self._backoff.record(Cause.INBOX, error, time.monotonic())
        self._wake.set()

    def next_look(self) -> float:
        """Return when the next rescan is due (monotonic seconds), infinity while one is under way."""
        if self._looking:
            return float("inf")
        if self.mode == "inotify" and not self._is_armed:
            # No events come of new scans: the rescan finds them, and arms the watch again.
            self._next_look = 0.0
        return max(self._next_look, self._backoff.next_try(Cause.INBOX))

    def begin_look(self) -> None:
        """Record that a rescan begins, by :meth:`look` and then :meth:`end_look`."""
        self._looking = True
        self._began_look = time.monotonic()
        self._overflowed = False
        self._next_look = float("inf")

    async def look(self, limit: int, known: Callable[[str], bool]) -> Rescan | None:
        """Rescan the inbox, for at most ``limit`` scans.

        None if it refuses, which is a pause. ``known`` says, on an I/O thread, which paths need not be found.
        """
        try:
            found = await run_in(self._threads.io, self._look_now, limit, known)
        except OcrwatchError as error:
            self._looking = False
            self.failed(error)
            return None
        self._backoff.resolve(Cause.INBOX)
        return found

    async def end_look(self, found: Rescan, *, has_opened: bool) -> None:
        """Keep the watch after a rescan; ``has_opened`` says that a closed folder may be entered now."""
        self.looked = True
        self._looked_at = self._began_look
        if has_opened and self.mode == "inotify":
            # It could not be watched before.
            await self._rearm()
        await self._keep_watch(found.identity)
        self._looking = False
        every = self._options.rescan if self.mode == "inotify" else self._options.poll_interval
        self._next_look = min(self._next_look, time.monotonic() + every)
        self._wake.set()

    def _look_now(self, limit: int, known: Callable[[str], bool]) -> Rescan:
        found = rescan(self._inbox, self._rules, recursive=self._options.recursive, limit=limit, known=known)
        # Afterwards, so that the files found are on the file system that is checked, or on none.
        try:
            self._guard.check()
        except OSError as error:
            raise environment_fault(error, f"cannot read the inbox {self._inbox}") from error
        return found

    @property
    def _is_armed(self) -> bool:
        return self._inotify is not None and self._inotify.armed

    async def _keep_watch(self, identity: tuple[int, int]) -> None:
        """Arm the watch again if the inbox was replaced, the kernel removed its watch, or watchdog gave up."""
        replaced = self._identity not in {None, identity}
        self._identity = identity
        if self.mode != "inotify" or (self._is_armed and not replaced):
            return
        reason = "the inbox was replaced"
        if not replaced and self._inotify is not None and self._inotify.is_removed:
            # The same disk may be mounted again and again.
            reason = "the inbox was removed or unmounted"
        elif not replaced:
            failure = self._inotify.failure if self._inotify is not None else ""
            reason = f"events stopped{failure and f' ({failure})'}"
            self._deaths += 1
        publish(WatchLost(reason=reason, mode="inotify"))
        await self._rearm()

    async def _rearm(self) -> None:
        try:
            if self._deaths > _MOST_DEATHS:
                raise EnvironmentFault("events stop again and again", "see whether folders lie very deep in the inbox")
            await run_in(self._threads.io, self._arm_now)
        except EnvironmentFault as error:
            self._give_up_events(error)
        else:
            publish(WatchArmed(inbox=str(self._inbox), mode=self.mode))
            self.look_within(0.0)

    def _arm_now(self) -> None:
        with self._inotify_lock:
            if self._inotify is not None and not self._disarmed:
                self._inotify.arm()

    def _disarm_now(self) -> None:
        with self._inotify_lock:
            if self._inotify is not None:
                self._inotify.disarm()

    def _give_up_events(self, error: EnvironmentFault) -> None:
        # Late is better than never: rescans alone find every scan.
        publish(WatchLost(reason=error.message, remedy=error.remedy, mode="poll"))
        self.mode = "poll"
