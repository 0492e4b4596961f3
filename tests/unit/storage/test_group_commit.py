"""Many waiters, one thread: what waits goes together, and each gets what is its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.storage.group_commit import MOST_TOGETHER, GroupCommit
from tests.eventually import LONG, eventually, run, settled

Work = Callable[[Sequence[str]], Sequence[str | Exception]]


def capitals(items: Sequence[str]) -> Sequence[str | Exception]:
    """Return each in capitals."""
    return [item.upper() for item in items]


class Shouting(GroupCommit[str, str]):
    """Works when the test lets it, as the test says."""

    def __init__(self, thread: ThreadPoolExecutor, work: Work) -> None:
        super().__init__(thread)
        self.how = work
        self.groups: list[str] = []
        self.gate = threading.Event()
        """Open unless the test shuts it."""
        self.gate.set()

    def work(self, items: Sequence[str]) -> Sequence[str | Exception]:
        """Remember which items came together."""
        self.groups.append(" ".join(items))
        assert self.gate.wait(LONG)
        return self.how(items)

    def begin(self, items: str) -> list[asyncio.Task[str]]:
        """Have each word wait for its result."""
        return [asyncio.ensure_future(self.commit(item)) for item in items.split()]

    async def behind(self, items: str) -> list[asyncio.Task[str]]:
        """Have these words wait while another, ``first``, is worked on, and wait behind them until they have begun."""
        self.groups.clear()
        self.gate.clear()
        first = self.begin("first")
        await eventually(lambda: self.groups == ["first"])
        tasks = self.begin(items)
        await settled()
        return first + tasks


@asynccontextmanager
async def shouting(work: Work = capitals) -> AsyncIterator[Shouting]:
    """Run one."""
    with ThreadPoolExecutor(1) as thread:
        found = Shouting(thread, work)
        service = asyncio.ensure_future(found.run())
        try:
            yield found
        finally:
            found.gate.set()
            service.cancel()
            await asyncio.gather(service, return_exceptions=True)


async def ends(tasks: Sequence[asyncio.Task[str]]) -> list[str]:
    """Wait for all, and return what each got: a result, or the error's message."""
    return [str(end) for end in await asyncio.gather(*tasks, return_exceptions=True)]


def test_what_waits_goes_together_and_in_order() -> None:
    """The first does not wait for others; those that come while it is worked on go next, all at once."""

    async def scenario() -> None:
        async with shouting() as it:
            tasks = await it.behind("a b c")
            assert len(it) == 4
            it.gate.set()
            assert await ends(tasks) == ["FIRST", "A", "B", "C"]
            assert it.groups == ["first", "a b c"]
            assert len(it) == 0

    run(scenario())


def test_no_group_is_so_large_that_its_first_waits_long() -> None:
    """What is more comes in the next one."""

    async def scenario() -> None:
        async with shouting() as it:
            tasks = await it.behind(" ".join(map(str, range(MOST_TOGETHER + 3))))
            it.gate.set()
            await ends(tasks)
            assert [len(group.split()) for group in it.groups] == [1, MOST_TOGETHER, 3]

    run(scenario())


def test_what_was_not_come_to_goes_first_in_the_next_group() -> None:
    """Work may stop after the first of a group, and after any other."""

    async def scenario() -> None:
        async with shouting(lambda items: capitals(items[:2])) as it:
            tasks = await it.behind("a b c")
            it.gate.set()
            assert await ends(tasks) == ["FIRST", "A", "B", "C"]
            assert it.groups == ["first", "a b c", "c"]

    run(scenario())


def test_an_exception_is_one_items_own() -> None:
    """The others of its group have their results."""

    def work(items: Sequence[str]) -> Sequence[str | Exception]:
        return [ValueError(item) if item == "b" else item.upper() for item in items]

    async def scenario() -> None:
        async with shouting(work) as it:
            tasks = await it.behind("a b c")
            it.gate.set()
            assert await ends(tasks) == ["FIRST", "A", "b", "C"]
            assert isinstance(tasks[2].exception(), ValueError)

    run(scenario())


def test_what_the_environment_refuses_to_one_group_all_that_wait_are_told() -> None:
    """It is one error, so that it counts as one; also for those that came when the group had begun."""
    late = threading.Event()

    def work(items: Sequence[str]) -> Sequence[str | Exception]:
        if "b" in items:
            assert late.wait(LONG)
            raise EnvironmentFault("the disk is full")
        return capitals(items)

    async def scenario() -> None:
        async with shouting(work) as it:
            tasks = await it.behind("a b c")
            it.gate.set()
            await eventually(lambda: len(it.groups) == 2)
            tasks += it.begin("late")
            await settled()
            late.set()
            assert await ends(tasks) == ["FIRST", *["the disk is full"] * 4]
            assert len({id(task.exception()) for task in tasks[1:]}) == 1
            assert await ends(it.begin("again")) == ["AGAIN"]

    run(scenario())


def test_a_bug_is_put_down_to_the_item_that_has_it() -> None:
    """A group that fails as a whole is worked on one by one; what comes later goes together again."""

    def work(items: Sequence[str]) -> Sequence[str | Exception]:
        if "b" in items:
            raise ZeroDivisionError("a bug")
        return capitals(items)

    async def scenario() -> None:
        async with shouting(work) as it:
            tasks = await it.behind("a b c")
            it.gate.set()
            assert await ends(tasks) == ["FIRST", "A", "a bug", "C"]
            assert it.groups == ["first", "a b c", "a", "b", "c"]
            tasks = await it.behind("d e")
            it.gate.set()
            assert await ends(tasks) == ["FIRST", "D", "E"]
            assert it.groups == ["first", "d e"]

    run(scenario())


def test_a_bug_that_does_not_come_again_is_nobodys() -> None:
    """Nothing is lost over it, and nobody is told."""
    bugs = [ZeroDivisionError("a bug")]

    def work(items: Sequence[str]) -> Sequence[str | Exception]:
        if len(items) > 1 and bugs:
            raise bugs.pop()
        return capitals(items)

    async def scenario() -> None:
        async with shouting(work) as it:
            tasks = await it.behind("a b")
            it.gate.set()
            assert await ends(tasks) == ["FIRST", "A", "B"]

    run(scenario())


@pytest.mark.parametrize("is_raised", [True, False])
def test_an_odd_exception_stops_nothing(*, is_raised: bool) -> None:
    """No future takes a StopIteration: the one that waits for it gets another, and the next its result."""

    def work(items: Sequence[str]) -> Sequence[str | Exception]:
        if items[0] != "b":
            return capitals(items[:1])
        if is_raised:
            raise StopIteration
        return [StopIteration()]

    async def scenario() -> None:
        async with shouting(work) as it:
            tasks = await it.behind("a b c")
            it.gate.set()
            assert await ends(tasks) == ["FIRST", "A", "StopIteration()", "C"]
            assert isinstance(tasks[2].exception(), RuntimeError)

    run(scenario())


def test_memory_that_is_short_is_the_environments_fault() -> None:
    """It is no bug of any item."""

    def work(items: Sequence[str]) -> Sequence[str | Exception]:
        raise MemoryError

    async def scenario() -> None:
        async with shouting(work) as it:
            (task,) = it.begin("a")
            with pytest.raises(EnvironmentFault, match="memory"):
                await task

    run(scenario())


def test_an_item_that_nobody_waits_for_any_more_is_not_begun() -> None:
    """The others get their own results all the same; one that is worked on already is worked on to its end."""

    async def scenario() -> None:
        async with shouting() as it:
            tasks = await it.behind("a b c")
            tasks[0].cancel()
            tasks[2].cancel()
            it.gate.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert [task.cancelled() for task in tasks] == [True, False, True, False]
            assert [tasks[1].result(), tasks[3].result()] == ["A", "C"]
            assert it.groups == ["first", "a c"]
            assert len(it) == 0
            tasks = await it.behind("d")
            tasks[1].cancel()
            it.gate.set()
            assert await tasks[0] == "FIRST"
            await settled()
            assert it.groups == ["first"]

    run(scenario())


def test_items_wait_until_there_is_a_service() -> None:
    """Nothing is lost that comes before, or while there is none."""

    async def scenario() -> None:
        with ThreadPoolExecutor(1) as thread:
            it = Shouting(thread, capitals)
            tasks = it.begin("a b")
            await settled()
            service = asyncio.ensure_future(it.run())
            assert await ends(tasks) == ["A", "B"]
            service.cancel()
            await asyncio.gather(service, return_exceptions=True)
            tasks = it.begin("c")
            service = asyncio.ensure_future(it.run())
            assert await ends(tasks) == ["C"]
            service.cancel()
            await asyncio.gather(service, return_exceptions=True)

    run(scenario())
