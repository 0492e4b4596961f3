"""Decides when a file is complete.

Pure: the clock is passed in, and the caller probes the files. A file is ready when two probes, ``stable_for`` seconds
apart, found the same device, inode, size and modification time *and* a whole image. An incomplete one is probed again
at growing intervals for as long as it changes. After ``give_up_after`` without any change it is taken for closed: an
image without its end marker goes on as it is, since all of it may be there, which only decoding can prove; a file that
cannot be an image is given up. A growing file is never dispatched and never given up.

A whole file that was read and found damaged may still be being written: a preallocated one with the middle written
last, or a sound one that is overwritten in place. It comes back here (:meth:`ReadinessTracker.await_writer`), and is
read again when it has changed, or when it has not for ``give_up_after``.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from ocrwatch.errors import Damaged, ScanFault, Truncated
from ocrwatch.intake.completeness import Completeness
from ocrwatch.intake.opener import Probe
from ocrwatch.magic import OTHER, not_this
from ocrwatch.scan import Arrival, Settled, SettledFile
from ocrwatch.storage.file_facts import FileFacts

OTHER_PATIENCE = 10.0
"""Seconds without change after which bytes that do not begin as an image are believed."""

NAMED_PATIENCE = 1.0
"""The same for a file that begins as another type: no later byte makes it an image."""

LONGEST_INTERVAL = 30.0
"""Longest interval in seconds between two probes of an incomplete file."""

_SHORTEST_INTERVAL = 0.1
"""Shortest interval in seconds between two probes of a file that is incomplete, damaged or growing, or that the
environment refuses, even if ``stable_for`` is shorter.
"""

UNREADABLE = "unreadable"
GROWING = "growing"
DAMAGED = "damaged"

_UNFINISHED = (Truncated, Damaged)
"""States of a file that only an unfinished writer explains."""

_UNDER_WAY = -1.0
"""Marks a probe in progress, instead of the time of the next one."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The file is complete."""

    scan: SettledFile


@dataclass(frozen=True, slots=True)
class Waiting:
    """The file is not complete yet; ``first`` if its reason is a new one."""

    reason: str
    first: bool


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The file did not begin as an image within ``give_up_after``."""

    facts: FileFacts
    fault: ScanFault


@dataclass(frozen=True, slots=True)
class Gone:
    """The file is gone."""


Verdict = Ready | Waiting | GivenUp | Gone


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A file with a problem."""

    path: str
    reason: str
    changed_at: float
    """When its last change was seen, or earlier if its times can be trusted."""
    detail: str = ""
    """What reading found in a damaged one."""
    until: float | None = None
    """When a damaged one is judged as such, unless it changes."""
    has_pages: bool = False
    """Whether it may have several pages: those that can be read are delivered then."""


@dataclass(slots=True)
class _Watched:
    how: Settled
    fresh: bool
    next_look: float
    interval: float
    changed_at: float
    unchanged_since: float
    """The same, or earlier if the file's times can be trusted."""
    facts: FileFacts | None = None
    again: bool = False
    """Whether an event came during a probe."""
    reason: str = ""
    said: set[str] = field(default_factory=set)
    fault: ScanFault | None = None
    """What reading the file as it is found."""
    has_pages: bool = False
    """Whether that may have been one of several pages."""


@dataclass(slots=True)
class ReadinessTracker:
    """Tracks arrived files until they are complete. All times are monotonic seconds."""

    stable_for: float
    """Seconds without change after which a whole file found by a rescan is complete."""
    stable_for_closed: float
    """The same for a file that was closed after writing or moved in."""
    give_up_after: float
    """Seconds without change after which an incomplete file goes on as it is, or is given up if it is no image."""
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _looks: list[tuple[float, str]] = field(default_factory=list)
    _incomplete_ones: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def incomplete(self) -> int:
        """How many tracked files are incomplete and do not change."""
        return len(self._incomplete_ones)

    def __contains__(self, path: str) -> bool:
        return path in self._watched

    def track(self, arrival: Arrival, now: float) -> None:
        """Track a path; an event on a tracked one brings its next probe forward."""
        known = self._watched.get(arrival.path)
        if known is None:
            known = _Watched(arrival.how, arrival.fresh, now, self.stable_for, now, now)
            self._watched[arrival.path] = known
            self._look_at(arrival.path, known, now)
        elif arrival.how != "found":
            known.how = arrival.how
            known.fresh = known.fresh or arrival.fresh
            known.interval = self.stable_for
            if known.next_look == _UNDER_WAY:
                # Its result may be older than the event: another probe follows, but never two at once.
                known.again = True
            else:
                self._look_at(arrival.path, known, now)

    def forget(self, path: str) -> None:
        """Drop a path."""
        self._watched.pop(path, None)
        self._incomplete_ones.discard(path)

    def is_doubtful(self, scan: SettledFile, fault: ScanFault, now: float) -> bool:
        """Return whether ``fault`` may exist only because the writer of ``scan`` is not done."""
        return isinstance(fault, _UNFINISHED) and now < scan.changed_at + self.give_up_after

    def await_writer(self, scan: SettledFile, fault: ScanFault, now: float) -> Waiting:
        """Track a file that was read with a doubtful ``fault``, until it has changed and is stable again.

        If it does not change, it is ready after ``give_up_after``: the fault is accepted then.
        """
        watched = _Watched("found", scan.fresh, now, self.stable_for, scan.changed_at, scan.changed_at, scan.facts)
        watched.fault, watched.has_pages = fault, scan.has_pages
        self._watched[scan.path] = watched
        self._incomplete_ones.add(scan.path)
        # At once: it may have changed while it was read.
        self._look_at(scan.path, watched, now)
        return self._waiting(watched, DAMAGED)

    def reason_of(self, path: str) -> str:
        """Return why a file waits, empty if no problem was found yet."""
        watched = self._watched[path]
        if watched.fault is not None:
            return f"{watched.fault.message}; it changed a short time ago, and may still be written"
        return watched.reason

    def waiting(self) -> Iterator[Unsettled]:
        """Yield each file with a problem."""
        for path, watched in self._watched.items():
            if watched.fault is not None:
                until = watched.unchanged_since + self.give_up_after
                damage = watched.fault.message
                yield Unsettled(path, watched.reason, watched.changed_at, damage, until, watched.has_pages)
            elif watched.reason:
                yield Unsettled(path, watched.reason, watched.changed_at)

    def is_stuck(self, now: float, patience: float) -> bool:
        """Return whether every tracked file has been incomplete and unchanged for ``give_up_after`` seconds."""
        return all(
            watched.reason not in {"", GROWING} and now - watched.changed_at >= patience
            for watched in self._watched.values()
        )

    def next_look(self) -> float | None:
        """Return when the next probe is due."""
        self._drop_stale()
        return self._looks[0][0] if self._looks else None

    def due(self, now: float, limit: int) -> list[str]:
        """Return at most ``limit`` paths to probe now.

        Each comes back through :meth:`update`.
        """
        paths: list[str] = []
        while len(paths) < limit:
            self._drop_stale()
            if not self._looks or self._looks[0][0] > now:
                break
            _, path = heapq.heappop(self._looks)
            self._watched[path].next_look = _UNDER_WAY
            paths.append(path)
        return paths

    def patience_for(self, reason: str, kind: str = OTHER) -> float:
        """Return how many seconds a file may stay unchanged that waits for ``reason``, a :class:`Waiting`'s.

        ``kind`` is its type if it is no image (:func:`ocrwatch.magic.kind_of`).
        """
        if reason != Completeness.OTHER.value:
            return self.give_up_after
        return min(self.give_up_after, OTHER_PATIENCE if kind == OTHER else max(self.stable_for, NAMED_PATIENCE))

    def update(self, path: str, probe: Probe | None, now: float) -> Verdict:
        """Judge a probe of ``path``. Ready, given up and gone paths are forgotten."""
        watched = self._watched.get(path)
        if watched is None:
            return Gone()
        if watched.again:
            watched.again = False
            self._look_at(path, watched, now)
            return self._waiting(watched, "")
        if probe is None:
            self.forget(path)
            return Gone()
        if probe.facts != watched.facts:
            return self._changed(path, watched, probe, now)
        watched.facts = probe.known
        return self._unchanged(path, watched, probe, now)

    def refused(self, path: str, reason: str, now: float) -> Waiting:
        """Record that a probe of ``path`` was refused, which says nothing about the file: it is probed again later."""
        watched = self._watched[path]
        watched.again = False
        # Like an incomplete one: it must not take the places of others.
        self._incomplete_ones.add(path)
        watched.interval = min(max(watched.interval, _SHORTEST_INTERVAL) * 1.5, LONGEST_INTERVAL)
        self._look_at(path, watched, now + watched.interval)
        return self._waiting(watched, reason)

    def _changed(self, path: str, watched: _Watched, probe: Probe, now: float) -> Verdict:
        self._incomplete_ones.discard(path)
        growing = watched.facts is not None
        watched.facts, watched.fault = probe.known, None
        watched.changed_at = now
        watched.unchanged_since = now if growing else now - _age(watched, probe)
        watched.interval = self.stable_for
        # The second probe may follow at once; a file that changes at each probe must not be probed all the time.
        self._look_at(path, watched, now + max(self._quiet_of(watched), _SHORTEST_INTERVAL if growing else 0.0))
        return self._waiting(watched, GROWING if growing else "")

    def _unchanged(self, path: str, watched: _Watched, probe: Probe, now: float) -> Verdict:
        if watched.fault is not None:
            return self._damaged(path, watched, probe, now)
        if probe.state is Completeness.WHOLE:
            return self._whole(path, watched, probe, now)
        return self._incomplete(path, watched, probe, now)

    def _damaged(self, path: str, watched: _Watched, probe: Probe, now: float) -> Verdict:
        believed_at = watched.unchanged_since + self.give_up_after
        if now >= believed_at:
            self.forget(path)
            return Ready(_scan(path, watched, probe, now))
        watched.interval = min(max(watched.interval, _SHORTEST_INTERVAL) * 1.5, LONGEST_INTERVAL)
        self._look_at(path, watched, min(now + watched.interval, believed_at))
        return self._waiting(watched, DAMAGED)

    def _incomplete(self, path: str, watched: _Watched, probe: Probe, now: float) -> Verdict:
        self._incomplete_ones.add(path)
        watched.interval = min(max(watched.interval, _SHORTEST_INTERVAL) * 1.5, LONGEST_INTERVAL)
        if probe.state is None:
            self._look_at(path, watched, now + watched.interval)
            return self._waiting(watched, UNREADABLE)
        give_up_at = watched.changed_at + self.patience_for(probe.state.value, probe.kind)
        if now >= give_up_at:
            self.forget(path)
            if probe.state is Completeness.PARTIAL:
                return Ready(_scan(path, watched, probe, now))
            return GivenUp(probe.known, _fault(probe, now - watched.changed_at))
        self._look_at(path, watched, min(now + watched.interval, give_up_at))
        return self._waiting(watched, probe.state.value)

    def _whole(self, path: str, watched: _Watched, probe: Probe, now: float) -> Verdict:
        complete_at = watched.changed_at + self._quiet_of(watched)
        if now < complete_at:
            self._look_at(path, watched, complete_at)
            return self._waiting(watched, "")
        self.forget(path)
        return Ready(_scan(path, watched, probe, now))

    def _quiet_of(self, watched: _Watched) -> float:
        return self.stable_for if watched.how == "found" else min(self.stable_for, self.stable_for_closed)

    def _look_at(self, path: str, watched: _Watched, when: float) -> None:
        watched.next_look = when
        heapq.heappush(self._looks, (when, path))

    def _drop_stale(self) -> None:
        while self._looks:
            when, path = self._looks[0]
            watched = self._watched.get(path)
            if watched is not None and watched.next_look == when:
                return
            heapq.heappop(self._looks)

    @staticmethod
    def _waiting(watched: _Watched, reason: str) -> Waiting:
        if not reason:
            return Waiting(watched.reason, first=False)
        first = reason not in watched.said
        watched.reason = reason
        watched.said.add(reason)
        return Waiting(reason, first)


def _age(watched: _Watched, probe: Probe) -> float:
    """Return how many seconds before its first probe a file changed, if its times can be trusted.

    They may be those of a copy's source, set at any time, or of a server with another clock: for files that arrived
    while the inbox was watched, the arrival counts. Only a file that was renamed into the inbox is as old as it says,
    and so is one that was there before the daemon.
    """
    if watched.how == "moved":
        return probe.unmodified_for
    return probe.untouched_for if watched.how == "found" and not watched.fresh else 0.0


def _scan(path: str, watched: _Watched, probe: Probe, now: float) -> SettledFile:
    return SettledFile(path, probe.known, watched.fresh, now, watched.unchanged_since, probe.has_pages)


def _fault(probe: Probe, unchanged_for: float) -> ScanFault:
    unchanged = f"and has not changed for {unchanged_for:.0f} s"
    if probe.state is Completeness.OTHER:
        return not_this(probe.kind, f", {unchanged}")
    return Truncated(f"the file is empty {unchanged}", "scan or copy it again")
