"""Locates Tesseract's language data, and says what to install if some is missing.

Cheap to import: the parent process checks languages at start and in ``doctor``.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ocrwatch.errors import EnvironmentFault
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.languages import WITHOUT_TEXT, debian_package, meant_by

SUFFIX = ".traineddata"

_USUAL_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_LIST_LANGS_SECONDS = 10
_MOST_COMPONENTS = 1000
_LONGEST_CONFIG = 100_000
_QUOTED = re.compile(r'"([^"]+)"')


def tessdata_folder(recipe: Recipe) -> Path:
    """Return the folder with ``*.traineddata``.

    It is ocr.tessdata, TESSDATA_PREFIX, the folder that Tesseract reports, or a usual one, in this order. A folder that
    was set is not replaced by another. Raises EnvironmentFault if there is none.
    """
    for source, named in (("ocr.tessdata", recipe.tessdata), ("TESSDATA_PREFIX", os.environ.get("TESSDATA_PREFIX"))):
        if named:
            return _named(Path(named), source)
    found = next((folder for folder in _candidates() if _has_languages(folder)), None)
    if found is None:
        raise EnvironmentFault(
            "no Tesseract language data was found",
            "run: apt-get install tesseract-ocr tesseract-ocr-eng, or set ocr.tessdata to the folder that has it",
        )
    return found


def installed_languages(folder: Path) -> tuple[str, ...]:
    """Return the names of the languages, sorted, such as ``eng`` and ``script/Latin``.

    Empty if nothing is readable.
    """
    scripts = (f"script/{name}" for name in _data_files(folder / "script"))
    return tuple(sorted(name.removesuffix(SUFFIX) for name in (*_data_files(folder), *scripts)))


def check_languages(recipe: Recipe) -> Path:
    """Return the tessdata folder. It must have all of the recipe's languages.

    Raises EnvironmentFault that names what is missing, what is installed, what may be meant, and how to install it.
    """
    folder = tessdata_folder(recipe)
    # Path.is_file raises if a dead network share refuses access.
    missing = [each for each in recipe.languages if not os.path.isfile(folder / f"{each}{SUFFIX}")]  # noqa: PTH113
    if missing:
        there = installed_languages(folder)
        installed = ", ".join(name for name in there if name not in WITHOUT_TEXT) or "none"
        noun = "language" if len(missing) == 1 else "languages"
        raise EnvironmentFault(
            f"Tesseract has no data for the {noun} {', '.join(missing)} in {folder} (installed: {installed})",
            _remedy(missing, there),
        )
    return folder


def _remedy(missing: list[str], installed: tuple[str, ...]) -> str:
    """Return how to correct or install the missing languages.

    Names that are not Tesseract's, such as ``chi-sim``, ``de`` or ``English``, are replaced by its names.
    """
    spelt = {name.lower(): name for name in installed}
    steps, packages = [], []
    for name in missing:
        right = spelt.get(name.lower().replace("-", "_"))
        meant = (right,) if right else meant_by(name)
        if meant not in {(), (name,)}:
            steps.append(f"write {' or '.join(meant)} instead of {name}")
        elif not meant:
            steps.append(f"correct the name {name}, or put {name}{SUFFIX} into that folder")
        if len(meant) == 1 and meant[0] not in installed and (package := debian_package(meant[0])):
            packages.append(package)
    if packages:
        steps.append(f"run: apt-get install {' '.join(dict.fromkeys(packages))}")
    return "; ".join(steps)


def require_tesseract() -> str:
    """Return the path of ``tesseract``.

    Raises EnvironmentFault if it is not installed.
    """
    program = shutil.which("tesseract")
    if program is None:
        raise EnvironmentFault(
            "the program tesseract, which the engine pytesseract runs, is not installed",
            "run: apt-get install tesseract-ocr",
        )
    return program


def _named(folder: Path, source: str) -> Path:
    # Tesseract 3 expected the parent folder, and many TESSDATA_PREFIX settings still name it.
    for candidate in (folder, folder / "tessdata"):
        if _has_languages(candidate):
            return candidate
    raise EnvironmentFault(
        f"{source} names {folder}, which has no {SUFFIX} files",
        f"set {source} to the folder that has them, or unset it so that it is found",
    )


def _candidates() -> list[Path]:
    reported = _reported_folder()
    return [*([reported] if reported else []), *map(Path, _USUAL_FOLDERS)]


def _has_languages(folder: Path) -> bool:
    return bool(_data_files(folder))


def _data_files(folder: Path) -> list[str]:
    """Return the names of the data files in a folder.

    Empty if it cannot be read, as with the network share of a dead server.
    """
    try:
        return [path.name for path in folder.iterdir() if path.name.endswith(SUFFIX)]
    except OSError:
        return []


def languages_loaded(folder: Path, languages: Iterable[str]) -> tuple[str, ...]:
    """Return the languages, and those that Tesseract loads with them: their data names them.

    The first component of a ``.traineddata`` file is its configuration, whose ``tessedit_load_sublangs`` has names
    joined by ``+`` (tesseract, ``src/ccutil/tessdatamanager.cpp``, ``src/ccmain/tessedit.cpp``). Files that cannot be
    read name none.
    """
    found = dict.fromkeys(languages)
    waiting = list(found)
    while waiting:
        more = [name for name in _sublanguages(folder / f"{waiting.pop()}{SUFFIX}") if name not in found]
        found.update(dict.fromkeys(more))
        waiting += more
    return tuple(found)


def _sublanguages(data: Path) -> list[str]:
    try:
        with data.open("rb") as file:
            (count,) = struct.unpack("<i", file.read(4))
            offsets = struct.unpack(f"<{count}q", file.read(8 * count)) if 0 < count <= _MOST_COMPONENTS else (-1,)
            if offsets[0] < 0:
                return []
            end = min((offset for offset in offsets if offset > offsets[0]), default=offsets[0] + _LONGEST_CONFIG)
            file.seek(offsets[0])
            config = file.read(min(end - offsets[0], _LONGEST_CONFIG)).decode("utf-8", "replace")
    except (OSError, struct.error):
        return []
    lines = (line.split() for line in config.splitlines())
    named = [words[1] for words in lines if len(words) > 1 and words[0] == "tessedit_load_sublangs"]
    return [name for each in named for name in each.split("+") if name and not name.startswith("~")]


@functools.cache
def _reported_folder() -> Path | None:
    """Return the language data folder that ``tesseract --list-langs`` reports.

    The first line of its output has it in quotes. None if there is no such program.
    """
    program = shutil.which("tesseract")
    if program is None:
        return None
    try:
        listing = subprocess.run(
            [program, "--list-langs"], capture_output=True, text=True, timeout=_LIST_LANGS_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Tesseract 4 wrote the list to standard error.
    first = (listing.stdout or listing.stderr).partition("\n")[0]
    quoted = _QUOTED.search(first)
    return Path(quoted[1]) if quoted else None
