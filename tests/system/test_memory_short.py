"""No memory for a worker or a scan: it pauses, says so, goes on by itself, and quarantines nothing."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.faulty_engines import install
from tests.rendering import render
from tests.system.dropping import delivered, emptied, files, put, scan, temporary_files
from tests.waiting import until

_COMMENT = b"\xff\xfe\xff\xff" + bytes(65533)
"""The longest segment that a JPEG may have."""

_MB = 1 << 20
_ROOM = 4 * _MB
_CONTROL_GROUPS = Path("/sys/fs/cgroup")

CONFIG = """
[workers]
count = 2
[ocr]
engine = "{engine}"
whitelist = "{argument}"
[enhance]
enabled = false
"""


def large(number: int) -> bytes:
    """Return a scan of some 100 MB, more than an arena of malloc has, that is quickly read."""
    data = scan(number)
    return data[:2] + _COMMENT * 1600 + data[2:]


def with_engine(folder: Path, engine: str, argument: object) -> DaemonProcess:
    """Return a daemon whose workers have one of the tests' engines."""
    install(folder)
    root = Path(__file__).parents[2]
    config = CONFIG.format(engine=engine, argument=argument)
    return DaemonProcess(folder, config=config, environment={"PYTHONPATH": f"{folder}:{root}"})


def test_a_scan_for_which_the_daemon_has_no_memory_is_waited_with(tmp_path: Path) -> None:
    """Its bytes cannot be loaded: a pause that names memory; when there is some, all is read."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        pages = int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[0])
        _, most = resource.prlimit(daemon.pid, resource.RLIMIT_AS)
        resource.prlimit(daemon.pid, resource.RLIMIT_AS, (pages * resource.getpagesize() + _ROOM, most))
        put(daemon.inbox, "scan1.jpg", large(1))
        paused = daemon.wait_for("daemon.paused")
        assert "memory" in paused["reason"]
        assert "memory" in paused["remedy"]
        put(daemon.inbox, "scan2.jpg", scan(2))
        resource.prlimit(daemon.pid, resource.RLIMIT_AS, (most, most))
        daemon.wait_for("daemon.resumed")
        for number in (1, 2):
            delivered(daemon, f"scan{number}.jpg", number)
        emptied(daemon.inbox)
        assert not files(daemon.quarantine)
        assert not temporary_files(daemon)
        assert not daemon.events("scan.failed")


def test_workers_that_cannot_start_are_waited_for(tmp_path: Path) -> None:
    """Running workers are killed and new ones die as they load: a pause; when they live again, all is read."""
    short = tmp_path / "memory-is-short"
    with with_engine(tmp_path, "dies-early-now", short) as daemon:
        daemon.wait_ready()
        daemon.wait_for("worker.started", count=2)
        short.touch()
        for worker in daemon.workers():
            os.kill(worker, signal.SIGKILL)
        paused = daemon.wait_for("daemon.paused", cause="workers")
        assert "worker" in paused["reason"]
        put(daemon.inbox, "scan1.jpg", scan(1))
        daemon.wait_for("worker.died", phase="starting", count=3)
        short.unlink()
        daemon.wait_for("daemon.resumed", cause="workers")
        assert daemon.wait_for("scan.delivered", path="scan1.jpg")["attempt"] == 1
        assert not files(daemon.quarantine)


@pytest.fixture
def small_group() -> Iterator[Path]:
    """Make a control group whose processes have 700 MB together."""
    for controller, limit, swap in (
        (_CONTROL_GROUPS, "memory.max", "memory.swap.max"),
        (_CONTROL_GROUPS / "memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    ):
        group = controller / f"ocrwatch-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if not (group / limit).exists():
                continue
            (group / limit).write_text(f"{700 * _MB}")
            if (group / swap).exists():
                (group / swap).write_text("0" if swap == "memory.swap.max" else f"{700 * _MB}")
            yield group
            return
        except PermissionError:
            continue
        finally:
            _remove(group)
    pytest.skip("no control group with a limit of memory can be made here")


def _remove(group: Path) -> None:
    """Remove a control group once its processes are gone."""
    deadline = time.monotonic() + 20
    while True:
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def test_a_worker_that_the_kernel_ends_for_want_of_memory_costs_no_scan(tmp_path: Path, small_group: Path) -> None:
    """Two scans at once are more than the machine has: none is blamed, and one after the other they are read."""
    with with_engine(tmp_path, "touching", 400) as daemon:
        daemon.wait_ready()
        daemon.wait_for("worker.started", count=2)
        for pid in (daemon.pid, *daemon.workers()):
            (small_group / "cgroup.procs").write_text(str(pid))
        for number in range(2):
            put(daemon.inbox, f"scan{number}.jpg", render(f"scan {number}", size=20))
        waiting = daemon.wait_for("scan.waiting")
        assert "memory is short" in waiting["reason"]
        assert "memory" in daemon.wait_for("daemon.paused", cause="memory")["remedy"]
        daemon.wait_for("scan.delivered", count=2, timeout=90)
        daemon.wait_for("daemon.resumed", cause="memory")
        until(lambda: not list(daemon.inbox.glob("*.jpg")), what="the inbox is empty")
        assert not files(daemon.quarantine)
        assert not daemon.events("scan.retrying")
