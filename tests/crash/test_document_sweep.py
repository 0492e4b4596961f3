"""The daemon is killed while it delivers documents of several pages, and restarted.

``python -m tests.crash.sweep --variant documents --variant documents-delete`` does so at every step.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.scenario import PARTS
from tests.crash.sweep import Sweep, Sweeper
from tests.crash.test_sweep import needs_compiler
from tests.crash.variants import Variant, documents_of_pages

ENDINGS = ("alto.xml", "hocr", "json", "pdf", "txt")


@needs_compiler
@pytest.mark.parametrize("variant", ["documents", "documents-delete"])
def test_killed_while_it_delivers_documents_each_is_there_once(tmp_path: Path, variant: Variant) -> None:
    """From the closing of the documents to the end of their delivery: all files are the same as undisturbed.

    The name of one is taken, and of the other a page is missing. No original is deleted before its document is there.
    """
    sweeper = Sweeper(tmp_path, variant)
    files, pages = sweeper.reference.files, documents_of_pages()
    assert {f"outbox/{stem}.{ending}" for _, stem in pages.values() for ending in ENDINGS} <= files.keys()
    assert [f"archive/{name}" in files for name in pages] == [variant == "documents"] * len(pages)
    # What may still be completed keeps its parts.
    assert any(name.startswith(PARTS) for name in files)
    points = [point for point in range(sweeper.closing, len(sweeper.steps) + 1) if _delivers(sweeper.steps[point - 1])]
    assert {sweeper.steps[point - 1].split()[0] for point in points} >= {"open", "fsync", "renameat2", "unlinkat"}
    check(sweeper.sweep(_some(points, 3), jobs=2))


def _delivers(step: str) -> bool:
    """Tell whether a step changes a document or an original, or makes the ledger durable."""
    return " outbox" in step or " archive" in step or PARTS in step or step.startswith("fdatasync state/ledger")


@needs_compiler
def test_killed_while_pages_are_gathered_no_page_is_in_two_documents(tmp_path: Path) -> None:
    """Before they are closed: pages that were delivered and pages that come after the restart become one document."""
    sweeper = Sweeper(tmp_path, "documents")
    points = [point for point in range(1, sweeper.closing) if PARTS in sweeper.steps[point - 1]]
    assert points
    check(sweeper.sweep(_some(points, 2), jobs=2))


def check(sweep: Sweep) -> None:
    """Fail with what was found. Of so few runs, one may end before its step comes: threads take turns otherwise."""
    assert not sweep.failures, "\n".join(map(str, sweep.failures))
    assert sweep.killed >= len(sweep.trials) - 1


def _some(points: list[int], count: int) -> list[int]:
    """Return so many of the points, from all over them."""
    return points[:: max(1, -(-len(points) // count))]
