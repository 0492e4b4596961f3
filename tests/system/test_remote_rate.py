"""A remote service that allows so many requests per second is used to the full, and never beyond."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.remote_services import outage, rate

_TRIES = 3
"""Where other programs use the cores, requests come late, and then some too close together."""


def test_a_service_is_used_to_its_rate_and_never_beyond(tmp_path: Path) -> None:
    """It counts in a window that slides and refuses what is more; the daemon knows only the rate."""
    for number in range(_TRIES):
        (folder := tmp_path / str(number)).mkdir()
        found = rate(folder, 5.0, limit=20, concurrency=32, latency=0.5)
        assert found["most_at_once"] <= 32
        if found["refused"] == 0 and found["answers_per_second"] >= 18:
            return
    pytest.fail(f"{found}")


def test_nothing_is_lost_while_a_service_is_away(tmp_path: Path) -> None:
    """Another engine reads meanwhile, and the service again as soon as it is back."""
    found = outage(tmp_path, 30, 6.0, hangs=False, alone=False)
    assert (found["lost"], found["quarantined"], found["twice"], found["mixed_up"]) == (0, 0, 0, 0)
    assert found["local"] >= 5
    assert found["by_service"] >= 5
    assert found["service_reads_again_after_s"] is not None
