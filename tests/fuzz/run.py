"""The long run:  python -m tests.fuzz.run [--kind KIND] [--count N] [--first SEED] [--workers N] [--write SEED FILE].

Has N mutated JPEGs, or images of another kind, read by real workers, and prints one line of what became of them. Ends
with code 1 if a mutant ended otherwise than as a page or a fault of its own, took longer than its time limit, or spoilt
a whole scan beside it. ``--write`` only writes one mutant to a file, to look at.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.fuzz.corpus import mutant
from tests.fuzz.feeding import TIME_LIMIT, feed
from tests.fuzz.other_images import png_mutant, tiff_mutant

_KINDS = {"jpeg": mutant, "png": png_mutant, "tiff": tiff_mutant}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=_KINDS, default="jpeg")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT)
    parser.add_argument("--write", nargs=2, metavar=("SEED", "FILE"))
    arguments = parser.parse_args()
    make = _KINDS[arguments.kind]
    if arguments.write:
        seed, path = arguments.write
        Path(path).write_bytes(make(int(seed)).data)
        return
    seeds = range(arguments.first, arguments.first + arguments.count)
    found = feed(map(make, seeds), workers=arguments.workers, time_limit=arguments.time_limit)
    for sentence in found.wrong:
        print(sentence)  # noqa: T201 - the report
    print(found)  # noqa: T201
    sys.exit(1 if found.wrong else 0)


if __name__ == "__main__":
    main()
