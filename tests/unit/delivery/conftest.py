"""Workspaces in memory where there is such a file system, since these tests make thousands of files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ocrwatch.delivery.chosen_names import Plan  # noqa: F401 - imported before any test counts calls
from ocrwatch.delivery.step_order import Deliverer
from tests.unit.delivery.interruption import FileSystem, Interruption
from tests.unit.delivery.workspace import ENDINGS, Workspace

_MEMORY = Path("/dev/shm")


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """Make a folder in memory, or else an ordinary temporary one."""
    if not os.access(_MEMORY, os.W_OK):
        yield tmp_path / "memory"
        return
    folder = Path(tempfile.mkdtemp(prefix="ocrwatch-test-", dir=_MEMORY))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def other_device(in_memory: Path, tmp_path: Path) -> Path:
    """Name a folder on another file system than ``in_memory``."""
    if not in_memory.exists() or in_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is missing or on the same file system as the temporary folder")
    return tmp_path / "elsewhere"


@pytest.fixture
def interruption(monkeypatch: pytest.MonkeyPatch, file_system: FileSystem) -> Interruption:
    """Count steps from now on."""
    return Interruption(monkeypatch, file_system)


@pytest.fixture
def file_system() -> FileSystem:
    """Say what the file system can; tests choose others by parameters."""
    return "usual"


@pytest.fixture
def workspaces(in_memory: Path) -> Iterator[Callable[[Path | None], Workspace]]:
    """Make workspaces, which are removed in the end."""
    made: list[Workspace] = []

    def make(elsewhere: Path | None = None) -> Workspace:
        number = str(len(made))
        made.append(Workspace(in_memory / number, None if elsewhere is None else elsewhere / number))
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


@pytest.fixture
def space(workspaces: Callable[[Path | None], Workspace]) -> Workspace:
    """One workspace."""
    return workspaces(None)


@pytest.fixture
def deliverer(space: Workspace) -> Deliverer:
    """Make a deliverer with the real ledger."""
    return Deliverer(space.places, space.ledger, ENDINGS)
