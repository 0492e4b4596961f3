"""Real FUSE mounts: a file system that cannot do what others can."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until


def why_no_rclone() -> str:
    """Say why rclone cannot mount anything here; empty if it can."""
    for program in ("rclone", "fusermount3"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "only root can be relied on to mount with FUSE, and only where the kernel has it"
    return ""


@contextlib.contextmanager
def rclone_mount(data: Path, place: Path) -> Iterator[Path]:
    """Mount the folder ``data`` on ``place`` with rclone: without hard links and lasting inode numbers.

    A rename without replacing is refused too, and link(2) answers EIO. Skips the test if nothing can be mounted.
    """
    if reason := why_no_rclone():
        pytest.skip(reason)
    for folder in (data, place):
        folder.mkdir(parents=True, exist_ok=True)
    # What is behind it changes only through it, apart from what the tests drop: a second is soon enough.
    command = ["rclone", "mount", str(data), str(place), "--vfs-cache-mode", "full", "--dir-cache-time", "1s"]
    environment = {**os.environ, "RCLONE_CONFIG": "/dev/null", "RCLONE_CACHE_DIR": f"{place}-cache"}
    with Path(f"{place}.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until(lambda: os.path.ismount(place) or server.poll() is not None, 20, "rclone has mounted")
        if server.poll() is not None:
            pytest.skip(f"rclone cannot mount here: {Path(f'{place}.log').read_text(errors='replace')[-500:]}")
        yield place
    finally:
        # Lazily, since what was killed may still have files open.
        subprocess.run(["fusermount3", "-u", "-z", place], check=False, capture_output=True)
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(f"{place}-cache", ignore_errors=True)
