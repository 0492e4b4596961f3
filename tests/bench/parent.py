"""What a scan costs the daemon's own process:  python -m tests.bench.parent [--against CHECKOUT] [--scans N].

Runs ``ocrwatch once`` with an engine that takes no time and returns pages of 510 words, once on scans that it has not
seen and once on the same scans again, whose pages are cached then. With ``--against`` the same is done, in turn, with
another checkout of ocrwatch. Prints CPU time of the daemon's own process for each scan beyond those of a run without
scans, the wall-clock rate from the first delivery to the last, and the memory that this process took when a fifth of
the scans was delivered and at the end.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import psutil

from tests.documentation import ROOT
from tests.rendering import render

_WORDS_A_LINE: Final = 17
_LINES: Final = 30

_ENGINE: Final = f"""
try:
    from ocrwatch.document import Block, Box, EngineInfo, Line, Word
except ImportError:
    from ocrwatch.values import Block, Box, EngineInfo, Line, Word

LINES = tuple(
    Line(
        tuple(
            Word(f"word{{i}}", Box(40 * i, 20 * j, 40 * i + 35, 20 * j + 15), 91.5 + i / 100)
            for i in range({_WORDS_A_LINE})
        ),
        Box(0, 20 * j, 700, 20 * j + 15),
        j // 5,
    )
    for j in range({_LINES})
)


class Free:
    name = "free"
    spawns = False
    wants_original = True
    info = EngineInfo("free", "1", ())

    def prepare(self, recipe):
        pass

    def read(self, pixels, dpi, recipe):
        return (Block(LINES, Box(0, 0, 700, 600)),)
"""

_PROGRAM: Final = """
import os, resource, sys
real = os._exit
def leave(code):
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open(os.environ["USED"], "w") as file:
        file.write(str(used.ru_utime + used.ru_stime))
    real(code)
os._exit = leave
from ocrwatch import cli
sys.argv = ["ocrwatch", *sys.argv[1:]]
try:
    cli.main()
finally:
    leave(0)
"""

_CONFIG: Final = '[ocr]\nengine = "free"\nsecond = "none"\n'


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost."""

    cpu: float
    """Seconds of the daemon's own process."""
    rate: float
    """Deliveries a second."""
    early_mb: float
    """Resident memory when a fifth was delivered."""
    last_mb: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout of ocrwatch")
    parser.add_argument("--scans", type=int, default=500)
    parser.add_argument("--bytes", type=int, default=80_000, help="size of a scan")
    parser.add_argument("--formats", default="txt,json")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    trees = [ROOT, *([arguments.against.resolve()] if arguments.against else [])]
    costs: dict[tuple[str, Path], list[Cost]] = {}
    starts: dict[Path, list[float]] = {tree: [] for tree in trees}
    with tempfile.TemporaryDirectory() as plugins:
        _install_engine(Path(plugins))
        for _ in range(arguments.rounds):
            for tree in trees:
                with tempfile.TemporaryDirectory() as home:
                    (Path(home) / "ocrwatch.toml").write_text(_CONFIG)
                    (Path(home) / "inbox").mkdir()
                    starts[tree].append(_run(tree, Path(home), Path(plugins), 0, arguments).cpu)
                    for what in ("fresh", "cached"):
                        cost = _run(tree, Path(home), Path(plugins), arguments.scans, arguments)
                        costs.setdefault((what, tree), []).append(cost)
    print(f"{arguments.scans} scans, {arguments.workers} workers, {arguments.rounds} rounds in turn, medians")
    each = {key: _cpu_ms(found, starts[key[1]], arguments.scans) for key, found in costs.items()}
    for (what, tree), found in costs.items():
        rate, early, last = (_median(getattr(cost, name) for cost in found) for name in ("rate", "early_mb", "last_mb"))
        print(f"{what:7} {each[what, tree]:6.2f} ms CPU  {rate:6.1f} scans/s  {early:5.0f} MB, {last:5.0f} MB  {tree}")
    if arguments.against:
        for what in ("fresh", "cached"):
            ours, theirs = (costs[what, tree] for tree in trees)
            rates = statistics.median(one.rate / other.rate for one, other in zip(ours, theirs, strict=True))
            print(f"{what:7} CPU {each[what, trees[0]] / each[what, trees[1]]:.2f} of the other, rate {rates:.2f}")


def _cpu_ms(costs: list[Cost], starts: list[float], scans: int) -> float:
    """Return the CPU time of one scan, without that of a start, in milliseconds."""
    return statistics.median((cost.cpu - start) * 1000 / scans for cost, start in zip(costs, starts, strict=True))


def _median(numbers: Iterable[float]) -> float:
    return statistics.median(numbers)


def _run(tree: Path, home: Path, plugins: Path, scans: int, arguments: argparse.Namespace) -> Cost:
    for number in range(scans):
        (home / "inbox" / f"s{number}.jpg").write_bytes(_scan(number, arguments.bytes))
    used = home / "used"
    environment = {**os.environ, "USED": str(used), "PYTHONPATH": f"{tree}:{plugins}"}
    command = [
        sys.executable,
        "-P",
        "-c",
        _PROGRAM,
        "once",
        "--workers",
        str(arguments.workers),
        "--set",
        f"output.formats={arguments.formats}",
    ]
    delivered: list[float] = []
    memory: list[float] = []
    with subprocess.Popen(
        command, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as daemon:
        watch = threading.Thread(target=_watch_memory, args=(daemon.pid, memory), daemon=True)
        watch.start()
        early = 0.0
        for line in daemon.stderr or ():
            if '"scan.delivered"' in line:
                event = json.loads(line)
                if event["words"] != _WORDS_A_LINE * _LINES:
                    sys.exit(f"a page has {event['words']} words")
                delivered.append(datetime.fromisoformat(event["time"]).timestamp())
                if len(delivered) == scans // 5:
                    early = memory[-1]
    if len(delivered) != scans:
        sys.exit(f"only {len(delivered)} of {scans} scans were delivered by {tree}")
    seconds = max(delivered) - min(delivered) if scans > 1 else 0.0
    return Cost(float(used.read_text()), (scans - 1) / seconds if seconds else 0.0, early, memory[-1])


def _watch_memory(pid: int, found: list[float]) -> None:
    """Append the resident memory of a process in MB, as long as it runs."""
    try:
        process = psutil.Process(pid)
        while resident := process.memory_info().rss:
            found.append(resident / 1e6)
            time.sleep(0.1)
    except psutil.NoSuchProcess:
        return


def _scan(number: int, size: int) -> bytes:
    """Return a JPEG of ``size`` bytes that no other number has: comments of its number fill it up."""
    blank = _page()
    comments = b""
    while (left := size - len(blank) - len(comments)) > 0:
        body = f"{number:08d}".encode() * (min(left, 60_000) // 8 + 1)
        comments += b"\xff\xfe" + (len(body) + 2).to_bytes(2, "big") + body
    return blank[:2] + comments + blank[2:]


@functools.cache
def _page() -> bytes:
    return render("ab " * 12, size=24, width=800, height=640)


def _install_engine(folder: Path) -> None:
    """Add the engine to a folder of packages."""
    (folder / "free_engine.py").write_text(_ENGINE)
    info = folder / "free-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: free\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ocrwatch.engines]\nfree = free_engine:Free\n")


if __name__ == "__main__":
    main()
