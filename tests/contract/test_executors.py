"""What every executor promises, whatever reads: asked of real workers, and of the one that other tests use instead."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, Literal, Protocol, get_args

import pytest

from ocrwatch.backoff import Backoff
from ocrwatch.cache.codec import pack
from ocrwatch.document import Page
from ocrwatch.errors import (
    EnvironmentFault,
    InternalFault,
    OcrwatchError,
    OtherFormat,
    ScanFault,
    Stopping,
    Truncated,
    UsageError,
)
from ocrwatch.executors.base import Executor, Reading, WorkerOptions
from ocrwatch.executors.events import Begun, WorkerLost
from ocrwatch.executors.http_ocr.executor import HttpOcrExecutor
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.executors.local import LocalExecutor
from ocrwatch.render.base import RenderedPage, RenderRequest
from tests.contract.pooling import GENEROUS, JPEG, recipe, request
from tests.eventually import eventually, run
from tests.fake_executor import FakeExecutor, page_of
from tests.pages import sidecars_of

_LIMIT: Final = 2 * GENEROUS

Kind = Literal["local", "beside services", "fake"]


async def _read_as_engines_do(job: Job) -> Page:
    """Read as the faulty engines of the tests."""
    if not job.content.startswith(b"\xff\xd8"):
        raise OtherFormat("it is something else")
    if not job.content.endswith(b"\xff\xd9"):
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


def _options(workers: int, *formats: str) -> WorkerOptions:
    return WorkerOptions(workers, (recipe("echo"),), formats or ("txt", "json"), GENEROUS, 0, 0)


class Subject:
    """An executor, with all that it counts and tells, in order."""

    def __init__(self, kind: Kind, capacity: int) -> None:
        self.attempts: Counter[int] = Counter()
        self.steps: list[str] = []
        self.refused: EnvironmentFault | None = None
        """What counting an attempt raises."""
        self.lost: list[WorkerLost] = []
        self.executor: Executor
        if kind == "local":
            self.executor = LocalExecutor(_options(capacity), self, self)
        elif kind == "beside services":
            self.executor = HttpOcrExecutor(LocalExecutor(_options(capacity), self, self), (), Backoff())
        else:
            self.executor = self._fake(capacity)

    async def read(self, scan: int, engine: str = "echo", argument: object = "", content: bytes = JPEG) -> Reading:
        """Have a scan read."""
        try:
            reading = await self.executor.read(Job(scan, content, recipe(engine, argument), request("txt", "json")))
        except OcrwatchError:
            self.steps.append(f"failed {scan}")
            raise
        self.steps.append(f"read {scan}")
        return reading

    def begin(self, scan: int, engine: str = "echo", argument: object = "") -> asyncio.Task[Reading]:
        """Have a scan read beside others."""
        return asyncio.ensure_future(self.read(scan, engine, argument))

    async def render(self, scan: int, packed: bytes, wanted: RenderRequest | None = None) -> RenderedPage:
        """Have a cached page rendered."""
        return await self.executor.render(RenderJob(scan, packed, wanted or request("txt", "json")))

    def _fake(self, capacity: int) -> FakeExecutor:
        return FakeExecutor(capacity, _read_as_engines_do, count_attempt=self.count_attempt, heard=self.heard)

    def count_attempt(self, scan: int) -> int:
        """Count it, or refuse."""
        if self.refused is not None:
            raise self.refused
        self.attempts[scan] += 1
        self.steps.append(f"counted {scan}")
        return self.attempts[scan]

    def refund_attempt(self, scan: int) -> None:
        """Take it back."""
        self.attempts[scan] -= 1

    def record_sent(self, scan: int) -> None:
        """Fail: no scan is for a service."""
        raise AssertionError(scan)

    def record_answered(self, scan: int) -> None:
        """Fail: no scan was for a service."""
        raise AssertionError(scan)

    def heard(self, event: Any) -> None:
        """Note it."""
        if isinstance(event, Begun):
            assert event.pid > 0
            assert event.attempt == self.attempts[event.scan]
            self.steps.append(f"begun {event.scan}")
        if isinstance(event, WorkerLost):
            self.lost.append(event)


class Open(Protocol):
    """Makes an executor that reads so many scans at once; it is started by the test, and ended."""

    def __call__(self, capacity: int = 1) -> Subject:
        """Make one."""


@pytest.fixture(params=get_args(Kind))
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
        assert [reading.page.summary.preview.split()[0] for reading in readings] == [f"scan{scan}" for scan in range(6)]
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
    ("engine", "content", "error"),
    [
        ("echo", b"GIF89a", OtherFormat),
        ("echo", JPEG[: len(JPEG) // 2], Truncated),
        ("rubbish", JPEG, InternalFault),
        ("no-such-engine", JPEG, UsageError),
    ],
)
def test_what_is_wrong_is_raised_by_its_type(
    opened: Open, engine: str, content: bytes, error: type[OcrwatchError]
) -> None:
    """So that nobody reads messages to find out what to do; the attempt is counted, and the next scan is read."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        with pytest.raises(error) as found:
            await it.read(1, engine, content=content)
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
        assert (await begun).page.summary.preview.split()[0] == "0.5"
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


def test_it_reads_as_many_as_it_is_told_from_then_on(opened: Open) -> None:
    """No scan is lost: what is being read is read to its end, and what waits is read too."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        tasks = [it.begin(scan, "slow", 0.2) for scan in range(6)]
        await eventually(lambda: "begun 0" in it.steps)
        it.executor.change(_options(2))
        assert it.executor.capacity == 2
        await asyncio.gather(*tasks[:4])
        it.executor.change(_options(1))
        assert it.executor.capacity == 1
        await asyncio.gather(*tasks)
        assert it.attempts == dict.fromkeys(range(6), 1)

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
        assert (await tasks[2]).page.summary.preview.split()[0] == "last"
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


# Cached pages.

PACKED: Final = pack(page_of("word"))


def test_a_cached_page_is_rendered_as_it_was_when_it_was_read(opened: Open) -> None:
    """The result is the same to the last byte; for another scan, it is that scan's."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        page = (await it.read(1, argument="word")).page
        assert [ending for ending, _ in page.sidecars] == ["json", "txt"]
        assert page.packed
        assert await it.render(2, page.packed) == page
        other = await it.render(3, page.packed, request("json", path="sub/b.jpg", packs=False))
        ((ending, content),) = sidecars_of(other).items()
        before, now = json.loads(sidecars_of(page)["json"]), json.loads(content)
        assert (ending, now["source"].pop("path"), before["source"].pop("path")) == ("json", "sub/b.jpg", "a.jpg")
        assert now == before
        assert other == replace(page, sidecars=other.sidecars, packed=b"")

    run(scenario(), _LIMIT)


def test_each_cached_page_goes_to_its_own_caller(opened: Open) -> None:
    """No attempt is counted, and nothing is told as begun."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        pages = await asyncio.gather(*(it.render(scan, pack(page_of(f"word{scan}"))) for scan in range(20)))
        assert [sidecars_of(page)["txt"] for page in pages] == [b"word%d\n" % scan for scan in range(20)]
        assert (it.attempts, it.steps) == ({}, [])
        # Nor is it needed that one can be counted.
        it.refused = EnvironmentFault("the disk is full")
        await it.render(1, PACKED)

    run(scenario(), _LIMIT)


def test_a_cached_page_does_not_wait_for_scans(opened: Open) -> None:
    """All that can read are busy for ever, and others wait."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        busy = [it.begin(1, "hang"), it.begin(2, "hang")]
        await eventually(lambda: "begun 1" in it.steps)
        assert (await it.render(3, PACKED)).summary.words == 1
        assert it.steps == ["counted 1", "begun 1"]
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)

    run(scenario(), _LIMIT)


@pytest.mark.parametrize("packed", [b"", b"rubbish", PACKED[:-1], PACKED[:40] + b"\0" + PACKED[41:]])
def test_a_damaged_page_is_a_scans_fault(opened: Open, packed: bytes) -> None:
    """Its scan must be read; the next page is rendered, and nothing has died of it."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        with pytest.raises(ScanFault, match="the cached page is damaged"):
            await it.render(1, packed)
        assert (await it.render(2, PACKED)).summary.words == 1
        assert (it.steps, it.lost) == ([], [])

    run(scenario(), _LIMIT)


def test_a_format_that_fails_on_a_page_is_a_scans_fault(opened: Open, formats: tuple[str, ...]) -> None:
    """Of a cached page and of one that is read; others are rendered with it."""
    it = opened()
    wanted = request("txt", "raises", path="bad.jpg")

    async def scenario() -> None:
        it.executor.start()
        with pytest.raises(InternalFault, match="no such glyph"):
            await it.render(1, PACKED, wanted)
        with pytest.raises(InternalFault, match="no such glyph"):
            await it.executor.read(Job(1, JPEG, recipe("echo"), wanted))
        page = await it.render(2, PACKED, request("txt", "raises"))
        assert [ending for ending, _ in page.sidecars] == ["raises", "txt"]
        assert it.lost == []

    run(scenario(), _LIMIT)


def test_a_cached_page_is_not_withdrawn(opened: Open) -> None:
    """It takes no time worth mentioning, and its scan is delivered."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        rendering = asyncio.ensure_future(it.render(1, PACKED))
        await asyncio.sleep(0)
        assert it.executor.withdraw() == 0
        assert (await rendering).summary.words == 1

    run(scenario(), _LIMIT)


def test_a_caller_that_wants_no_cached_page_any_more_is_not_in_the_way(opened: Open) -> None:
    """The others get theirs."""
    it = opened()

    async def scenario() -> None:
        it.executor.start()
        tasks = [asyncio.ensure_future(it.render(scan, PACKED)) for scan in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [task.cancelled() for task in tasks] == [False, True, False]
        await it.render(4, PACKED)

    run(scenario(), _LIMIT)
