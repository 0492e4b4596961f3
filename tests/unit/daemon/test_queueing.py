"""Which scan is taken next."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocrwatch.daemon.queueing import MOST_BEFORE_PLAIN, TAIL_PER_WORKER, Queue, Resting
from ocrwatch.daemon.tickets import Ticket

from ocrwatch.scan import FileFacts, SettledFile


@dataclass
class Waiting:
    """As much of a ticket as its place in a queue depends on."""

    scan: SettledFile
    rested: bool = False
    plain: bool = False
    seconds: float = 0.0
    others: list[str] = field(default_factory=list)


def ticket(
    name: str,
    size: int = 1000,
    *,
    fresh: bool = True,
    rested: bool = False,
    plain: bool = False,
    seconds: float = 0.0,
) -> Ticket:
    """Make one."""
    scan = SettledFile(name, FileFacts(1, 1, size, 0), fresh, 0.0)
    return cast("Ticket", Waiting(scan, rested, plain, seconds))


def taken(queue: Queue, *, ending: bool = False) -> list[str]:
    """Take all."""
    names = []
    while (following := queue.take(ending=ending)) is not None:
        names.append(following.scan.path)
    return names


def filled(*tickets: Ticket) -> Queue:
    """Make a queue of these, in this order."""
    queue = Queue()
    for each in tickets:
        queue.add(each)
    return queue


def test_fresh_scans_go_before_a_backlog_and_both_in_their_order() -> None:
    """However long the backlog has waited."""
    queue = filled(ticket("b1", fresh=False), ticket("b2", fresh=False), ticket("f1"), ticket("f2"))
    assert queue.has_backlog
    assert taken(queue) == ["f1", "f2", "b1", "b2"]
    assert not queue.has_backlog
    assert not queue


def test_what_failed_takes_turns_with_the_backlog_behind_what_is_fresh() -> None:
    """Neither an endless backlog nor scans that fail again and again keep the other waiting."""
    queue = filled(
        *(ticket(f"b{n}", fresh=False) for n in range(3)),
        *(ticket(f"r{n}", rested=True) for n in range(2)),
        ticket("f"),
    )
    assert taken(queue) == ["f", "r0", "b0", "r1", "b1", "b2"]


def test_what_is_put_back_is_first_of_its_kind() -> None:
    """A scan whose turn had come when the environment failed does not lose it."""
    queue = filled(ticket("f1"), ticket("b1", fresh=False))
    queue.put_back(ticket("f0"))
    queue.put_back(ticket("b0", fresh=False))
    assert taken(queue) == ["f0", "f1", "b0", "b1"]


def test_at_the_end_much_longer_scans_go_first_and_others_keep_their_order() -> None:
    """Pages of one kind stay in the order in which a person counts; one of double size does not wait for its turn."""
    pages = [ticket(f"page{n}", size) for n, size in enumerate((1000, 1100, 900, 1400, 2500, 1000, 2000))]
    assert taken(filled(*pages)) == [f"page{n}" for n in range(7)]
    assert taken(filled(*pages), ending=True) == ["page4", "page6", "page0", "page1", "page3", "page2", "page5"]


def test_at_the_end_too_fresh_scans_go_before_a_large_one_of_the_backlog() -> None:
    """Who waits at the scanner does not wait for somebody's poster."""
    queue = filled(ticket("poster", 10**7, fresh=False), ticket("fresh"))
    assert taken(queue, ending=True) == ["fresh", "poster"]


@pytest.mark.parametrize("workers", [2, 8])
def test_cores_are_busy_nearly_to_the_last_scan(workers: int) -> None:
    """Of the idleness at the end of simulated queues, long scans first saves more than two fifths."""
    dice = random.Random(5)

    def makespan(times: list[float], tail: int) -> float:
        queue = filled(*(ticket(str(n), round(t * 1e5), seconds=t) for n, t in enumerate(times)))
        free = [0.0] * workers
        while (following := queue.take(ending=len(queue) <= tail)) is not None:
            begun = heapq.heappop(free)
            heapq.heappush(free, begun + cast("Waiting", following).seconds)
        return max(free)

    natural = longest_first = ideal = 0.0
    for _ in range(40):
        times = [dice.lognormvariate(0, 0.7) for _ in range(12 * workers)]
        natural += makespan(times, 0)
        longest_first += makespan(times, TAIL_PER_WORKER * workers)
        ideal += max(sum(times) / workers, *times)
    assert (longest_first - ideal) < 0.6 * (natural - ideal)


def test_what_took_too_long_comes_last_but_comes() -> None:
    """It goes behind fresh scans, backlog and retries, and after a hundred of them before the next."""
    queue = filled(ticket("slow", plain=True, rested=True), *(ticket(f"b{n}", fresh=False) for n in range(3)))
    queue.add(ticket("again", rested=True))
    assert [each.scan.path for each in queue][-1] == "slow"
    assert taken(queue)[-1] == "slow"
    busy = filled(ticket("slow", plain=True), *(ticket(str(n)) for n in range(MOST_BEFORE_PLAIN + 5)))
    assert taken(busy).index("slow") == MOST_BEFORE_PLAIN


def test_what_took_too_long_is_taken_only_if_asked_for() -> None:
    """While another of its kind is in work, the others go on without it."""
    queue = filled(ticket("slow", plain=True), ticket("a"))
    assert [queue.take(plain=False), queue.take(plain=False)][1] is None
    assert len(queue) == 1
    assert taken(queue) == ["slow"]


def test_resting_scans_come_back_when_their_time_has_come() -> None:
    """In the order of their times, each once."""
    resting = Resting()
    assert resting.next_end() == float("inf")
    for name, until in (("late", 30.0), ("early", 10.0), ("next", 20.0)):
        resting.add(ticket(name), until)
    assert resting.next_end() == 10.0
    assert [each.scan.path for each in resting.rested(25.0)] == ["early", "next"]
    assert [each.scan.path for each in resting.drain()] == ["late"]
    assert len(resting) == 0


@given(fresh=st.integers(0, 4), backlog=st.integers(0, 6), retries=st.integers(0, 6), gone=st.integers(0, 12))
def test_the_queue_is_told_as_it_is_taken(fresh: int, backlog: int, retries: int, gone: int) -> None:
    """At whatever moment one asks."""
    queue = filled(
        *(ticket(f"fresh{number}") for number in range(fresh)),
        *(ticket(f"backlog{number}", fresh=False) for number in range(backlog)),
        *(ticket(f"retry{number}", rested=True) for number in range(retries)),
    )
    for _ in range(gone):
        queue.take()
    told = [each.scan.path for each in queue]
    assert len(told) == len(queue)
    assert told == taken(queue)
