"""The real daemon, run as a user would run it: a process of its own, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

Event = dict[str, Any]

TIMEOUT = 40.0
"""Seconds to wait for anything that should take a moment: machines that test are busy."""

_WITHOUT_NOTE = {"OCRWATCH_STATUS__SHARE_FILE": "false"}
"""So that an outbox has nothing but sidecars, and can be compared; tests of the note switch it on again."""

PROGRAM = (sys.executable, "-P", "-m", "ocrwatch.cli")
"""ocrwatch with this interpreter, whatever the PATH says."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what would change settings, with ``extra``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OCRWATCH_", "STATE_DIRECTORY"))}
    return {**kept, **(extra or {})}


def write_config(folder: Path, config: str | None) -> None:
    """Give ``folder`` the settings file that ocrwatch finds by itself there, so that the machine's own is not used."""
    path = folder / "ocrwatch.toml"
    if config is not None or not path.exists():
        path.write_text(config or "", encoding="utf-8")
        path.chmod(0o644)


def run_ocrwatch(
    folder: Path,
    *arguments: str,
    config: str | None = None,
    environment: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself, in ``folder``; ``wrapper`` is a command to run it with."""
    write_config(folder, config)
    return subprocess.run(
        [*wrapper, *PROGRAM, *arguments],
        cwd=folder,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process's children, none if it is gone."""
    children: list[int] = []
    # It, or one of its threads, may end at any moment.
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                children += map(int, (thread / "children").read_text().split())
    return children


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class DaemonProcess:
    """A running ``ocrwatch run`` with its log, as a context manager.

    ``config`` is the text of its ``ocrwatch.toml``; without one an earlier run's is kept, so that a second
    DaemonProcess on the same folder is a restart. ``wrapper`` is a command to run it with, which must become it;
    ``program`` stands for ocrwatch itself. What it started is gone when the block is left, and its log is on standard
    output, which pytest shows for a test that fails.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        config: str | None = None,
        command: str = "run",
        environment: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.outbox = folder / "outbox"
        self.archive = folder / "archive"
        self.quarantine = folder / "quarantine"
        self.state = folder / "state"
        self.started_at = 0.0
        """Monotonic seconds."""
        self.complaints: list[str] = []
        """Lines of standard error that are no events."""
        self._command = [*wrapper, *program, command, *arguments]
        self._config = config
        self._environment = clean_environment(_WITHOUT_NOTE | dict(environment or {}))
        self._events: list[Event] = []
        self._printed = 0
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the block is left
        self._news = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        write_config(self.folder, self._config)
        self.started_at = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        workers = self.workers()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker, signal.SIGKILL)
        self._reader.join(5)
        self.print_log()
        self._output.close()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process itself."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def output(self) -> str:
        """What it has written to standard output."""
        return os.pread(self._output.fileno(), 1 << 20, 0).decode("utf-8", "backslashreplace")

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        return children_of(self.pid)

    def events(self, name: str | None = None, **fields: object) -> list[Event]:
        """Return the events so far of this name with these fields."""
        with self._news:
            return [event for event in self._events if _fits(event, name, fields)]

    def wait_for(self, event: str, *, count: int = 1, timeout: float = TIMEOUT, **fields: object) -> Event:
        """Wait for the ``count``-th event of this name with these fields, and return it."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                found = [entry for entry in self._events if _fits(entry, event, fields)]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    why = f"within {timeout:g} s" if left <= 0 else "before the process ended"
                    pytest.fail(f"{len(found)} of {count} {event} with {fields} came {why}:\n{self._log_text()}")
                self._news.wait(min(left, 0.5))

    def wait_ready(self) -> Self:
        """Wait until it watches and its workers can read."""
        self.wait_for("daemon.ready")
        return self

    def stop(self, timeout: float = TIMEOUT) -> int:
        """Send SIGTERM and return the exit code, with the log complete."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """Send SIGKILL and reap it."""
        self.process.kill()
        self.wait()

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Return the exit code when it has ended, with the log complete."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not end within {timeout:g} s:\n{self._log_text()}")
        self._reader.join(5)
        return code

    def print_log(self) -> None:
        """Print what it logged since this was last called."""
        with self._news:
            print(f"--- {' '.join(self._command)} (process {self.pid}, code {self.process.poll()})")  # noqa: T201
            print(self._log_text())  # noqa: T201
            self._printed = len(self._events)

    def _log_text(self) -> str:
        return "\n".join([*map(json.dumps, self._events[self._printed :]), *self.complaints])

    def _read_log(self) -> None:
        stream = self.process.stderr
        if stream is None:
            return
        with stream:
            for raw in stream:
                line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
                with self._news:
                    try:
                        self._events.append(json.loads(line))
                    except ValueError:
                        self.complaints.append(line)
                    self._news.notify_all()


def _fits(entry: Event, name: str | None, fields: Mapping[str, object]) -> bool:
    return (name is None or entry.get("event") == name) and all(
        key in entry and entry[key] == value for key, value in fields.items()
    )
