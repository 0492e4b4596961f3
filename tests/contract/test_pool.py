"""The pool, with real worker processes: what it reads, how it is told what is wrong, and how it ends."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from ocrwatch.errors import (
    EnvironmentFault,
    InternalFault,
    OtherFormat,
    Truncated,
    UsageError,
)
from ocrwatch.executors.base import WorkerOptions
from ocrwatch.executors.events import Begun, Outcome, SlotEvent, WorkerLost, WorkerUnfit
from ocrwatch.executors.ipc import Job
from ocrwatch.executors.process_pool import Pool
from tests.contract.pooling import GENEROUS, JPEG, Start, is_alive, recipe, request, started_by_engine
from tests.waiting import until


def test_jobs_are_read(start: Start) -> None:
    """Each job ends once, with its page, its duration and its attempt; all workers take part."""
    pooling = start(2)
    workers = pooling.ready(2)
    assert sorted(pooling.pool.pids) == sorted(workers)
    for scan in range(6):
        pooling.submit(scan, argument=f"scan{scan}")
    for scan in range(6):
        outcome = pooling.outcome(scan)
        assert pooling.page(scan).words[0].text == f"scan{scan}"
        assert (outcome.attempt, pooling.attempts[scan]) == (1, 1)
        assert outcome.read_ms > 0
        assert pooling.worker_of(scan) in workers
    assert len(pooling.events(Outcome)) == 6


def test_the_beginning_of_a_job_is_told(start: Start) -> None:
    """Before its end, with the worker that has it and the attempt; and how many workers can read is known."""
    pooling = start(1)
    (worker,) = pooling.ready()
    assert pooling.pool.ready == 1
    pooling.submit(1)
    pooling.outcome(1)
    (begun,) = pooling.events(Begun)
    assert (begun.pid, begun.scan, begun.attempt) == (worker, 1, 1)
    pooling.pool.kill()
    assert pooling.pool.ready == 0


def test_a_job_for_another_engine_is_read_with_it(start: Start) -> None:
    """A job's own recipe holds, not that for which the worker was made warm."""
    pooling = start(engine="echo")
    pooling.submit(1, "slow", 0)
    assert pooling.page(1).engine.name == "slow"


def test_an_engines_bug_is_ours_and_comes_with_its_traceback(start: Start) -> None:
    """An exception reaches the parent with its trace; the worker lives on."""
    pooling = start()
    (worker,) = pooling.ready()
    pooling.submit(1, "rubbish")
    error = pooling.outcome(1).error
    assert isinstance(error, InternalFault)
    assert "ZeroDivisionError: rubbish" in error.message
    assert 'raise ZeroDivisionError("rubbish")' in error.trace
    pooling.submit(2)
    assert pooling.worker_of(2) == worker


@pytest.mark.parametrize(("content", "fault"), [(b"GIF89a", OtherFormat), (JPEG[: len(JPEG) // 2], Truncated)])
def test_a_bad_scan_is_its_own_fault(start: Start, content: bytes, fault: type) -> None:
    """What the decoder says of a scan comes through the channel as it is."""
    pooling = start()
    pooling.submit(1, content=content)
    assert isinstance(pooling.outcome(1).error, fault)


def test_a_worker_is_recycled(start: Start) -> None:
    """After as many scans as the setting says, a fresh worker reads on."""
    pooling = start(recycle_after=2)
    for scan in range(5):
        pooling.submit(scan)
    workers = [pooling.worker_of(scan) for scan in range(5)]
    assert workers[0] == workers[1] != workers[2] == workers[3] != workers[4]
    assert pooling.events(WorkerLost) == []
    until(lambda: not is_alive(workers[0]) and not is_alive(workers[2]), what="the end of recycled workers")


def test_workers_are_recycled_at_different_times(start: Start) -> None:
    """The first ones get unlike numbers of scans: if all were replaced at once, none would read meanwhile."""
    pooling = start(2, recycle_after=4)
    first = pooling.ready(2)
    for scan in range(40):
        pooling.submit(scan)
    assert all(pooling.outcome(scan).error is None for scan in range(40))
    read = Counter(event.pid for event in pooling.events(Begun))
    assert {read[pid] for pid in first} == {2, 4}


def test_a_wrong_setting_is_told_with_growing_delays(start: Start) -> None:
    """An engine that does not exist is no worker's death: it is told, and tried again ever more rarely."""
    pooling = start(engine="no-such-engine")
    until(lambda: len(pooling.events(WorkerUnfit)) >= 2, GENEROUS, "two tries")
    first, second = pooling.events(WorkerUnfit)[:2]
    assert isinstance(first.error, UsageError)
    assert "no-such-engine" in first.error.message
    assert 0 < first.retry_in < second.retry_in
    assert pooling.events(WorkerLost) == []


def test_killing_ends_everything_at_once(start: Start, tmp_path: Path) -> None:
    """Busy, idle or waiting for a program: all are gone when the call returns, and no death is reported."""
    pooling = start(3)
    workers = pooling.ready(3)
    pooling.submit(1, "hang")
    pooling.submit(2, "spawns-and-hangs", tmp_path / "pids")
    _, program = started_by_engine(tmp_path / "pids")
    begun = time.monotonic()
    pooling.pool.kill()
    assert time.monotonic() - begun < 5
    assert not any(map(is_alive, workers))
    until(lambda: not is_alive(program), what="the program's end")
    assert pooling.events(WorkerLost) == []


def test_what_no_worker_has_begun_can_be_taken_back(start: Start) -> None:
    """Jobs that wait in the queue come back, in order, without an attempt."""
    pooling = start()
    pooling.ready()
    pooling.submit(1, "hang")
    until(lambda: pooling.attempts[1], what="the attempt")
    pooling.submit(2)
    pooling.submit(3)
    assert pooling.pool.withdraw() == [2, 3]
    assert pooling.pool.withdraw() == []
    assert 2 not in pooling.attempts


def test_an_attempt_that_cannot_be_counted_is_not_made(faulty: None) -> None:
    """Without the ledger no worker gets a scan: an uncounted attempt could be made for ever."""
    events: list[SlotEvent] = []

    class Refusing:
        """A ledger on a full disk."""

        def count_attempt(self, _scan: int) -> int:
            """Refuse."""
            raise EnvironmentFault("the disk is full")

        def refund_attempt(self, _scan: int) -> None:
            """Refuse."""
            raise AssertionError("nothing was counted")

        def record_sent(self, _scan: int) -> None:
            """Refuse."""
            raise AssertionError("nothing was sent")

        def record_answered(self, _scan: int) -> None:
            """Refuse."""
            raise AssertionError("nothing was sent")

    pool = Pool(WorkerOptions(1, (recipe("echo"),), (), GENEROUS, 0, 0), Refusing(), events.append)
    pool.start()
    pool.submit(Job(1, JPEG, recipe("crash"), request()))
    try:
        until(lambda: any(isinstance(event, Outcome) for event in events), GENEROUS, "the outcome")
    finally:
        pool.kill()
    (outcome,) = [event for event in events if isinstance(event, Outcome)]
    assert isinstance(outcome.error, EnvironmentFault)
    assert not any(isinstance(event, WorkerLost) for event in events)


def test_a_scan_gets_an_answer_whatever_is_raised_around_it(faulty: None) -> None:
    """Memory may be short in the daemon itself: a scan without an answer would be in work until the next start."""
    events: list[SlotEvent] = []

    class Starved:
        """A ledger without memory, once."""

        calls = 0

        def count_attempt(self, _scan: int) -> int:
            """Refuse the first."""
            self.calls += 1
            if self.calls == 1:
                raise MemoryError
            return 1

        def refund_attempt(self, _scan: int) -> None:
            """Do nothing."""

        def record_sent(self, _scan: int) -> None:
            """Do nothing."""

        def record_answered(self, _scan: int) -> None:
            """Do nothing."""

    pool = Pool(WorkerOptions(1, (recipe("echo"),), ("txt",), GENEROUS, 0, 0), Starved(), events.append)
    pool.start()
    try:
        for scan in (1, 2):
            pool.submit(Job(scan, JPEG, recipe("echo"), request()))
        until(lambda: len([each for each in events if isinstance(each, Outcome)]) == 2, GENEROUS, "both outcomes")
    finally:
        pool.kill()
    first, second = (each for each in events if isinstance(each, Outcome))
    assert isinstance(first.error, EnvironmentFault)
    assert second.error is None
