"""How the inbox is watched: by events where its file system has them, and by a look through it now and then anyway."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ocrwatch.backoff import Backoff
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.not_read import NotRead
from ocrwatch.errors import EnvironmentFault, OcrwatchError, environment_fault
from ocrwatch.intake.ignore_rules import AT_REST, NameCheck
from ocrwatch.intake.inotify import Watcher
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.rescan import Rescan, rescan
from ocrwatch.log import get_logger
from ocrwatch.scan import Arrival
from ocrwatch.settings import Watch
from ocrwatch.storage.mounts import MountGuard, mount_of, watch_mode

_MOST_DEATHS = 2

_MORE_WATCHES = "raise fs.inotify.max_user_watches with sysctl, or set watch.mode to poll"

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a look is to find."""

    most: int
    """How many scans at most."""
    known: Callable[[str], bool]
    """Tells which paths need not be found; called on an I/O thread."""


class _Posting:
    """Brings what the watch tells to the loop's thread."""

    def __init__(self, loop: Loop, watch: InboxWatch, arrived: Callable[[Arrival], None]) -> None:
        self._loop = loop
        self._watch = watch
        self._arrived = arrived

    def arrived(self, arrival: Arrival) -> None:
        self._loop.post(self._arrived, arrival)

    def stirred(self) -> None:
        self._loop.post(self._watch.look_soon)

    def left_alone(self) -> None:
        self._loop.post(self._watch.look_within, AT_REST)

    def overflowed(self) -> None:
        self._loop.post(self._watch.overflowed)

    def limited(self) -> None:
        self._loop.post(self._watch.limited)


class InboxWatch:
    """Tells of every arrival. Lives on the loop's thread.

    ``arrived`` gets what events tell of, ``wanted`` is asked when a look begins, and ``found`` gets what it found.
    """

    def __init__(
        self,
        loop: Loop,
        pauses: Backoff,
        inbox: Path,
        options: Watch,
        *,
        arrived: Callable[[Arrival], None],
        wanted: Callable[[], Wanted],
        found: Callable[[Rescan], None],
    ) -> None:
        self._loop = loop
        self._pauses = pauses
        self._inbox = inbox
        self._options = options
        self._wanted = wanted
        self._found = found
        self._rules = NameRules.of(options.include, options.exclude)
        self._watcher = Watcher(inbox, self._rules, _Posting(loop, self, arrived), recursive=options.recursive)
        self._looking = False
        self._next_look = 0.0
        self._identity: tuple[int, int] | None = None
        self._overflowed = False
        check = NameCheck(inbox, tuple(options.include), tuple(options.exclude), recursive=options.recursive)
        self.not_read = NotRead(loop, check, self.look_within)
        self._anchor = MountGuard(inbox, "inbox")
        self._deaths = 0
        self.mode: Literal["inotify", "poll"] = "poll"
        self.looked = False
        """Whether a look has ended."""

    def arm(self) -> None:
        """Listen to events, where the inbox's file system has them."""
        kind, source = mount_of(self._inbox)
        self.mode = watch_mode(kind) if self._options.mode == "auto" else self._options.mode
        if self.mode == "inotify":
            try:
                self._watcher.arm()
            except EnvironmentFault as error:
                self._give_up_events(error)
        _log.info("watch.armed", inbox=str(self._inbox), mode=self.mode, file_system=kind, source=source)

    def disarm(self) -> None:
        """Listen no more."""
        self._watcher.disarm()

    def change(self, options: Watch) -> None:
        """Look at other intervals from here on; what is watched, and how, stays."""
        self._options = self._options.model_copy(
            update={"rescan": options.rescan, "poll_interval": options.poll_interval}
        )
        self.look_soon()

    @property
    def is_steady(self) -> bool:
        """Whether a look has ended and no other is under way."""
        return self.looked and not self._looking and self.not_read.is_steady

    def look_soon(self) -> None:
        """Look through the inbox at the next opportunity."""
        self._next_look = 0.0

    def look_within(self, seconds: float) -> None:
        """Look through the inbox in so many seconds at the latest."""
        self._next_look = min(self._next_look, time.monotonic() + seconds)

    def overflowed(self) -> None:
        """Rescan for the scans whose events the kernel has dropped."""
        if not self._overflowed:
            # Once until the look, in a burst that may overflow again and again.
            self._overflowed = True
            _log.warning(
                "watch.overflowed",
                reason="more happened in the inbox at once than the kernel keeps; it is looked through",
                remedy="if this is seen often, raise fs.inotify.max_queued_events with sysctl",
            )
        self.look_soon()

    def limited(self) -> None:
        """Look again and again instead, since not all folders can be watched."""
        if self.mode == "inotify":
            self._watcher.disarm()
            self._give_up_events(EnvironmentFault("the inbox has more folders than may be watched", _MORE_WATCHES))
            self.look_soon()

    def failed(self, error: OcrwatchError) -> None:
        """Pause, since the inbox refuses, until a look finds it in order."""
        self._next_look = self._pauses.record("inbox", error, time.monotonic())

    def tick(self, now: float) -> None:
        """Begin a look if one is due."""
        if self.mode == "inotify" and not self._watcher.armed:
            # Nothing will be heard of new scans: the look finds them, and arms the watch again.
            self.look_soon()
        if now >= self.next_wake():
            self._begin()

    def next_wake(self) -> float:
        """Return when the next look is due (monotonic seconds)."""
        return float("inf") if self._looking else max(self._next_look, self._pauses.next_try("inbox"))

    def _begin(self) -> None:
        self._looking = True
        self._overflowed = False
        wanted = self._wanted()
        self._loop.background(lambda: self._look(wanted), self._end, self._fail)
        self._next_look = float("inf")

    def _look(self, wanted: Wanted) -> Rescan:
        recursive = self._options.recursive
        found = rescan(self._inbox, self._rules, recursive=recursive, limit=wanted.most, known=wanted.known)
        # Afterwards, so that what was found is of the file system that is checked, or of none.
        try:
            self._anchor.check()
        except OSError as error:
            raise environment_fault(error, f"cannot read the inbox {self._inbox}") from error
        return found

    def _end(self, found: Rescan) -> None:
        self._looking = False
        self._pauses.resolve("inbox")
        self._found(found)
        self.looked = True
        if self.not_read.update(found) and self.mode == "inotify":
            # It could not be watched before.
            self._rearm()
        self._keep_watch(found.identity)
        every = self._options.rescan if self.mode == "inotify" else self._options.poll_interval
        self._next_look = min(self._next_look, time.monotonic() + every)

    def _fail(self, error: BaseException) -> None:
        self._looking = False
        if not isinstance(error, OcrwatchError):
            raise error
        self.failed(error)

    def _keep_watch(self, identity: tuple[int, int]) -> None:
        """Watch anew where the inbox was replaced or watchdog has given up; neither says so by itself."""
        replaced = self._identity not in {None, identity}
        self._identity = identity
        if self.mode != "inotify" or (self._watcher.armed and not replaced):
            return
        ended = f"events stopped{self._watcher.failure and f' ({self._watcher.failure})'}"
        _log.warning("watch.lost", reason="the inbox was replaced" if replaced else ended, mode="inotify")
        self._deaths += not replaced
        self._rearm()

    def _rearm(self) -> None:
        try:
            if self._deaths > _MOST_DEATHS:
                raise EnvironmentFault("events stop again and again", "see whether folders lie very deep in the inbox")
            self._watcher.arm()
        except EnvironmentFault as error:
            self._give_up_events(error)
        else:
            _log.info("watch.armed", inbox=str(self._inbox), mode=self.mode)
            self.look_soon()

    def _give_up_events(self, error: EnvironmentFault) -> None:
        # Late is better than never: looks alone find every scan.
        _log.warning("watch.lost", reason=error.message, remedy=error.remedy, mode="poll")
        self.mode = "poll"
