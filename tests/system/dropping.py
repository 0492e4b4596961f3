"""Putting scans into an inbox and looking at what became of them."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

from tests.daemon_process import DaemonProcess, Event
from tests.rendering import render
from tests.waiting import until

BY_EVENTS = ("--set", "watch.mode=inotify")
"""For tests of events, so that they hold where the temporary folder is of a kind that is polled, as in containers."""

_THINGS = ("harbour", "lantern", "meadow", "orchard", "pencil", "river", "summer", "teapot", "village", "window")
_COLOURS = ("amber", "black", "green", "orange", "purple", "silver", "white", "yellow")


def phrase(number: int) -> str:
    """Return a line that no other number below 40 has, of words that are easy to read."""
    return f"The {_COLOURS[number % len(_COLOURS)]} {_THINGS[number % len(_THINGS)]} stands here"


@functools.cache
def scan(number: int, lines: int = 1) -> bytes:
    """Return a JPEG whose text is ``phrase(number)``, ``lines`` times over."""
    return render("\n".join([phrase(number)] * lines), size=40)


def put(inbox: Path, name: str, data: bytes) -> Path:
    """Rename a complete file into ``inbox``, as careful programs do; folders in ``name`` are made."""
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f".{os.urandom(4).hex()}.part"
    unfinished.write_bytes(data)
    unfinished.rename(path)
    return path


def files(folder: Path) -> set[str]:
    """Return the relative names of all files in ``folder``, but for ocrwatch's lock."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}
    return {name for name in found if not name.endswith(".ocrwatch.lock")}


def temporary_files(daemon: DaemonProcess) -> set[str]:
    """Return the unfinished files that lie in any of the daemon's folders."""
    folders = (daemon.inbox, daemon.outbox, daemon.archive, daemon.quarantine)
    found = (path for folder in folders for path in folder.rglob(".ocrwatch-*"))
    return {str(path.relative_to(daemon.folder)) for path in found}


def text_of(daemon: DaemonProcess, sidecar: str) -> str:
    """Return the words of a sidecar, one space between them."""
    return " ".join((daemon.outbox / sidecar).read_text(encoding="utf-8").split())


def is_read(daemon: DaemonProcess, name: str) -> bool:
    """Tell whether the records say that a worker reads the scan."""
    path = daemon.state / "status.json"
    reading = json.loads(path.read_text())["being_read"] if path.exists() else []
    return name in {each["path"] for each in reading}


def delivered(daemon: DaemonProcess, path: str, number: int, *, sidecar: str | None = None) -> Event:
    """Wait until the scan at ``path`` was delivered, check its places and its words, and return the event.

    The original is in the archive with the sidecar's stem, and not in the inbox any more.
    """
    event = daemon.wait_for("scan.delivered", path=path)
    expected = sidecar or f"{os.path.splitext(path)[0]}.txt"
    assert expected in event["sidecars"]
    assert text_of(daemon, expected) == phrase(number)
    original = os.path.splitext(expected)[0] + os.path.splitext(path)[1]
    assert event["archived"] == original
    assert (daemon.archive / original).is_file()
    return event


def only_once(daemon: DaemonProcess, path: str) -> None:
    """Check that nothing more comes of the scan at ``path`` than its one delivery."""
    assert len(daemon.events("scan.delivered", path=path)) == 1
    assert not daemon.events("scan.quarantined", path=path)


def emptied(folder: Path, timeout: float = 40.0) -> None:
    """Wait until no file is left in ``folder``."""
    until(lambda: not files(folder), timeout, f"{folder} is empty, not {sorted(files(folder))}")
