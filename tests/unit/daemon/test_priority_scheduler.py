"""Whose turn it is: the order, the room, and what a pause leaves of both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.daemon.priority_scheduler import (
    AHEAD_BYTES,
    AHEAD_PER_WORKER,
    MOST_UNDELIVERED,
    Scheduler,
)
from ocrwatch.daemon.scan_queue import MOST_BEFORE_REDUCED, Queue
from ocrwatch.errors import EnvironmentFault, Stopping
from ocrwatch.recipe import Recipe
from ocrwatch.scan import Batch, Scan, Scans, ScanState, SettledFile
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts
from tests.eventually import eventually, run, settled

_OPTIONS = Settings().for_path("a.jpg")

FAULT = EnvironmentFault("it is refused")


def scan(
    name: str,
    size: int = 1000,
    *,
    fresh: bool = True,
    waited: bool = False,
    reduced: bool = False,
    isolated: bool = False,
) -> Scan:
    """Make one, behind those that were made before."""
    file = SettledFile(name, FileFacts(1, 1, size, 0), fresh, 0.0)
    return Scan(file, Batch(1, 1), _OPTIONS, Recipe(), has_waited=waited, reduced=reduced, isolated=isolated)


def scans(names: str, **how: bool) -> list[Scan]:
    """Make one for each word."""
    return [scan(name, **how) for name in names.split()]


def filled(*several: Scan) -> Queue:
    """Make a queue of these."""
    queue = Queue()
    for each in several:
        queue.add(each)
    return queue


def taken(queue: Queue) -> list[str]:
    """Take all."""
    names = []
    while (following := queue.take()) is not None:
        names.append(following.path)
    return names


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "take"]), st.integers(0, 300)), max_size=400))
def test_scans_that_were_removed_are_never_taken(steps: list[tuple[str, int]]) -> None:
    """The queue has those that were added and neither removed nor taken, and takes them in their order."""
    queue, waiting, gone = Queue(), list[Scan](), list[Scan]()
    for step, number in steps:
        if step == "add":
            # One that was removed or taken may come back, in its old place or a new one.
            each = gone.pop(number % len(gone)) if gone and number % 2 else scan(str(number), waited=number % 3 == 0)
            if number % 5 == 0:
                each.goes_last_of_its_kind()
            queue.add(each)
            waiting.append(each)
        elif step == "remove" and waiting:
            gone.append(waiting.pop(number % len(waiting)))
            queue.remove(gone[-1])
        elif step == "take" and waiting:
            order = list(queue)
            following = queue.take()
            assert following is order[0]
            waiting.remove(following)
            gone.append(following)
        assert len(queue) == len(waiting)
        assert set(queue) == set(waiting)
    while waiting:
        following = queue.take()
        assert following is not None
        waiting.remove(following)
    assert queue.take() is None


def test_scan_that_tried_a_service_in_vain_goes_behind_others() -> None:
    """Also if it is fresh: otherwise it would be the only one to try whether the service is back."""
    refused, *others = scans("refused a b")
    refused.engine = "remote:cloud"
    refused.refusing_engines |= {"remote:cloud"}
    assert taken(filled(refused, *others)) == ["a", "b", "refused"]
    refused.engine = "tesserocr"
    assert taken(filled(refused, *others)) == ["refused", "a", "b"]


def test_thousands_leave_together_in_a_moment() -> None:
    """If a service pauses, all that wait for it may go to another engine, and the event loop must go on."""
    several = [scan(str(number), fresh=False) for number in range(20_000)]
    queue = filled(*several)
    begun = time.monotonic()
    for each in several:
        queue.remove(each)
    assert time.monotonic() - begun < 2.0
    assert queue.take() is None


class Life:
    """One scan that has its turn for as long as the test wants, and then a worker's place."""

    def __init__(self, scheduler: Scheduler, each: Scan, steps: list[str], *, known: bool) -> None:
        self.scan = each
        self.loaded = asyncio.Event()
        self.read = asyncio.Event()
        self.task = asyncio.ensure_future(self._live(scheduler, steps, known=known))

    async def _live(self, scheduler: Scheduler, steps: list[str], *, known: bool) -> None:
        async with scheduler.turn(self.scan):
            steps.append(f"load {self.scan.path}")
            await self.loaded.wait()
            if known:
                return
            async with scheduler.place(self.scan):
                steps.append(f"read {self.scan.path}")
                await self.read.wait()

    def goes_on(self) -> None:
        """Have it loaded, and read."""
        self.loaded.set()
        self.read.set()


class Stage:
    """A scheduler at work, and what it lets in."""

    def __init__(self, workers: int, *, looks_ahead: bool) -> None:
        self.scans = Scans()
        self.backoff = Backoff()
        self.scheduler = Scheduler(self.scans, self.backoff, workers, looks_ahead=looks_ahead)
        self.steps: list[str] = []
        self.lives: dict[str, Life] = {}

    def add(self, *several: Scan, known: bool = False) -> None:
        """Have scans come, in this order."""
        for each in several:
            self.scans.add(each)
            self.lives[each.path] = Life(self.scheduler, each, self.steps, known=known)

    def loaded(self, names: str) -> None:
        """Have these be loaded."""
        for name in names.split():
            self.lives[name].loaded.set()

    def read(self, names: str) -> None:
        """Have these be read."""
        for name in names.split():
            self.lives[name].goes_on()

    async def now(self) -> list[str]:
        """Return what has happened since this was last asked."""
        await settled()
        steps, self.steps[:] = self.steps[:], []
        return steps

    def is_empty(self) -> bool:
        """Tell whether nothing is left of any scan."""
        of = self.scheduler
        return not (of.queued or of._waiting or of._isolated) and all(lane.is_empty for lane in of._lanes.values())


@asynccontextmanager
async def stage(workers: int = 1, *, looks_ahead: bool = False) -> AsyncIterator[Stage]:
    """Run a scheduler."""
    found = Stage(workers, looks_ahead=looks_ahead)
    service = asyncio.ensure_future(found.scheduler.run())
    try:
        yield found
    finally:
        for life in found.lives.values():
            life.task.cancel()
        await asyncio.gather(*(life.task for life in found.lives.values()), return_exceptions=True)
        service.cancel()
        await asyncio.gather(service, return_exceptions=True)


# The order.


def test_fresh_scans_go_before_a_backlog_and_both_in_their_order() -> None:
    """However long the backlog has waited."""
    queue = filled(*scans("b1 b2", fresh=False), *scans("f1 f2"))
    assert queue.backlog == 2
    assert taken(queue) == ["f1", "f2", "b1", "b2"]
    assert queue.backlog == 0
    assert len(queue) == 0


def test_what_failed_takes_turns_with_the_backlog_behind_what_is_fresh() -> None:
    """Neither an endless backlog nor scans that fail again and again keep the other waiting."""
    queue = filled(*scans("b0 b1 b2", fresh=False), *scans("r0 r1", waited=True), scan("f"))
    assert taken(queue) == ["f", "r0", "b0", "r1", "b1", "b2"]


def test_a_scan_that_the_environment_refuses_keeps_its_place() -> None:
    """It was first before its turn came, and is first when it comes again; one that failed goes behind the others."""
    first, second = scans("f0 f1")
    queue = filled(first, second)
    assert queue.take() is first
    queue.add(first)
    assert taken(queue) == ["f0", "f1"]
    first.goes_last_of_its_kind()
    assert taken(filled(first, second)) == ["f1", "f0"]


def test_what_took_too_long_comes_last_but_comes() -> None:
    """It goes behind fresh scans, backlog and retries, and after a hundred of them before the next."""
    queue = filled(scan("slow", reduced=True, waited=True), *scans("b0 b1 b2", fresh=False), scan("again", waited=True))
    assert [each.path for each in queue][-1] == "slow"
    assert taken(queue)[-1] == "slow"
    busy = filled(scan("slow", reduced=True), *(scan(str(n)) for n in range(MOST_BEFORE_REDUCED + 5)))
    assert taken(busy).index("slow") == MOST_BEFORE_REDUCED


def test_what_took_too_long_is_taken_only_if_asked_for() -> None:
    """While another of its kind is in work, the others go on without it."""
    queue = filled(scan("slow", reduced=True), scan("a"))
    taken_first = queue.take(reduced=False)
    assert taken_first is not None
    assert taken_first.path == "a"
    assert queue.take(reduced=False) is None
    assert taken(queue) == ["slow"]


@given(
    fresh=st.integers(0, 4),
    backlog=st.integers(0, 6),
    retries=st.integers(0, 6),
    gone=st.integers(0, 12),
    dropped=st.integers(0, 20),
)
def test_the_queue_is_told_as_it_is_taken(fresh: int, backlog: int, retries: int, gone: int, dropped: int) -> None:
    """At whatever moment one asks, and whichever scan has left it meanwhile."""
    several = (
        *(scan(f"fresh{number}") for number in range(fresh)),
        *(scan(f"backlog{number}", fresh=False) for number in range(backlog)),
        *(scan(f"retry{number}", waited=True) for number in range(retries)),
    )
    queue = filled(*several)
    for _ in range(gone):
        queue.take()
    if dropped < len(several):
        queue.remove(several[dropped])
    told = [each.path for each in queue]
    assert len(told) == len(queue)
    assert told == taken(queue)
    assert not (dropped < len(several) and several[dropped].path in told)


def test_turns_are_granted_in_the_order_that_is_told() -> None:
    """What waits is told with what waits for a worker first."""

    async def scenario() -> None:
        async with stage() as it:
            it.add(*scans("f0 f1 f2 f3"), *scans("b0", fresh=False), *scans("r0", waited=True))
            assert await it.now() == ["load f0", "load f1"]
            it.loaded("f0 f1")
            assert await it.now() == ["read f0", "read f1"]
            assert [each.path for each in it.scheduler.queue()] == ["f2", "f3", "r0", "b0"]
            assert it.scheduler.queued == 4
            for name in ("f0", "f1", "f2", "f3", "r0", "b0"):
                it.read(name)
            steps = await it.now()
            assert [step for step in steps if step.startswith("load")] == ["load f2", "load f3", "load r0", "load b0"]
            assert it.is_empty()

    run(scenario())


def test_a_batch_of_the_backlog_is_wanted_when_none_waits() -> None:
    """So that fresh scans can overtake what is still in the inbox."""

    async def scenario() -> None:
        async with stage() as it:
            assert it.scheduler.wants_backlog
            it.add(*scans("f0 f1"), *scans("b0", fresh=False))
            await it.now()
            assert not it.scheduler.wants_backlog
            it.read("f0 f1")
            assert "load b0" in await it.now()
            assert it.scheduler.wants_backlog

    run(scenario())


# The room.


@pytest.mark.parametrize("workers", [1, 3])
def test_as_many_are_loaded_as_workers_can_use(workers: int) -> None:
    """One for each to read, and one that is ready when it has done so."""

    async def scenario() -> None:
        async with stage(workers) as it:
            it.add(*(scan(str(number)) for number in range(10)))
            assert len(await it.now()) == AHEAD_PER_WORKER * workers
            it.loaded(" ".join(map(str, range(10))))
            assert len(await it.now()) == AHEAD_PER_WORKER * workers
            it.read("0")
            assert await it.now() == [f"load {2 * workers}", f"read {2 * workers}"]

    run(scenario())


def test_more_workers_have_more_scans_at_once() -> None:
    """Without another scan that would have to come first."""

    async def scenario() -> None:
        async with stage(1) as it:
            it.add(*(scan(str(number)) for number in range(10)))
            assert len(await it.now()) == 2
            it.scheduler.workers = 2
            it.scheduler.changed()
            assert await it.now() == ["load 2", "load 3"]

    run(scenario())


def test_where_texts_may_be_known_more_are_loaded_as_far_as_memory_goes() -> None:
    """What lies ready for the workers counts with its bytes; it is not limited to what they can use."""

    async def scenario() -> None:
        async with stage(1, looks_ahead=True) as it:
            it.add(*(scan(str(number), AHEAD_BYTES // 4) for number in range(10)))
            assert await it.now() == [f"load {number}" for number in range(4)]
            it.loaded("0 1 2 3")
            assert await it.now() == ["read 0", "read 1", "load 4", "load 5"]

    run(scenario())


def test_a_known_scan_never_waits_for_a_workers_place() -> None:
    """Though workers have all that they can take, and others are loaded that wait for one."""

    async def scenario() -> None:
        async with stage(1, looks_ahead=True) as it:
            it.add(*scans("a b c d"))
            it.loaded("a b c d")
            assert [step for step in await it.now() if step.startswith("read")] == ["read a", "read b"]
            it.add(*(scan(f"known{number}") for number in range(3)), known=True)
            it.loaded("known0 known1 known2")
            assert await it.now() == ["load known0", "load known1", "load known2"]
            assert all(it.lives[f"known{number}"].task.done() for number in range(3))

    run(scenario())


def test_no_more_are_loaded_than_may_wait_to_be_delivered() -> None:
    """A slow outbox does not fill the memory with texts."""

    async def scenario() -> None:
        async with stage(1, looks_ahead=True) as it:
            waiting = [scan(f"done{number}") for number in range(MOST_UNDELIVERED - 1)]
            for each in waiting:
                it.scans.add(each)
                it.scans.change(each, ScanState.DELIVERING)
            it.add(*scans("a b c"))
            assert await it.now() == ["load a"]
            for each in waiting[:2]:
                it.scans.change(each, ScanState.DELIVERED)
            it.scheduler.changed()
            assert await it.now() == ["load b", "load c"]

    run(scenario())


def test_one_scan_at_a_time_is_read_that_took_too_long() -> None:
    """Such scans never have all workers."""

    async def scenario() -> None:
        async with stage(4) as it:
            it.add(*scans("slow0 slow1", reduced=True), scan("a"))
            it.loaded("slow0 slow1 a")
            assert await it.now() == ["load a", "load slow0", "read a", "read slow0"]
            it.read("slow0")
            assert await it.now() == ["load slow1", "read slow1"]

    run(scenario())


# Alone.


def test_an_isolated_scan_has_everything_to_itself() -> None:
    """It waits for what is in work and what is being delivered, goes before all that is ready, and keeps them out."""

    async def scenario() -> None:
        async with stage(2) as it:
            delivering = scan("text")
            it.scans.add(delivering)
            it.scans.change(delivering, ScanState.DELIVERING)
            it.add(scan("a"), scan("alone", isolated=True), *scans("b c"))
            it.loaded("a")
            assert "read a" in await it.now()
            it.loaded("alone b")
            assert await it.now() == []
            it.read("a")
            assert await it.now() == []
            it.scans.change(delivering, ScanState.DELIVERED)
            it.scheduler.changed()
            assert "read alone" in await it.now()
            assert [each.path for each in it.scheduler.queue()] == ["b"]
            it.read("alone")
            assert "read b" in await it.now()

    run(scenario())


def test_several_isolated_scans_are_read_one_after_the_other() -> None:
    """In their order, before the others go on."""

    async def scenario() -> None:
        async with stage(2) as it:
            it.add(*scans("x y", isolated=True), scan("a"))
            it.loaded("x y a")
            assert [step for step in await it.now() if step.startswith("read")] == ["read x"]
            assert [each.path for each in it.scheduler.queue()] == ["y", "a"]
            it.read("x")
            assert await it.now() == ["read y"]
            it.read("y")
            assert await it.now() == ["read a"]

    run(scenario())


# Pauses.


@pytest.mark.parametrize("cause", [Cause.INBOX, Cause.DELIVERY, Cause.MOUNT])
def test_while_others_are_paused_nothing_is_begun(cause: Cause) -> None:
    """Neither loaded nor read, whatever the time of the next try; when the pause ends, all goes on at once."""

    async def scenario() -> None:
        async with stage(2) as it:
            it.add(scan("a"))
            assert await it.now() == ["load a"]
            it.backoff.record(cause, FAULT, time.monotonic() - 100)
            it.add(scan("b"))
            it.loaded("a")
            assert await it.now() == []
            it.backoff.resolve(cause)
            assert sorted(await it.now()) == ["load b", "read a"]

    run(scenario())


@pytest.mark.parametrize("cause", [Cause.READING, Cause.WORKERS, Cause.MEMORY])
def test_in_a_pause_of_reading_one_scan_tries_at_each_next_try(cause: Cause) -> None:
    """The first of them: not before its time, and no second one until it is known what came of that."""

    async def scenario() -> None:
        async with stage(2) as it:
            it.backoff.record(cause, FAULT, time.monotonic())
            it.add(*scans("a b c"))
            assert await it.now() == []
            until = it.backoff.next_try(cause)
            await eventually(lambda: it.steps)
            assert time.monotonic() >= until
            assert await it.now() == ["load a"]
            it.loaded("a")
            assert await it.now() == ["read a"]
            it.backoff.resolve(cause)
            assert await it.now() == ["load b", "load c"]

    run(scenario())


def test_what_is_loaded_waits_in_a_pause_of_reading_too() -> None:
    """One of those that are ready tries; after another refusal the next one does, at the time of the next try."""

    async def scenario() -> None:
        async with stage(2) as it:
            it.add(*scans("a b c"))
            it.backoff.record(Cause.WORKERS, FAULT, time.monotonic() - 100)
            await it.now()
            it.backoff.resolve(Cause.WORKERS)
            await it.now()
            it.backoff.record(Cause.WORKERS, EnvironmentFault("no memory"), time.monotonic())
            it.loaded("a b c")
            assert await it.now() == []
            await eventually(lambda: it.steps)
            assert await it.now() == ["read a"]
            it.backoff.record(Cause.WORKERS, EnvironmentFault("no memory still"), time.monotonic())
            it.read("a")
            assert await it.now() == []
            await eventually(lambda: it.steps)
            assert await it.now() == ["read b"]

    run(scenario())


def test_a_pause_costs_no_time_of_the_processor() -> None:
    """Nothing goes round and round until the next try comes, or after it while a scan is trying."""
    rounds = 0

    class Counted(Backoff):
        def next_try(self, cause: str) -> float:
            nonlocal rounds
            rounds += 1
            return super().next_try(cause)

    async def scenario() -> None:
        async with stage(1) as it:
            it.scheduler._backoff = it.backoff = Counted()
            it.backoff.subscribe(it.scheduler._wake)
            it.add(*scans("a b"))
            it.backoff.record(Cause.READING, FAULT, time.monotonic())
            await eventually(lambda: it.steps)
            await settled()
            before = rounds
            await asyncio.sleep(0.1)
            assert rounds == before < 50

    run(scenario())


# The end.


def test_a_stop_lets_go_of_all_that_wait() -> None:
    """Of those that wait for their turn and those that wait for a worker; what is being read is left alone."""

    async def scenario() -> None:
        async with stage(1, looks_ahead=True) as it:
            it.add(*scans("a b c"), scan("big", 2 * AHEAD_BYTES), scan("last"), scan("alone", isolated=True))
            it.loaded("a b c")
            await it.now()
            assert it.scheduler.queued == 3
            it.scheduler.stop()
            await settled()
            ends = {name: life.task.exception() for name, life in it.lives.items() if life.task.done()}
            assert {name: type(end) for name, end in ends.items()} == dict.fromkeys(("c", "last", "alone"), Stopping)
            it.add(scan("late"))
            it.loaded("big")
            await settled()
            for name in ("late", "big"):
                assert isinstance(it.lives[name].task.exception(), Stopping)
            it.read("a b")
            await settled()
            assert it.is_empty()

    run(scenario())


def _all(several: Iterable[Life]) -> list[str]:
    return [life.scan.path for life in several if not life.task.done()]


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("granted", [False, True])
@pytest.mark.parametrize("at", ["turn", "loading", "place", "reading"])
def test_a_scan_that_is_cancelled_leaves_no_trace(at: str, *, granted: bool, isolated: bool) -> None:
    """Wherever it is, also if it was let in a moment before: the next one gets what it had or waited for."""

    async def scenario() -> None:
        async with stage(1) as it:
            first, second, third, fourth = (scan(name, isolated=isolated) for name in "abcd")
            if at == "turn":
                it.add(first, second, third)
                await it.now()
                gone = it.lives["c"]
                if granted:
                    it.read("a")
                    # Its turn is granted in the step after next, and it runs in the one after that.
                    await eventually_granted(it.scheduler, third)
            elif at == "loading":
                it.add(first, second, third)
                await it.now()
                gone = it.lives["a"]
            else:
                it.add(first, second)
                it.loaded("a")
                await it.now()
                it.add(third)
                gone = it.lives["a" if at == "reading" else "b"]
                if at == "place":
                    it.backoff.record(Cause.MOUNT, FAULT, 0.0)
                    it.loaded("b")
                    await it.now()
                    it.backoff.resolve(Cause.MOUNT)
                    if granted:
                        await eventually_granted(it.scheduler, second)
            gone.task.cancel()
            await settled()
            assert gone.task.cancelled()
            it.add(fourth)
            for _ in range(4):
                it.read(" ".join(_all(it.lives.values())))
                await settled()
            assert _all(it.lives.values()) == []
            assert it.is_empty()

    run(scenario())


async def eventually_granted(scheduler: Scheduler, each: Scan) -> None:
    """Go on until a scan is let in, and not a step further."""
    for _ in range(20):
        if (future := scheduler._waiting.get(each)) is not None and future.done():
            return
        await asyncio.sleep(0)


def test_a_turn_that_was_granted_to_a_cancelled_scan_goes_to_the_next() -> None:
    """Without anything else that happens."""

    async def scenario() -> None:
        async with stage(1) as it:
            it.add(*scans("a b c d"))
            await it.now()
            it.lives["a"].task.cancel()
            await eventually_granted(it.scheduler, it.lives["c"].scan)
            assert it.scheduler._waiting[it.lives["c"].scan].done()
            it.lives["c"].task.cancel()
            assert await it.now() == ["load d"]

    run(scenario())
