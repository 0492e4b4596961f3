"""Deliveries, one after the other, waiting out what the disks refuse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ocrwatch.daemon.delivering import Delivering
from ocrwatch.daemon.loop import Loop

from ocrwatch import backoff
from ocrwatch.backoff import Backoff
from ocrwatch.delivery.transaction import Delivered
from ocrwatch.errors import Blocked, Changed, EnvironmentFault
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.storage.files import facts_of

LONG = 10.0


class Answers:
    """Deliveries that end as they are told to, one after the other."""

    def __init__(self, *answers: BaseException | None) -> None:
        self._answers = list(answers)
        self.left_behind = 0
        """How many calls it takes to clear everything away."""

    @property
    def has_left_behind(self) -> bool:
        """Tell whether there is something to clear away."""
        return self.left_behind > 0

    def clear_away(self) -> None:
        """Do a part of it."""
        self.left_behind -= 1

    def resume(self, scan: int, *_: object) -> Delivered:
        """Give the next answer."""
        answer = self._answers.pop(0)
        if answer is not None:
            raise answer
        return Delivered(scan, "a.jpg", ("a.txt",), "a.jpg", "archive")


class Line:
    """A line of deliveries with one scan in it."""

    def __init__(self, folder: Path, loop: Loop, deliverer: Any) -> None:
        self.ended: list[bool] = []
        self.pauses = Backoff(lambda: None)
        self.loop = loop
        self._ledger = ledger = Ledger(folder)
        self.entry: Entry = ledger.begin("a.jpg", facts_of(folder.stat()), None)
        self.delivering = Delivering(
            loop,
            self.pauses,
            ledger,
            deliverer,
            fate="archive",
            group_id=lambda _: 0,
            preview_chars=0,
            end=lambda *_: None,
            delivered=lambda *_: None,
            tell=lambda *_: None,
        )
        self.delivering.resume(self.entry, lambda: self.ended.append(True))

    def close(self) -> None:
        """Let go of the ledger, when nothing is at work any more."""
        self.loop.close()
        self._ledger.close()

    def turn(self) -> None:
        """Do what is due, and take in what comes of it."""
        self.delivering.tick(time.monotonic())
        self.loop.turn(min(self.delivering.next_wake(), time.monotonic() + 0.1))

    def run(self) -> None:
        """Turn until the scan has ended."""
        deadline = time.monotonic() + LONG
        while not self.ended:
            assert time.monotonic() < deadline
            self.turn()


Open = Callable[[Any], Line]


@pytest.fixture
def line_for(tmp_path: Path) -> Iterator[Open]:
    """Return what makes a line with a deliverer."""
    lines: list[Line] = []

    def opened(deliverer: Any) -> Line:
        lines.append(Line(tmp_path, Loop(io_threads=1), deliverer))
        return lines[-1]

    yield opened
    for line in lines:
        line.close()


def test_a_pause_ends_with_the_last_scan_that_waits_for_it(line_for: Open) -> None:
    """Somebody takes the scan away while the disk is full: nothing is left to try with, and others may be read."""
    line = line_for(Answers(EnvironmentFault("the disk is full"), Changed("a.jpg")))
    line.run()
    assert not line.pauses


def test_what_is_held_up_is_known_until_it_is_delivered(line_for: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no longer in the line, and not forgotten; then it is tried again."""
    monkeypatch.setattr(backoff, "BLOCKED_DELAY", 0.2)
    line = line_for(Answers(Blocked("it cannot be moved"), None))
    deadline = time.monotonic() + LONG
    while not line.delivering.blocked:
        assert time.monotonic() < deadline
        line.turn()
    assert line.delivering.blocked == {"a.jpg": "it cannot be moved"}
    assert len(line.delivering) == 0
    line.run()
    assert line.delivering.blocked == {}


def test_what_could_not_be_cleared_away_is_tried_again_when_nothing_is_to_do(
    line_for: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though no scan comes any more; again and again, but not in a tight loop."""
    monkeypatch.setattr(backoff, "BLOCKED_DELAY", 0.2)
    answers = Answers(None)
    line = line_for(answers)
    answers.left_behind = 3
    line.run()
    began = time.monotonic()
    while answers.left_behind:
        assert time.monotonic() < began + LONG
        line.turn()
    assert time.monotonic() - began >= 2 * 0.2
    assert line.delivering.next_wake() == float("inf")


def test_what_could_not_be_cleared_away_is_tried_once_more_at_the_end(line_for: Open) -> None:
    """Nothing unfinished is left behind that can be removed."""
    answers = Answers(None)
    line = line_for(answers)
    line.run()
    answers.left_behind = 1
    line.delivering.close()
    assert answers.left_behind == 0
