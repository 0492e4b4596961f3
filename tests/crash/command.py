"""What the long runs have in common as commands."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.crash.scenario import Differences


class Outcome(Protocol):
    """What came of a run; as text, its figures."""

    @property
    def failed(self) -> bool:
        """Whether anything is not as it should be."""

    @property
    def differences(self) -> Differences:
        """What is not as it should be with the scans."""


def carry_out(parser: argparse.ArgumentParser, name: str, run: Callable[[Path, argparse.Namespace], Outcome]) -> int:
    """Run in a folder of its own, which stays where something is wrong; print the figures, return the exit code."""
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=f"ocrwatch-{name}-", dir=options.folder)).resolve()
    outcome = run(folder, options)
    sys.stdout.write(f"seed {options.seed}: {outcome}\n")
    if outcome.failed:
        sys.stdout.write(f"{outcome.differences}\nsee {folder}\n")
        return 1
    shutil.rmtree(folder)
    return 0
