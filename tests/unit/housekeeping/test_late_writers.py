"""What is quarantined and still written to, on real folders and a real ledger."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ocrwatch.backoff import Backoff
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.events import ScanFailed, ScanReturned, subscribe
from ocrwatch.housekeeping.late_writers import QuarantineWatch
from ocrwatch.intake import opener
from ocrwatch.ledger import Ledger
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settle
from ocrwatch.storage.files import facts_of, open_regular
from ocrwatch.storage.threads import Threads
from tests.rendering import render
from tests.system.dropping import files

LONG = 10.0
JPEG = render("ab", size=12, width=64, height=40)
DAMAGED = JPEG[:200] + bytes(len(JPEG) - 202) + JPEG[-2:]
REASON = "a.jpg.reason.json"


class Watching:
    """A watch, and what it said has returned."""

    def __init__(self, folder: Path) -> None:
        self.inbox, self.quarantine = folder / "inbox", folder / "quarantine"
        for each in (self.inbox, self.quarantine, folder / "state"):
            each.mkdir()
        self.ledger = Ledger(folder / "state")
        self.threads = Threads()
        self.runner = asyncio.Runner()
        self.returned: list[str] = []
        self.unsubscribe = subscribe(lambda event: self.returned.append(event.earlier_path), ScanReturned)
        self.watch = self.begin(give_up_after=LONG)

    def begin(self, give_up_after: float) -> QuarantineWatch:
        """Start to watch, as the daemon does."""
        options = Settle(stable_for=0.05, stable_for_closed=0.05, give_up_after=give_up_after)
        self.watch = QuarantineWatch(self.threads, Backoff(), self.ledger, self.inbox, self.quarantine, options)
        return self.watch

    def put(self, data: bytes = DAMAGED) -> Path:
        """Quarantine a scan."""
        path = self.quarantine / "a.jpg"
        path.write_bytes(data)
        (self.quarantine / REASON).write_text("{}")
        facts = facts_of(path.stat())
        entry = self.ledger.begin("a.jpg", facts, None)
        plan = Plan("a.jpg", facts, "0" * 64, "", "a.jpg", "quarantine", "a.jpg")
        self.ledger.planned(entry.id, plan.to_json(), code="damaged", reason="it is damaged")
        self.ledger.close_scan(entry.id, ScanState.QUARANTINED, code="damaged", reason="it is damaged")
        self.watch.look_for_more()
        return path

    def turn_until(self, condition: Callable[[], object]) -> None:
        """Watch until something is so."""

        async def run() -> None:
            deadline = time.monotonic() + LONG
            taking = asyncio.ensure_future(self.watch.run())
            while not condition():
                assert time.monotonic() < deadline
                assert not taking.done()
                await asyncio.sleep(0.02)
            taking.cancel()

        self.runner.run(run())


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    """Make empty folders, and watch them."""
    watching = Watching(tmp_path)
    yield watching
    watching.unsubscribe()
    watching.runner.close()
    watching.threads.close()
    watching.ledger.close()


def test_a_scan_that_is_finished_goes_back(watching: Watching) -> None:
    """When it is whole and has another content, without its reason; it is named by its path in the inbox."""
    path = watching.put()
    watching.turn_until(lambda: len(watching.watch))
    with path.open("r+b") as file:
        file.write(JPEG)
    watching.turn_until(lambda: watching.returned)
    assert watching.returned == ["a.jpg"]
    assert (watching.inbox / "a.jpg").read_bytes() == JPEG
    assert not files(watching.quarantine)
    assert len(watching.watch) == 0


def test_a_scan_that_stays_as_it_is_is_forgotten_after_the_patience(watching: Watching) -> None:
    """Nothing is left to do then, and it stays with its reason."""
    watching.begin(give_up_after=1.0)
    watching.put()
    watching.turn_until(lambda: len(watching.watch))
    watching.turn_until(lambda: not len(watching.watch))
    assert watching.watch.next_wake() == float("inf")
    assert files(watching.quarantine) == {"a.jpg", REASON}


def test_a_scan_that_was_finished_before_the_start_goes_back(watching: Watching) -> None:
    """It was quarantined by an earlier run, longer ago than the patience."""
    path = watching.put()
    with path.open("r+b") as file:
        file.write(JPEG)
    os.utime(path, (1, 1))
    watching.begin(give_up_after=1.0)
    watching.turn_until(lambda: watching.returned)
    assert files(watching.inbox) == {"a.jpg"}


@pytest.mark.parametrize("how", ["replaced", "cut", "removed"])
def test_what_is_no_finished_scan_stays(watching: Watching, how: str) -> None:
    """Another file in the scan's place is its owner's matter, and what is still no whole JPEG is read by nobody."""
    watching.begin(give_up_after=1.0)
    path = watching.put()
    watching.turn_until(lambda: len(watching.watch))
    match how:
        case "replaced":
            (watching.quarantine / "new").write_bytes(JPEG)
            (watching.quarantine / "new").rename(path)
        case "cut":
            os.truncate(path, 300)
        case _:
            path.unlink()
    watching.turn_until(lambda: not len(watching.watch))
    assert not files(watching.inbox)
    assert (watching.quarantine / REASON).exists()


def test_a_quarantine_that_is_away_is_waited_for(watching: Watching) -> None:
    """It is looked at again when it is back."""
    path = watching.put()
    watching.turn_until(lambda: len(watching.watch))
    with path.open("r+b") as file:
        file.write(JPEG)
    away = watching.quarantine.with_name("away")
    watching.quarantine.rename(away)
    looks = iter(range(20))
    watching.turn_until(lambda: next(looks, None) is None)
    assert len(watching.watch) == 1
    away.rename(watching.quarantine)
    watching.turn_until(lambda: watching.returned)
    assert (watching.inbox / "a.jpg").read_bytes() == JPEG


def test_a_bug_in_the_probe_of_a_scan_does_not_end_the_watch(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan is probed again, and goes back when it is finished; the log has the traceback once."""
    path = watching.put()
    real, count = open_regular, 0
    failed: list[ScanFailed] = []

    def fail(*_: object) -> int:
        nonlocal count
        count += 1
        raise IndexError("index out of range")

    with contextlib.ExitStack() as stack:
        stack.callback(subscribe(failed.append, ScanFailed))
        monkeypatch.setattr(opener, "open_regular", fail)
        watching.turn_until(lambda: count > 2)
        monkeypatch.setattr(opener, "open_regular", real)
        with path.open("r+b") as file:
            file.write(JPEG)
        watching.turn_until(lambda: watching.returned)
    assert watching.returned == ["a.jpg"]
    assert [(each.path, type(each.exception)) for each in failed] == [("a.jpg", IndexError)]
