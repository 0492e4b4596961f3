"""Events through watchdog: armed and disarmed, whatever state watchdog is in."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ocrwatch.intake import watch
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.watch import Watcher


@pytest.fixture
def watcher(tmp_path: Path) -> Watcher:
    """Watch an empty inbox."""
    watcher = Watcher(
        tmp_path, NameRules.of(("*.jpg",), ()), recursive=True, arrived=lambda _: None, stirred=lambda: None
    )
    watcher.arm()
    return watcher


def test_it_ends(watcher: Watcher) -> None:
    """Disarmed, nothing of it runs any more."""
    assert watcher.armed
    watcher.disarm()
    assert not watcher.armed
    assert not [thread.name for thread in threading.enumerate() if "Inotify" in type(thread).__name__]


def test_a_watchdog_that_does_not_end_is_left_to_it(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy with very deep folders it does not hear that it is to stop: the daemon stops all the same."""
    monkeypatch.setattr(watch, "_LONGEST_END", 0.1)
    observer = watcher._observer
    assert observer is not None
    busy, real = threading.Event(), observer.stop
    ended = threading.Event()

    def stop() -> None:
        busy.wait()
        real()
        ended.set()

    monkeypatch.setattr(observer, "stop", stop)
    begun = time.monotonic()
    watcher.disarm()
    assert time.monotonic() - begun < 5
    assert not ended.is_set()
    busy.set()
    assert ended.wait(10)
