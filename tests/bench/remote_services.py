"""What remote OCR services cost, and what an outage does:  python -m tests.bench.remote_services WHAT.

Runs a real ``ocrwatch run`` that sends small scans to a service in another process on this machine, and prints one line
of JSON, with the load average before and after, since other programs on the same cores change most figures.

``rate``: answers per second of a service that takes a second and refuses more than its limit in any second; how many it
refused; CPU time of the daemon's own process, without its workers, for each answer.

``cost``: CPU time of the daemon's own process for a scan that this machine reads and, at the same pace, for one that a
service reads. The difference is what a request costs; the rest is what every scan costs.

``memory``: resident memory of the daemon's own process after a fifth, three fifths and all of the scans.

``outage``: the service is killed, or hangs, for a while in the middle. How many scans were lost, quarantined, delivered
twice or with another's text; the longest time from a complete file to its text; and how soon the service read again.
Scans come so slowly that none waits for another.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.bench.arguments import positive
from tests.bench.service_process import (
    ServiceProcess,
    cpu_of,
    drop,
    feed,
    is_remote,
    mixed_up,
    path_of,
    resident_mb,
    sending_to,
    time_of,
)
from tests.daemon_process import DaemonProcess, Event
from tests.waiting import until

_AHEAD: Final = 300
"""Scans in the inbox, so that the service always has enough."""

_WARM_UP: Final = 3.0
"""Seconds after the first delivery: by then workers have started and connections are open."""

_DRAIN: Final = 180.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rate", "cost", "memory", "outage"))
    parser.add_argument(
        "--seconds", type=float, default=60, help="how long rate and cost are measured, or an outage lasts"
    )
    parser.add_argument("--scans", type=positive, help="of memory (5000) and outage (500)")
    parser.add_argument("--rate", type=float, default=50, help="requests per second, and the limit of the service")
    parser.add_argument("--concurrency", type=positive, default=64)
    parser.add_argument("--latency", type=float, default=1, help="seconds of an answer, for rate and cost")
    parser.add_argument("--hangs", action="store_true", help="outage: the service hangs rather than refuses")
    parser.add_argument("--alone", action="store_true", help="outage: no local engine takes over")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as home, contextlib.redirect_stdout(io.StringIO()):
        # The log of the daemon would bury the line.
        found = _measure(Path(home), arguments)
    print(json.dumps({"what": arguments.what, **found, "load": [round(before, 1), round(os.getloadavg()[0], 1)]}))


def _measure(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    match options.what:
        case "rate":
            return rate(home, options.seconds, options.rate, options.concurrency, options.latency)
        case "cost":
            return cost(home, options.seconds, options.concurrency, options.latency)
        case "memory":
            return memory(home, options.scans or 5000, options.concurrency)
        case _:
            return outage(home, options.scans or 500, options.seconds, hangs=options.hangs, alone=options.alone)


def rate(home: Path, seconds: float, limit: float, concurrency: int, latency: float) -> dict[str, Any]:
    """Return answers per second, refusals, and the CPU time of an answer in the daemon's own process."""
    service = ServiceProcess(latency=latency, limit=int(limit))
    engine = '["remote:cloud"]'
    with service, sending_to(service, home, engine=engine, rate=limit, concurrency=concurrency) as daemon:
        found = _under_load(daemon, seconds, lambda _: int(service.counts()["outcomes"].get("200", 0)))
        counts = service.counts()
        daemon.stop()
    return {
        "answers_per_second": round(found.per_second, 2),
        "refused": counts["over_limit"],
        "most_at_once": counts["most_in_flight"],
        "connections": counts["connections"],
        "cpu_ms_per_answer": round(found.cpu_ms, 2),
        "answers": found.scans,
    }


def cost(home: Path, seconds: float, concurrency: int, latency: float) -> dict[str, Any]:
    """Return the CPU time of a scan in the daemon's own process if it is read here, and if by a service."""
    service = ServiceProcess(latency=latency)
    found: list[_Load] = []
    with service:
        for engine in ("auto", "remote:cloud"):
            # A service would read faster than this machine, and more scans at a time cost less each.
            pace = found[0].per_second if found else 1000
            folder = home / engine.partition(":")[0]
            folder.mkdir()
            with sending_to(service, folder, engine=json.dumps([engine]), rate=pace, concurrency=concurrency) as daemon:
                found.append(_under_load(daemon, seconds, lambda delivered: delivered))
                daemon.stop()
    here, remote = found
    return {
        "cpu_ms_if_read_here": round(here.cpu_ms, 2),
        "cpu_ms_if_by_a_service": round(remote.cpu_ms, 2),
        "cpu_ms_of_a_request": round(remote.cpu_ms - here.cpu_ms, 2),
        "scans_per_second": [round(each.per_second, 1) for each in found],
        "scans": [each.scans for each in found],
    }


class _Load(NamedTuple):
    """What a daemon did while it was measured."""

    scans: int
    per_second: float
    cpu_ms: float
    """Of the daemon's own process, for each scan."""


def _under_load(daemon: DaemonProcess, seconds: float, count: Callable[[int], int]) -> _Load:
    """Feed a daemon; measure when it is warm. ``count`` is given how many scans were delivered."""
    marks: list[tuple[float, int, float]] = []

    def is_over(delivered: int) -> bool:
        """Take a mark at the first delivery, when it is warm, and when the time is over."""
        now = time.monotonic()
        due = (0.0, _WARM_UP, _WARM_UP + seconds)[len(marks)]
        if delivered and (not marks or now >= marks[0][0] + due):
            marks.append((now, count(delivered), cpu_of(daemon.pid)))
        return len(marks) == 3

    feed(daemon, 10**9, _AHEAD, is_over)
    _, (begun, first, cpu), (ended, last, more_cpu) = marks
    done = last - first
    return _Load(done, done / (ended - begun), (more_cpu - cpu) * 1000 / done)


def memory(home: Path, scans: int, concurrency: int) -> dict[str, Any]:
    """Return the resident memory of the daemon's own process, in MB, by the number of scans delivered."""
    service, found = ServiceProcess(latency=0.02), {}
    wanted = [scans // 5, scans * 3 // 5, scans]
    with service, sending_to(service, home, engine='["remote:cloud"]', rate=1000, concurrency=concurrency) as daemon:

        def is_over(done: int) -> bool:
            if wanted and done >= wanted[0]:
                found[wanted.pop(0)] = round(resident_mb(daemon.pid), 1)
            return not wanted

        begun = time.monotonic()
        feed(daemon, scans, _AHEAD, is_over)
        seconds = time.monotonic() - begun
        daemon.stop()
    return {"mb_after": found, "scans_per_second": round(scans / seconds, 1)}


def outage(home: Path, scans: int, seconds: float, *, hangs: bool, alone: bool) -> dict[str, Any]:
    """Return what became of scans that come steadily, half of them in an outage of ``seconds``."""
    service = ServiceProcess(latency=0.2)
    engine = '["remote:cloud"]' if alone else '["remote:cloud", "auto"]'
    with service, sending_to(service, home, engine=engine, rate=50, concurrency=64, timeout="5s") as daemon:
        put_at, gone_at, back_at = _through_outage(daemon, service, scans, seconds, hangs=hangs)
        with contextlib.suppress(BaseException):
            # What is missing then is in the figures.
            until(lambda: _ended(daemon) >= set(put_at), _DRAIN)
        daemon.stop()
        delivered, quarantined = daemon.events("scan.delivered"), daemon.events("scan.quarantined")
        waits = _waits(delivered, put_at)
        inside = [wait for path, wait in waits.items() if gone_at <= put_at[path] < back_at]
        outside = [wait for path, wait in waits.items() if not gone_at <= put_at[path] < back_at]
        remote_again = [time_of(event) for event in delivered if is_remote(event) and time_of(event) > back_at]
        return {
            "outage": "hangs" if hangs else "killed",
            "engine": json.loads(engine),
            "scans": scans,
            "lost": len(set(put_at) - _ended(daemon)),
            "quarantined": len(quarantined),
            "twice": len(delivered) - len(waits) + sum(1 for _ in daemon.outbox.rglob("*.txt")) - 1 - len(waits),
            "mixed_up": mixed_up(daemon, delivered),
            "by_service": sum(map(is_remote, delivered)),
            "local": sum(not is_remote(event) for event in delivered),
            "longest_s_in_outage": round(max(inside), 2),
            "median_s_in_outage": round(statistics.median(inside), 2),
            "longest_s_otherwise": round(max(outside), 2),
            "service_reads_again_after_s": round(min(remote_again) - back_at, 1) if remote_again else None,
        }


def _through_outage(
    daemon: DaemonProcess, service: ServiceProcess, scans: int, seconds: float, *, hangs: bool
) -> tuple[dict[str, float], float, float]:
    """Drop scans for twice the time of the outage; return when each was, by path, and when the outage was.

    All times are in seconds since 1970, as in the log.
    """
    begun = time.time()
    end, begin = (service.resume, service.suspend) if hangs else (service.start, service.kill)
    steps: list[tuple[float, Callable[[], None]]] = [(seconds / 2, begin), (seconds * 1.5, end)]
    put_at: dict[str, float] = {}
    stepped: list[float] = []
    for number in itertools.count():
        if number >= scans and not steps:
            return put_at, stepped[0], stepped[1]
        due = begun + number * 2 * seconds / scans
        if steps and due >= begun + steps[0][0]:
            after, step = steps.pop(0)
            time.sleep(max(0.0, begun + after - time.time()))
            step()
            stepped.append(time.time())
        if number < scans:
            time.sleep(max(0.0, due - time.time()))
            drop(daemon, number)
            put_at[path_of(number)] = time.time()
    raise AssertionError


def _ended(daemon: DaemonProcess) -> set[str]:
    """Return the paths of all scans that were delivered or quarantined."""
    return {event["path"] for name in ("scan.delivered", "scan.quarantined") for event in daemon.events(name)}


def _waits(delivered: list[Event], put_at: dict[str, float]) -> dict[str, float]:
    """Return the seconds from a complete file to its text, by path."""
    return {event["path"]: time_of(event) - put_at[event["path"]] for event in delivered}


if __name__ == "__main__":
    main()
