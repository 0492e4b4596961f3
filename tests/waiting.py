"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

_INTERVAL = 0.02


def until(condition: Callable[[], T], timeout: float = 20.0, what: str = "") -> T:
    """Return what ``condition`` returns as soon as that is true; fail with ``what`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if result := condition():
            return result
        if time.monotonic() >= deadline:
            pytest.fail(f"not within {timeout:g} s: {what or getattr(condition, '__name__', condition)}")
        time.sleep(_INTERVAL)
