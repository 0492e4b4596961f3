"""A pool whose parent has no memory left, or a disk that refuses: slots go on, and scans are not blamed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.errors import EnvironmentFault, ScanFault
from ocrwatch.executors import spawning
from ocrwatch.executors.events import WorkerUnfit
from ocrwatch.executors.ipc import Channel, Job, Setup
from ocrwatch.executors.worker_process import WorkerProcess
from tests.contract.pooling import Start
from tests.waiting import until


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))])
def test_a_worker_that_cannot_be_started_is_started_later(
    error: Exception, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No memory for a process: it is told, and tried again."""
    spawn, refusals = WorkerProcess.spawn, [error]

    def refuse_first(scratch: Path | None, *, reads: bool) -> WorkerProcess:
        if refusals:
            raise refusals.pop()
        return spawn(scratch, reads=reads)

    monkeypatch.setattr(WorkerProcess, "spawn", refuse_first)
    pooling = start()
    pooling.ready()
    (unfit,) = pooling.events(WorkerUnfit)
    assert isinstance(unfit.error, EnvironmentFault)
    assert "memory" in unfit.error.message


def test_a_scan_that_cannot_be_handed_over_is_not_to_blame(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory to send a scan: the environment's fault, and the slot goes on with a fresh worker."""
    send, refusals = Channel.send, [MemoryError()]

    def refuse_first(channel: Channel[Setup | Job, Any], message: Setup | Job, deadline: float | None = None) -> None:
        if refusals and isinstance(message, Job):
            raise refusals.pop()
        send(channel, message, deadline)

    monkeypatch.setattr(Channel, "send", refuse_first)
    pooling = start()
    pooling.ready()
    pooling.submit(1)
    error = pooling.outcome(1).error
    assert isinstance(error, EnvironmentFault)
    assert not isinstance(error, ScanFault)
    pooling.submit(2)
    assert pooling.page(2)


def test_a_slot_outlives_a_disk_that_refuses_to_clear_away(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker dies and its folder cannot be removed, which Python reports in spite of ``ignore_errors``."""

    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    pooling = start()
    pooling.ready()
    with monkeypatch.context() as failing:
        failing.setattr(shutil, "rmtree", refuse)
        pooling.submit(1, "crash")
        assert isinstance(pooling.outcome(1).error, ScanFault)
        pooling.ready(2)
    pooling.submit(2)
    assert pooling.page(2)


def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, and no descriptor, whichever step it is that fails."""

    def refuse(*_arguments: object, **_keywords: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("socket.socketpair", "os.memfd_create", "subprocess.Popen"):
        with monkeypatch.context() as failing:
            module, attribute = name.split(".")
            failing.setattr(getattr(spawning, module), attribute, refuse)
            with pytest.raises(OSError, match="Too many open files"):
                WorkerProcess.spawn(tmp_path)
        until(lambda: len(list(Path("/proc/self/fd").iterdir())) == before)
        assert list(tmp_path.iterdir()) == []
