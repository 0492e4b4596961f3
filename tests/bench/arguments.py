"""What the commands of the benches have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

_WIDTH = 118
"""Characters that the tables need; on a narrower terminal lines are broken rather than figures left out."""


def parser_for(description: str | None, *, degrades: bool = True) -> argparse.ArgumentParser:
    """Return a parser that knows the corpora, how to spoil them if that is of use, and where figures go."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="with JPEGs, or subfolders of them")
    parser.add_argument("--limit", type=positive, help="take only so many scans of each corpus")
    if degrades:
        parser.add_argument("--degrade", action="store_true", help="spoil the scans in many ways first")
        parser.add_argument("--pages", type=positive, default=4, help="scans of each corpus that --degrade spoils (4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser


def positive(text: str) -> int:
    """Parse a number of things."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return int(text)


def console() -> Console:
    """Return where tables go."""
    terminal = Console()
    return terminal if terminal.width >= _WIDTH else Console(width=_WIDTH)
