"""A short storm over feeders; ``python -m tests.crash.document_kills`` makes a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.document_kills import storm

KILLS = 4


@pytest.mark.parametrize("on_success", ["delete", pytest.param("archive", marks=pytest.mark.extended)])
def test_pages_of_feeders_come_through_kills_at_random_moments(tmp_path: Path, on_success: str) -> None:
    """Every page that is fed while daemon and workers are killed is delivered once, and is in one document."""
    figures = storm(tmp_path, KILLS, seed=2, on_success=on_success)
    assert figures.sheets
    assert figures.documents
    assert not figures.differences, f"{figures}\n{figures.differences}"
