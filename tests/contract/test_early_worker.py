"""The first worker is started before the rest of the daemon is loaded."""

from __future__ import annotations

import psutil

from ocrwatch.executors.early_worker import early_worker
from ocrwatch.executors.worker_handle import WorkerProcess
from ocrwatch.settings import Settings
from tests.contract.pooling import GENEROUS, is_alive
from tests.waiting import until


def started() -> set[int]:
    """Return the processes of this one."""
    return {child.pid for child in psutil.Process().children()}


def test_the_first_slot_gets_the_worker() -> None:
    """It is a process that runs already; the next slot starts one of its own."""
    before = started()
    with early_worker(Settings()):
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
    with early_worker(Settings()):
        (early,) = started() - before
    until(lambda: not is_alive(early), GENEROUS, "the end of the early worker")


def test_a_process_that_renders_is_another() -> None:
    """It has no need of what reading loads."""
    before = started()
    with early_worker(Settings()):
        (early,) = started() - before
        renderer = WorkerProcess.spawn(None, reads=False)
        try:
            assert renderer.pid != early
        finally:
            renderer.kill()


def test_another_executor_has_no_use_for_it() -> None:
    """Its scans are read elsewhere."""
    before = started()
    settings = Settings()
    settings = settings.model_copy(update={"workers": settings.workers.model_copy(update={"executor": "elsewhere"})})
    with early_worker(settings):
        assert started() == before
