"""``ocrwatch status --watch``, on a terminal and for programs."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.daemon_process import PROGRAM, DaemonProcess, clean_environment, run_ocrwatch, write_config
from tests.system.dropping import put, scan
from tests.system.terminal import Terminal
from tests.waiting import until

CTRL_C = b"\x03"
SHOW_CURSOR = b"\x1b[?25h"


def test_it_follows_a_daemon_through_its_life(tmp_path: Path) -> None:
    """Not there, watching, paused, watching again, stopped, started once more; Ctrl-C ends it with 0."""
    write_config(tmp_path, None)
    with Terminal(tmp_path, "status", "--watch") as terminal:
        until(lambda: "not running" in terminal.shown, what="it says that none runs")
        with DaemonProcess(tmp_path) as daemon:
            daemon.wait_ready()
            until(lambda: f"process {daemon.pid}" in terminal.shown, what="it sees the daemon")
            daemon.archive.rename(tmp_path / "away")
            put(daemon.inbox, "one.jpg", scan(1))
            until(lambda: "paused since" in terminal.shown, what="it sees the pause")
            (tmp_path / "away").rename(daemon.archive)
            daemon.wait_for("scan.delivered")
            until(lambda: "1 since the start" in terminal.shown, what="it sees the delivery")
            daemon.stop()
        until(lambda: "It stopped at" in terminal.shown, what="it sees the stop")
        with DaemonProcess(tmp_path) as daemon:
            daemon.wait_ready()
            until(lambda: f"process {daemon.pid}" in terminal.shown, what="it sees the next one")
            terminal.type(CTRL_C)
            assert terminal.wait() == 0
    assert "Traceback" not in terminal.shown
    assert "Abort" not in terminal.shown
    assert terminal.raw.rstrip().endswith(SHOW_CURSOR)


def test_a_narrow_terminal_cuts_lines(tmp_path: Path) -> None:
    """What is too long for the terminal is cut with an ellipsis instead of wrapped; SIGTERM leaves a clean terminal."""
    write_config(tmp_path, None)
    with Terminal(tmp_path, "status", "--watch", columns=30) as terminal:
        until(lambda: "not running" in terminal.shown)
        assert all(len(line) <= 30 for line in terminal.shown.splitlines())
        terminal.process.terminate()
        assert terminal.wait() == 0
        assert terminal.raw.rstrip().endswith(SHOW_CURSOR)


def test_without_a_terminal_it_says_what_to_do(tmp_path: Path) -> None:
    """In a pipe it would be rubbish: the way for programs is named."""
    answer = run_ocrwatch(tmp_path, "status", "--watch")
    assert answer.returncode == 2
    assert "--json" in answer.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, None])
def test_for_programs(tmp_path: Path, ending: signal.Signals | None) -> None:
    """--watch --json prints one object a line, until it is told to stop or nobody reads any more."""
    write_config(tmp_path, None)
    with subprocess.Popen(
        [*PROGRAM, "status", "--watch", "--json"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(2):
            assert json.loads(process.stdout.readline()) == {"running": False}
        if ending is None:
            process.stdout.close()
        else:
            process.send_signal(ending)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_if_started_in_the_background(tmp_path: Path, ending: signal.Signals) -> None:
    """A shell script starts its background commands with SIGINT ignored; each signal ends it with 0 nevertheless."""
    write_config(tmp_path, None)
    with subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *PROGRAM, "status", "--watch", "--json"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline()) == {"running": False}
            process.send_signal(ending)
            assert process.wait(20) == 0
        finally:
            process.kill()
