"""What ocrwatch costs besides reading:  python -m tests.bench.overhead [SCANS_FOLDER] [--rounds N].

Runs ``ocrwatch once`` and, in turn with it, the same engine in a bare loop over as many processes, on pages that lie
decoded in memory: as they were scanned, and as ocrwatch enhances them. Each is timed from the moment its workers are
ready to its last result, so that start-up counts for none. Prints seconds, and ocrwatch's ratio to each loop.
Without a folder it renders its own scans.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise import engines
from ocrwatch.recognise.decode import Gray, decode
from ocrwatch.recognise.enhance import enhance
from ocrwatch.recognise.enhance.pixels import Pixels
from tests.bench.scans import scans_from
from tests.bench.ways import once


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scans = scans_from(arguments.scans, Path(scratch))
        ways: dict[str, Callable[[], float]] = {
            "ocrwatch once": lambda: time_once(scans, arguments.processes),
            "bare loop, pages as scanned": lambda: time_bare(scans, arguments.processes, enhanced=False),
            "bare loop, pages enhanced": lambda: time_bare(scans, arguments.processes, enhanced=True),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, run in ways.items():
                seconds[name].append(run())
    print(f"{len(scans)} scans, {arguments.processes} processes, {arguments.rounds} rounds in turn, medians")
    ours = seconds["ocrwatch once"]
    for name, times in seconds.items():
        ratio = statistics.median(one / other for one, other in zip(ours, times, strict=True))
        print(f"{name:30} {statistics.median(times):7.2f} s   ocrwatch takes {ratio:.3f} of it")


def time_once(scans: list[Path], processes: int) -> float:
    """Seconds from the first worker's readiness to the last delivery, by the log's own times."""
    with tempfile.TemporaryDirectory() as home:
        run = once(scans, Path(home), workers=processes)
    if len(run.texts) != len(scans) or run.reading is None:
        sys.exit(f"only {len(run.texts)} of {len(scans)} scans were delivered")
    return run.reading


def time_bare(scans: list[Path], processes: int, *, enhanced: bool) -> float:
    """Seconds that ``processes`` bare loops need for all pages, shared out one by one."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes + 1)
    following = context.Value("i", 0)
    ends = context.SimpleQueue()
    loops = [
        context.Process(target=_bare_loop, args=(scans, enhanced, ready, following, ends), daemon=True)
        for _ in range(processes)
    ]
    for loop in loops:
        loop.start()
    ready.wait()
    begun = time.monotonic()
    # The clock is the whole system's, so that the end of the interpreters counts for none of them either.
    last: float = max(ends.get() for _ in loops)
    for loop in loops:
        loop.join()
    return last - begun


def _bare_loop(
    scans: list[Path],
    enhanced: bool,  # noqa: FBT001 - multiprocessing passes by position
    ready: Barrier,
    following: object,
    ends: SimpleQueue[float],
) -> None:
    os.environ["OMP_THREAD_LIMIT"] = "1"
    recipe = Recipe()
    engine = engines.load(recipe)
    pages = [_page(scan, enhanced=enhanced) for scan in scans]
    ready.wait()
    while (number := _take(following)) < len(pages):
        pixels, dpi = pages[number]
        engine.read(pixels, dpi, recipe)
    ends.put(time.monotonic())


def _page(scan: Path, *, enhanced: bool) -> tuple[Gray, int]:
    decoded = decode(scan.read_bytes(), max_pixels=EnhanceOptions().max_pixels)
    pixels = enhance(Pixels(decoded.gray), EnhanceOptions()).gray if enhanced else decoded.gray
    return pixels, round((decoded.dpi or 0) * pixels.shape[1] / decoded.gray.shape[1])


def _take(following: object) -> int:
    with following.get_lock():  # type: ignore[attr-defined]
        number: int = following.value  # type: ignore[attr-defined]
        following.value += 1  # type: ignore[attr-defined]
    return number


if __name__ == "__main__":
    main()
