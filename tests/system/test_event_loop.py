"""Nothing on the event loop waits for a disk or takes long: asyncio itself is the witness."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.system.dropping import put, scan
from tests.system.slow_callbacks import MARK, SLOWEST, Loop

WITNESS = (sys.executable, "-m", "tests.system.slow_callbacks")
ROOT = Path(__file__).parents[2]
SCANS = 60
_SPIN = "import os; os.sched_setaffinity(0, {{{core}}}); print(flush=True)\nwhile True: pass"
CONFIG = '[settle]\ngive_up_after = "{seconds}s"\n[log]\nlevel = "debug"\n'


def test_no_step_of_a_busy_run_is_slow(tmp_path: Path) -> None:
    """Scans, copies of them, broken ones, a reload and a stop: no step of the event loop takes more than 50 ms.

    The time in which it waits for a core does not count.
    """
    environment = {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    with DaemonProcess(tmp_path, config=CONFIG.format(seconds=2), environment=environment, program=WITNESS) as daemon:
        daemon.wait_ready()
        for number in range(SCANS):
            put(daemon.inbox, f"{number}.jpg", scan(number % 7))
        put(daemon.inbox, "half.jpg", scan(1)[:2000])
        put(daemon.inbox, "none.jpg", b"GIF89a and so on")
        (tmp_path / "ocrwatch.toml").write_text(CONFIG.format(seconds=1))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("daemon.reloaded")
        daemon.wait_for("scan.delivered", count=SCANS)
        daemon.wait_for("scan.quarantined", count=2)
        assert daemon.stop() == 0
    assert daemon.complaints == [MARK]


def test_a_slow_step_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """The witness sees what the test above is to find."""

    async def block() -> None:
        time.sleep(2 * SLOWEST)  # noqa: ASYNC251 - the very fault

    async def compute() -> None:
        until = time.thread_time() + 1.5 * SLOWEST
        while time.thread_time() < until:
            pass

    with asyncio.Runner(loop_factory=Loop) as runner:
        for number, fault in enumerate((block, compute), 1):
            runner.run(fault())
            assert len([record for record in caplog.records if "Executing" in record.getMessage()]) == number


def test_a_step_that_waits_for_a_core_is_not_slow(caplog: pytest.LogCaptureFixture) -> None:
    """On a busy machine any step may take long."""
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this kernel does not count it")
    core = min(os.sched_getaffinity(0))
    rivals = [
        subprocess.Popen([sys.executable, "-c", _SPIN.format(core=core)], stdout=subprocess.PIPE) for _ in range(4)
    ]

    async def compute() -> float:
        begun, until = time.monotonic(), time.thread_time() + SLOWEST / 2
        while time.thread_time() < until:
            pass
        return time.monotonic() - begun

    usual = os.sched_getaffinity(0)
    try:
        for rival in rivals:
            assert rival.stdout is not None
            rival.stdout.readline()
        os.sched_setaffinity(0, {core})
        with asyncio.Runner(loop_factory=Loop) as runner:
            assert runner.run(compute()) > SLOWEST
    finally:
        os.sched_setaffinity(0, usual)
        for rival in rivals:
            rival.kill()
            rival.communicate()
    assert not [record for record in caplog.records if "Executing" in record.getMessage()]
