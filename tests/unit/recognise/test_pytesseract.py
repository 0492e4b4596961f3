"""What goes wrong around the tesseract program is told apart by whose fault it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ocrwatch.errors import EngineFailed, EnvironmentFault
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.engines import pytesseract
from ocrwatch.recognise.engines.pytesseract import PytesseractEngine
from tests.system.disks import disk_for

PIXELS = np.full((100, 100), 255, np.uint8)


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[Recipe]:
    """Make a recipe with language data in name only, and nothing remembered of another program."""
    folder = tmp_path / "tessdata"
    folder.mkdir()
    (folder / "eng.traineddata").touch()
    for remembered in (pytesseract._variables, pytesseract._version):
        remembered.cache_clear()
    yield Recipe(engine="pytesseract", tessdata=str(folder))
    for remembered in (pytesseract._variables, pytesseract._version):
        remembered.cache_clear()


def install(folder: Path, reading: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a ``tesseract`` first on the path that knows its version and does ``reading`` when it is to read."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    program = bin_folder / "tesseract"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "tesseract 9.8.7" && exit 0\n{reading}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    return program


def prepared(recipe: Recipe) -> PytesseractEngine:
    """Make an engine ready for the recipe."""
    engine = PytesseractEngine()
    engine.prepare(recipe)
    return engine


def test_the_version_is_the_programs(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page names the version of the program that reads."""
    install(tmp_path, "exit 0", monkeypatch)
    assert prepared(recipe).info.version == "9.8.7"


@pytest.mark.parametrize(
    ("reading", "reason"),
    [("echo cannot go on >&2; exit 1", "cannot go on"), ("kill -9 $$", "status -9"), ("exit 0", "no result")],
)
def test_a_failing_program_is_an_engine_failure(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: str, reason: str
) -> None:
    """A failure, a death and a missing result are failures on this scan, with the program's own words."""
    install(tmp_path, reading, monkeypatch)
    with pytest.raises(EngineFailed, match=reason):
        prepared(recipe).read(PIXELS, 0, recipe)


def test_no_room_for_the_result_is_the_environments_fault(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tesseract then fails as on a bad image, on every scan; what has to be freed is named."""
    with disk_for(tmp_path / "small", 1) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk.place))
        install(tmp_path, 'head -c 2000000 /dev/zero >"$2.tsv" || exit 1', monkeypatch)
        with pytest.raises(EnvironmentFault, match=f"temporary files.*free some space in {disk.place}"):
            prepared(recipe).read(PIXELS, 0, recipe)


def test_a_program_that_goes_is_the_environments_fault(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade that removes the program for a while costs no scan."""
    program = install(tmp_path, "exit 0", monkeypatch)
    engine = prepared(recipe)
    program.unlink()
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(EnvironmentFault, match="apt-get install tesseract-ocr"):
        engine.read(PIXELS, 0, recipe)


def test_a_broken_program_is_the_environments_fault(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that cannot even tell its version is named."""
    install(tmp_path, "exit 0", monkeypatch).write_text("#!/bin/sh\nexit 127\n")
    with pytest.raises(EnvironmentFault, match="does not work"):
        prepared(recipe)


def test_no_room_for_temporary_files_is_the_environments_fault(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary folder that cannot be written to pauses the daemon, and quarantines nothing."""
    install(tmp_path, "exit 0", monkeypatch)
    engine = prepared(recipe)
    missing = tmp_path / "missing"
    monkeypatch.setattr("tempfile.tempdir", str(missing))
    with pytest.raises(EnvironmentFault, match="temporary files"):
        engine.read(PIXELS, 0, recipe)
