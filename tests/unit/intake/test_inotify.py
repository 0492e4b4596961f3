"""Events through watchdog: armed and disarmed, whatever state watchdog is in."""

from __future__ import annotations

import errno
import io
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, WatchDescriptor

from ocrwatch.intake import inotify
from ocrwatch.intake.inotify import InotifyWatcher
from ocrwatch.intake.names import NameRules
from ocrwatch.log import configure
from ocrwatch.scan import Arrival
from tests.privileges import reachable_folder, unprivileged
from tests.waiting import until


class Heard:
    """Keeps what was told, in the order in which it was."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def arrived(self, arrival: Arrival) -> None:
        """Take a path."""
        self.told.append(arrival.path)

    def stirred(self) -> None:
        """Note that."""
        self.told.append("<stirred>")

    def left_alone(self) -> None:
        """Note that."""
        self.told.append("<left alone>")

    def overflowed(self) -> None:
        """Note that."""
        self.told.append("<overflowed>")

    def limited(self) -> None:
        """Note that."""
        self.told.append("<limited>")

    def ended(self) -> None:
        """Take no note: a watch that is disarmed ends as well."""


@pytest.fixture
def heard() -> Heard:
    """Listen."""
    return Heard()


def watch_it(inbox: Path, heard: Heard) -> InotifyWatcher:
    """Watch an inbox with what is in it."""
    watcher = InotifyWatcher(inbox, NameRules.of(("*.jpg",), (".*", "old")), heard, recursive=True)
    watcher.arm()
    return watcher


@pytest.fixture
def watcher(tmp_path: Path, heard: Heard) -> Iterator[InotifyWatcher]:
    """Watch an empty inbox."""
    watcher = watch_it(tmp_path, heard)
    yield watcher
    watcher.disarm()


def test_it_ends(watcher: InotifyWatcher) -> None:
    """Disarmed, nothing of it runs any more."""
    assert watcher.armed
    watcher.disarm()
    assert not watcher.armed
    assert not [thread.name for thread in threading.enumerate() if "Inotify" in type(thread).__name__]


def test_a_watchdog_that_does_not_end_is_left_to_it(watcher: InotifyWatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy with very deep folders it does not hear that it is to stop: the daemon stops all the same."""
    monkeypatch.setattr(inotify, "_LONGEST_END", 0.1)
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


def watched(watcher: InotifyWatcher) -> set[str]:
    """Return the folders that the kernel watches, relative to the inbox."""
    observer = watcher._observer
    assert observer is not None
    (emitter,) = observer.emitters
    group = emitter._inotify  # type: ignore[attr-defined]
    return {os.fsdecode(path).removeprefix(str(watcher._inbox)) for path in group._active_callbacks_by_path}


def put(folder: Path, *names: str) -> None:
    """Make empty files, with their folders."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_what_is_never_looked_into_is_not_watched(tmp_path: Path, heard: Heard) -> None:
    """Neither a NAS's snapshots nor excluded folders cost a watch, whether they were there before or come later."""
    put(tmp_path, "sub/a.jpg", "#snapshot/monday/b.jpg", "sub/@Recycle/c/d.jpg", "old/e.jpg")
    watcher = watch_it(tmp_path, heard)
    assert watched(watcher) == {"", "/sub"}
    put(tmp_path, "@eaDir/f.jpg", "later/deep/$RECYCLE.BIN/g.jpg", "later/deep/h.jpg")
    until(lambda: "later/deep/h.jpg" in heard.told)
    assert watched(watcher) == {"", "/sub", "/later", "/later/deep"}
    assert {path for path in heard.told if path.endswith(".jpg")} == {"later/deep/h.jpg"}
    watcher.disarm()


def test_a_full_queue_is_told(
    watcher: InotifyWatcher, tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the kernel says that it dropped events, the listener is told, and folders that came meanwhile are watched."""
    observer = watcher._observer
    assert observer is not None
    group = next(iter(observer.emitters))._inotify  # type: ignore[attr-defined]
    real = group.on_event
    monkeypatch.setattr(group, "on_event", lambda event: None if event.name == b"unseen" else real(event))
    put(tmp_path, "unseen/dropped.jpg", "after.jpg")
    until(lambda: "after.jpg" in heard.told)
    assert watched(watcher) == {""}
    overflow = InotifyEvent(WatchDescriptor(-1), InotifyConstants.IN_Q_OVERFLOW, 0, b"")
    observer._inotify_fd.handle_event(overflow)
    assert heard.told[-1] == "<overflowed>"
    assert watched(watcher) == {"", "/unseen"}
    put(tmp_path, "unseen/a.jpg")
    until(lambda: "unseen/a.jpg" in heard.told)


def test_folders_that_may_not_be_watched_cost_no_warning() -> None:
    """Two folders of another user: the others are watched, without a warning of watchdog's (an error in tests)."""
    heard = Heard()
    with reachable_folder() as inbox:
        put(inbox, "closed1/a.jpg", "closed2/b.jpg", "open/c.jpg")
        for name in ("closed1", "closed2"):
            (inbox / name).chmod(0)
        with unprivileged():
            watcher = watch_it(inbox, heard)
        assert watched(watcher) == {"", "/open"}
        put(inbox, "open/d.jpg")
        until(lambda: "open/d.jpg" in heard.told)
        watcher.disarm()


def test_watches_that_run_out_are_told(tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the kernel allows no more of them, the listener hears that some folders are not watched."""
    put(tmp_path, "sub/a.jpg")
    real = inotify._Descriptor._add_callback

    def refuse(self: inotify._Descriptor, path: bytes, *others: object) -> WatchDescriptor:
        if path.endswith(b"sub"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, path, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(inotify._Descriptor, "_add_callback", refuse)
    watcher = watch_it(tmp_path, heard)
    assert heard.told == ["<limited>"]
    watcher.disarm()


def test_files_that_are_no_scans_are_told_of(watcher: InotifyWatcher, tmp_path: Path, heard: Heard) -> None:
    """A PDF that comes, or that gets a scan's name, makes for a look; what no one means to have read does not."""
    put(tmp_path, ".hidden", "Thumbs.db", "a.jpg")
    until(lambda: "a.jpg" in heard.told)
    assert "<left alone>" not in heard.told
    put(tmp_path, "doc.pdf")
    until(lambda: "<left alone>" in heard.told)
    heard.told.clear()
    (tmp_path / "doc.pdf").rename(tmp_path / "doc.jpg")
    until(lambda: "doc.jpg" in heard.told)
    assert "<left alone>" in heard.told


def test_a_thread_that_fails_is_named(watcher: InotifyWatcher, tmp_path: Path, heard: Heard) -> None:
    """What ends the watch is kept for the log, rather than printed beside it."""
    observer = watcher._observer
    assert observer is not None

    def fail(*_: object) -> None:
        raise ValueError("no such luck")

    observer.dispatch_events = fail  # type: ignore[assignment]
    put(tmp_path, "a.jpg", "b.jpg")
    until(lambda: not watcher.armed)
    assert "no such luck" in watcher.failure


def test_watchdog_says_nothing_itself(capsys: pytest.CaptureFixture[str], restored_logging: None) -> None:
    """What it would warn of is said by events of ours."""
    stream = io.StringIO()
    configure(stream=stream)
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed")
    assert stream.getvalue() == ""
    assert capsys.readouterr().err == ""


def test_a_watch_that_the_kernel_removes_is_lost(watcher: InotifyWatcher, tmp_path: Path) -> None:
    """If the inbox itself is removed, no event can arrive any more, and no error is to blame."""
    tmp_path.rmdir()
    until(lambda: not watcher.armed)
    assert watcher.is_removed
    assert watcher.failure == ""
    tmp_path.mkdir()
    watcher.arm()
    assert watcher.armed
    assert not watcher.is_removed


def test_an_unmounted_inbox_is_lost(watcher: InotifyWatcher, tmp_path: Path, heard: Heard) -> None:
    """If the kernel says that the disk was unmounted, which removes the watch, the watch has ended."""
    observer = watcher._observer
    assert observer is not None
    put(tmp_path, "sub/a.jpg")
    until(lambda: "sub/a.jpg" in heard.told)
    group = next(iter(observer.emitters))._inotify  # type: ignore[attr-defined]
    by_path = dict(group._active_callbacks_by_path)
    for path in (b"/sub", b""):
        assert watcher.armed
        number = by_path[os.fsencode(tmp_path) + path]
        observer._inotify_fd.handle_event(InotifyEvent(number, InotifyConstants.IN_UNMOUNT, 0, b""))
        observer._inotify_fd.handle_event(InotifyEvent(number, InotifyConstants.IN_IGNORED, 0, b""))
    until(lambda: not watcher.armed)
    assert watcher.is_removed


def test_an_inbox_that_cannot_be_watched_after_an_overflow_is_lost(
    watcher: InotifyWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watches are added again after an overflow; if the inbox is gone by then, there is none left."""
    observer = watcher._observer
    assert observer is not None

    def refuse(*_: object) -> WatchDescriptor:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(inotify._Descriptor, "_add_callback", refuse)
    observer._inotify_fd.handle_event(InotifyEvent(WatchDescriptor(-1), InotifyConstants.IN_Q_OVERFLOW, 0, b""))
    until(lambda: not watcher.armed)
    assert watcher.is_removed


def test_a_watch_that_is_disarmed_is_not_removed(watcher: InotifyWatcher) -> None:
    """Its end is what was asked for."""
    observer = watcher._observer
    assert observer is not None
    watcher.disarm()
    assert not observer.is_removed
