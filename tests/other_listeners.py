"""Listeners of another package, as somebody would bring them along; most of them are at fault."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest import mock

from ocrwatch import plugins
from ocrwatch.events import Event, ScanDelivered
from ocrwatch.events.listeners import GROUP

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = "other-listeners"
OUTPUT: Final = "OTHER_LISTENERS_OUTPUT"
"""Variable with the file that :class:`Writes` writes to."""


class Writes:
    """Writes each scan that was delivered to a file, one on a line."""

    def __init__(self) -> None:
        self._file = Path(os.environ[OUTPUT]).open("a", encoding="utf-8")  # noqa: SIM115 - closed at the end

    def handle(self, event: Event) -> None:
        """Write a line."""
        if isinstance(event, ScanDelivered):
            self._file.write(json.dumps({"event": event.name, **event.fields()}) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Write the last line."""
        self._file.write('{"event": "closed"}\n')
        self._file.close()


class Raises:
    """Fails on every event."""

    def handle(self, event: Event) -> None:
        """Fail."""
        raise ValueError(f"cannot handle {event.name}")

    def close(self) -> None:
        """Fail in another way."""
        raise KeyError("nothing is open")


class Hangs(Raises):
    """Returns from nothing that it is called for."""

    def handle(self, event: Event) -> None:  # noqa: ARG002 - the protocol's
        """Wait."""
        threading.Event().wait()


class CannotBeMade(Raises):
    """Needs what is not there."""

    def __init__(self) -> None:
        raise ConnectionRefusedError("no server")


LISTENERS: Final = {"writes": Writes, "raises": Raises, "hangs": Hangs, "cannot-be-made": CannotBeMade}


def install(folder: Path) -> str:
    """Have listeners found from ``folder``; return the PYTHONPATH with which a process finds them."""
    metadata = folder / "other_listeners-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    lines = [f"{name} = {__name__}:{kind.__name__}\n" for name, kind in LISTENERS.items()]
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{''.join(lines)}missing = there_is_no_such_module:It\n")
    return f"{folder}{os.pathsep}{ROOT}"


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Have this process find listeners in a ``with`` block."""
    install(folder)
    with mock.patch("sys.path", [str(folder), *sys.path]):
        _forget()
        yield
    _forget()


def _forget() -> None:
    importlib.invalidate_caches()
    plugins.forget()
