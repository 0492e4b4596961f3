"""From the inbox to batches, with an inbox that refuses."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ocrwatch.backoff import Backoff
from ocrwatch.daemon import reception as module
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.reception import Reception
from ocrwatch.errors import Blocked
from ocrwatch.intake.batcher import Batcher
from ocrwatch.intake.opener import Probe, probe
from ocrwatch.intake.readiness import ReadinessTracker
from ocrwatch.settings import Watch
from ocrwatch.storage.mounts import MountGuard
from tests.rendering import render

LONG = 10.0
JPEG = render("ab", size=12, width=64, height=40)


class Receiving:
    """A reception, and what came out of it."""

    def __init__(self, inbox: Path, blocked: Callable[[], int] = lambda: 0) -> None:
        self.loop = Loop(io_threads=1)
        self.pauses = Backoff(lambda: None)
        self.taken: list[str] = []
        self.reception = Reception(
            self.loop,
            self.pauses,
            inbox,
            Watch(),
            ReadinessTracker(0.0, 0.0, 60.0),
            Batcher(16, 0.0, 0.0),
            kept=lambda _: False,
            given_up=lambda *_: None,
            blocked=blocked,
        )
        self.reception.start(events=False)

    def turn(self) -> None:
        """Do what is due, and take what is ready."""
        now = time.monotonic()
        self.reception.tick(now)
        self.loop.turn(min(self.reception.next_wake(backlog=True), now + 0.1))
        self.taken += [scan.path for scan in self.reception.take(time.monotonic(), backlog=True)]


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[Receiving]:
    """Make a reception of an inbox with two scans."""
    for name in ("bad.jpg", "good.jpg"):
        (tmp_path / name).write_bytes(JPEG)
    receiving = Receiving(tmp_path)
    yield receiving
    receiving.loop.close()


def test_an_inbox_that_cannot_be_looked_at_is_waited_for(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """The share fails between the listing and the check that it is the same share: a pause, and no end."""

    def refuse(_anchor: MountGuard) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    deadline = time.monotonic() + LONG
    with monkeypatch.context() as failing:
        failing.setattr(MountGuard, "check", refuse)
        while "inbox" not in receiving.pauses:
            assert time.monotonic() < deadline
            receiving.turn()
    while len(receiving.taken) < 2:
        assert time.monotonic() < deadline
        receiving.turn()
    assert not receiving.pauses


def test_a_file_that_its_disk_refuses_delays_no_other(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad sector in one file: the other is read, and the inbox is not said to be away."""

    def refuse(inbox: Path, path: str) -> Probe | None:
        if path == "bad.jpg":
            raise Blocked("it cannot be read (input/output error)")
        return probe(inbox, path)

    monkeypatch.setattr(module, "probe", refuse)
    deadline = time.monotonic() + LONG
    while not receiving.taken:
        assert time.monotonic() < deadline
        receiving.turn()
    assert receiving.taken == ["good.jpg"]
    assert not receiving.pauses
    assert receiving.reception.left() == {"bad.jpg": "it cannot be read (input/output error)"}


def test_scans_that_are_held_up_do_not_take_the_places_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder full of scans that may not be moved leaves room for those that may."""
    monkeypatch.setattr(module, "MOST_KNOWN", 2)
    held: list[str] = []
    for name in ("a1.jpg", "a2.jpg", "good.jpg"):
        (tmp_path / name).write_bytes(JPEG)
    receiving = Receiving(tmp_path, blocked=lambda: len(held))
    deadline = time.monotonic() + LONG
    while "good.jpg" not in receiving.taken and time.monotonic() < deadline:
        receiving.turn()
        held[:] = [path for path in receiving.taken if path.startswith("a")]
    receiving.loop.close()
    assert "good.jpg" in receiving.taken
