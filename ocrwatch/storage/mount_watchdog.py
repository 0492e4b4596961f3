"""Detects hung mounts.

A call on a share with a hung server waits, perhaps forever, and cannot report it, so each folder is probed from its own
thread.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ocrwatch.errors import NO_SERVER, EnvironmentFault

PATIENCE = 10.0
"""Seconds for a folder's answer; a working share, however slow, needs less than two."""

_INTERVAL = 5.0
_JOIN_INTERVAL = 0.5


class MountWatchdog:
    """Probes each folder regularly, on its own thread, so that none waits for another."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)
        self._asked: dict[str, float] = {}
        self._closed = threading.Event()
        for name, folder in self._folders.items():
            threading.Thread(target=self._keep_asking, args=(name, folder), name=f"ask {name}", daemon=True).start()

    def fault(self, now: float) -> EnvironmentFault | None:
        """Return the fault of the folders that do not answer now (monotonic seconds)."""
        return _fault(self._folders, self.silent(now))

    def silent(self, now: float) -> list[str]:
        """Return the names of the folders that do not answer at this moment (monotonic seconds)."""
        asked = self._asked.copy()
        return [name for name in self._folders if now - asked.get(name, now) > PATIENCE]

    def wait_for(self, call: Callable[[], object], *names: str) -> bool:
        """Make a call that may wait for folders, on its own thread, and wait until it ends.

        Returns False if one of the named folders (default: any) does not answer: the call may never end, or was not
        made. Raises what the call raises.
        """
        if self._is_silent(names):
            return False
        made = _Call(call)
        try:
            made.start()
        except (RuntimeError, MemoryError):
            # No thread can be started.
            made.run()
        while made.is_alive():
            made.join(_JOIN_INTERVAL)
            if made.is_alive() and self._is_silent(names):
                return False
        made.check()
        return True

    def close(self) -> None:
        """Stop probing."""
        self._closed.set()

    def _is_silent(self, names: Sequence[str]) -> bool:
        silent = self.silent(time.monotonic())
        return any(name in (names or self._folders) for name in silent)

    def _keep_asking(self, name: str, folder: Path) -> None:
        while not self._closed.wait(_INTERVAL):
            self._asked[name] = time.monotonic()
            _ask(folder)
            del self._asked[name]


class _Call(threading.Thread):
    """A call on its own thread, which keeps the error that it raises."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(name="call to folders", daemon=True)
        self._call = call
        self._error: Exception | None = None

    def run(self) -> None:
        """Make the call."""
        try:
            self._call()
        except Exception as error:  # noqa: BLE001 - raised by check, in the thread that waits
            self._error = error

    def check(self) -> None:
        """Raise the error of the call, if it had one."""
        if self._error is not None:
            raise self._error


def check_answers(folders: Mapping[str, Path]) -> None:
    """Raise :class:`EnvironmentFault` if a folder gives no answer.

    A refusal is an answer.
    """
    threads = {name: threading.Thread(target=_ask, args=(folder,), daemon=True) for name, folder in folders.items()}
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + PATIENCE
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    fault = _fault(folders, [name for name, thread in threads.items() if thread.is_alive()])
    if fault is not None:
        raise fault


def _ask(folder: Path) -> None:
    # Unlike the status of a file, this is not answered from a network client's cache.
    with contextlib.suppress(OSError):
        os.statvfs(folder)


def _fault(folders: Mapping[str, Path], silent: list[str]) -> EnvironmentFault | None:
    if not silent:
        return None
    what = " and ".join(f"the {name} {folders[name]}" for name in silent)
    return EnvironmentFault(f"{what} {'does' if len(silent) == 1 else 'do'} not answer", NO_SERVER)
