"""Language data is found, and what is missing is named with its remedy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.recipe import Recipe
from ocrwatch.recognise import tessdata
from ocrwatch.recognise.languages import debian_package
from ocrwatch.recognise.tessdata import check_languages, installed_languages, tessdata_folder


@pytest.fixture(autouse=True)
def no_prefix(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the tester's own TESSDATA_PREFIX, and without what was reported before."""
    monkeypatch.delenv("TESSDATA_PREFIX", raising=False)
    tessdata._reported_folder.cache_clear()
    yield
    tessdata._reported_folder.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a tessdata folder with two languages and a script."""
    made = tmp_path / "tessdata"
    for name in ("eng", "deu", "script/Latin"):
        file = made / f"{name}.traineddata"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return made


def program(folder: Path, output: str) -> None:
    """Write a ``tesseract`` into ``folder`` that prints ``output``."""
    folder.mkdir()
    script = folder / "tesseract"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n")
    script.chmod(0o755)


def test_languages_are_listed_by_name(folder: Path) -> None:
    """Names are those that Tesseract accepts, sorted; a folder that is not there has none."""
    assert installed_languages(folder) == ("deu", "eng", "script/Latin")
    assert installed_languages(folder / "nowhere") == ()


def test_the_setting_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in the settings outweighs the environment's."""
    monkeypatch.setenv("TESSDATA_PREFIX", "/somewhere/else")
    assert tessdata_folder(Recipe(tessdata=str(folder))) == folder


def test_then_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TESSDATA_PREFIX may name the folder or, as Tesseract 3 wanted it, its parent."""
    for prefix in (folder, folder.parent):
        monkeypatch.setenv("TESSDATA_PREFIX", str(prefix))
        assert tessdata_folder(Recipe()) == folder


def test_a_named_folder_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was asked for and has no data is an error that names it, not a search elsewhere."""
    with pytest.raises(EnvironmentFault, match=r"ocr\.tessdata names .*empty"):
        tessdata_folder(Recipe(tessdata=str(tmp_path / "empty")))
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path / "empty"))
    with pytest.raises(EnvironmentFault, match="TESSDATA_PREFIX names"):
        tessdata_folder(Recipe())


def test_then_what_tesseract_says(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quoted path in the program's list of languages is used."""
    program(tmp_path / "bin", f'List of available languages in "{folder}/" (2):\neng\ndeu')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert tessdata_folder(Recipe()) == folder


def test_then_the_usual_folders(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program, or with one that says nothing useful, the usual folders are tried."""
    monkeypatch.setattr(tessdata, "_USUAL_FOLDERS", (str(tmp_path / "not-there"), str(folder)))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tessdata_folder(Recipe()) == folder
    tessdata._reported_folder.cache_clear()
    program(tmp_path / "bin", "something unexpected")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert tessdata_folder(Recipe()) == folder


def test_no_data_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing, the error says what to install."""
    monkeypatch.setattr(tessdata, "_USUAL_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="apt-get install tesseract-ocr"):
        tessdata_folder(Recipe())


def test_all_languages_present(folder: Path) -> None:
    """Languages and scripts that are there pass, and the folder is returned."""
    recipe = Recipe(tessdata=str(folder), languages=("eng", "script/Latin"))
    assert check_languages(recipe) == folder


def test_names_that_no_file_system_has_are_missing_too(folder: Path) -> None:
    """The system refuses to look for them; that is nobody's bug."""
    long = "x" * 300
    with pytest.raises(EnvironmentFault, match=f"no data for the language {long}"):
        check_languages(Recipe(tessdata=str(folder), languages=("eng", long)))
    with pytest.raises(EnvironmentFault, match=r"ocr\.tessdata names .*which has no"):
        check_languages(Recipe(tessdata=str(folder / long)))


def test_missing_languages_are_named(folder: Path) -> None:
    """The message names what is missing and what is installed; the remedy is the command."""
    with pytest.raises(EnvironmentFault) as caught:
        check_languages(Recipe(tessdata=str(folder), languages=("eng", "fra", "chi_sim")))
    assert "fra, chi_sim" in caught.value.message
    assert "installed: deu, eng, script/Latin" in caught.value.message
    assert caught.value.remedy == "run: apt-get install tesseract-ocr-fra tesseract-ocr-chi-sim"


@pytest.mark.parametrize(
    ("language", "package"),
    [
        ("fra", "tesseract-ocr-fra"),
        ("chi_sim", "tesseract-ocr-chi-sim"),
        ("chi_sim_vert", "tesseract-ocr-chi-sim-vert"),
        ("script/Latin", "tesseract-ocr-script-latn"),
        ("script/Arabic", "tesseract-ocr-script-arab"),
        ("script/HanS_vert", "tesseract-ocr-script-hans-vert"),
        ("script/Gujarati", "tesseract-ocr-script-gujr"),
        ("tlh", None),
        ("snum", None),
        ("osd", None),
        ("script/Klingon", None),
        ("best/eng", None),
    ],
)
def test_debian_packages(language: str, package: str | None) -> None:
    """Only packages that exist are named."""
    assert debian_package(language) == package


def test_a_missing_program_is_the_environments_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program, the error says how to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="apt-get install tesseract-ocr"):
        tessdata.require_tesseract()


def test_importing_it_is_cheap() -> None:
    """The parent process checks languages without loading an image or OCR library."""
    code = "import sys, ocrwatch.recognise.tessdata; print(*({'cv2', 'numpy', 'PIL', 'tesserocr'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_language_that_is_only_misspelt_need_not_be_installed(folder: Path) -> None:
    """The remedy is the right spelling where that is installed, and the package where nothing like it is."""
    (folder / "chi_sim.traineddata").touch()
    recipe = Recipe(tessdata=str(folder), languages=("chi-sim", "ENG", "fra"))
    with pytest.raises(EnvironmentFault) as caught:
        check_languages(recipe)
    assert "write chi_sim instead of chi-sim; write eng instead of ENG; run: apt-get install tesseract-ocr-fra" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("de", "write deu instead of de"),
        ("German", "write deu instead of German"),
        ("en-US", "write eng instead of en-US"),
        ("fr", "write fra instead of fr; run: apt-get install tesseract-ocr-fra"),
        ("zh", "write chi_sim or chi_tra instead of zh"),
        ("script/latin", "write script/Latin instead of script/latin"),
        ("tlh", "correct the name tlh, or put tlh.traineddata into that folder"),
    ],
)
def test_the_remedy_says_what_was_meant(folder: Path, written: str, remedy: str) -> None:
    """Names that are not Tesseract's are translated; what nobody packages is not sent to apt-get."""
    with pytest.raises(EnvironmentFault) as caught:
        check_languages(Recipe(tessdata=str(folder), languages=(written,)))
    assert caught.value.remedy == remedy


def test_data_of_ones_own_may_have_any_name(folder: Path) -> None:
    """What is there is used, also if its name means something else."""
    (folder / "de.traineddata").touch()
    assert check_languages(Recipe(tessdata=str(folder), languages=("de",))) == folder


def test_helpers_are_not_offered_as_languages(folder: Path) -> None:
    """osd.traineddata is installed everywhere, and reads no text."""
    (folder / "osd.traineddata").touch()
    with pytest.raises(EnvironmentFault, match=r"installed: deu, eng, script/Latin\)"):
        check_languages(Recipe(tessdata=str(folder), languages=("fra",)))
