"""Worker processes that die, hang or starve: nobody else is touched, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ocrwatch.cache.codec import pack
from ocrwatch.errors import (
    OutOfMemory,
    TimedOut,
    WorkerDied,
)
from ocrwatch.executors.events import Begun, WorkerLost
from tests.contract.pooling import GENEROUS, JPEG, Start, is_alive, request, started_by_engine
from tests.fake_executor import page_of
from tests.waiting import until


def test_the_time_limit_ends_a_worker_and_nobody_else(start: Start) -> None:
    """A job that hangs is the scan's fault; the neighbour's job is read, and the next one by a new worker."""
    pooling = start(2, timeout=3.0)
    pooling.ready(2)
    pooling.submit(1, "hang")
    pooling.submit(2, "slow", 1)
    assert pooling.page(2)
    assert isinstance(pooling.outcome(1).error, TimedOut)
    assert 3000 <= pooling.outcome(1).read_ms < 10_000
    (lost,) = pooling.events(WorkerLost)
    assert (lost.scan, lost.phase, "stuck" in lost.how) == (1, "reading", True)
    assert not is_alive(lost.pid)
    assert pooling.attempts == {1: 1, 2: 1}
    pooling.ready(3)
    pooling.submit(3)
    assert pooling.worker_of(3) != lost.pid


def test_the_time_limit_ends_what_the_worker_started(start: Start, tmp_path: Path) -> None:
    """A program that an engine started dies with the worker that waits for it."""
    pooling = start(timeout=3.0)
    pooling.ready()
    pooling.submit(1, "spawns-and-hangs", tmp_path / "pids")
    worker, program = started_by_engine(tmp_path / "pids")
    assert isinstance(pooling.outcome(1).error, TimedOut)
    until(lambda: not is_alive(worker) and not is_alive(program), what="the end of both")


@pytest.mark.parametrize(("engine", "how"), [("crash", "killed by SIGSEGV"), ("exit", "exited with code 7")])
def test_a_worker_that_dies_with_a_scan_is_the_scans_fault(start: Start, engine: str, how: str) -> None:
    """The death is told with how it came and the last words; the neighbour and the next scan are unharmed."""
    pooling = start(2)
    pooling.ready(2)
    pooling.submit(1, "slow", 1)
    pooling.submit(2, engine)
    error = pooling.outcome(2).error
    assert isinstance(error, WorkerDied)
    assert how in error.message
    assert pooling.page(1)
    (lost,) = pooling.events(WorkerLost)
    assert (lost.how, lost.scan, lost.phase) == (how, 2, "reading")
    assert lost.stderr == ("these are my last words" if engine == "crash" else "")
    assert (pooling.attempts[2], pooling.refunds[2]) == (1, 0)
    pooling.submit(3)
    assert pooling.page(3)


def test_an_idle_worker_that_dies_is_replaced(start: Start) -> None:
    """Nothing waits for the replacement of a worker that was killed while it had nothing to do."""
    pooling = start()
    (first,) = pooling.ready()
    os.kill(first, signal.SIGKILL)
    second = pooling.ready(2)[1]
    (lost,) = pooling.events(WorkerLost)
    assert (lost.pid, lost.how, lost.phase, lost.scan) == (first, "killed by SIGKILL", "idle", None)
    pooling.submit(1)
    assert pooling.worker_of(1) == second


def test_a_job_for_a_worker_just_killed_costs_no_attempt(start: Start) -> None:
    """A scan whose worker was dead before it had the bytes is read by another, as its first attempt."""
    pooling = start()
    (first,) = pooling.ready()
    os.kill(first, signal.SIGKILL)
    pooling.submit(1)
    assert pooling.worker_of(1) != first
    assert pooling.outcome(1).attempt == 1
    assert pooling.attempts[1] == 1


def test_a_busy_worker_that_is_killed_is_the_scans_fault(start: Start, tmp_path: Path) -> None:
    """Somebody may have killed it for what it did: the attempt counts, and what it started goes with it."""
    pooling = start()
    (worker,) = pooling.ready()
    pooling.submit(1, "spawns-and-hangs", tmp_path / "pids")
    _, program = started_by_engine(tmp_path / "pids")
    os.kill(worker, signal.SIGKILL)
    outcome = pooling.outcome(1)
    assert isinstance(outcome.error, WorkerDied)
    assert "SIGKILL" in outcome.error.message
    assert pooling.attempts[1] == 1
    until(lambda: not is_alive(program), what="the end of what the worker had started")
    pooling.submit(2)
    assert pooling.page(2)


def test_a_worker_that_is_stopped_is_timed_out(start: Start) -> None:
    """A worker that does not even take its job can delay only its own slot, and only as long as the limit says."""
    pooling = start(2, timeout=3.0)
    stopped = pooling.ready(2)[0]
    os.kill(stopped, signal.SIGSTOP)
    for scan in range(4):
        pooling.submit(scan, content=JPEG)
    errors = [pooling.outcome(scan).error for scan in range(4)]
    assert [type(error) for error in errors if error is not None] == [TimedOut]
    assert not is_alive(stopped)


def test_a_worker_that_stops_reading_its_channel_is_timed_out(start: Start) -> None:
    """More bytes than a socket holds, to a worker that takes none, are given up in time as well."""
    pooling = start(timeout=2.0)
    (stopped,) = pooling.ready()
    os.kill(stopped, signal.SIGSTOP)
    pooling.submit(1, content=JPEG + bytes(5_000_000))
    assert isinstance(pooling.outcome(1).error, TimedOut)


@pytest.mark.parametrize("engine", ["eat-memory", "starve-interpreter"])
def test_memory_above_the_limit_is_refused(start: Start, engine: str) -> None:
    """A scan that needs too much memory is known as such, and the next one gets a fresh worker."""
    pooling = start(max_memory=2_000_000_000)
    (first,) = pooling.ready()
    pooling.submit(1, engine)
    assert isinstance(pooling.outcome(1).error, OutOfMemory)
    pooling.submit(2)
    assert pooling.worker_of(2) != first
    assert pooling.events(WorkerLost) == []


def test_a_scan_too_large_to_be_handed_over_is_not_tried_for_ever(start: Start) -> None:
    """A worker without the memory to take a scan's bytes is not replaced again and again for it."""
    probe = start()
    size = psutil.Process(probe.ready()[0]).memory_info().vms
    pooling = start(max_memory=size + 100_000_000)
    pooling.ready()
    pooling.submit(1, content=JPEG + bytes(200_000_000))
    assert pooling.outcome(1, timeout=10).error is not None
    pooling.submit(2)
    assert pooling.page(2)


def test_a_worker_that_dies_while_starting_is_told(start: Start) -> None:
    """An engine whose loading kills the process is a lost worker, and no restart storm."""
    begun = time.monotonic()
    pooling = start(engine="dies-early")
    until(lambda: len(pooling.events(WorkerLost)) >= 3, GENEROUS, "three tries")
    assert time.monotonic() - begun >= 0.5 + 1.0
    first = pooling.events(WorkerLost)[0]
    assert (first.how, first.phase, first.scan) == ("exited with code 3", "starting", None)


@pytest.mark.parametrize(("name", "how"), [("crashes", "exited with code 9"), ("hangs", "stuck and had to be killed")])
def test_a_format_that_ends_its_worker_is_the_scans_fault(
    start: Start, formats: tuple[str, ...], name: str, how: str
) -> None:
    """The attempt counts, and the next scan is rendered with the same format."""
    pooling = start(formats=formats, timeout=3.0)
    pooling.submit(1, wanted=request("txt", name, path="bad.jpg"))
    assert isinstance(pooling.outcome(1).error, TimedOut if name == "hangs" else WorkerDied)
    (lost,) = pooling.events(WorkerLost)
    assert (lost.how, lost.phase, lost.scan) == (how, "reading", 1)
    assert (pooling.attempts[1], pooling.refunds[1]) == (1, 0)
    pooling.submit(2, wanted=request("txt", name))
    assert [ending for ending, _ in pooling.rendered(2).sidecars] == [name, "txt"]


def test_a_cached_page_for_a_process_just_killed_is_rendered_by_another(start: Start) -> None:
    """No attempt is counted, and so none is taken back."""
    pooling = start(engine=None)
    until(lambda: pooling.pool.ready, GENEROUS, "a process that renders")
    (first,) = pooling.pool.pids
    os.kill(first, signal.SIGKILL)
    pooling.submit_packed(1, pack(page_of("word")))
    assert pooling.rendered(1).summary.words == 1
    assert first not in pooling.pool.pids
    assert (pooling.attempts, pooling.refunds, pooling.events(Begun)) == ({}, {}, [])
    (lost,) = pooling.events(WorkerLost)
    assert (lost.phase, lost.scan) == ("idle", None)


_PARENT = """
import sys, time
from tests.contract.pooling import Pooling
pooling = Pooling(2)
pooling.ready(2)
pooling.submit(1, "spawns-and-hangs", sys.argv[1])
print(*pooling.pool.pids, flush=True)
time.sleep(1000)
"""


def test_workers_and_their_programs_die_with_the_parent(faulty: None, tmp_path: Path) -> None:
    """When the daemon is killed, neither a busy nor an idle worker, nor what one of them started, is left."""
    with subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path / "pids")], stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            workers = [int(pid) for pid in parent.stdout.readline().split()]
            assert len(workers) == 2
            worker, program = started_by_engine(tmp_path / "pids")
            assert worker in workers
        finally:
            parent.kill()
    until(lambda: not any(map(is_alive, (*workers, program))), what="the end of all that the parent had started")
