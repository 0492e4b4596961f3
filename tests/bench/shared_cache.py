"""What a shared cache costs, also while Redis fails:  python -m tests.bench.shared_cache [--scans N] [--rounds N].

Has ``ocrwatch run`` read small rendered scans, which come as fast as they are read, on empty folders: without Redis,
with Redis, with a Redis server that is killed, frozen, filled or restarted when a third of the scans have come, and
without Redis again, so that the noise is seen. Then it has it answer the same scans from the disk, and on other folders
from Redis, as a second daemon would. The ways run in turn. Prints scans per second, the ratios of pace and of processor
time to those without Redis (the mean of both) or from the disk in the same round, and how many texts came from the
cache; fails where a text is not byte for byte that of the first reading.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.bench.arguments import positive
from tests.daemon_process import PROGRAM, clean_environment
from tests.redis_server import RedisServer, has_redis
from tests.rendering import render

Trouble = Callable[[RedisServer], None]

READ: Final = "read, without Redis"
READ_AGAIN: Final = "read, without Redis, again"
FROM_DISK: Final = "known, from the disk"
FROM_REDIS: Final = "known, from Redis"
_TROUBLES: Final[Mapping[str, Trouble]] = {
    "killed": RedisServer.kill,
    "frozen": RedisServer.freeze,
    "filled": RedisServer.fill,
    "restarted": RedisServer.start,
}
_WAITING: Final = 60
"""Scans that are in the inbox at a time: always more than can be read, so that the pace is that of reading."""
_LONGEST: Final = 120.0
_WORDS: Final = ("amber", "black", "green", "orange", "purple", "silver", "white", "yellow", "harbour", "meadow")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the daemon."""

    seconds: float
    """From the first scan in the inbox to the last delivery."""
    cpu: float
    """Processor seconds of the daemon and its workers from start to end, which other programs disturb less."""
    known: int
    """Texts from the cache."""
    texts: Mapping[str, bytes]


class Bench:
    """Scans, a server, and the folders of the runs."""

    def __init__(self, scratch: Path, scans: int) -> None:
        self._scratch = scratch
        self._scans = [_rendered(scratch / "scans", number) for number in range(scans)]
        (scratch / "redis.key").write_text(f"{secrets.token_hex(32)}\n")
        (scratch / "redis.key").chmod(0o600)
        self._runs = 0

    def read(self, *, trouble: Trouble | None = None, with_redis: bool = True) -> Run:
        """Read the scans on empty folders; the server is empty, and fails when a third of the scans have come."""
        with RedisServer(self._scratch / "redis") as server:
            return self._run(self._new_home(), server if with_redis else None, fails=trouble)

    def known(self) -> tuple[Run, Run]:
        """Read the scans, and answer them again: from the disk, and on other folders from Redis."""
        with RedisServer(self._scratch / "redis") as server:
            home = self._new_home()
            self._run(home, server)
            for name in ("outbox", "archive"):
                shutil.rmtree(home / name)
            return self._run(home, None), self._run(self._new_home(), server)

    def _new_home(self) -> Path:
        self._runs += 1
        home = self._scratch / f"home{self._runs}"
        home.mkdir()
        return home

    def _run(self, home: Path, server: RedisServer | None, *, fails: Trouble | None = None) -> Run:
        (home / "inbox").mkdir(exist_ok=True)
        cache = "" if server is None else f'redis = "{server.url}"\nredis_key_file = "{self._scratch}/redis.key"\n'
        (home / "ocrwatch.toml").write_text(f"[status]\nshare_file = false\n[cache]\n{cache}")
        log = home / "log"
        with (
            log.open("wb") as file,
            subprocess.Popen([*PROGRAM, "run"], cwd=home, env=clean_environment(), stderr=file) as daemon,
        ):
            _wait_for(log, "daemon.ready", 1)
            begun = time.time()
            for number, scan in enumerate(self._scans):
                if fails is not None and server is not None and number == len(self._scans) // 3:
                    fails(server)
                _wait_for(log, "scan.delivered", number - _WAITING)
                shutil.copy(scan, home / "part")
                (home / "part").rename(home / "inbox" / scan.name)
            _wait_for(log, "scan.delivered", len(self._scans))
            daemon.terminate()
            _, ended_with, used = os.wait4(daemon.pid, 0)
            daemon.returncode = os.waitstatus_to_exitcode(ended_with)
        delivered = [event for line in log.open("rb") if (event := json.loads(line))["event"] == "scan.delivered"]
        texts = {path.name: path.read_bytes() for path in (home / "outbox").glob("*.txt")}
        ended = max(datetime.fromisoformat(event["time"]).timestamp() for event in delivered)
        return Run(
            ended - begun, used.ru_utime + used.ru_stime, sum(bool(event.get("cached")) for event in delivered), texts
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=positive, default=200)
    parser.add_argument("--rounds", type=positive, default=3)
    ways = {"works": None, **_TROUBLES}
    parser.add_argument("--redis", nargs="*", choices=ways, default=list(ways), help="what becomes of Redis")
    arguments = parser.parse_args()
    if not has_redis():
        sys.exit("redis-server is not installed: apt-get install redis-server")
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), arguments.scans)
        rounds = [_round(bench, {name: ways[name] for name in arguments.redis}) for _ in range(arguments.rounds)]
    _check_texts(rounds)
    print(f"{arguments.scans} scans, {arguments.rounds} rounds in turn, medians; ratios to the same without Redis")
    for way in rounds[0]:
        _print(way, rounds, arguments.scans)


def _round(bench: Bench, ways: Mapping[str, Trouble | None]) -> dict[str, Run]:
    runs = {READ: bench.read(with_redis=False)}
    for name, trouble in ways.items():
        runs[f"read, Redis {name}" if trouble is None else f"read, Redis is {name}"] = bench.read(trouble=trouble)
    runs[READ_AGAIN] = bench.read(with_redis=False)
    runs[FROM_DISK], runs[FROM_REDIS] = bench.known()
    return runs


def _check_texts(rounds: Sequence[Mapping[str, Run]]) -> None:
    first = rounds[0][READ].texts
    for runs in rounds:
        for way, run in runs.items():
            if run.texts != first:
                sys.exit(f"{way}: the texts are not those of the first reading")


def _print(way: str, rounds: Sequence[Mapping[str, Run]], scans: int) -> None:
    bases = (FROM_DISK,) if way in {FROM_DISK, FROM_REDIS} else (READ, READ_AGAIN)
    seconds = statistics.median(runs[way].seconds for runs in rounds)
    pace = _spread([statistics.mean(runs[base].seconds for base in bases) / runs[way].seconds for runs in rounds])
    cpu = _spread([runs[way].cpu / statistics.mean(runs[base].cpu for base in bases) for runs in rounds])
    known = min(runs[way].known for runs in rounds)
    print(f"{way:28} {scans / seconds:6.1f} scans/s   pace {pace}   CPU {cpu}   {100 * known / scans:3.0f} % known")


def _spread(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _wait_for(log: Path, event: str, count: int) -> None:
    deadline = time.monotonic() + _LONGEST
    while log.read_bytes().count(f'"{event}"'.encode()) < count:
        if time.monotonic() > deadline:
            sys.exit(f"{event} did not come {count} times:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


def _rendered(folder: Path, number: int) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [" ".join(_WORDS[(number // 10**place + line) % 10] for place in range(4)) for line in range(4)]
    path = folder / f"{number:04}.jpg"
    path.write_bytes(render("\n".join([f"Page {number}", *lines]), size=36))
    return path


if __name__ == "__main__":
    main()
