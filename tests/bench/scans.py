"""The scans that a bench reads: a folder's, or rendered ones."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.rendering import render

_RENDERED = 24
_PARAGRAPH = (
    "The scanner on the second floor saves each page as a JPEG, and somebody fetches the stack before lunch.",
    "Whatever the machine has written by then must be whole, named as the office expects, and found again.",
    "Nobody reads the log until a page is missing, and then everybody wants to know where it went and when.",
)


def scans_from(folder: Path | None, scratch: Path) -> list[Path]:
    """Return the JPEGs of ``folder``, or of pages rendered into ``scratch``."""
    if folder is None:
        return [_rendered(scratch, number) for number in range(_RENDERED)]
    scans = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})
    if not scans:
        sys.exit(f"no JPEGs in {folder}")
    return scans


def _rendered(folder: Path, number: int) -> Path:
    lines = [f"Page {number}"] + [_PARAGRAPH[(number + line) % len(_PARAGRAPH)] for line in range(30)]
    path = folder / f"page{number}.jpg"
    path.write_bytes(render("\n".join(lines), size=40))
    return path
