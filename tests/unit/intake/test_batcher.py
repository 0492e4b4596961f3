"""Scans are gathered into micro-batches; the clock is the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.intake.batcher import Batcher
from ocrwatch.intake.names import natural_key
from ocrwatch.scan import SettledFile
from ocrwatch.storage.file_facts import FileFacts


def scan(path: str, *, fresh: bool = True) -> SettledFile:
    """Make a complete scan of this name."""
    return SettledFile(path, FileFacts(1, 2, 3, 4), fresh, 0.0)


def batcher(max_scans: int = 3) -> Batcher:
    """Make what the tests begin with: batches of three, 0.1 s quiet, 0.5 s at most."""
    return Batcher(max_scans, 0.1, 0.5)


def paths(batch: list[SettledFile]) -> list[str]:
    """Return the names in a batch."""
    return [scan.path for scan in batch]


def test_nothing_waits_at_first() -> None:
    """Without scans there is no batch and no time at which one closes."""
    assert batcher().closes_at() is None
    assert batcher().take(1e9) == []
    assert len(batcher()) == 0


def test_a_full_batch_closes_at_once_in_natural_order() -> None:
    """The scan that fills a batch closes it, and page 2 comes before page 10."""
    subject = batcher()
    for path in ["page10.jpg", "page2.jpg"]:
        subject.add(scan(path), 0.0)
    assert subject.take(0.0) == []
    subject.add(scan("page1.jpg"), 0.01)
    assert paths(subject.take(0.01)) == ["page1.jpg", "page2.jpg", "page10.jpg"]
    assert len(subject) == 0


def test_a_batch_closes_when_no_scan_came_for_the_quiet_time() -> None:
    """Each scan begins the quiet time anew."""
    subject = batcher()
    subject.add(scan("a.jpg"), 0.0)
    subject.add(scan("b.jpg"), 0.08)
    assert subject.closes_at() == 0.18
    assert subject.take(0.17) == []
    assert paths(subject.take(0.18)) == ["a.jpg", "b.jpg"]


def test_a_batch_closes_when_its_oldest_has_waited_enough() -> None:
    """Scans that keep coming do not hold the first one back for ever."""
    subject = batcher(max_scans=1000)
    for step in range(49):
        subject.add(scan(f"{step}.jpg"), step / 100)
        assert subject.take(step / 100) == []
    assert subject.closes_at() == 0.5
    assert len(subject.take(0.5)) == 49


def test_fresh_scans_go_before_a_backlog() -> None:
    """What comes now overtakes what was waiting before, and the backlog can be left alone."""
    subject = batcher()
    for number in range(4):
        subject.add(scan(f"old{number}.jpg", fresh=False), 0.0)
    for number in range(3):
        subject.add(scan(f"new{number}.jpg"), 0.0)
    assert paths(subject.take(0.0)) == ["new0.jpg", "new1.jpg", "new2.jpg"]
    assert subject.take(0.0, backlog=False) == []
    assert paths(subject.take(0.0)) == ["old0.jpg", "old1.jpg", "old2.jpg"]
    assert len(subject) == 1


def test_no_scan_is_overtaken_for_ever() -> None:
    """A scan whose name comes last goes on within its longest wait, whatever else keeps coming in bursts."""
    subject = batcher(max_scans=2)
    subject.add(scan("zzz.jpg"), 0.0)
    now, taken = 0.0, set[str]()
    while now < 1.0 and "zzz.jpg" not in taken:
        for letter in "ab":
            subject.add(scan(f"{letter}{now}.jpg"), now)
        while batch := subject.take(now):
            taken.update(paths(batch))
        now += 0.05
    assert "zzz.jpg" in taken
    assert now <= 0.6


@given(
    st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 30), st.booleans()), max_size=40),
    st.integers(1, 5),
)
def test_no_scan_is_lost_or_doubled(arrivals: list[tuple[float, int, bool]], max_scans: int) -> None:
    """Every scan is in exactly one batch, none larger than allowed, each in natural order and of one kind."""
    subject = batcher(max_scans)
    now, taken, added = 0.0, list[SettledFile](), list[SettledFile]()
    for number, (wait, name, fresh) in enumerate(arrivals):
        now += wait
        added.append(scan(f"{name:05}-{number}.jpg", fresh=fresh))
        subject.add(added[-1], now)
        closes_at = subject.closes_at()
        assert closes_at is not None
        assert closes_at <= now + 0.1
        while batch := subject.take(now):
            assert len(batch) <= max_scans
            assert paths(batch) == sorted(paths(batch), key=natural_key)
            assert len({scan.fresh for scan in batch}) == 1
            taken += batch
    while batch := subject.take(now + 1.0):
        taken += batch
    assert len(subject) == 0
    assert sorted(paths(taken)) == sorted(paths(added))


def test_paths_come_in_the_order_of_the_batches() -> None:
    """What is told of the queue is what :meth:`take` does: fresh ones first, each batch in natural order."""
    subject = batcher()
    for path in ["old2.jpg", "old1.jpg"]:
        subject.add(scan(path, fresh=False), 0.0)
    for path in ["d10.jpg", "d9.jpg", "d1.jpg", "c.jpg"]:
        subject.add(scan(path), 0.0)
    told = list(subject.paths())
    taken: list[str] = []
    while batch := subject.take(9.0):
        taken += paths(batch)
    assert told == taken == ["d1.jpg", "d9.jpg", "d10.jpg", "c.jpg", "old1.jpg", "old2.jpg"]
