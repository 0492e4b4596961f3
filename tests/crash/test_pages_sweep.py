"""The daemon is killed while it reads files of several pages, or makes documents of fronts and backs, and restarted.

``python -m tests.crash.sweep --variant pages --variant pages-delete --variant duplex`` does so at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.crash.sweep import Sweeper
from tests.crash.test_document_sweep import check
from tests.crash.test_sweep import needs_compiler
from tests.crash.variants import FORMATS, texts_of_originals


@needs_compiler
def test_killed_while_a_file_is_split_and_joined_it_is_delivered_once(tmp_path: Path) -> None:
    """It has all its pages; nothing of it stays in the state folder, and it is not deleted before its text is there."""
    sweeper = Sweeper(tmp_path, "pages-delete")
    files, originals = sweeper.reference.files, texts_of_originals("pages-delete")
    formats = FORMATS["pages-delete"]
    assert {f"outbox/{stem}.{ending}" for _, stem in originals.values() for ending in formats} <= files.keys()
    assert not [name for name in files if name.startswith(("inbox/", "state/pages/"))]
    points = [
        # Before an image of a page is written, before the text is published, and before what was kept is removed.
        _first(sweeper.steps, "write state/pages/", "-2.jpg"),
        _last(sweeper.steps, "renameat2 outbox/sub/", ".txt.tmp"),
        _last(sweeper.steps, "unlinkat state/pages/", ".txt"),
    ]
    check(sweeper.sweep(points, jobs=2))


@needs_compiler
def test_killed_between_fronts_and_backs_they_become_the_same_documents(tmp_path: Path) -> None:
    """Fronts and backs are one document without the blank back, and piles of unequal size are two."""
    sweeper = Sweeper(tmp_path, "duplex")
    documents = ("pair/front", "unequal/front", "unequal/back")
    assert {f"outbox/{stem}.txt" for stem in documents} <= sweeper.reference.files.keys()
    assert "outbox/pair/back.txt" not in sweeper.reference.files
    points = [
        # Before all pages are delivered, when the piles are being closed, and before their document is published.
        _first(sweeper.steps, "fsync archive/pair", ""),
        sweeper.closing + _first(sweeper.steps[sweeper.closing :], "fdatasync state/ledger.db", ""),
        _last(sweeper.steps, "renameat2 outbox/pair/", ".txt.tmp"),
    ]
    check(sweeper.sweep(points, jobs=2))


def _first(steps: Sequence[str], beginning: str, end: str) -> int:
    """Return the number of the first step that begins and ends so, counted from 1."""
    return next(number for number, step in enumerate(steps, 1) if step.startswith(beginning) and step.endswith(end))


def _last(steps: Sequence[str], beginning: str, end: str) -> int:
    """Return the number of the last step that begins and ends so, counted from 1."""
    return len(steps) + 1 - _first(steps[::-1], beginning, end)
