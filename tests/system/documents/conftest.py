"""The feeder's engine, for all tests of documents."""

from __future__ import annotations

import pytest

from tests.feeder import install


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment with which the engine is found that counts marks."""
    return install(tmp_path_factory.mktemp("feeder") / "engine")
