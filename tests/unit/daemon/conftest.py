"""What tests of the core have in common."""

from __future__ import annotations

import pytest

from ocrwatch import backoff as backoff_module
from ocrwatch.daemon import pipeline as pipeline_module
from tests.scripted import (
    FIRST_DELAY,
    Refusals,
)


@pytest.fixture
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff_module, "FIRST_DELAY", FIRST_DELAY)


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> Refusals:
    """Deliver one by one, refusing what the test says."""
    return Refusals(monkeypatch)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon what is blocked."""
    monkeypatch.setattr(pipeline_module, "BLOCKED_DELAY", 0.05)
