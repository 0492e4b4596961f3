"""What is told of the queue is the order in which scans are taken from it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.daemon.pauses import Pauses
from ocrwatch.daemon.reading import Reading
from ocrwatch.daemon.tickets import Batch, Ticket
from ocrwatch.values import FileFacts, Scan


def reading() -> Reading:
    """Make a reading that takes as much as there is; nothing is ever loaded."""
    unused: Any = None
    many: Any = [None] * 1000
    pauses = Pauses(lambda: None)
    return Reading(
        unused, pauses, unused, many, unused, max_bytes=0, retry=unused, keeps_originals=False, callbacks=unused
    )


def ticket(path: str, *, fresh: bool) -> Ticket:
    """Make a scan of this name."""
    unused: Any = None
    return Ticket(Scan(path, FileFacts(1, 2, 3, 4), fresh, 0.0), Batch(0, 1), unused, unused)


@given(fresh=st.integers(0, 4), backlog=st.integers(0, 6), retries=st.integers(0, 6), taken=st.integers(0, 12))
def test_the_queue_is_told_as_it_is_taken(fresh: int, backlog: int, retries: int, taken: int) -> None:
    """Fresh ones first, then what failed once and the backlog in turns, at whatever moment one asks."""
    subject = reading()
    for number in range(fresh):
        subject.add(ticket(f"fresh{number}", fresh=True))
    for number in range(backlog):
        subject.add(ticket(f"backlog{number}", fresh=False))
    for number in range(retries):
        subject._retries.append(ticket(f"retry{number}", fresh=True))
    for _ in range(taken):
        subject._next(0.0)
    told = list(subject.queue())
    assert len(told) == subject.queued
    order = []
    while (following := subject._next(0.0)) is not None:
        order.append(following.path)
    assert told == order
