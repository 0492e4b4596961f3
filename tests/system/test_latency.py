"""How soon a complete scan's text is there, apart from the reading itself, at default settings."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.system.dropping import BY_EVENTS, scan

SCANS = 10
LIMIT_S = 0.6


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "while-others-are-archived"])
def test_text_is_there_soon_after_the_scan_is_closed(tmp_path: Path, others: int) -> None:
    """From the close of a complete file to its visible text, less the reading: in the median at most 0.6 s."""
    delays: list[float] = []
    with DaemonProcess(tmp_path, *BY_EVENTS) as daemon:
        daemon.wait_ready()
        for number in range(SCANS):
            if others:
                # Archived while the next one comes: a move out of the inbox is an event as well.
                (daemon.inbox / f"other{number}.jpg").write_bytes(scan(number + SCANS))
                daemon.wait_for("batch.started", count=2 * number + 1)
            name = f"timed{number}"
            (daemon.inbox / f"{name}.jpg").write_bytes(scan(number))
            event = daemon.wait_for("scan.delivered", path=f"{name}.jpg")
            # What the files say, since this process may be held up itself.
            closed = (daemon.archive / f"{name}.jpg").stat().st_mtime
            visible = (daemon.outbox / f"{name}.txt").stat().st_ctime
            delays.append(visible - closed - event["read_ms"] / 1000)
    figures = ", ".join(f"{delay:.2f}" for delay in delays)
    assert statistics.median(delays) <= LIMIT_S, f"seconds from close to text, less the reading: {figures}"
