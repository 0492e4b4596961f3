"""What every executor promises, whatever reads: asked of real workers, and of the one that other tests use instead."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, Literal, Protocol

import pytest

from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault, InternalFault, NotAJpeg, OcrwatchError, Stopping, Truncated, UsageError
from ocrwatch.executors.base import Executor, Reading
from ocrwatch.executors.events import Begun
from ocrwatch.executors.ipc import Job
from ocrwatch.executors.local import LocalExecutor
from ocrwatch.executors.worker_lifecycle import SlotOptions
from tests.contract.pooling import GENEROUS, JPEG, recipe
from tests.eventually import eventually, run
from tests.fake_executor import FakeExecutor, page_of

_LIMIT: Final = 2 * GENEROUS

Kind = Literal["local", "fake"]


async def _read_as_engines_do(job: Job) -> Page:
    """Read as the faulty engines of the tests."""
    if not job.jpeg.startswith(b"\xff\xd8"):
        raise NotAJpeg("it is something else")
    if not job.jpeg.endswith(b"\xff\xd9"):
        raise Truncated("it is not whole")
    match job.recipe.engine:
        case "echo":
            return page_of(job.recipe.whitelist)
        case "slow":
            await asyncio.sleep(float(job.recipe.whitelist))
            return page_of(job.recipe.whitelist)
        case "hang":
            await asyncio.Event().wait()
        case "rubbish":
            raise InternalFault("ZeroDivisionError: rubbish")
    raise UsageError(f"there is no engine {job.recipe.engine}")


class Subject:
    """An executor, with all that it counts and tells, in order."""

    def __init__(self, kind: Kind, capacity: int) -> None:
        self.attempts: Counter[int] = Counter()
        self.steps: list[str] = []
        self.refused: EnvironmentFault | None = None
        """What counting an attempt raises."""
        self.executor: Executor = self._local(capacity) if kind == "local" else self._fake(capacity)

    async def read(self, scan: int, engine: str = "echo", argument: object = "", jpeg: bytes = JPEG) -> Reading:
        """Have a scan read."""
        try:
            reading = await self.executor.read(Job(scan, jpeg, recipe(engine, argument)))
        except OcrwatchError:
            self.steps.append(f"failed {scan}")
            raise
        self.steps.append(f"read {scan}")
        return reading

    def begin(self, scan: int, engine: str = "echo", argument: object = "") -> asyncio.Task[Reading]:
        """Have a scan read beside others."""
        return asyncio.ensure_future(self.read(scan, engine, argument))

    def _local(self, capacity: int) -> LocalExecutor:
        return LocalExecutor(
            capacity,
            SlotOptions((recipe("echo"),), GENEROUS, 0, 0),
            count_attempt=self._count,
            refund_attempt=self._refund,
            heard=self._heard,
        )

    def _fake(self, capacity: int) -> FakeExecutor:
        return FakeExecutor(capacity, _read_as_engines_do, count_attempt=self._count, heard=self._heard)

    def _count(self, scan: int) -> int:
        if self.refused is not None:
            raise self.refused
        self.attempts[scan] += 1
        self.steps.append(f"counted {scan}")
        return self.attempts[scan]

    def _refund(self, scan: int) -> None:
        self.attempts[scan] -= 1

    def _heard(self, event: Any) -> None:
        if isinstance(event, Begun):
            assert event.pid > 0
            assert event.attempt == self.attempts[event.scan]
            self.steps.append(f"begun {event.scan}")


class Open(Protocol):
    """Makes an executor that reads so many scans at once; it is started by the test, and ended."""

    def __call__(self, capacity: int = 1) -> Subject:
        """Make one."""


@pytest.fixture(params=["local", "fake"])
def opened(request: pytest.FixtureRequest, faulty: None) -> Iterator[Open]:
    """Return what makes executors."""
    subjects: list[Subject] = []

    def opened(capacity: int = 1) -> Subject:
        subjects.append(Subject(request.param, capacity))
        return subjects[-1]

    yield opened
    for subject in subjects:
        subject.executor.close()


def _ends(scan: int) -> list[str]:
    return [f"counted {scan}", f"begun {scan}", f"read {scan}"]


def test_scans_are_read(opened: Open) -> None:
    """Each caller gets the page of its own scan, and how long that took."""
    it = opened(2)

    async def scenario() -> None:
        it.executor.start()
        readings = await asyncio.gather(*(it.read(scan, argument=f"scan{scan}") for scan in range(6)))
        assert [reading.page.words[0].text for reading in readings] == [f"scan{scan}" for scan in range(6)]
        assert all(reading.read_ms > 0 for reading in readings)
        assert it.attempts == dict.fromkeys(range(6), 1)

    run(scenario(), _LIMIT)


def test_an_attempt_is_counted_and_told_before_the_result(opened: Open) -> None:
    """In this order, for each; and again when a scan is read again."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        await it.read(1)
        await it.read(2)
        await it.read(1)
        assert it.steps == [*_ends(1), *_ends(2), *_ends(1)]
        assert it.attempts == {1: 2, 2: 1}

    run(scenario(), _LIMIT)


def test_an_attempt_is_counted_only_just_before_it_begins(opened: Open) -> None:
    """Not for what waits: a scan that nobody has looked at is not suspected of anything."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        slow = it.begin(1, "slow", 0.3)
        waiting = it.begin(2)
        await eventually(lambda: "begun 1" in it.steps)
        assert it.attempts == {1: 1}
        await asyncio.gather(slow, waiting)
        assert it.attempts == {1: 1, 2: 1}

    run(scenario(), _LIMIT)


@pytest.mark.parametrize(
    ("engine", "jpeg", "error"),
    [
        ("echo", b"GIF89a", NotAJpeg),
        ("echo", JPEG[: len(JPEG) // 2], Truncated),
        ("rubbish", JPEG, InternalFault),
        ("no-such-engine", JPEG, UsageError),
    ],
)
def test_what_is_wrong_is_raised_by_its_type(
    opened: Open, engine: str, jpeg: bytes, error: type[OcrwatchError]
) -> None:
    """So that nobody reads messages to find out what to do; the attempt is counted, and the next scan is read."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        with pytest.raises(error) as found:
            await it.read(1, engine, jpeg=jpeg)
        assert type(found.value) is error
        assert it.steps == ["counted 1", "begun 1", "failed 1"]
        await it.read(2)
        assert it.steps[3:] == _ends(2)

    run(scenario(), _LIMIT)


def test_an_attempt_that_cannot_be_counted_is_not_made(opened: Open) -> None:
    """An uncounted attempt could be made for ever."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        it.refused = EnvironmentFault("the disk is full")
        with pytest.raises(EnvironmentFault, match="full"):
            await it.read(1)
        assert it.steps == ["failed 1"]
        it.refused = None
        await it.read(1)
        assert it.attempts == {1: 1}

    run(scenario(), _LIMIT)


def test_what_is_withdrawn_was_not_begun(opened: Open) -> None:
    """Those that wait raise that ocrwatch is being stopped, without an attempt; what is being read is read."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        begun = it.begin(1, "slow", 0.5)
        await eventually(lambda: "begun 1" in it.steps)
        waiting = [it.begin(2), it.begin(3)]
        await asyncio.sleep(0)
        assert it.executor.withdraw() == 2
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [Stopping, Stopping]
        assert it.executor.withdraw() == 0
        assert (await begun).page.words[0].text == "0.5"
        assert it.attempts == {1: 1}

    run(scenario(), _LIMIT)


def test_as_many_are_read_at_once_as_it_says(opened: Open) -> None:
    """No more, and it says how many it is ready for."""
    it = opened(2)
    assert it.executor.capacity == 2
    assert 0 <= it.executor.ready <= 2

    async def scenario() -> None:
        it.executor.start()
        await eventually(lambda: it.executor.ready == 2)
        begun = time.monotonic()
        await asyncio.gather(*(it.read(scan, "slow", 0.3) for scan in range(4)))
        assert time.monotonic() - begun >= 2 * 0.3
        hanging = [it.begin(scan, "hang") for scan in (4, 5)]
        await eventually(lambda: {"begun 4", "begun 5"} <= set(it.steps))
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)

    run(scenario(), _LIMIT)


def test_a_caller_that_is_cancelled_is_not_in_the_way(opened: Open) -> None:
    """Neither one that waits nor one whose scan is being read; the others get their pages."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        tasks = [it.begin(1, "slow", 0.3), it.begin(2), it.begin(3, argument="last")]
        await eventually(lambda: "begun 1" in it.steps)
        tasks[0].cancel()
        tasks[1].cancel()
        assert (await tasks[2]).page.words[0].text == "last"
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [task.cancelled() for task in tasks] == [True, True, False]
        await it.read(4)

    run(scenario(), _LIMIT)


def test_it_ends_at_once_whatever_is_being_read(opened: Open) -> None:
    """When the event loop has ended, and so nobody waits for the result any more."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        hanging = it.begin(1, "hang")
        await eventually(lambda: "begun 1" in it.steps)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)

    run(scenario(), _LIMIT)
    it.executor.close()
    assert it.steps == ["counted 1", "begun 1"]
