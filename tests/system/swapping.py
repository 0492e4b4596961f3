"""Hostile neighbours: processes that swap names while the daemon looks at them.

As fast as they can for a while, then with rests of all lengths: what swaps all the time is never taken for complete, so
the moments that matter come after a rest.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import until

_HERE = -100  # AT_FDCWD, fcntl.h
_EXCHANGE = 2  # RENAME_EXCHANGE, linux/fs.h
_RESTS = (-5.0, -1.5)
"""Powers of ten between which the seconds of a rest lie: as long as a look, a reading or a delivery takes."""
_SHARE_OF_RESTS = 0.5


@contextlib.contextmanager
def replaced_in_a_loop(target: Path, *others: Path) -> Iterator[None]:
    """Have ``target`` replaced by hard links to ``others``, one after the other, again and again.

    The others may be of any kind: files, links, FIFOs, devices. They must lie on the target's file system.
    """
    with _running("replace", target, *others):
        yield


@contextlib.contextmanager
def exchanged_in_a_loop(one: Path, other: Path) -> Iterator[None]:
    """Have two names exchanged, again and again; afterwards each may be where the other was."""
    with _running("exchange", one, other):
        yield


@contextlib.contextmanager
def _running(*command: str | Path) -> Iterator[None]:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", __name__, *map(str, command)], cwd=root, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"swapping\n"
        try:
            yield
            assert process.poll() is None, "it swapped to the end"
        finally:
            process.send_signal(signal.SIGTERM)
            until(lambda: process.poll() is not None)


def _replace(stop: list[int], target: str, *others: str) -> None:
    hidden = Path(target).with_name(".swapping")
    while not stop:
        for other in others:
            hidden.unlink(missing_ok=True)
            os.link(other, hidden, follow_symlinks=False)
            # Where both are links to one file already, this leaves the hidden one.
            hidden.rename(target)
            _rest()
    hidden.unlink(missing_ok=True)


def _exchange(stop: list[int], one: str, other: str) -> None:
    libc = ctypes.CDLL(None)
    while not stop:
        libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
        _rest()


def _rest() -> None:
    if random.random() < _SHARE_OF_RESTS:
        time.sleep(10 ** random.uniform(*_RESTS))


def _main(what: str, *names: str) -> None:
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    os.write(1, b"swapping\n")
    if what == "replace":
        _replace(stop, *names)
    else:
        _exchange(stop, *names)


if __name__ == "__main__":
    _main(*sys.argv[1:])
