"""Daemons that send the scans below ``cloud/`` to a service of :mod:`tests.ocr_services`."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.daemon_process import DaemonProcess, Event, run_ocrwatch
from tests.ocr_services import OcrService, text_of
from tests.rendering import render, with_comment
from tests.system.dropping import files, put
from tests.waiting import until

CAUSE = "remote:cloud"
"""Of the service's pauses."""

_CONFIG = """
[workers]
count = 2
[ocr]
engine = "tesserocr"
second = "none"
[settle]
stable_for = "0s"
stable_for_closed = "0s"
[batch]
quiet = "0s"
[retry]
first_delay = "0s"
{top}
[[profiles]]
match = "cloud/**"
ocr.engine = {engine}
{profile}
[[remote]]
name = "cloud"
preset = "{preset}"
url = "{url}"
rate = 200
concurrency = 4
{remote}
"""


def settings(
    service: OcrService, *, engine: str = '"remote:cloud"', top: str = "", profile: str = "", remote: str = ""
) -> str:
    """Return settings with the service for scans below ``cloud/``, and with further lines at these places."""
    url = service.url + ("/ocr" if service.preset == "generic" else "")
    return _CONFIG.format(engine=engine, top=top, profile=profile, preset=service.preset, url=url, remote=remote)


@functools.cache
def small_scan(number: int) -> bytes:
    """Return a small scan with bytes of its own."""
    return with_comment(render("small", size=20), f"number {number}")


def sha256_of(content: bytes) -> str:
    """Return what a service knows a scan by that is sent as it is."""
    return hashlib.sha256(content).hexdigest()


def drop(daemon: DaemonProcess, numbers: Iterable[int]) -> list[str]:
    """Put small scans into the folder whose scans are sent; return their names."""
    numbers = list(numbers)
    for number in numbers:
        put(daemon.inbox, f"cloud/{number}.jpg", small_scan(number))
    return [f"cloud/{number}.jpg" for number in numbers]


def status_of(daemon: DaemonProcess) -> dict[str, Any]:
    """Return what ``ocrwatch status --json`` prints."""
    answer: dict[str, Any] = json.loads(run_ocrwatch(daemon.folder, "status", "--json").stdout)
    return answer


def sent_and_delivered(daemon: DaemonProcess, numbers: Iterable[int], timeout: float = 40.0) -> None:
    """Wait until the small scans are delivered, and check that each has its service's text once, and its place.

    Nothing is in the quarantine, and nothing is left over.
    """
    numbers = list(numbers)
    until(lambda: not _left(daemon), timeout, "no scan is left in the inbox")
    # On its way to the archive a scan has a hidden name.
    until(
        lambda: all((daemon.archive / f"cloud/{number}.jpg").exists() for number in numbers),
        timeout,
        "all are archived",
    )
    for number in numbers:
        text = (daemon.outbox / f"cloud/{number}.txt").read_text(encoding="utf-8")
        assert text.split() == text_of(sha256_of(small_scan(number))).split()
        assert (daemon.archive / f"cloud/{number}.jpg").read_bytes() == small_scan(number)
    below = {name for name in files(daemon.outbox) if name.startswith("cloud/")}
    assert below == {f"cloud/{number}.txt" for number in numbers}
    below = {name for name in files(daemon.archive) if name.startswith("cloud/")}
    assert below == {f"cloud/{number}.jpg" for number in numbers}
    assert not files(daemon.quarantine)


def _left(daemon: DaemonProcess) -> set[str]:
    return {name for name in files(daemon.inbox) if name.endswith(".jpg")}


def deliveries(daemon: DaemonProcess, names: Iterable[str]) -> list[Event]:
    """Wait for the deliveries of scans, check that there is one of each, and return them."""
    names = list(names)
    events = [daemon.wait_for("scan.delivered", path=name) for name in names]
    counted = Counter(event["path"] for event in daemon.events("scan.delivered"))
    assert {counted[name] for name in names} == {1}
    return events
