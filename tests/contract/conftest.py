"""Pools with engines that fail."""

from __future__ import annotations

import os
import py_compile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import faulty_engines
from tests.contract.pooling import Pooling, Start
from tests.other_formats import installed

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have workers find the failing engines."""
    faulty_engines.install(tmp_path)
    # A worker whose memory is short would fail while it compiles them, with a syntax error that is none.
    py_compile.compile(faulty_engines.__file__, doraise=True)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{_ROOT}")


@pytest.fixture
def formats(faulty: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, ...]]:
    """Have workers and this process find another package's formats; return all names."""
    names = ("crashes", "hangs", "marks", "raises")
    folder = tmp_path / "formats"
    with installed(folder, *names):
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ["PYTHONPATH"]]))
        yield (*names, "txt", "json")


@pytest.fixture
def start(faulty: None) -> Iterator[Start]:
    """Start pools, and end them."""
    started: list[Pooling] = []

    def start(count: int = 1, **options: object) -> Pooling:
        started.append(Pooling(count, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for pooling in started:
        pooling.pool.kill()
