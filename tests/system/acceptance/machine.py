"""A Debian that is booted with systemd, and the commands that are given to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.daemon_process import children_of, is_alive
from tests.system.acceptance.image import SOURCE, UNFINISHED, base_image, cache, python_packages
from tests.waiting import until

TIMEOUT = 120.0
"""Seconds for any one thing inside: machines that test are busy."""

SOURCE_INSIDE = "/usr/src/ocrwatch"
_WHEELS_INSIDE = "/usr/src/wheels"
_PIP = f"[global]\nno-index = true\nfind-links = {_WHEELS_INSIDE}\n"
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
}
_LAYERS_AT = "/mnt"
_LAYERS = f"""
image=$1
shift
mount -t tmpfs -o mode=755,size=4g tmpfs {_LAYERS_AT}
mkdir {_LAYERS_AT}/upper {_LAYERS_AT}/work {_LAYERS_AT}/root
mount -t overlay -o "lowerdir=$image,upperdir={_LAYERS_AT}/upper,workdir={_LAYERS_AT}/work" overlay {_LAYERS_AT}/root
exec "$@"
"""
"""Runs a command with the image under a layer in memory, which takes what is changed."""
_POWER_OFF = signal.SIGRTMIN + 4
"""What systemd(1) takes for the wish to be switched off."""
_POWER_OFF_SECONDS = 60


class Machine:
    """A booted Debian without a network, as a context manager; nothing of it is left when the block is."""

    def __init__(self) -> None:
        # On a disk, as scans are: more than a temporary file system may hold, and what power failures are about.
        self._data = Path(tempfile.mkdtemp(prefix=f"{UNFINISHED}machine-", dir=cache()))
        self._container: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        try:
            self._boot(base_image(), python_packages())
            self.path("/etc/pip.conf").write_text(_PIP)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def run(
        self, *command: str, check: bool = True, user: str | None = None, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root or another user, with ``text`` on its standard input."""
        as_user = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", "--", *as_user, *command],
            input=text or "",
            env=_ENVIRONMENT,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=5 * TIMEOUT,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def path(self, inside: str) -> Path:
        """Return where a file of the machine is, as seen from here."""
        return Path(f"/proc/{self._leader}/root{inside}")

    def property(self, unit: str, name: str) -> str:
        """Return what systemd says of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def main_pid(self, unit: str) -> int:
        """Return the process id of a unit's main process, as seen from inside; 0 if it has none."""
        return int(self.property(unit, "MainPID"))

    def events(self, unit: str, name: str | None = None) -> list[dict[str, Any]]:
        """Return what a unit has logged, of this name if one is given."""
        lines = self.run("journalctl", "--unit", unit, "--output", "cat", "--no-pager").stdout.splitlines()
        found = []
        for line in lines:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and name in {None, event.get("event")}:
                    found.append(event)
        return found

    def _boot(self, image: Path, wheels: Path) -> None:
        # Where systemd runs the machine that tests, it gives the container a control group; elsewhere there is none.
        own_group = [] if Path("/run/systemd/system").is_dir() else ["--keep-unit"]
        console = self._data / "console"
        (self._data / "srv").mkdir()
        command = [
            "setpriv", "--pdeathsig", "TERM",
            # What is mounted goes with the process that sees it, however that ends.
            "unshare", "--mount", "--propagation", "private", "sh", "-euc", _LAYERS, "sh", str(image),
            "systemd-nspawn", "--boot", "--quiet", "--register=no", *own_group, "--private-network",
            "--machine", "ocrwatch-test", "--directory", f"{_LAYERS_AT}/root", "--console", "pipe",
            f"--bind={self._data / 'srv'}:/srv",
            f"--bind-ro={SOURCE}:{SOURCE_INSIDE}", f"--bind-ro={wheels}:{_WHEELS_INSIDE}",
            # Both are for machines with the older control groups; elsewhere they change nothing.
            "systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
        ]  # fmt: skip
        with console.open("wb") as log:
            self._container = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def booted() -> bool:
            if self._container is None or self._container.poll() is not None:
                pytest.skip(f"systemd-nspawn cannot boot here: {console.read_text(errors='replace')[-500:]}")
            leader = children_of(self._container.pid)[:1]
            if not leader or not is_alive(leader[0]):
                return False
            self._leader = leader[0]
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            return state in {"running", "degraded"}

        until(booted, TIMEOUT, "the machine has booted")

    def _remove(self) -> None:
        container = self._container
        if container is not None and container.poll() is None:
            if self._leader:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._leader, _POWER_OFF)
            try:
                container.wait(_POWER_OFF_SECONDS)
            except subprocess.TimeoutExpired:
                container.kill()
                container.wait()
                # Its processes go with the first one of their process namespace.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._leader, signal.SIGKILL)
        shutil.rmtree(self._data, ignore_errors=True)


@contextlib.contextmanager
def restored(*paths: Path) -> Iterator[None]:
    """Put files back as they were when the block is left."""
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    finally:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
