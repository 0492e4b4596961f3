"""Starting, stopping and being killed: no scan is lost, none is read into two texts, nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, children_of, is_alive
from tests.system.dropping import delivered, emptied, files, phrase, put, scan, temporary_files, text_of
from tests.waiting import until

LONG = 240
"""Lines that take an engine a moment to read."""


def _busy(daemon: DaemonProcess) -> int:
    """Wait until a worker reads, and return its process id."""

    def running() -> list[int]:
        started = {event["pid"] for event in daemon.events("worker.started")}.intersection(daemon.workers())
        states = {pid: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in started}
        return [pid for pid, state in states.items() if state == "R"]

    # One that still loads its engine runs too.
    daemon.wait_for("daemon.ready")
    daemon.wait_for("batch.started")
    # Before, it is busy with loading its engine.
    daemon.wait_ready()
    return until(running, what="a worker reads")[0]


def _tree(daemon: DaemonProcess) -> list[int]:
    """Return the process ids of all that the daemon has started, and of what that has started."""
    workers = daemon.workers()
    return [*workers, *(child for worker in workers for child in children_of(worker))]


def _wait_gone(pids: list[int]) -> None:
    until(lambda: not any(map(is_alive, pids)), 5, f"none of the processes {pids} is left")


def test_ready_soon_after_the_start(tmp_path: Path) -> None:
    """It is ready two seconds after its start; three times that is allowed on a machine that is busy testing."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        took = time.monotonic() - daemon.started_at
    assert took < 6, f"{took:.1f} s"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_lets_what_is_being_read_finish(tmp_path: Path, number: signal.Signals) -> None:
    """Asked to stop, it delivers the scan that is being read; the others stay in the inbox for the next start."""
    names = [f"page{page}.jpg" for page in range(1, 5)]
    for page, name in enumerate(names, start=1):
        put(tmp_path / "inbox", name, scan(page, LONG if page == 1 else 1))
    with DaemonProcess(tmp_path, "--workers", "1") as daemon:
        _busy(daemon)
        processes = _tree(daemon)
        daemon.process.send_signal(number)
        assert daemon.wait() == 0
        _wait_gone(processes)
        (first,) = daemon.events("scan.delivered")
        assert first["path"] == "page1.jpg"
        assert files(daemon.inbox) == set(names[1:])
        assert daemon.events("daemon.stopping")[0]["signal"] == number.name
        assert daemon.events("daemon.stopped")[0]["delivered"] == 1
        assert not temporary_files(daemon)
    with DaemonProcess(tmp_path) as daemon:
        for name in names[1:]:
            assert daemon.wait_for("scan.delivered", path=name)["attempt"] == 1
        assert files(daemon.outbox) == {f"page{page}.txt" for page in range(1, 5)}


def _asked_again(daemon: DaemonProcess) -> bool:
    daemon.process.send_signal(signal.SIGTERM)
    return daemon.process.poll() is not None


def test_second_signal_stops_at_once(tmp_path: Path) -> None:
    """A second signal does not wait for the scan that is being read; it stays, and is no failed attempt."""
    put(tmp_path / "inbox", "long.jpg", scan(1, 400))
    with DaemonProcess(tmp_path, "--set", "workers.shutdown_timeout=1h") as daemon:
        _busy(daemon)
        processes = _tree(daemon)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("daemon.stopping")
        asked = time.monotonic()
        # Twice within a tenth of a second is one wish; whoever means it asks until it is granted.
        until(lambda: _asked_again(daemon), what="its end")
        assert time.monotonic() - asked < 3
        assert daemon.stop() == 0
        _wait_gone(processes)
        assert not daemon.events("scan.delivered")
        assert files(daemon.inbox) == {"long.jpg"}
    with DaemonProcess(tmp_path) as daemon:
        assert daemon.wait_for("scan.delivered", path="long.jpg")["attempt"] == 1


def test_grace_is_limited(tmp_path: Path) -> None:
    """A scan that takes longer than workers.shutdown_timeout does not keep it from stopping."""
    put(tmp_path / "inbox", "long.jpg", scan(1, 400))
    with DaemonProcess(tmp_path, "--set", "workers.shutdown_timeout=200ms") as daemon:
        _busy(daemon)
        assert daemon.stop(timeout=5) == 0
        assert files(daemon.inbox) == {"long.jpg"}
        assert not daemon.events("scan.delivered")


def test_signal_before_it_is_ready(tmp_path: Path) -> None:
    """Asked to stop while it still starts, it does so at once, and leaves no process behind."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("daemon.started")
        processes = until(daemon.workers)
        assert daemon.stop(timeout=5) == 0
        _wait_gone(processes)


@pytest.mark.parametrize("engine", ["tesserocr", "pytesseract"])
def test_workers_die_with_a_killed_daemon(tmp_path: Path, engine: str) -> None:
    """After kill -9 of the daemon no worker is left, and nothing that a worker has started."""
    put(tmp_path / "inbox", "long.jpg", scan(1, 400))
    with DaemonProcess(tmp_path, "--set", f"ocr.engine={engine}") as daemon:
        daemon.wait_for("batch.started")
        if engine == "pytesseract":
            processes = until(lambda: _tree(daemon) if len(_tree(daemon)) > len(daemon.workers()) else [])
        else:
            _busy(daemon)
            processes = _tree(daemon)
        daemon.kill()
        _wait_gone(processes)
        assert files(daemon.inbox) == {"long.jpg"}


@pytest.mark.parametrize("moment", [0, 3, 8])
def test_killed_in_the_middle(tmp_path: Path, moment: int) -> None:
    """Killed after some of a dozen scans and started again, it has read every scan once and left nothing unfinished."""
    numbers = {f"sub/scan{number}.jpg": number for number in range(12)}
    for name, number in numbers.items():
        put(tmp_path / "inbox", name, scan(number, 8))
    with DaemonProcess(tmp_path, "--set", "output.formats=txt,json") as daemon:
        if moment:
            daemon.wait_for("scan.delivered", count=moment)
        else:
            _busy(daemon)
        daemon.kill()
    with DaemonProcess(tmp_path, "--set", "output.formats=txt,json") as daemon:
        daemon.wait_ready()
        emptied(daemon.inbox)
        assert daemon.stop() == 0
        stems = [name.removesuffix(".jpg") for name in numbers]
        assert files(daemon.outbox) == {f"{stem}.{ending}" for stem in stems for ending in ("txt", "json")}
        assert files(daemon.archive) == set(numbers)
        assert not files(daemon.quarantine)
        assert not temporary_files(daemon)
        for stem in stems:
            number = numbers[f"{stem}.jpg"]
            assert text_of(daemon, f"{stem}.txt") == " ".join([phrase(number)] * 8)
            assert (daemon.archive / f"{stem}.jpg").read_bytes() == scan(number, 8)


def test_killed_again_and_again(tmp_path: Path) -> None:
    """However often it is killed between scans, all are read once in the end."""
    numbers = {f"scan{number}.jpg": number for number in range(6)}
    for name, number in numbers.items():
        put(tmp_path / "inbox", name, scan(number))
    for _ in range(3):
        with DaemonProcess(tmp_path, "--workers", "1") as daemon:
            until(
                lambda: daemon.events("scan.delivered") or not files(daemon.inbox), what="a delivery, if there is one"
            )
            daemon.kill()
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        emptied(daemon.inbox)
        assert daemon.stop() == 0
        assert files(daemon.outbox) == {name.replace(".jpg", ".txt") for name in numbers}
        assert files(daemon.archive) == set(numbers)
        assert not temporary_files(daemon)


def test_killed_worker_costs_one_attempt(tmp_path: Path) -> None:
    """A scan whose worker is killed is tried again and delivered; its neighbour does not notice."""
    put(tmp_path / "inbox", "victim.jpg", scan(1, 100))
    with DaemonProcess(tmp_path, "--workers", "2", "--set", "retry.first_delay=100ms") as daemon:
        worker = _busy(daemon)
        signal_sent = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        died = daemon.wait_for("worker.died", pid=worker)
        assert died["phase"] == "reading"
        assert "SIGKILL" in died["how"]
        retrying = daemon.wait_for("scan.retrying", path="victim.jpg")
        assert (retrying["attempt"], retrying["code"]) == (1, "worker-died")
        put(daemon.inbox, "neighbour.jpg", scan(2))
        delivered(daemon, "neighbour.jpg", 2)
        assert daemon.wait_for("scan.delivered", path="victim.jpg")["attempt"] == 2
        assert time.monotonic() - signal_sent < 30
        until(lambda: len(daemon.workers()) == 2, what="there are two workers again")


def test_killed_idle_worker_costs_nothing(tmp_path: Path) -> None:
    """Where all idle workers are killed, others take their places, and no scan pays for it."""
    with DaemonProcess(tmp_path, "--workers", "2") as daemon:
        daemon.wait_for("worker.started", count=2)
        for worker in daemon.workers():
            os.kill(worker, signal.SIGKILL)
        put(daemon.inbox, "next.jpg", scan(1))
        assert delivered(daemon, "next.jpg", 1)["attempt"] == 1
        assert not daemon.events("scan.retrying")


def test_scan_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    """A scan that is over the time limit in every attempt is quarantined; the others are read meanwhile."""
    config = '[workers]\ntimeout = "700ms"\ncount = 1\n[retry]\nattempts = 2\nfirst_delay = "100ms"\n'
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "endless.jpg", scan(1, 400))
        put(daemon.inbox, "short.jpg", scan(2))
        delivered(daemon, "short.jpg", 2)
        event = daemon.wait_for("scan.quarantined", path="endless.jpg")
        assert (event["code"], event["attempt"]) == ("timeout", 2)
        assert "workers.timeout" in event["remedy"]
        assert len(daemon.events("scan.retrying", path="endless.jpg", code="timeout")) == 1
        put(daemon.inbox, "after.jpg", scan(3))
        delivered(daemon, "after.jpg", 3)


def test_workers_are_replaced_in_time(tmp_path: Path) -> None:
    """A worker is replaced after workers.max_scans scans, and no scan is lost in between."""
    with DaemonProcess(tmp_path, "--workers", "1", "--set", "workers.max_scans=2") as daemon:
        for number in range(5):
            put(tmp_path / "inbox", f"scan{number}.jpg", scan(number))
        for number in range(5):
            delivered(daemon, f"scan{number}.jpg", number)
        assert len({event["pid"] for event in daemon.events("worker.started")}) >= 3
        assert not daemon.events("worker.died")
