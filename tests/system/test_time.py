"""Wrong clocks: a scan's time of any century and a clock that steps change nothing but what is shown."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.faulty_engines import install
from tests.system.dropping import delivered, files, only_once, put, scan
from tests.waiting import until

HOUR = 3600

_NOW_IS = 1_780_000_000
TIMES = {
    "before-1970": -5 * HOUR,
    "1970": 0,
    "an-hour-ago": _NOW_IS - HOUR,
    "in-an-hour": _NOW_IS + HOUR,
    "2107": 4_340_000_000,
    "2300": 10_413_792_000,
    "year-33658": 10**12,
}


@pytest.fixture(scope="module")
def _any_time() -> Iterator[DaemonProcess]:
    """Start a daemon whose folders are in memory, where a file may have any time."""
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("no file system in memory")
    folder = Path(tempfile.mkdtemp(prefix="ocrwatch-test-", dir="/dev/shm"))
    try:
        with DaemonProcess(folder, "--set", "watch.rescan=1s") as daemon:
            yield daemon.wait_ready()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def any_time(_any_time: DaemonProcess) -> Iterator[DaemonProcess]:
    """Return a daemon that several tests share."""
    yield _any_time
    _any_time.print_log()


def _put_at(inbox: Path, name: str, data: bytes, when: int) -> None:
    hidden = inbox / ".dated"
    hidden.write_bytes(data)
    os.utime(hidden, (when, when))
    hidden.rename(inbox / name)


@pytest.mark.parametrize("when", TIMES)
def test_scan_of_any_time_is_read(any_time: DaemonProcess, when: str) -> None:
    """A scan whose time is long past or to come is read as soon as any other, and keeps its time in the archive."""
    _put_at(any_time.inbox, f"{when}.jpg", scan(1), TIMES[when])
    delivered(any_time, f"{when}.jpg", 1)
    only_once(any_time, f"{when}.jpg")
    assert (any_time.archive / f"{when}.jpg").stat().st_mtime == TIMES[when]


@pytest.mark.parametrize("when", TIMES)
def test_bad_scan_of_any_time_is_quarantined(any_time: DaemonProcess, when: str) -> None:
    """The reason of a scan that cannot be read can be written whatever the scan's time is."""
    _put_at(any_time.inbox, f"bad-{when}.jpg", scan(1).replace(b"\xff\xc0", b"\xff\xc3", 1), TIMES[when])
    any_time.wait_for("scan.quarantined", path=f"bad-{when}.jpg", timeout=15)
    reason = json.loads((any_time.quarantine / f"bad-{when}.jpg.reason.json").read_bytes())
    assert bool(reason["modified_at"]) == (when != "year-33658"), "a calendar ends with the year 9999"


def test_time_that_jumps_while_it_settles(any_time: DaemonProcess) -> None:
    """A writer whose clock is off, and a program that sets the time back, do not keep a scan from being read."""
    path = any_time.inbox / "jumping.jpg"
    path.write_bytes(scan(2))
    for when in (_NOW_IS + HOUR, 0, _NOW_IS - HOUR):
        os.utime(path, (when, when))
    delivered(any_time, "jumping.jpg", 2)
    only_once(any_time, "jumping.jpg")


STEPPED = """
import time

_real = time.time
_offset = {path!r}


def _stepped() -> float:
    try:
        with open(_offset) as file:
            return _real() + float(file.read() or 0)
    except OSError:
        return _real()


time.time = _stepped
"""
"""What Python runs at its start in the daemon and its workers: their wall clock is off by what a file says."""


class _Clock:
    """The wall clock of a daemon, to be stepped from outside."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        install(folder)
        self._offset = folder / "offset"
        (folder / "sitecustomize.py").write_text(STEPPED.format(path=str(self._offset)))
        self.environment = {"PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parents[2])])}

    def step(self, seconds: int) -> None:
        """Set the clock to the true time and ``seconds``."""
        new = self._offset.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._offset)


@pytest.fixture
def clock(tmp_path: Path) -> _Clock:
    """Return a clock that can be stepped."""
    return _Clock(tmp_path / "clock")


RETRYING = """
[settle]
stable_for = "200ms"
[workers]
timeout = "300ms"
[retry]
attempts = 3
first_delay = "1s"
max_delay = "2s"
[[profiles]]
match = "crash/**"
[profiles.ocr]
engine = "crash"
"""


@pytest.mark.parametrize("seconds", [-30 * 24 * HOUR, HOUR])
def test_clock_that_steps_while_scans_settle_and_rest(tmp_path: Path, clock: _Clock, seconds: int) -> None:
    """A step of the clock neither delays nor loses scans; bad ones are tried as often as ever, also after a kill."""
    with DaemonProcess(tmp_path, config=RETRYING, environment=clock.environment) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "crash/bad.jpg", scan(1))
        daemon.wait_for("scan.retrying", attempt=1)
        clock.step(seconds)
        put(daemon.inbox, "good.jpg", scan(2))
        delivered(daemon, "good.jpg", 2)
        daemon.wait_for("scan.retrying", attempt=2, timeout=8)
        daemon.kill()
        clock.step(-seconds)
    with DaemonProcess(tmp_path, environment=clock.environment) as daemon:
        event = daemon.wait_for("scan.quarantined", path="crash/bad.jpg", timeout=8)
        assert (event["code"], event["attempt"]) == ("worker-died", 3)
        assert files(daemon.outbox) == {"good.txt"}
        assert len(files(daemon.quarantine)) == 2


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_clock_that_steps_in_a_pause(tmp_path: Path, clock: _Clock, seconds: int) -> None:
    """A pause ends in time whatever the clock does meanwhile, and no negative time is told."""
    with DaemonProcess(tmp_path, config=RETRYING, environment=clock.environment) as daemon:
        daemon.wait_ready()
        daemon.archive.rename(tmp_path / "away")
        put(daemon.inbox, "one.jpg", scan(1))
        daemon.wait_for("daemon.paused")
        clock.step(seconds)
        (tmp_path / "away").rename(daemon.archive)
        resumed = daemon.wait_for("daemon.resumed", timeout=10)
        delivered(daemon, "one.jpg", 1)
        assert 0 <= resumed["paused_s"] < 60
        until(lambda: json.loads(run_ocrwatch(tmp_path, "status", "--json").stdout)["state"] == "watching")


def test_once_waits_out_a_pause_although_the_clock_steps(tmp_path: Path, clock: _Clock) -> None:
    """A step of the clock does not make ``once`` give up a pause of a moment."""
    names = {f"{number}.jpg" for number in range(20)}
    for number, name in enumerate(names):
        put(tmp_path / "inbox", name, scan(number))
    slowly = '[ocr]\nengine = "slow"\nwhitelist = "0.3"\n'
    with DaemonProcess(tmp_path, command="once", config=slowly, environment=clock.environment) as run:
        run.wait_for("scan.delivered")
        run.archive.rename(tmp_path / "away")
        until(lambda: run.events("daemon.paused") or run.process.poll() is not None, 40)
        clock.step(HOUR)
        until(lambda: (run.state / "status.json").stat().st_mtime and run.process.poll() is None)
        (tmp_path / "away").rename(run.archive)
        assert run.wait() == 0
        assert files(run.archive) == names
