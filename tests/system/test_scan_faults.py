"""Scans on which an engine hangs, crashes, eats memory or breaks: tried again, given up in the end, in nobody's way."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.daemon_process import DaemonProcess, Event
from tests.faulty_engines import install
from tests.system.dropping import delivered, files, is_read, phrase, put, scan, temporary_files, text_of
from tests.waiting import until

ENGINES = (
    "hang",
    "crash",
    "exit",
    "eat-memory",
    "rubbish",
    "spawns-and-hangs",
    "kills-ocrwatch",
    "slow-unless-plain",
    "slow",
)
LONG = 1.0
"""Seconds that a scan takes in the folder ``slow``."""

CONFIG = """
[settle]
stable_for = "200ms"
[workers]
count = 2
timeout = "{timeout}"
max_memory = "2GB"
[retry]
attempts = 3
first_delay = "500ms"
max_delay = "2s"
""" + "".join(f'[[profiles]]\nmatch = "{name}/**"\n[profiles.ocr]\nengine = "{name}"\n' for name in ENGINES).replace(
    'engine = "spawns-and-hangs"', 'engine = "spawns-and-hangs"\nwhitelist = "spawned.txt"'
).replace('engine = "slow"', f'engine = "slow"\nwhitelist = "{LONG}"')

Start = Callable[..., DaemonProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a daemon with engines that fail in the folders named after them; started again, it is a restart."""
    engines = tmp_path / "engines"
    engines.mkdir()
    install(engines)
    path = os.pathsep.join([str(engines), str(Path(__file__).parents[2])])
    running: list[DaemonProcess] = []

    def start(timeout: str = "1s") -> DaemonProcess:
        config = CONFIG.format(timeout=timeout)
        running.append(DaemonProcess(tmp_path, config=config, environment={"PYTHONPATH": path}).__enter__())
        return running[-1].wait_ready()

    yield start
    for daemon in running:
        daemon.__exit__(None, None, None)


def _reason(daemon: DaemonProcess, name: str) -> dict[str, Any]:
    reason: dict[str, Any] = json.loads((daemon.quarantine / f"{name}.reason.json").read_bytes())
    return reason


def _given_up(daemon: DaemonProcess, path: str, code: str, attempts: int) -> Event:
    """Check that a scan is quarantined whole after so many attempts, once, with growing rests between them."""
    event = daemon.wait_for("scan.quarantined", path=path)
    assert (event["code"], event["attempt"]) == (code, attempts)
    rests = [retry["retry_in_s"] for retry in daemon.events("scan.retrying", path=path, code=code)]
    assert rests == [0.5, 1.0][: attempts - 1]
    assert (_reason(daemon, path)["code"], _reason(daemon, path)["attempts"]) == (code, attempts)
    assert not (daemon.inbox / path).exists()
    assert len(daemon.events("scan.quarantined", path=path)) == 1
    return event


@pytest.mark.parametrize(
    ("engine", "code"),
    [
        ("hang", "timeout"),
        ("spawns-and-hangs", "timeout"),
        ("crash", "worker-died"),
        ("exit", "worker-died"),
        ("eat-memory", "out-of-memory"),
    ],
)
def test_fault_that_may_pass_is_tried_again(start: Start, engine: str, code: str) -> None:
    """Hangs, deaths and hunger are tried again after growing rests, then quarantined; neighbours are read meanwhile."""
    daemon = start()
    put(daemon.inbox, f"{engine}/bad.jpg", scan(1))
    daemon.wait_for("scan.retrying", path=f"{engine}/bad.jpg", attempt=1)
    for number in range(2, 6):
        put(daemon.inbox, f"good{number}.jpg", scan(number))
        delivered(daemon, f"good{number}.jpg", number)
    # Once more without enhancement, not twice: pages that take for ever must not hold workers for three time limits.
    _given_up(daemon, f"{engine}/bad.jpg", code, 2 if code == "timeout" else 3)
    assert (daemon.quarantine / f"{engine}/bad.jpg").read_bytes() == scan(1)
    assert files(daemon.quarantine) == {f"{engine}/bad.jpg", f"{engine}/bad.jpg.reason.json"}
    assert files(daemon.outbox) == {f"good{number}.txt" for number in range(2, 6)}
    assert not daemon.events("daemon.paused")
    until(lambda: len(daemon.workers()) == 2, what="there are two workers again")
    assert daemon.stop() == 0
    assert not files(daemon.inbox)
    assert not temporary_files(daemon)


def test_bug_is_quarantined_at_once_with_its_traceback_in_the_log_only(start: Start) -> None:
    """An engine's bug is no reason to try again; people get a sentence, the log the traceback."""
    daemon = start()
    put(daemon.inbox, "rubbish/bad.jpg", scan(1))
    _given_up(daemon, "rubbish/bad.jpg", "internal-error", 1)
    (failed,) = daemon.events("scan.failed", path="rubbish/bad.jpg")
    assert "ZeroDivisionError" in failed["trace"]
    assert "faulty_engines.py" in failed["trace"]
    reason = (daemon.quarantine / "rubbish/bad.jpg.reason.json").read_text()
    assert "Traceback" not in reason
    assert "faulty_engines.py" not in reason
    put(daemon.inbox, "good.jpg", scan(2))
    delivered(daemon, "good.jpg", 2)


def test_bad_scan_delays_no_other(start: Start) -> None:
    """One of each kind of bad scans among a dozen good ones: each good one is delivered at its first attempt."""
    daemon = start()
    bad = {f"{engine}/bad.jpg": engine for engine in ("hang", "crash", "exit", "eat-memory", "rubbish")}
    good = {f"scan{number}.jpg": number for number in range(12)}
    for path in bad:
        put(daemon.inbox, path, scan(1))
    for name, number in good.items():
        put(daemon.inbox, name, scan(number))
    for name, number in good.items():
        assert delivered(daemon, name, number)["attempt"] == 1
    for path in bad:
        daemon.wait_for("scan.quarantined", path=path)
    assert files(daemon.outbox) == {name.replace(".jpg", ".txt") for name in good}
    assert files(daemon.quarantine) == set(bad) | {f"{path}.reason.json" for path in bad}


def test_scans_that_were_never_tried_go_before_those_that_failed(start: Start) -> None:
    """Where more scans hang than there are workers, the good ones that wait are read before any second attempt ends."""
    daemon = start("2s")
    for number in range(4):
        put(daemon.inbox, f"hang/bad{number}.jpg", scan(number))
    daemon.wait_for("batch.started")
    for number in range(6):
        put(daemon.inbox, f"scan{number}.jpg", scan(number))
    for number in range(6):
        delivered(daemon, f"scan{number}.jpg", number)
    assert not daemon.events("scan.retrying", attempt=2)


def test_scan_that_takes_too_long_is_read_plainly_in_the_end(start: Start) -> None:
    """Its second attempt goes without enhancement; the text is delivered, and marked for review with the reason."""
    daemon = start()
    put(daemon.inbox, "slow-unless-plain/page.jpg", scan(1))
    event = daemon.wait_for("scan.delivered", path="slow-unless-plain/page.jpg")
    assert event["attempt"] == 2
    assert "read without enhancement, since reading it took too long" in event["review_reasons"]


def test_scans_that_take_too_long_never_have_all_workers(start: Start) -> None:
    """Their second attempts come last and one at a time, and the reason says what was tried."""
    daemon = start()
    for number in range(3):
        put(daemon.inbox, f"hang/bad{number}.jpg", scan(number))
    for number in range(3):
        daemon.wait_for("scan.retrying", path=f"hang/bad{number}.jpg")
    put(daemon.inbox, "good.jpg", scan(5))
    delivered(daemon, "good.jpg", 5)
    ends = [daemon.wait_for("scan.quarantined", count=count) for count in (1, 2, 3)]
    times = [datetime.fromisoformat(end["time"]) for end in ends]
    assert min((later - earlier).total_seconds() for earlier, later in pairwise(times)) > 0.9
    assert ends[0]["reason"] == "reading took longer than 1 s, and again without enhancement, after all others"


def test_scan_with_which_ocrwatch_is_killed_each_time_is_quarantined(start: Start) -> None:
    """It and its neighbours are read alone after the first time, and only the one that does it is given up."""
    daemon = start("1h")
    put(daemon.inbox, "slow/good.jpg", scan(2))
    put(daemon.inbox, "kills-ocrwatch/deadly.jpg", scan(1))
    deaths = 0
    while not daemon.events("scan.quarantined"):
        if daemon.process.poll() is not None:
            deaths += 1
            assert deaths <= 5
            daemon = start("1h")
        until(lambda: daemon.process.poll() is not None or daemon.events("scan.quarantined"), what="it dies, or not")  # noqa: B023
    (event,) = daemon.events("scan.quarantined")
    assert (event["path"], event["code"]) == ("kills-ocrwatch/deadly.jpg", "worker-died")
    assert "killed 3 times while this was the only scan in work" in event["reason"]
    until((daemon.outbox / "slow/good.txt").exists, what="the neighbour is delivered")
    put(daemon.inbox, "good.jpg", scan(3))
    delivered(daemon, "good.jpg", 3)
    assert files(daemon.outbox) == {"good.txt", "slow/good.txt"}


def test_sound_scans_are_not_blamed_for_deaths_of_ocrwatch(start: Start) -> None:
    """However often it is killed while they are in work, alone or together, each is delivered in the end."""
    names = [f"slow/scan{number}.jpg" for number in range(4)]
    daemon = start("1h")
    for number, name in enumerate(names):
        put(daemon.inbox, name, scan(number))
    for _ in range(7):
        until(lambda: _in_work(daemon) or not files(daemon.inbox), what="a scan is in work")  # noqa: B023
        daemon.kill()
        daemon = start("1h")
    texts = {name.replace(".jpg", ".txt") for name in names}
    until(lambda: files(daemon.outbox) == texts, what="all are delivered")
    assert not files(daemon.quarantine)


def _in_work(daemon: DaemonProcess) -> int:
    """Return how many scans the records have in work."""
    database = daemon.state / "ledger.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM scans WHERE state = 'reading'").fetchone()
    return int(count)


def test_two_texts_never_come_of_a_scan_that_worked_the_last_time(start: Start) -> None:
    """A scan whose worker is killed while it reads is delivered once, by the attempt that worked."""
    daemon = start("1h")
    put(daemon.inbox, "long.jpg", scan(1, 200))
    until(lambda: is_read(daemon, "long.jpg"), what="it is read")
    for worker in daemon.workers():
        os.kill(worker, 9)
    event = daemon.wait_for("scan.delivered", path="long.jpg")
    assert event["attempt"] == 2
    assert files(daemon.outbox) == {"long.txt"}
    assert text_of(daemon, "long.txt") == " ".join([phrase(1)] * 200)


def test_stops_while_the_quarantine_is_away_are_no_deaths(start: Start) -> None:
    """A scan that waits to be quarantined when ocrwatch is stopped, again and again, keeps its own reason."""
    daemon = start()
    put(daemon.inbox, "rubbish/bad.jpg", scan(1))
    for number in range(4):
        if number:
            daemon = start()
        daemon.quarantine.rename(daemon.folder / "away")
        daemon.wait_for("daemon.paused", cause="delivery")
        assert daemon.stop() == 0
        (daemon.folder / "away").rename(daemon.quarantine)
    daemon = start()
    assert not daemon.events("daemon.killed")
    assert daemon.wait_for("scan.quarantined", path="rubbish/bad.jpg")["code"] == "internal-error"
