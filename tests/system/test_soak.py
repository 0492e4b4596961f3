"""A sample of the bench that looks whether anything grows with time."""

from __future__ import annotations

from pathlib import Path

from tests.bench.soak import run


def test_all_that_is_fed_at_a_steady_rate_comes_to_its_end(tmp_path: Path) -> None:
    """Broken ones and such as are known among them; what grows shows only in half an hour."""
    samples, fed, ended, code = run(tmp_path, seconds=8, rate=4, workers=1)
    assert (fed, ended, code) == (32, 32, 0)
    assert all(sample.parent and sample.worker and sample.descriptors for sample in samples)
    assert len(samples) >= 4
