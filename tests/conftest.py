"""How Hypothesis looks for examples, and how tests are themselves tested.

Hypothesis takes the same examples in each run, however busy the machine; ``pytest --hypothesis-profile=explore
tests/unit tests/fuzz`` looks for new ones, twenty times as many. ``pytest --slow-disk tests/system`` makes
what ocrwatch does to its files take its time: a test that fails only then takes something for granted.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.crash.preload import SLOW, build

# A time limit for each example measures the machine, not ocrwatch.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", settings.get_profile("same"), derandomize=False, max_examples=2000)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch for slow disks."""
    parser.addoption("--slow-disk", action="store_true", help="make ocrwatch's steps take their time, at random")


@pytest.fixture(scope="session", autouse=True)
def _slow_disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    if request.config.getoption("--slow-disk"):
        library: Path = build("slow.c", tmp_path_factory.mktemp("slow"))
        os.environ.update(SLOW, LD_PRELOAD=str(library))
