"""Libraries that stand between a process and libc, without that process knowing of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SLOW = {"SLOW_MOST": "40000", "SLOW_CHANGES": "200", "SLOW_LOOKS": "10"}
"""The environment of ``slow.c``: what took a millisecond takes a tenth of a second now and then."""


def compiler() -> str | None:
    """Return the C compiler, or None if there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(source: str, folder: Path) -> Path:
    """Compile a library to be loaded with LD_PRELOAD from a C file beside this module."""
    library = (folder / source).with_suffix(".so")
    command = [compiler() or "cc", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-o", str(library)]
    subprocess.run([*command, str(Path(__file__).with_name(source)), "-ldl"], check=True)
    return library
