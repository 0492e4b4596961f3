"""Nothing on the event loop waits for a disk or takes long: asyncio itself is the witness."""

from __future__ import annotations

import asyncio
import signal
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
CONFIG = '[settle]\ngive_up_after = "{seconds}s"\n[log]\nlevel = "debug"\n'


def test_no_step_of_a_busy_run_is_slow(tmp_path: Path) -> None:
    """Scans, copies of them, broken ones, a reload and a stop: no step of the event loop takes more than 50 ms."""
    environment = {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    with DaemonProcess(tmp_path, config=CONFIG.format(seconds=2), environment=environment, program=WITNESS) as daemon:
        daemon.wait_ready()
        for number in range(SCANS):
            put(daemon.inbox, f"{number}.jpg", scan(number % 7))
        put(daemon.inbox, "half.jpg", scan(1)[:2000])
        put(daemon.inbox, "none.jpg", b"%PDF-1.4 and so on")
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

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(block())
    assert any("Executing" in record.getMessage() for record in caplog.records)
