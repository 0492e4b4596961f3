"""What the daemon counts; the clock is the test's own."""

from __future__ import annotations

import time
from pathlib import Path

from ocrwatch.ledger import Ledger
from ocrwatch.observe.activity import Calendar
from ocrwatch.observe.counters import QUEUE_BOUNDS, READING_BOUNDS, Tally
from ocrwatch.observe.status import ProfileCounts
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts


def test_rates_forget_what_is_past() -> None:
    """A scan counts for a minute, an hour and a day; what did not end by being read or put aside does not."""
    tally = Tally()
    for at in (0.0, 30.0, 3000.0, 80_000.0):
        tally.ended(ScanState.DELIVERED, None, at)
    tally.ended(ScanState.CHANGED, None, 80_000.0)
    assert tally.last_minute(80_001.0) == 1
    assert tally.last_minutes(80_001.0, 60) == 1
    assert tally.last_minutes(80_001.0, 24 * 60) == 4
    assert tally.last_minutes(86_400.0 + 60.0, 24 * 60) == 2
    assert tally.last_minute(80_100.0) == 0


def test_rates_reach_back_behind_a_restart(tmp_path: Path) -> None:
    """What the ledger knows of the day before counts, and adds up with what ends in the same minute."""
    ledger = Ledger(tmp_path)
    for number in range(3):
        row = ledger.begin(f"{number}.jpg", FileFacts(1, number, 3, 4), None)
        ledger.close_scan(row.id, ScanState.CHANGED if number == 0 else ScanState.DELIVERED, code=None, reason=None)
    ends = ledger.ended_by_minute(time.time() - 86_400)
    ledger.close()
    assert sum(count for _, count in ends) == 2
    tally = Tally()
    tally.remember([(7200.0, 5), (100.0, 2)], 10_000.0)
    tally.ended(ScanState.QUARANTINED, None, 10_000.0)
    assert tally.last_minute(10_000.0) == 1
    assert tally.last_minutes(10_000.0, 60) == 3
    assert tally.last_minutes(10_000.0, 24 * 60) == 8


def test_profiles_are_counted_apart() -> None:
    """Scans without a profile have the empty name, which comes first."""
    tally = Tally()
    tally.ended(ScanState.DELIVERED, "receipts", 0.0)
    tally.ended(ScanState.QUARANTINED, "receipts", 0.0)
    tally.ended(ScanState.DELIVERED, None, 0.0)
    assert tally.profiles() == [ProfileCounts("", 1, 0), ProfileCounts("receipts", 1, 1)]


def test_durations_fall_between_bounds() -> None:
    """A bound belongs to what is below it, and what is above all bounds is counted too."""
    tally = Tally()
    for seconds in (0.1, 0.11, 1e9):
        tally.delivered(seconds, seconds / 10)
    waits = tally.queue_seconds.snapshot()
    assert waits.bounds == list(QUEUE_BOUNDS)
    assert (waits.counts[0], waits.counts[1], waits.counts[-1]) == (1, 1, 1)
    assert sum(waits.counts) == 3
    assert waits.total == round(1e9 + 0.21, 3)
    assert len(tally.reading_seconds.snapshot().counts) == len(READING_BOUNDS) + 1


def test_a_moment_has_one_name() -> None:
    """The same monotonic time is always the same time of day, to the second."""
    calendar, now = Calendar(), time.monotonic()
    assert len({calendar.at(now) for _ in range(2000)}) == 1
