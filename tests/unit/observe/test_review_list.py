"""What the daemon says of the pages that wait for review, while others tick them off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.document import Review
from ocrwatch.ledger import Ledger, mark_reviewed
from ocrwatch.observe.review_list import NEWEST_SHOWN, ReviewList
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.threads import Threads


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Make a ledger."""
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
def threads() -> Iterator[Threads]:
    """Start the threads."""
    threads = Threads()
    yield threads
    threads.close()


def mark(ledger: Ledger, path: str) -> int:
    """Note a page that is marked."""
    row = ledger.begin(path, FileFacts(1, 2, 3, 4), None)
    ledger.close_scan(row.id, ScanState.DELIVERED, code=None, reason=None, review=Review(("confidence 54",), 54.2))
    return row.id


def test_it_knows_what_earlier_runs_left(ledger: Ledger, threads: Threads) -> None:
    """From the start, all are counted and the newest named; odd bytes are written out."""
    for number in range(NEWEST_SHOWN + 3):
        mark(ledger, f"{number}\udcff.jpg")
    found = ReviewList(threads, ledger).found
    assert found.count == NEWEST_SHOWN + 3
    assert [page.path for page in found.newest] == [f"{number}\\xff.jpg" for number in range(3, NEWEST_SHOWN + 3)]
    assert (found.newest[0].confidence, found.newest[0].reasons) == (54.2, ["confidence 54"])


def test_documents_of_several_pages_are_among_them(ledger: Ledger, threads: Threads) -> None:
    """In the order of their times, each as its files are named in the outbox."""
    mark(ledger, "a.jpg")
    plan = json.dumps({"folder": "feeder", "stem": "contract-2", "review": ["page 2 is missing"]})
    (entry,) = ledger.stacks.close(ledger.stacks.begin("key", "{}"), "quiet", [plan])
    assert ReviewList(threads, ledger).found.count == 1
    ledger.stacks.delivered(entry.id, plan, ("page 2 is missing",), [])
    mark(ledger, "b.jpg")
    found = ReviewList(threads, ledger).found
    assert found.count == 3
    assert [page.path for page in found.newest] == ["a.jpg", "feeder/contract-2", "b.jpg"]
    assert (found.newest[1].confidence, found.newest[1].reasons) == (None, ["page 2 is missing"])


def test_it_hears_of_what_was_ticked_off(tmp_path: Path, ledger: Ledger, threads: Threads) -> None:
    """With the next look; two at once are one."""
    row = mark(ledger, "a.jpg")
    reviews = ReviewList(threads, ledger)
    mark_reviewed(tmp_path, {row: ["confidence 54"]})
    assert reviews.found.count == 1

    async def look_twice() -> None:
        await asyncio.gather(reviews.look(), reviews.look())

    asyncio.run(look_twice())
    assert reviews.found.count == 0
    mark(ledger, "b.jpg")
    reviews.look_now()
    assert [page.path for page in reviews.found.newest] == ["b.jpg"]


def test_a_ledger_that_refuses_is_reported_by_what_matters_more(ledger: Ledger, threads: Threads) -> None:
    """What was known before stays, and the next look is made all the same."""
    mark(ledger, "a.jpg")
    reviews = ReviewList(threads, ledger)
    ledger.close()
    for _ in range(2):
        asyncio.run(reviews.look())
        assert reviews.found.count == 1
        assert not reviews._is_looking
