"""How fast scans are answered that were read before:  python -m tests.bench.seen_before [SCANS_FOLDER] [--rounds N].

Reads the scans with ``tesseract`` as ``xargs -P`` would, each in a process of its own, as many at once as there are
cores, and in turn with it has ocrwatch answer copies of them that it has read before: ``once`` on an inbox that is
full, and ``run`` when they are moved into it. ocrwatch's time is from its readiness, or where that is later from the
moment when the scans are there, to the last delivery. Prints scans per second and the ratio, and fails where the text
is not byte for byte that of the first reading. Without a folder it renders its own scans.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.scans import scans_from
from tests.daemon_process import PROGRAM, clean_environment

Event = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=300, help="how many scans ocrwatch is given, at least")
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        scans = scans_from(arguments.scans, Path(scratch))
        home = Path(scratch, "home")
        first = read_first(scans, home)
        copies = -(-arguments.copies // len(scans))
        ways: dict[str, Callable[[], tuple[float, int]]] = {
            "tesseract, a process a scan": lambda: (time_tesseract(scans), len(scans)),
            "ocrwatch once": lambda: time_once(scans, copies, home, first),
            "ocrwatch run": lambda: time_run(scans, copies, home, first),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, way in ways.items():
                taken, number = way()
                seconds[name].append(taken / number)
    peer, *_ = seconds.values()
    print(f"{len(scans)} scans, {copies} copies of each for ocrwatch, {arguments.rounds} rounds in turn, medians")
    for name, times in seconds.items():
        ratio = statistics.median(other / one for one, other in zip(times, peer, strict=True))
        each = statistics.median(times)
        print(f"{name:30} {1 / each:9.1f} scans/s {each * 1000:9.2f} ms a scan {ratio:8.1f} times tesseract's speed")


def time_tesseract(scans: list[Path]) -> float:
    """Seconds that Tesseract's own program takes for all."""
    cores = len(os.sched_getaffinity(0))
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}

    def read(scan: Path) -> None:
        subprocess.run(["tesseract", scan, "-"], env=environment, capture_output=True, check=True)

    begun = time.monotonic()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(read, scans))
    return time.monotonic() - begun


def read_first(scans: list[Path], home: Path) -> dict[str, bytes]:
    """Have ocrwatch read the scans for the first time, and return their texts by their numbers."""
    fill(scans, 1, home / "inbox")
    run_once(home)
    return {scan.stem: text(home, f"0-{scan.stem}") for scan in scans}


def time_once(scans: list[Path], copies: int, home: Path, first: dict[str, bytes]) -> tuple[float, int]:
    """Seconds that ``once`` takes for scans that it knows, and how many there were."""
    clear(home)
    fill(scans, copies, home / "inbox")
    events = run_once(home)
    begun = min(at(event) for event in events if event["event"] in {"daemon.ready", "batch.started"})
    return check(events, scans, copies, home, first) - begun, copies * len(scans)


def time_run(scans: list[Path], copies: int, home: Path, first: dict[str, bytes]) -> tuple[float, int]:
    """Seconds that ``run`` takes for scans that it knows from when the first of them is moved in; and their number."""
    clear(home)
    fill(scans, copies, home / "aside")
    (home / "inbox").mkdir(exist_ok=True)
    with (home / "log").open("wb+") as log:
        with subprocess.Popen([*PROGRAM, "run"], cwd=home, env=clean_environment(), stderr=log) as daemon:
            wait_for(home / "log", "daemon.ready", 1)
            begun = time.time()
            for path in sorted((home / "aside").iterdir()):
                path.rename(home / "inbox" / path.name)
            wait_for(home / "log", "scan.delivered", copies * len(scans))
            daemon.terminate()
        log.seek(0)
        events = [json.loads(line) for line in log]
    return check(events, scans, copies, home, first) - begun, copies * len(scans)


def check(events: Iterable[Event], scans: list[Path], copies: int, home: Path, first: dict[str, bytes]) -> float:
    """Return the time of the last delivery; leave where something was read again, or is not the same."""
    delivered = [event for event in events if event["event"] == "scan.delivered"]
    if len(delivered) != copies * len(scans) or not all(event.get("cached") for event in delivered):
        sys.exit("not all scans were delivered without being read again")
    if any(text(home, f"{copy}-{scan.stem}") != first[scan.stem] for scan in scans for copy in range(copies)):
        sys.exit("a text is another than the first time")
    return max(map(at, delivered))


def run_once(home: Path) -> list[Event]:
    """Run ``ocrwatch once`` and return its events."""
    done = subprocess.run(
        [*PROGRAM, "once"], cwd=home, env=clean_environment(), capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def fill(scans: list[Path], copies: int, folder: Path) -> None:
    """Put copies of the scans into a folder, on the disk as scans are that have been there for a while."""
    folder.mkdir(parents=True, exist_ok=True)
    for copy in range(copies):
        for scan in scans:
            shutil.copy(scan, folder / f"{copy}-{scan.stem}.jpg")
    os.sync()


def clear(home: Path) -> None:
    """Empty the folders, but not the state."""
    for name in ("inbox", "outbox", "archive", "aside"):
        shutil.rmtree(home / name, ignore_errors=True)


def text(home: Path, stem: str) -> bytes:
    """Return a sidecar."""
    return (home / "outbox" / f"{stem}.txt").read_bytes()


def at(event: Event) -> float:
    """Return an event's time."""
    return datetime.fromisoformat(event["time"]).timestamp()


def wait_for(log: Path, event: str, count: int) -> None:
    """Wait until an event was logged so often."""
    while log.read_bytes().count(f'"{event}"'.encode()) < count:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
