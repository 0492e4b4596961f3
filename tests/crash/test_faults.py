"""A short run under faults of every kind; ``python -m tests.crash.faults`` makes a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.faults import run
from tests.crash.preload import compiler

SCANS = 40
RATE = 0.05


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler to build the library that makes calls fail")
def test_scans_come_through_faults_in_every_place(tmp_path: Path) -> None:
    """Each scan ends once, with its text or for its own fault in the quarantine, whatever fails on the way."""
    figures = run(tmp_path, SCANS, rate=RATE, seed=1)
    assert figures.faults > 100
    assert not figures.failed, f"{figures}\n{figures.differences}"
