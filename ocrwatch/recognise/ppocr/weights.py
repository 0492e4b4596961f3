"""Locates the networks of PP-OCR, and lists the languages they support.

Cheap to import: the parent process uses it at start and in ``doctor``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files, version
from importlib.util import find_spec
from pathlib import Path

from ocrwatch.errors import EnvironmentFault, UsageError

NAME = "rapidocr"
"""Name of the engine, of the extra, and of the package with the networks."""

_RUNTIME = "onnxruntime"
INSTALL = "install the extra: pip install 'ocrwatch[rapidocr]' (install.sh: --with-rapidocr)"

_DETECTION = "_det_small.onnx"
_RECOGNITION = "_rec_small.onnx"

CHINESE = frozenset({"chi_sim", "chi_tra", "jpn", "script/HanS", "script/HanT", "script/Japanese"})
"""Chinese and Japanese, by Tesseract's names, in horizontal writing."""

BETTER = CHINESE | {"lat"}
"""Languages that PP-OCR reads better than Tesseract; docs/languages.md has the measurements."""

_LATIN = """
afr bos bre cat ceb ces cos cym dan deu eng enm epo est eus fao fil fin fra frm fry gla gle glg hat hrv hun ind isl ita
ita_old jav kmr lat lav lit ltz mlt mri msa nld nor oci pol por que ron slk slv spa spa_old sqi srp_latn sun swa swe ton
tur uzb yor script/Latin
"""

LATIN = frozenset(_LATIN.split())
"""Languages whose letters it supports completely; Vietnamese is not among them. It must not be used for Greek, Cyrillic
or Fraktur, which it reads as Latin letters with high confidence."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The installed networks."""

    detection: Path
    recognition: Path
    version: str
    """Version of the package that contains them."""


ANY_LAYOUT = frozenset({1, 3, 4, 6, 11, 12})
"""Page segmentation modes for pages of any layout."""

ONE_LINE = frozenset({7, 8, 10, 13})
"""Page segmentation modes for one line, one word or one character. 5 is for vertical text and 9 for text in a
circle."""


def unknown_languages(languages: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of ``languages`` that PP-OCR does not support."""
    return tuple(name for name in languages if name not in CHINESE and name not in LATIN)


def check_languages(languages: tuple[str, ...]) -> None:
    """Raise UsageError if PP-OCR does not support all of ``languages``.

    The message lists those that it does not support, and all that it does.
    """
    if unknown := unknown_languages(languages):
        raise UsageError(
            f"the engine {NAME} does not support {', '.join(unknown)}; "
            f"it supports {', '.join(sorted(CHINESE | LATIN))}",
            "set ocr.engine to tesserocr for scans in other languages",
        )


def is_installed() -> bool:
    """Return whether the networks and their runtime are installed.

    Imports neither.
    """
    # Usually nothing is installed; this shows it without reading package metadata for each page.
    if find_spec(NAME) is None or find_spec(_RUNTIME) is None:
        return False
    try:
        weights()
    except EnvironmentFault:
        return False
    return True


@functools.cache
def weights() -> Weights:
    """Find the networks. Raises EnvironmentFault if they or their runtime are missing."""
    try:
        installed, found = version(NAME), files(NAME) or []
        version(_RUNTIME)
    except PackageNotFoundError as error:
        raise EnvironmentFault(f"the Python package {error.name} is not installed", INSTALL) from None
    paths = {path.name: Path(str(path.locate())) for path in found if path.suffix == ".onnx"}
    try:
        detection, recognition = (
            next(path for name, path in sorted(paths.items(), reverse=True) if name.endswith(ending))
            for ending in (_DETECTION, _RECOGNITION)
        )
    except (StopIteration, RuntimeError):
        raise EnvironmentFault(
            f"{NAME} {installed} does not contain the networks *{_DETECTION} and *{_RECOGNITION}",
            f"install a version of {NAME} that does: pip install '{NAME}>=3.10'",
        ) from None
    return Weights(detection, recognition, installed)
