"""Mounts that one process sees and no other, as systemd makes them for a service."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def run_with_mounts(mounts: str, program: str, *arguments: str | Path, place: Path) -> str:
    """Run a Python program in a private mount namespace, after the shell commands ``mounts``; return what it prints.

    Both are run in the folder ``place``. Skips the test if that is not allowed.
    """
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can have mounts of its own")
    private = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*private, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    script = f'set -e\n{mounts}\nexec "$@"'
    command = [*private, "sh", "-c", script, "sh", sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, cwd=place, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout
