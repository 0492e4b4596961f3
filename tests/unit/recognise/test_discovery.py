"""Engines are found by name, built in or brought along by another package."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocrwatch import plugins
from ocrwatch.errors import EngineFailed, EnvironmentFault, UsageError
from ocrwatch.recipe import Recipe
from ocrwatch.recognise import engines
from ocrwatch.recognise.page import warm


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Without the engines that other tests loaded."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    plugins.forget()
    engines._instance.cache_clear()
    engines._automatic.cache_clear()


def bring_along(folder: Path, name: str, value: str) -> None:
    """Install a package's entry point into ``folder``."""
    metadata = folder / "brought_along-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: brought-along\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[ocrwatch.engines]\n{name} = {value}\n")


def test_an_unknown_engine_is_a_usage_error() -> None:
    """The error lists the engines there are."""
    with pytest.raises(UsageError, match=r"'abbyy'.*auto.*pytesseract.*tesserocr"):
        warm(Recipe(engine="abbyy"))


def test_the_automatic_engine_is_the_one_in_process() -> None:
    """Where tesserocr is installed, it is chosen."""
    pytest.importorskip("tesserocr")
    assert warm(Recipe(engine="auto")).name == "tesserocr"


def test_without_tesserocr_the_program_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tesserocr has no wheel, pytesseract reads."""
    monkeypatch.delitem(sys.modules, "ocrwatch.recognise.engines.tesserocr", raising=False)
    monkeypatch.setitem(sys.modules, "tesserocr", None)
    assert warm(Recipe(engine="auto")).name == "pytesseract"
    with pytest.raises(EnvironmentFault, match="install the Python package tesserocr"):
        warm(Recipe(engine="tesserocr"))


def test_another_packages_engine_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine needs a class and an entry point, and no change here."""
    (tmp_path / "brought_along.py").write_text(
        "from ocrwatch.document import EngineInfo\n"
        "class Engine:\n"
        "    name, spawns, info = 'oracle', False, EngineInfo('oracle', '1', ())\n"
        "    def prepare(self, recipe): pass\n"
    )
    bring_along(tmp_path, "oracle", "brought_along:Engine")
    monkeypatch.syspath_prepend(tmp_path)
    assert "oracle" in engines.available()
    assert warm(Recipe(engine="oracle")).name == "oracle"


def test_an_engine_is_loaded_once() -> None:
    """Recipes of one engine share its instance: the language data is loaded once in a process."""
    assert engines.load(Recipe()) is engines.load(Recipe(whitelist="abc"))


class Failing:
    """An engine of another package."""

    name = "oracle"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, *_: object) -> tuple[()]:
        """Fail."""
        raise self.error


def read_by(engine: Any) -> None:
    """Read a page."""
    engines.read_with(engine, np.zeros((1, 1), np.uint8), 0, Recipe())


@pytest.mark.parametrize(
    "error", [OSError("cannot identify image file"), FileNotFoundError(2, "gone"), ImportError("x")]
)
def test_an_error_of_another_packages_engine_is_the_scans_fault(error: Exception) -> None:
    """Pillow raises an OSError for a damaged image: as a fault of the environment it would stop all reading."""
    with pytest.raises(EngineFailed, match="the engine oracle failed"):
        read_by(Failing(error))


def test_a_full_disk_is_a_fault_of_the_environment_whichever_engine_meets_it() -> None:
    """It is passed on, as are the errors of the engines that are built in."""
    with pytest.raises(OSError, match="No space"):
        read_by(Failing(OSError(errno.ENOSPC, "No space left on device")))
    ours = Failing(FileNotFoundError("no tesseract"))
    ours.name = "pytesseract"
    with pytest.raises(FileNotFoundError):
        read_by(ours)
