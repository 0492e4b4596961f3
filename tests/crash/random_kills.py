"""Kills ``ocrwatch run`` and its workers at random moments while scans keep coming, and counts what became of them.

``python -m tests.crash.random_kills --kills 300`` prints the figures; it exits with 1 if a scan was lost, doubled or
left half done.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.crash.command import carry_out
from tests.crash.scenario import CONFIG, Differences, EndState, Places, engine_path, scans_in
from tests.daemon_process import PROGRAM, children_of, clean_environment
from tests.rendering import render, with_comment
from tests.waiting import until

FORMATS = ("json", "txt")
MOST_WAITING = 60
DRAIN_TIMEOUT = 120.0
LONGEST_LIFE = 2.2
_TEXTS = 12


@dataclass
class Figures:
    """What a storm did and what was left after it."""

    kills: int
    worker_kills: int = 0
    dropped: dict[str, str] = field(default_factory=dict)
    """Name of each scan below the inbox and the hash of its bytes."""
    delivered_before_the_last_kill: int = 0
    seconds: float = 0.0
    differences: Differences = field(default_factory=Differences)

    @property
    def failed(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.differences)

    def __str__(self) -> str:
        found = self.differences
        return (
            f"{self.kills} kills of the daemon and {self.worker_kills} of workers in {self.seconds:.0f} s, "
            f"{len(self.dropped)} scans, {self.delivered_before_the_last_kill} of them delivered between kills; "
            f"lost {len(found.lost)}, doubled {len(found.doubled)}, partial {len(found.partial)}, "
            f"other differences {len(found.other)}"
        )


class Dropper:
    """Drops scans into an inbox, most with bytes of their own, as long as not too many wait there."""

    def __init__(self, inbox: Path, interval: float) -> None:
        self.dropped: dict[str, str] = {}
        self._inbox = inbox
        self._interval = interval
        self._pages = [render(f"page {number}", size=20) for number in range(_TEXTS)]
        self._last = b""
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._drop_all, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _drop_all(self) -> None:
        while not self._enough.wait(self._interval):
            if len(scans_in(self._inbox)) < MOST_WAITING:
                self._drop(len(self.dropped))

    def _drop(self, number: int) -> None:
        name = f"{('', 'sub/', 'sub/below/')[number % 3]}scan{number:05}.jpg"
        page = self._pages[number % _TEXTS]
        # Every fourth has the bytes of the one before, and may be known from it.
        same = number % 4 == 3
        data = self._last if same else with_comment(page, f"scan number {number}")
        self._last = data
        path = self._inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.dropped[name] = hashlib.sha256(data).hexdigest()
        if number % 2:
            path.write_bytes(data)
        else:
            unfinished = path.with_name(f".{path.name}.part")
            unfinished.write_bytes(data)
            unfinished.rename(path)


def storm(
    folder: Path, kills: int, *, seed: int, interval: float = 0.03, longest_life: float = LONGEST_LIFE
) -> Figures:
    """Kill ``kills`` times, let the last daemon finish, and count."""
    chance = random.Random(seed)
    places = Places(folder / "run", folder / "run")
    for name in ("inbox", "outbox", "archive", "quarantine"):
        places.folder(name).mkdir(parents=True)
    config = CONFIG.format(folders="").replace("count = 1", "count = 2").replace('quiet = "0s"', 'quiet = "50ms"')
    (places.base / "ocrwatch.toml").write_text(config)
    (places.base / "ocrwatch.toml").chmod(0o644)
    environment = clean_environment({"PYTHONPATH": engine_path(folder / "engine")})
    figures = Figures(kills)
    began = time.monotonic()
    with Dropper(places.folder("inbox"), interval) as dropper:
        for _ in range(kills):
            with running(places, environment) as daemon:
                figures.worker_kills += live(daemon, chance, longest_life)
        figures.delivered_before_the_last_kill = sum(1 for _ in places.folder("archive").rglob("*.jpg"))
    figures.dropped = dropper.dropped
    started = starts_of(places)
    with running(places, environment) as daemon:
        # A daemon that is not ready may find an empty inbox, but handles no signal yet.
        until(lambda: daemon.poll() is not None or starts_of(places) > started, DRAIN_TIMEOUT, "the last start")
        wait_until_empty(places.folder("inbox"), daemon)
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(60)
    figures.seconds = time.monotonic() - began
    figures.differences = _check(places, figures.dropped)
    if code != 0:
        figures.differences.other.append(f"the last daemon ended with {code}")
    return figures


@contextmanager
def running(places: Places, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a daemon, which is killed when the block is left."""
    with (places.base / "output.log").open("ab") as output:
        daemon = subprocess.Popen(
            [*PROGRAM, "run"],
            cwd=places.base,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()


def live(daemon: subprocess.Popen[bytes], chance: random.Random, longest: float) -> int:
    """Let it live for a while, now and then without one of its workers; return how many of those were killed."""
    end = time.monotonic() + chance.uniform(0.05, longest)
    killed = 0
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, chance.uniform(0.05, 0.6)))
        if chance.random() < 0.3 and (workers := children_of(daemon.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1
    return killed


def starts_of(places: Places) -> int:
    """Return how many daemons were ready so far."""
    return (places.base / "output.log").read_bytes().count(b'"daemon.ready"')


def wait_until_empty(inbox: Path, daemon: subprocess.Popen[bytes]) -> None:
    """Wait until no scan is left, or the daemon has ended."""
    deadline = time.monotonic() + DRAIN_TIMEOUT
    while scans_in(inbox) and time.monotonic() < deadline and daemon.poll() is None:
        time.sleep(0.1)


def _check(places: Places, dropped: dict[str, str]) -> Differences:
    """Compare with one sidecar of each format and one original for each scan."""
    differences = Differences()
    state = EndState.of(places)
    files = set(state.files) - {
        "state/cache.db",
        "state/ledger.db",
        "state/mounts.json",
        "state/status.json",
        "outbox/STATUS.txt",
    }
    for name, sha256 in dropped.items():
        stem = os.path.splitext(name)[0]
        expected = {f"archive/{name}", *(f"outbox/{stem}.{ending}" for ending in FORMATS)}
        differences.lost += sorted(expected - files)
        differences.partial += [path for path in sorted(expected & files) if not _is_right(places, path, sha256)]
        files -= expected
    differences.partial += state.hidden
    for path in sorted(files):
        is_second = path.startswith("inbox/") or path.split("/", 1)[1].startswith(("scan", "sub/"))
        (differences.doubled if is_second else differences.other).append(path)
    if state.integrity != "ok":
        differences.other.append(f"ledger: {state.integrity}")
    rows = Counter(f"{name} delivered" for name in dropped)
    if state.rows != rows:
        wrong = (state.rows | rows) - (state.rows & rows)
        differences.other.append(f"the ledger is wrong in {dict(wrong)}")
    return differences


def _is_right(places: Places, path: str, sha256: str) -> bool:
    name, _, relative = path.partition("/")
    data = (places.folder(name) / relative).read_bytes()
    if name == "archive":
        return hashlib.sha256(data).hexdigest() == sha256
    if path.endswith(".json"):
        try:
            return bool(json.loads(data)["source"]["sha256"] == sha256)
        except (ValueError, KeyError):
            return False
    return len(data) == len(f"{sha256}\n")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.random_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument(
        "--longest-life", type=float, default=LONGEST_LIFE, help="seconds to the kill; more where starts are slow"
    )
    return carry_out(
        parser,
        "storm",
        lambda folder, options: storm(folder, options.kills, seed=options.seed, longest_life=options.longest_life),
    )


if __name__ == "__main__":
    sys.exit(main())
