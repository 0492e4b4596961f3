"""A short storm; ``python -m tests.crash.random_kills`` makes a long one."""

from __future__ import annotations

from pathlib import Path

from tests.crash.random_kills import storm

KILLS = 10


def test_scans_come_through_kills_at_random_moments(tmp_path: Path) -> None:
    """Every scan that is dropped while daemon and workers are killed is delivered, once and whole."""
    figures = storm(tmp_path, KILLS, seed=1)
    assert figures.dropped
    assert not figures.differences, f"{figures}\n{figures.differences}"
