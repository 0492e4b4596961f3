"""A pool that grows, shrinks and gets other options while it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrwatch.errors import OcrwatchError, TimedOut
from ocrwatch.executors.base import WorkerOptions
from ocrwatch.executors.events import Outcome, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.executors.trial_start import try_start
from tests.contract.pooling import GENEROUS, Start, is_alive, recipe, refuse_one_thread
from tests.waiting import until


def _options(
    engine: str = "echo", *formats: str, workers: int = 1, timeout: float = GENEROUS, max_memory: int = 0
) -> WorkerOptions:
    return WorkerOptions(workers, (recipe(engine),), formats, timeout, max_memory, 0)


_NO_LISTS_UNDER_A_LIMIT = """
import os, resource

_list = os.listdir


def _listdir(*folder):
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        raise MemoryError
    return _list(*folder)


os.listdir = _listdir
"""


def test_it_grows_and_shrinks_without_losing_a_job(start: Start) -> None:
    """Every job ends once, whatever the number of workers becomes meanwhile, and none counts as died."""
    pooling = start(1)
    pooling.ready()
    for scan in range(40):
        pooling.submit(scan, "slow", 0.02)
    for step, count in enumerate((3, 1, 4, 2)):
        pooling.pool.change(_options(workers=count))
        assert len(pooling.pool) == count
        pooling.outcome(5 * step)
    for scan in range(40):
        assert pooling.outcome(scan).error is None
    assert len(pooling.events(Outcome)) == 40
    assert set(pooling.attempts.values()) == {1}
    until(lambda: sum(map(is_alive, pooling.pool.pids)) == 2, what="two workers are left")
    assert pooling.events(WorkerLost) == []


def test_a_worker_in_the_middle_of_a_job_finishes_it(start: Start) -> None:
    """One that is not wanted any more reads its scan to the end, and goes then."""
    pooling = start(2)
    workers = pooling.ready(2)
    for scan in range(2):
        pooling.submit(scan, "slow", 1)
    until(lambda: pooling.attempts[0] and pooling.attempts[1], what="both are read")
    pooling.pool.change(_options())
    assert {pooling.outcome(scan).attempt for scan in range(2)} == {1}
    until(lambda: sum(map(is_alive, workers)) == 1, what="one worker is left")
    pooling.submit(2)
    assert pooling.worker_of(2) in workers


def test_an_idle_worker_that_is_not_wanted_loses_nothing(start: Start) -> None:
    """It may be handed a job in the very moment in which it is to go: that job is read all the same."""
    pooling = start(3)
    pooling.ready(3)
    pooling.pool.change(_options())
    for scan in range(6):
        pooling.submit(scan, "slow", 0.1)
    assert all(pooling.outcome(scan, timeout=20).error is None for scan in range(6))
    until(lambda: sum(map(is_alive, pooling.pool.pids)) == 1, what="one worker is left")


def test_workers_are_replaced_only_for_what_they_have_loaded(start: Start) -> None:
    """Other recipes or limits of memory need a fresh worker, another time limit does not."""
    pooling = start(1)
    (first,) = pooling.ready()
    pooling.pool.change(_options(timeout=0.5))
    pooling.submit(1)
    assert pooling.worker_of(1) == first
    pooling.submit(2, "slow", 30)
    assert isinstance(pooling.outcome(2).error, TimedOut)
    second = pooling.ready(2)[-1]
    pooling.pool.change(_options("slow"))
    third = pooling.ready(3)[-1]
    assert third not in {first, second}
    until(lambda: not is_alive(second), what="the end of the replaced worker")
    engine = pooling.events(WorkerReady)[-1].engine
    assert engine is not None
    assert engine.name == "slow"
    pooling.pool.change(_options("slow", max_memory=4_000_000_000))
    assert pooling.ready(4)[-1] != third


def test_other_formats_need_a_fresh_worker(start: Start) -> None:
    """A format that cannot be loaded is told before a scan is blamed for it."""
    pooling = start(1, formats=("txt",))
    (first,) = pooling.ready()
    pooling.pool.change(_options("echo", "txt", "json"))
    second = pooling.ready(2)[-1]
    assert second != first
    pooling.pool.change(_options("echo", "txt", "no-such-format"))
    until(lambda: pooling.events(WorkerUnfit), GENEROUS, "a worker that cannot start")
    pooling.submit(1)
    pooling.pool.change(_options("echo", "txt"))
    assert pooling.page(1)
    assert pooling.attempts[1] == 1


def test_what_was_retired_ends_with_the_pool(start: Start) -> None:
    """The end of the pool does not wait for a worker that is on its way out."""
    pooling = start(2)
    workers = pooling.ready(2)
    for scan in range(2):
        pooling.submit(scan, "slow", 60)
    until(lambda: pooling.attempts[0] and pooling.attempts[1], what="both are read")
    pooling.pool.change(_options())
    pooling.pool.kill()
    until(lambda: not any(map(is_alive, workers)), 5, "no worker is left")


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (_options("no-such-engine"), "no-such-engine"),
        (_options("echo", "no-such-format"), "there is no format named 'no-such-format'"),
        # Less than its libraries have taken before the limit is set.
        (_options("loads-much", max_memory=60_000_000), "workers.max_memory"),
    ],
)
def test_a_trial_tells_why_no_worker_would_start(options: WorkerOptions, said: str) -> None:
    """The error is the one that the worker met; where it just died, how and with which last words."""
    with pytest.raises(OcrwatchError) as caught:
        try_start(options)
    assert said in str(caught.value)


@pytest.mark.usefixtures("faulty")
def test_packages_are_found_before_memory_is_limited(tmp_path: Path) -> None:
    """Under a limit the search for packages may find none, without an error: they would be called missing."""
    (tmp_path / "sitecustomize.py").write_text(_NO_LISTS_UNDER_A_LIMIT)
    try_start(_options("loads-much", max_memory=8_000_000_000))


@pytest.mark.usefixtures("faulty")
def test_a_trial_leaves_nothing() -> None:
    """Where a worker would start nothing is said, and none is left."""
    import psutil

    before = set(psutil.Process().children())
    try_start(_options())
    assert set(psutil.Process().children()) <= before


def test_a_thread_that_cannot_be_started_leaves_the_others(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported, the jobs are read by those that run, and the next change adds the rest."""
    pooling = start(1)
    pooling.ready()
    refuse_one_thread(monkeypatch)
    pooling.pool.change(_options(workers=3))
    (unfit,) = pooling.events(WorkerUnfit)
    assert "cannot start a thread for a worker" in unfit.error.message
    assert len(pooling.pool) == 1
    pooling.submit(0)
    assert pooling.outcome(0).error is None
    pooling.pool.change(_options(workers=3))
    pooling.ready(3)
