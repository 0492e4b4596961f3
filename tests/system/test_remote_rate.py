"""A remote service that allows so many requests per second is used to the full, and never beyond."""

from __future__ import annotations

from pathlib import Path

from tests.bench.remote_services import outage, rate


def test_a_service_is_used_to_its_rate_and_never_beyond(tmp_path: Path) -> None:
    """It counts in a window that slides and refuses what is more; the daemon knows only the rate."""
    found = rate(tmp_path, 5.0, limit=20, concurrency=16, latency=0.5)
    assert found["refused"] == 0
    assert found["answers_per_second"] >= 18
    assert found["most_at_once"] <= 16


def test_nothing_is_lost_while_a_service_is_away(tmp_path: Path) -> None:
    """Another engine reads meanwhile, and the service again as soon as it is back."""
    found = outage(tmp_path, 30, 6.0, hangs=False, alone=False)
    assert (found["lost"], found["quarantined"], found["twice"], found["mixed_up"]) == (0, 0, 0, 0)
    assert found["local"] >= 5
    assert found["by_service"] >= 5
    assert found["service_reads_again_after_s"] is not None
