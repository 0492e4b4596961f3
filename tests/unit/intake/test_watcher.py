"""From the inbox to batches, with an inbox that refuses."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.errors import Blocked
from ocrwatch.events import ScanFailed, WatchArmed, WatchLost, subscribe
from ocrwatch.intake import opener
from ocrwatch.intake import watcher as module
from ocrwatch.intake.batcher import Batcher
from ocrwatch.intake.kept_originals import KeptOriginals
from ocrwatch.intake.opener import Probe, probe
from ocrwatch.intake.readiness import ReadinessTracker
from ocrwatch.intake.watcher import Refused, Watcher
from ocrwatch.settings import Watch
from ocrwatch.storage.files import open_regular
from ocrwatch.storage.mounts import MountGuard
from ocrwatch.storage.threads import Threads
from tests.rendering import render
from tests.system.disks import only_disk_for

LONG = 10.0
JPEG = render("ab", size=12, width=64, height=40)


class Demanding:
    """What the watcher hears of the scans that it has handed out."""

    wants_backlog = True
    blocked = 0

    def subscribe(self, event: asyncio.Event) -> None:
        """Set nothing: the tests' inboxes change often enough."""


class Receiving:
    """A watcher, and what came out of it."""

    def __init__(self, inbox: Path, options: Watch | None = None) -> None:
        self.threads = Threads()
        self.backoff = Backoff()
        self.taken: list[str] = []
        self.demand = Demanding()
        self.watcher = Watcher(
            self.threads,
            self.backoff,
            inbox,
            options or Watch(poll_interval=0.1),
            ReadinessTracker(0.0, 0.0, 60.0),
            Batcher(16, 0.0, 0.0),
            kept=KeptOriginals(inbox, {}),
            demand=self.demand,
        )

    async def take(self, *, events: bool) -> None:
        """Take what is ready."""
        async for batch in self.watcher.batches(events=events):
            assert isinstance(batch, list)
            self.taken += [scan.path for scan in batch]

    def run(self, test: Callable[[], Awaitable[None]], *, events: bool = False, timeout: float = LONG) -> None:
        """Watch while ``test`` runs."""

        async def main() -> None:
            taking = asyncio.ensure_future(self.take(events=events))
            await asyncio.wait_for(test(), timeout)
            self.watcher.stop()
            await asyncio.wait_for(taking, LONG)

        asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    while not condition():  # noqa: ASYNC110 - what is waited for sets no event
        await asyncio.sleep(0.01)


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[Receiving]:
    """Make a watcher of an inbox with two scans."""
    for name in ("bad.jpg", "good.jpg"):
        (tmp_path / name).write_bytes(JPEG)
    receiving = Receiving(tmp_path)
    yield receiving
    receiving.threads.close()


def test_an_inbox_that_cannot_be_looked_at_is_waited_for(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """The share fails between the listing and the check that it is the same share: a pause, and no end."""

    def refuse(_anchor: MountGuard) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    async def test() -> None:
        with monkeypatch.context() as failing:
            failing.setattr(MountGuard, "check", refuse)
            await until(lambda: Cause.INBOX in receiving.backoff)
        await until(lambda: len(receiving.taken) == 2)

    receiving.run(test)
    assert not receiving.backoff


def test_a_file_that_its_disk_refuses_delays_no_other(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad sector in one file: the other is read, and the inbox is not said to be away."""

    def refuse(inbox: Path, path: str) -> Probe | None:
        if path == "bad.jpg":
            raise Blocked("it cannot be read (input/output error)")
        return probe(inbox, path)

    monkeypatch.setattr(module, "probe", refuse)

    async def test() -> None:
        await until(lambda: receiving.taken and "bad.jpg" in receiving.watcher.left())

    receiving.run(test)
    assert receiving.taken == ["good.jpg"]
    assert not receiving.backoff
    assert receiving.watcher.left() == {"bad.jpg": "it cannot be read (input/output error)"}


def test_scans_that_are_blocked_do_not_take_the_places_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder full of scans that may not be moved leaves room for those that may."""
    monkeypatch.setattr(module, "MOST_KNOWN", 2)
    for name in ("a1.jpg", "a2.jpg", "good.jpg"):
        (tmp_path / name).write_bytes(JPEG)
    receiving = Receiving(tmp_path)

    async def test() -> None:
        while "good.jpg" not in receiving.taken:
            await asyncio.sleep(0.01)
            receiving.demand.blocked = sum(path.startswith("a") for path in receiving.taken)

    receiving.run(test)
    receiving.threads.close()
    assert "good.jpg" in receiving.taken


def test_nothing_more_is_taken_after_a_stop(receiving: Receiving, tmp_path: Path) -> None:
    """The iterator ends, and a scan that comes later stays where it is."""

    async def test() -> None:
        await until(lambda: len(receiving.taken) == 2)

    receiving.run(test)
    (tmp_path / "late.jpg").write_bytes(JPEG)
    assert receiving.taken == ["bad.jpg", "good.jpg"]


def test_a_file_that_is_no_jpeg_is_given_up(receiving: Receiving, tmp_path: Path) -> None:
    """It comes out with the reason, and its path may arrive again once it is released."""
    for name in ("bad.jpg", "good.jpg"):
        (tmp_path / name).unlink()
    (tmp_path / "text.jpg").write_bytes(b"GIF89a and so on")
    refused: list[Refused] = []

    async def main() -> None:
        async for batch in receiving.watcher.batches(events=False):
            assert isinstance(batch, Refused)
            refused.append(batch)
            receiving.watcher.stop()

    asyncio.run(asyncio.wait_for(main(), LONG))
    assert [(each.path, each.given_up.fault.code) for each in refused] == [("text.jpg", "other-format")]
    assert receiving.watcher.waiting == 0


def test_a_bug_in_the_probe_of_one_file_delays_no_other(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is refused, with its traceback in the log once, and probed again; the others are read."""
    real, count = open_regular, 0
    failed: list[ScanFailed] = []

    def fail(directory: int, name: str) -> int:
        nonlocal count
        if name == "bad.jpg":
            count += 1
            raise IndexError("index out of range")
        return real(directory, name)

    async def test() -> None:
        with monkeypatch.context() as failing:
            failing.setattr(opener, "open_regular", fail)
            await until(lambda: receiving.taken and count > 1)
            assert receiving.taken == ["good.jpg"]
            assert "IndexError" in receiving.watcher.left()["bad.jpg"]
        await until(lambda: len(receiving.taken) == 2)

    with contextlib.ExitStack() as stack:
        stack.callback(subscribe(failed.append, ScanFailed))
        receiving.run(test)
    assert [(each.path, type(each.exception)) for each in failed] == [("bad.jpg", IndexError)]
    assert not receiving.backoff


def test_an_inbox_that_is_unmounted_and_mounted_again_is_watched_again(tmp_path: Path) -> None:
    """The kernel drops the watch, and the same disk gets a new one, however often that happens: no rescan is awaited.

    The inbox has the same device number and inode each time.
    """
    lost: list[WatchLost] = []
    armed: list[WatchArmed] = []
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(only_disk_for(tmp_path))
        receiving = Receiving(tmp_path, Watch(mode="inotify", rescan=600.0))
        stack.callback(receiving.threads.close)
        stack.callback(subscribe(lost.append, WatchLost))
        stack.callback(subscribe(armed.append, WatchArmed))

        async def take_away(times: int) -> None:
            await until(lambda: receiving.watcher.is_empty(0.0))
            # On the event loop, so that no rescan sees the empty folder in between: its watch would be the next one.
            disk.unmount()
            disk.mount()
            await until(lambda: len(armed) == times + 1)
            (tmp_path / f"{times}.jpg").write_bytes(JPEG)
            await until(lambda: f"{times}.jpg" in receiving.taken)

        async def test() -> None:
            await until(lambda: armed)
            for times in range(1, 5):
                await take_away(times)

        receiving.run(test, events=True, timeout=4 * LONG)
    assert {each.mode for each in lost} | {each.mode for each in armed} == {"inotify"}
    reasons = [each.reason for each in lost]
    assert len(reasons) == 4
    # If another test mounts something meanwhile, the disk gets another device number.
    assert set(reasons) <= {"the inbox was removed or unmounted", "the inbox was replaced"}
