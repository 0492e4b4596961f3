"""The first worker is started before the settings and the rest of the daemon are loaded."""

from __future__ import annotations

import subprocess
import sys

import psutil

from ocrwatch.executors.spawning import discard_early, early_worker
from ocrwatch.executors.worker_process import WorkerProcess
from tests.contract.pooling import GENEROUS, is_alive
from tests.waiting import until


def started() -> set[int]:
    """Return the processes of this one."""
    return {child.pid for child in psutil.Process().children()}


def test_the_first_slot_gets_the_worker() -> None:
    """It is a process that runs already; the next slot starts one of its own."""
    before = started()
    with early_worker():
        (early,) = started() - before
        first, second = WorkerProcess.spawn(None), WorkerProcess.spawn(None)
        try:
            assert first.pid == early
            assert second.pid != early
            assert first.scratch != second.scratch
        finally:
            first.kill()
            second.kill()


def test_a_worker_that_no_slot_takes_ends() -> None:
    """A start may be refused before there are slots."""
    before = started()
    with early_worker():
        (early,) = started() - before
    until(lambda: not is_alive(early), GENEROUS, "the end of the early worker")


def test_a_process_that_renders_is_another() -> None:
    """It has no need of what reading loads."""
    before = started()
    with early_worker():
        (early,) = started() - before
        renderer = WorkerProcess.spawn(None, reads=False)
        try:
            assert renderer.pid != early
        finally:
            renderer.kill()


def test_a_discarded_worker_is_given_to_no_slot() -> None:
    """Another executor has no use for it; and one that root started must not serve the service's user."""
    before = started()
    with early_worker():
        (early,) = started() - before
        discard_early()
        assert not is_alive(early)
        worker = WorkerProcess.spawn(None)
        try:
            assert worker.pid != early
        finally:
            worker.kill()


def test_it_starts_before_anything_slow_is_loaded() -> None:
    """Loading the settings takes as long as the worker needs to load its libraries."""
    code = "import sys, ocrwatch.executors.spawning; print([m for m in ('pydantic', 'msgspec') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
