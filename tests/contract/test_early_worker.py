"""The first worker is started before the settings and the rest of the daemon are loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ocrwatch.checks.machine import Service
from ocrwatch.commands import configuration
from ocrwatch.commands.configuration import configuration_for_work
from ocrwatch.executors.spawning import early_worker
from ocrwatch.executors.worker_process import WorkerProcess
from tests.contract.pooling import is_alive

LOADED_AT_SPAWN = """
import sys
from ocrwatch import cli
from ocrwatch.executors import spawning

def spawn(role):
    print("spawned with", sorted({"ocrwatch.settings", "msgspec", "structlog", "rich"} & set(sys.modules)))
    raise OSError

spawning.spawn = spawn
cli.main(sys.argv[1:])
"""


def folders(root: Path) -> dict[str, object]:
    """Return the options that name the folders."""
    return {name: root / name for name in ("inbox", "outbox", "archive", "quarantine", "state")}


def descriptors() -> int:
    """Return how many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


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
    assert not is_alive(early)


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


def test_a_worker_that_ended_is_given_to_no_slot() -> None:
    """The kernel may have ended it for want of memory: the slot starts another, and no death is reported."""
    before = started()
    with early_worker():
        (early,) = started() - before
        os.kill(early, signal.SIGKILL)
        os.waitid(os.P_PID, early, os.WEXITED | os.WNOWAIT)
        worker = WorkerProcess.spawn(None)
        try:
            assert worker.pid != early
            assert worker.is_alive
        finally:
            worker.kill()


def test_an_early_worker_leaves_nothing_behind() -> None:
    """Neither a process nor a descriptor."""
    before = started(), descriptors()
    with early_worker():
        assert (started(), descriptors()) != before
    assert (started(), descriptors()) == before


def test_another_executor_has_no_use_for_it(tmp_path: Path) -> None:
    """Its scans are read elsewhere."""
    before = started()
    with early_worker():
        configuration_for_work(None, folders(tmp_path), ["workers.executor=elsewhere"])
        assert started() == before


def test_a_worker_of_root_does_not_serve_the_user_of_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends before root's rights are given up, since it would keep them."""
    before = started()

    def left(_service: Service) -> None:
        assert started() == before

    service = Service("ocrwatch.service", "active", "enabled", "ocrwatch", tmp_path / "state", 0)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(configuration, "service_of", lambda _path: service)
    monkeypatch.setattr(configuration, "become_user_of", left)
    with early_worker():
        assert started() != before
        configuration_for_work(None, folders(tmp_path), [])
        assert started() == before


@pytest.mark.parametrize("command", ["run", "once"])
def test_it_starts_before_anything_slow_is_loaded(command: str, tmp_path: Path) -> None:
    """Loading the settings and the daemon takes as long as the worker needs to load its libraries."""
    ended = subprocess.run(
        [sys.executable, "-c", LOADED_AT_SPAWN, command, "--config", tmp_path / "missing.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "spawned with []\n"
    assert "missing.toml" in ended.stderr
