"""A short run of what ``python -m tests.crash.faulty_starts`` does at length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.faulty_starts import run
from tests.crash.preload import compiler


def test_starts_under_faults_lose_nothing_and_say_what_is_the_matter(tmp_path: Path) -> None:
    """Each start works or ends with exit code 3 and one sentence; scans are delivered once, and no ledger is lost."""
    if compiler() is None:
        pytest.skip("there is no C compiler")
    counted = run(tmp_path.resolve(), 30, rate=0.05, seed=20)
    assert not counted.failed, f"{counted}\n{counted.figures.differences}"
    assert counted.ready >= 5
    assert counted.refused >= 5
    assert counted.figures.delivered == counted.figures.scans
