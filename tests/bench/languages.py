"""Tells the languages of a corpus.

They are in its ``corpus.toml``, in that of the folder above, or in its folder's name.
"""

from __future__ import annotations

import fnmatch
import functools
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ocrwatch.errors import OcrwatchError
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.tessdata import check_languages, installed_languages, tessdata_folder

FILE = "corpus.toml"
"""Has ``language``, of the JPEGs beside it, and the table ``[languages]``, of the folders beside it."""

Languages = tuple[str, ...]
"""Tesseract's names of languages, the most frequent first."""

ENGLISH: Languages = ("eng",)
"""The languages of a corpus if nothing names others."""

_NO_LANGUAGES = frozenset({"osd", "equ"})
"""Tesseract's data for orientation and for formulas."""

_EXAMPLE = '"fra" or ["fra", "eng"]'


@dataclass(frozen=True, slots=True)
class Declared:
    """What a folder's ``corpus.toml`` says; nothing if there is none."""

    own: Languages | None = None
    """Languages of the JPEGs in the folder itself."""
    by_name: Mapping[str, Languages] = field(default_factory=dict)
    """Languages of its subfolders by their names, or by patterns of names."""

    def of(self, name: str) -> Languages | None:
        """Return a subfolder's languages, by its name or by the first fitting pattern."""
        patterns = (pattern for pattern in self.by_name if fnmatch.fnmatchcase(name, pattern))
        found = name if name in self.by_name else next(patterns, None)
        return None if found is None else self.by_name[found]


def declared(folder: Path) -> Declared:
    """Read a folder's ``corpus.toml``.

    Ends the program with a sentence if the file is wrong.
    """
    path = folder / FILE
    if not path.is_file():
        return Declared()
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        sys.exit(f"{path} is not readable as TOML: {error}")
    for key in content.keys() - {"language", "languages"}:
        sys.exit(f"{path}: {key} is unknown; write language, or a table [languages] with names of folders")
    table = content.get("languages", {})
    if not isinstance(table, dict):
        sys.exit(f'{path}: languages is no table; write [languages], and below it lines such as "letters" = "fra"')
    own = _checked(path, "language", content["language"]) if "language" in content else None
    return Declared(own, {name: _checked(path, f'languages."{name}"', value) for name, value in table.items()})


def languages_of(folder: Path, name: str, above: Declared) -> Languages:
    """Return the languages of the JPEGs in ``folder``.

    ``name`` is that of the corpus; ``above`` is what the parent folder declares.
    """
    return declared(folder).own or above.of(name) or from_name(name, installed())


def from_name(name: str, known: frozenset[str]) -> Languages:
    """Return the language that a folder's name tells, else English.

    It is the last of the name's parts between hyphens that is ``known``.
    """
    parts = [part for part in name.split("-") if part in known]
    return (parts[-1],) if parts else ENGLISH


def joined(languages: Languages) -> str:
    """Write languages as the option ``-l`` of Tesseract takes them."""
    return "+".join(languages)


@functools.cache
def installed() -> frozenset[str]:
    """Return the names of the installed languages. Ends the program if there are none."""
    try:
        return frozenset(installed_languages(tessdata_folder(Recipe()))) - _NO_LANGUAGES
    except OcrwatchError as error:
        sys.exit(str(error))


def _checked(path: Path, key: str, value: object) -> Languages:
    """Return the languages that ``value`` names, if data for all are installed."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(each, str) and each for each in names):
        sys.exit(f"{path}: {key} = {value!r} names no language; write {_EXAMPLE}")
    if any("+" in each for each in names):
        sys.exit(f"{path}: {key} = {value!r} joins languages by +; write a list, such as {_EXAMPLE}")
    languages = tuple(names)
    try:
        check_languages(Recipe(languages=languages))
    except OcrwatchError as error:
        sys.exit(f"{path}: {key}: {error}")
    return languages
