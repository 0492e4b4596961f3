"""Whether anything grows with time:  python -m tests.bench.soak [--minutes N] [--rate SCANS_A_SECOND] [--workers N].

Feeds a real ``ocrwatch run`` at a steady rate, one in twenty of the scans broken, and takes a sample each second of the
memory of the daemon and of its workers, of the daemon's open files and of its queue. After a warm-up it compares the
medians of the first and the last third, prints them, and ends with code 1 where something has grown, or where the
scans that were fed are not all delivered or quarantined. Workers are not recycled, which would hide their leaks.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.daemon_process import DaemonProcess
from tests.rendering import with_comment
from tests.system.dropping import put, scan
from tests.waiting import until

_CONFIG = """
workers.count = {workers}
workers.max_scans = 1000000
status.heartbeat = "1s"
settle.give_up_after = "5s"
cache.levels = ["disk"]
"""
"""With the patience that is usual the broken ones, which might still be written, would wait for ten minutes.

The cache in memory grows up to its limit of 16 MB, which half an hour of small scans does not reach.
"""

_BROKEN_EVERY = 20
_DIFFERENT = 40
_KNOWN_EVERY = 4
"""Every so manieth has the bytes of one before: it is not read again."""

_WARM_UP = 0.2
_DRAIN = 120.0
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What one look found."""

    parent: float
    """Megabytes of resident memory."""
    worker: float
    """The same, of the largest worker."""
    descriptors: float
    queue: float


@dataclass(frozen=True, slots=True)
class Limit:
    """How much more there may be in the last third than in the first."""

    factor: float
    more: float


_LIMITS = {
    "parent": Limit(1.05, 2),
    "worker": Limit(1.05, 5),
    "descriptors": Limit(1.0, 1),
    "queue": Limit(1.0, 5),
}


def main() -> None:
    """Feed, sample and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--rate", type=float, default=4)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, contextlib.redirect_stdout(io.StringIO()):
        # Its log would bury the table.
        samples, fed, ended, code = run(Path(home), arguments.minutes * 60, arguments.rate, arguments.workers)
    wrong = grown(samples)
    print(f"{fed} scans in {arguments.minutes:g} minutes, {ended} ended, {len(samples)} samples, exit code {code}")
    for sentence in wrong:
        print(sentence)
    sys.exit(1 if wrong or ended != fed or code else 0)


def run(home: Path, seconds: float, rate: float, workers: int) -> tuple[list[Sample], int, int, int]:
    """Return the samples of a daemon, how many scans were fed, how many have ended, and its exit code."""
    with DaemonProcess(home, config=_CONFIG.format(workers=workers)) as daemon:
        daemon.wait_ready()
        samples, fed = soak(daemon, seconds, rate)
        return samples, fed, drained(daemon, fed), daemon.stop()


def soak(daemon: DaemonProcess, seconds: float, rate: float) -> tuple[list[Sample], int]:
    """Feed and sample for so long; return the samples after the warm-up and how many scans were fed."""
    whole = [scan(number, 3) for number in range(_DIFFERENT)]
    samples: list[Sample] = []
    begun = time.monotonic()
    next_sample = begun + seconds * _WARM_UP
    for number in itertools.count():
        due = begun + number / rate
        while (now := time.monotonic()) < min(due, begun + seconds):
            time.sleep(max(0.0, min(due, next_sample, begun + seconds) - now))
            if now >= next_sample:
                samples.append(sample(daemon))
                next_sample += 1
        if now >= begun + seconds:
            return samples, number
        data = whole[number % _DIFFERENT]
        if number % _KNOWN_EVERY:
            data = with_comment(data, f"scan number {number}")
        if number % _BROKEN_EVERY == 0:
            # Whole to look at, since it ends as a JPEG does: only reading it shows that half of it is missing.
            data = data[: len(data) // 2] + data[-2:]
        put(daemon.inbox, f"{number % 7}/scan{number}.jpg", data)
    raise AssertionError


def sample(daemon: DaemonProcess) -> Sample:
    """Look at the daemon and its workers."""
    status = json.loads((daemon.folder / "state" / "status.json").read_text())
    return Sample(
        _resident(daemon.pid),
        max(map(_resident, daemon.workers()), default=0.0),
        len(list(Path(f"/proc/{daemon.pid}/fd").iterdir())),
        status["waiting"] + len(status["in_work"]),
    )


def drained(daemon: DaemonProcess, fed: int) -> int:
    """Wait until all that was fed has ended; return how much has, once each."""

    def ends() -> set[object]:
        return {event["path"] for name in ("scan.delivered", "scan.quarantined") for event in daemon.events(name)}

    until(lambda: len(ends()) >= fed, _DRAIN, "every scan's end")
    events = len(daemon.events("scan.delivered")) + len(daemon.events("scan.quarantined"))
    return events if events != fed else len(ends())


def grown(samples: list[Sample]) -> list[str]:
    """Print the medians of the first and the last third; return what has grown."""
    third = len(samples) // 3
    first, last = samples[:third], samples[-third:]
    wrong = []
    print(f"{'':12}{'first third':>12}{'last third':>12}{'largest':>12}")
    for name, limit in _LIMITS.items():
        before = statistics.median(getattr(each, name) for each in first)
        after = statistics.median(getattr(each, name) for each in last)
        largest = max(getattr(each, name) for each in samples)
        print(f"{name:12}{before:12.1f}{after:12.1f}{largest:12.1f}")
        if after > before * limit.factor + limit.more:
            wrong.append(f"{name} has grown from {before:.1f} to {after:.1f}")
    return wrong


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB


if __name__ == "__main__":
    main()
