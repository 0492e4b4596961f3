"""What the bench of remote services needs: a service in a process of its own, and a daemon that sends scans to it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from tests.daemon_process import DaemonProcess, Event
from tests.documentation import ROOT
from tests.ocr_services import text_of
from tests.rendering import render, with_comment
from tests.system.dropping import put

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_MB: Final = 1 << 20
_FOLDER_OF: Final = 500
"""Scans in one subfolder, as devices and people keep them."""

_AS_USUAL: Final = {"OCRWATCH_STATUS__SHARE_FILE": "true"}
"""What tests switch off costs the daemon something."""


class ServiceProcess:
    """``python -m tests.ocr_services``, as a context manager; on the same port again after :meth:`kill`."""

    def __init__(self, *, latency: float, limit: int = 0) -> None:
        """``latency`` is in seconds; more than ``limit`` requests within any second are refused, if it is not 0."""
        self._options = ("--latency", str(latency), "--limit", str(limit))
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        """Its address, without a path."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "tests.ocr_services", "--preset", "rapidocr", "--port", port, *self._options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            sys.exit("the OCR service did not start")

    def kill(self) -> None:
        """End it, with all of its connections."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def suspend(self) -> None:
        """Make it answer nothing, while the kernel still accepts connections."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End :meth:`suspend`."""
        self._signal(signal.SIGCONT)

    def counts(self) -> dict[str, Any]:
        """Return what came since its start."""
        with urllib.request.urlopen(f"{self.url}/_counts", timeout=30) as answer:  # noqa: S310 - this machine's
            counts: dict[str, Any] = json.load(answer)
            return counts

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


@contextlib.contextmanager
def sending_to(
    service: ServiceProcess, home: Path, *, engine: str, rate: float, concurrency: int, timeout: str = "30s"
) -> Iterator[DaemonProcess]:
    """Run a daemon whose scans the service reads; ``engine`` is TOML."""
    config = f"""
ocr.engine = {engine}
ocr.second = "none"
# The cache in memory grows up to its limit of 16 MB, which would look like a leak.
cache.levels = ["disk"]

[[remote]]
name = "cloud"
preset = "rapidocr"
url = "{service.url}"
rate = {rate}
concurrency = {concurrency}
timeout = "{timeout}"
"""
    with DaemonProcess(home, config=config, environment=_AS_USUAL) as daemon:
        yield daemon.wait_ready()


@functools.cache
def _pixels() -> bytes:
    return render("The amber harbour stands here\nand the silver lantern too", size=24, width=600, height=400)


def content_of(number: int) -> bytes:
    """Return a JPEG of 600 x 400 pixels that no other number has."""
    return with_comment(_pixels(), f"scan number {number}")


def path_of(number: int) -> str:
    """Return the path of a scan in the inbox."""
    return f"{number // _FOLDER_OF}/scan{number}.jpg"


def drop(daemon: DaemonProcess, number: int) -> None:
    """Put a scan into the inbox."""
    put(daemon.inbox, path_of(number), content_of(number))


def feed(daemon: DaemonProcess, scans: int, ahead: int, until: Callable[[int], bool]) -> None:
    """Keep ``ahead`` scans in the inbox until so many were dropped, or ``until`` is true of the number delivered."""
    fed = 0
    while not until(done := len(daemon.events("scan.delivered"))):
        more = range(fed, min(scans, done + ahead))
        for number in more:
            drop(daemon, number)
        fed += len(more)
        time.sleep(0.2)


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU time that a process has used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MB


def time_of(event: Event) -> float:
    """Return when an event was logged, in seconds since 1970."""
    return datetime.fromisoformat(event["time"]).timestamp()


def is_remote(event: Event) -> bool:
    """Return whether the service has read a delivered scan."""
    return str(event["engine"]).startswith("remote:")


def mixed_up(daemon: DaemonProcess, delivered: list[Event]) -> int:
    """Return how many scans have the text that the service read on another."""
    wrong = 0
    for event in filter(is_remote, delivered):
        number = int(Path(event["path"]).stem.removeprefix("scan"))
        expected = text_of(hashlib.sha256(content_of(number)).hexdigest())
        text = (daemon.outbox / event["sidecars"][0]).read_text(encoding="utf-8")
        wrong += text.split() != expected.split()
    return wrong
