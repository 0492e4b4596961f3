"""Piles in memory where there is such a file system."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.documents.pile import Make, Pile

_MEMORY = Path("/dev/shm")


@pytest.fixture
def piles(tmp_path: Path) -> Iterator[Make]:
    """Make piles, which are removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="ocrwatch-test-", dir=_MEMORY)) if os.access(_MEMORY, os.W_OK) else tmp_path
    made: list[Pile] = []

    def make(**facts: Any) -> Pile:
        made.append(Pile(folder / str(len(made)), **facts))
        return made[-1]

    yield make
    for pile in made:
        pile.ledger.close()
    shutil.rmtree(folder, ignore_errors=True)
