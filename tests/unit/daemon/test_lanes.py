"""Lanes of the scheduler: scans for one service never wait for those of another, nor for this machine's workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.daemon.priority_scheduler import AHEAD_PER_WORKER, MOST_BACKLOG, LaneClosed, Scheduler
from ocrwatch.errors import EnvironmentFault, ServiceFault
from ocrwatch.recipe import Recipe
from ocrwatch.scan import LOCAL_LANE, Batch, Scan, Scans, SettledFile
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts
from tests.eventually import run, settled

CLOUD = "remote:cloud"
_OPTIONS = Settings().for_path("a.jpg")


def scan(name: str, lane: str = LOCAL_LANE, *, fresh: bool = True, others: tuple[str, ...] = ()) -> Scan:
    """Make a scan for a lane."""
    file = SettledFile(name, FileFacts(1, 1, 1000, 0), fresh, 0.0)
    return Scan(file, Batch(1, 1), _OPTIONS, Recipe(), lane=lane, other_lanes=others)


class Lanes:
    """A scheduler with one worker and a service that reads two scans at once, and where its scans are."""

    def __init__(self) -> None:
        self.backoff = Backoff()
        self.scheduler = Scheduler(Scans(), self.backoff, 1, services={CLOUD: 2}, looks_ahead=False)
        self.placed: list[str] = []
        self.left: list[str] = []
        self.end = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def add(self, *several: Scan) -> None:
        """Have scans wait for their turn, and be read until :attr:`end`."""
        self.tasks += [asyncio.ensure_future(self._live(each)) for each in several]

    async def _live(self, each: Scan) -> None:
        try:
            async with self.scheduler.turn(each), self.scheduler.place(each):
                self.placed.append(each.path)
                await self.end.wait()
        except LaneClosed:
            self.left.append(each.path)

    def pause(self, seconds: float = 60.0) -> None:
        """Have the service refuse."""
        self.backoff.record(CLOUD, ServiceFault("no answer", "wait"), time.monotonic(), at_least=seconds)


@asynccontextmanager
async def lanes() -> AsyncIterator[Lanes]:
    """Run a scheduler."""
    found = Lanes()
    service = asyncio.ensure_future(found.scheduler.run())
    try:
        yield found
    finally:
        for task in (*found.tasks, service):
            task.cancel()
        await asyncio.gather(*found.tasks, service, return_exceptions=True)


def test_a_full_lane_does_not_hold_up_another() -> None:
    """Scans of a slow service wait for each other only."""

    async def main() -> None:
        async with lanes() as it:
            it.add(*(scan(f"c{number}", CLOUD) for number in range(20)))
            await settled()
            assert len(it.placed) == 2 + AHEAD_PER_WORKER
            it.add(scan("local"))
            await settled()
            assert it.placed[-1] == "local"

    run(main())


def test_a_pause_of_a_service_holds_up_its_own_scans_only() -> None:
    """Local scans are read; those of the service wait."""

    async def main() -> None:
        async with lanes() as it:
            it.pause()
            it.add(scan("c", CLOUD), scan("local"))
            await settled()
            assert it.placed == ["local"]
            it.backoff.resolve(CLOUD)
            await settled()
            assert it.placed == ["local", "c"]

    run(main())


def test_one_scan_tries_a_service_when_its_next_try_is_due() -> None:
    """The others wait for what it finds."""

    async def main() -> None:
        async with lanes() as it:
            it.pause(0.0)
            it.backoff._active[CLOUD].next_try = time.monotonic()
            it.add(scan("c1", CLOUD), scan("c2", CLOUD))
            await settled()
            assert it.placed == ["c1"]
            it.backoff.resolve(CLOUD)
            await settled()
            assert it.placed == ["c1", "c2"]

    run(main())


def test_waiting_scans_leave_a_closed_lane_if_another_engine_can_read_them() -> None:
    """Those without another engine stay."""

    async def main() -> None:
        async with lanes() as it:
            it.add(*(scan(f"c{number}", CLOUD) for number in range(4)))
            await settled()
            it.add(scan("stays", CLOUD), scan("leaves", CLOUD, others=(LOCAL_LANE,)))
            await settled()
            assert it.left == []
            it.pause()
            await settled()
            assert it.left == ["leaves"]

    run(main())


def test_scans_stay_if_all_their_lanes_are_closed() -> None:
    """They would go from one to the other for ever."""

    async def main() -> None:
        async with lanes() as it:
            it.pause()
            it.add(scan("c", CLOUD, others=(CLOUD,)))
            await settled()
            assert it.left == it.placed == []

    run(main())


def test_a_lane_is_open_for_one_scan_when_the_next_try_is_due() -> None:
    """Otherwise scans with another engine would never find that a service is back."""

    async def main() -> None:
        async with lanes() as it:
            assert it.scheduler.is_open(CLOUD)
            it.pause()
            assert not it.scheduler.is_open(CLOUD)
            assert it.scheduler.is_open(LOCAL_LANE)
            it.backoff._active[CLOUD].next_try = time.monotonic()
            assert it.scheduler.is_open(CLOUD)
            it.add(scan("c", CLOUD))
            await settled()
            assert not it.scheduler.is_open(CLOUD)

    run(main())


@pytest.mark.parametrize("cause", [Cause.READING, Cause.WORKERS, Cause.MEMORY])
def test_a_pause_of_reading_holds_up_all_lanes(cause: Cause) -> None:
    """Scans for services are loaded and prepared on this machine."""

    async def main() -> None:
        async with lanes() as it:
            it.backoff.record(cause, EnvironmentFault("refused"), time.monotonic(), at_least=60)
            it.add(scan("c", CLOUD), scan("local"))
            await settled()
            assert it.placed == []

    run(main())


def test_a_backlog_for_a_paused_service_does_not_keep_others_out() -> None:
    """Another batch may come although scans of the last one wait, but not without limit."""

    async def main() -> None:
        async with lanes() as it:
            it.pause()
            it.add(*(scan(f"c{number}", CLOUD, fresh=False) for number in range(10)))
            await settled()
            assert it.scheduler.wants_backlog
            it.add(*(scan(f"d{number}", CLOUD, fresh=False) for number in range(MOST_BACKLOG)))
            await settled()
            assert not it.scheduler.wants_backlog

    run(main())


def test_an_isolated_scan_for_a_paused_service_does_not_hold_up_others() -> None:
    """It is read alone when the service is back."""

    async def main() -> None:
        async with lanes() as it:
            alone = scan("alone", CLOUD)
            alone.isolated = True
            it.add(alone)
            await settled()
            assert it.placed == ["alone"]
            it.add(scan("later"))
            await settled()
            assert it.placed == ["alone"]
            it.tasks[0].cancel()
            await settled()
            assert it.placed == ["alone", "later"]
            it.pause()
            waits = scan("waits", CLOUD)
            waits.isolated = True
            it.add(waits, scan("local"))
            await settled()
            assert it.placed == ["alone", "later", "local"]

    run(main())
