"""Watches recently quarantined scans: a writer may still have one open, and finish it in the quarantine.

A rename does not affect a writer: it continues in the file that it has open, under any name. A scan that has
changed since it was quarantined, and has become a whole image, goes back to the inbox like with ``ocrwatch retry``, and
is processed again. A crash at any point leaves it in one of the two folders.

Only the quarantined file itself is watched, by its inode. Across file systems the quarantine has a copy, which no
writer has open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocrwatch.backoff import Backoff, Cause, wait_until
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.errors import Blocked, Damaged, EnvironmentFault
from ocrwatch.events import ScanFailed, ScanQuarantined, ScanRecovered, ScanReturned, publish
from ocrwatch.intake.completeness import Completeness
from ocrwatch.intake.opener import Probe, ProbeFailed, probe
from ocrwatch.intake.readiness import ReadinessTracker, Ready
from ocrwatch.ledger import Ledger
from ocrwatch.quarantine.restore import LeftAlone, restore
from ocrwatch.scan import Arrival, ScanState, SettledFile
from ocrwatch.settings import Settle as SettleOptions
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import folder, has_content, split
from ocrwatch.storage.threads import Threads, run_in

EARLIER: Final = 86_400.0
"""Seconds back from a start: scans quarantined since then are checked at least once."""

MOST_WATCHED: Final = 1000

_OVERLAP: Final = 60.0
"""Seconds by which two queries of the ledger overlap, as its times are of a clock that may be set."""

_LOOKS_AT_ONCE: Final = 64
_FAULT: Final = Damaged("it was quarantined")


@dataclass(slots=True)
class _Quarantined:
    """One scan in the quarantine."""

    path: str
    """Where it was in the inbox."""
    planned: FileFacts
    """Facts of the read file; its device and its status change time have changed since."""
    sha256: str | None
    quarantined_at: float
    """Monotonic seconds."""
    facts: FileFacts | None = None
    """Facts at the first check, if it had not changed until then."""
    has_failed: bool = False
    """Whether a bug that ended a check of it was logged."""

    def is_the_file(self, facts: FileFacts) -> bool:
        """Return whether this is the file itself, not a copy or a replacement."""
        return facts.inode == self.planned.inode

    def is_unchanged(self, facts: FileFacts) -> bool:
        """Return whether it is the same as when it was read."""
        return (facts.size, facts.mtime_ns) == (self.planned.size, self.planned.mtime_ns)


class QuarantineWatch:
    """Checks quarantined scans for as long as ``settle.give_up_after``.

    Lives on the event loop.
    """

    def __init__(
        self, threads: Threads, backoff: Backoff, ledger: Ledger, inbox: Path, quarantine: Path, options: SettleOptions
    ) -> None:
        self._threads = threads
        self._backoff = backoff
        self._wake = asyncio.Event()
        backoff.subscribe(self._wake)
        self._ledger = ledger
        self._inbox = inbox
        self._quarantine = quarantine
        self._settle = ReadinessTracker(options.stable_for, options.stable_for_closed, options.give_up_after)
        self._watched: dict[str, _Quarantined] = {}
        """By their paths relative to the quarantine."""
        self._seen: frozenset[int] = frozenset()
        """Rows in the last answer of the ledger."""
        self._asked_at = time.time() - max(EARLIER, options.give_up_after)
        self._is_asked_for = True

    def __len__(self) -> int:
        return len(self._watched)

    def change(self, options: SettleOptions) -> None:
        """Watch for another time from here on."""
        self._settle.stable_for, self._settle.stable_for_closed = options.stable_for, options.stable_for_closed
        self._settle.give_up_after = options.give_up_after

    def quarantined(self, event: ScanQuarantined | ScanRecovered) -> None:
        """Look for a scan that was quarantined."""
        if isinstance(event, ScanQuarantined) or event.state is ScanState.QUARANTINED:
            self.look_for_more()

    def look_for_more(self) -> None:
        """Ask the ledger for scans that were quarantined since the last time."""
        self._is_asked_for = True
        self._wake.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._wake.clear()
            # Files on a hung mount cannot be checked.
            if Cause.MOUNT not in self._backoff:
                await self._do_what_is_due(time.monotonic())
            await wait_until(self._wake, self.next_wake())

    async def _do_what_is_due(self, now: float) -> None:
        # A fault of the environment is reported by the work that it stops.
        if self._is_asked_for:
            self._is_asked_for = False
            since, self._asked_at = min(self._asked_at, time.time()) - _OVERLAP, time.time()
            try:
                self._take_in(await run_in(self._threads.io, self._ask_ledger, since))
            except (EnvironmentFault, OSError):
                self._asked_at = since
        elif places := self._settle.due(now, _LOOKS_AT_ONCE):
            try:
                probes = await run_in(self._threads.io, self._probe_all, places)
            except (EnvironmentFault, OSError):
                for place in places:
                    self._refused(place, time.monotonic())
                return
            for place, found in zip(places, probes, strict=True):
                await self._judge(place, found, time.monotonic())

    def next_wake(self) -> float:
        """Return when there is something to do (monotonic seconds)."""
        if Cause.MOUNT in self._backoff:
            return float("inf")
        if self._is_asked_for:
            return 0.0
        next_look = self._settle.next_look()
        return float("inf") if next_look is None else next_look

    def _ask_ledger(self, since: float) -> list[tuple[int, str, _Quarantined]]:
        """Return row, path relative to the quarantine, and facts of each; called on an I/O thread."""
        found = []
        for entry in self._ledger.quarantined_since(since, MOST_WATCHED):
            if entry.plan is not None:
                plan = Plan.from_json(entry.plan)
                place = plan.below(plan.original)
                at = time.monotonic() - max(0.0, time.time() - entry.updated_at)
                found.append((entry.id, place, _Quarantined(plan.path, plan.facts, plan.sha256, at)))
        return found

    def _take_in(self, found: Sequence[tuple[int, str, _Quarantined]]) -> None:
        now = time.monotonic()
        for row, place, quarantined in found:
            if row not in self._seen and len(self._watched) < MOST_WATCHED:
                self._watched[place] = quarantined
                self._settle.track(Arrival(place), now)
        self._seen = frozenset(row for row, _, _ in found)

    def _probe_all(self, places: Sequence[str]) -> list[Probe | Blocked | None]:
        return [self._probe(place) for place in places]

    def _probe(self, place: str) -> Probe | Blocked | None:
        try:
            return probe(self._quarantine, place)
        except Blocked as error:
            return error

    async def _judge(self, place: str, found: Probe | Blocked | None, now: float) -> None:
        quarantined = self._watched[place]
        if isinstance(found, Blocked):
            self._refused(place, now, found)
        elif found is not None and not quarantined.is_the_file(found.facts):
            self._forget(place)
        elif found is not None and quarantined.facts is None and quarantined.is_unchanged(found.facts):
            self._await_writer(place, found.facts, quarantined.quarantined_at)
        else:
            await self._settled(place, found, now)

    async def _settled(self, place: str, found: Probe | None, now: float) -> None:
        """Check a changed scan that is stable; forget one that has not changed for long, or is gone."""
        verdict = self._settle.update(place, found, now)
        if isinstance(verdict, Ready) and verdict.scan.facts != self._watched[place].facts:
            await self._check(place, verdict.scan.facts)
        elif place not in self._settle:
            self._forget(place)

    def _await_writer(self, place: str, facts: FileFacts, changed_at: float) -> None:
        """Watch a scan with these facts until the patience is over, or forget it if that is over."""
        self._watched[place].facts = facts
        now = time.monotonic()
        scan = SettledFile(place, facts, fresh=False, ready_at=now, changed_at=changed_at)
        if self._settle.is_doubtful(scan, _FAULT, now):
            self._settle.await_writer(scan, _FAULT, now)
        else:
            self._forget(place)

    async def _check(self, place: str, facts: FileFacts) -> None:
        """Give back a changed and stable scan, if it is another image by its content."""
        quarantined = self._watched[place]
        try:
            # On the delivery thread, which chooses names in the folders, so that no two are the same.
            new_path = await run_in(self._threads.delivery, self._give_back, place, quarantined, facts)
        except (EnvironmentFault, OSError) as error:
            self._settle.track(Arrival(place), time.monotonic())
            self._refused(place, time.monotonic(), error)
            return
        if new_path is None:
            # Only its times have changed, or it is changing again.
            self._await_writer(place, facts, time.monotonic())
            return
        self._forget(place)
        publish(ScanReturned(path=new_path, quarantined=place, earlier_path=quarantined.path))

    def _give_back(self, place: str, quarantined: _Quarantined, facts: FileFacts) -> str | None:
        """Move a scan back unless it is unchanged or no image; return its path in the inbox."""
        found = probe(self._quarantine, place)
        if found is None or found.facts != facts or found.state is not Completeness.WHOLE:
            return None
        parent, name = split(place)
        if quarantined.sha256 is not None:
            with folder(self._quarantine, parent) as directory:
                if has_content(directory, name, quarantined.planned.size, quarantined.sha256):
                    return None
        try:
            return restore(self._quarantine, self._inbox, place)
        except LeftAlone:
            return None

    def _refused(self, place: str, now: float, error: Exception | None = None) -> None:
        """Try again later, but not for longer than twice the time that it is watched."""
        if isinstance(error, ProbeFailed) and not self._watched[place].has_failed:
            self._watched[place].has_failed = True
            publish(ScanFailed(path=self._watched[place].path, exception=error.bug))
        if now > self._watched[place].quarantined_at + 2 * self._settle.give_up_after:
            self._forget(place)
        else:
            self._settle.refused(place, "it cannot be looked at", now)

    def _forget(self, place: str) -> None:
        self._settle.forget(place)
        self._watched.pop(place, None)
