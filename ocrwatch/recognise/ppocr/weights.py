"""Where the networks of PP-OCR are, and which languages they read.

Cheap to import: the parent process asks it at start and in ``doctor``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files, version
from importlib.util import find_spec
from pathlib import Path

from ocrwatch.errors import EnvironmentFault, UsageError

NAME = "rapidocr"
"""Name of the engine, of the extra and of the package that brings the networks."""

_RUNTIME = "onnxruntime"
INSTALL = "install the extra: pip install 'ocrwatch[rapidocr]' (install.sh: --with-rapidocr)"

_DETECTION = "_det_small.onnx"
_RECOGNITION = "_rec_small.onnx"

CHINESE = frozenset({"chi_sim", "chi_tra", "jpn", "script/HanS", "script/HanT", "script/Japanese"})
"""Chinese and Japanese as Tesseract names them, written across."""

BETTER = CHINESE | {"lat"}
"""Languages that it reads better than Tesseract: see docs/languages.md for what was measured."""

_LATIN = """
afr bos bre cat ceb ces cos cym dan deu eng enm epo est eus fao fil fin fra frm fry gla gle glg hat hrv hun ind isl ita
ita_old jav kmr lat lav lit ltz mlt mri msa nld nor oci pol por que ron slk slv spa spa_old sqi srp_latn sun swa swe ton
tur uzb yor script/Latin
"""

LATIN = frozenset(_LATIN.split())
"""Languages all of whose letters it can write; Vietnamese has others. It must not see Greek, Cyrillic or Fraktur, of
which it is sure that they are Latin letters."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The networks as they are installed."""

    detection: Path
    recognition: Path
    version: str
    """Of the package that brought them."""


ANY_LAYOUT = frozenset({1, 3, 4, 6, 11, 12})
"""Page segmentation modes for pages of any layout."""

ONE_LINE = frozenset({7, 8, 10, 13})
"""Page segmentation modes for one line, one word or one character. 5 is for vertical writing and 9 for a circle."""


def unknown_languages(languages: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of ``languages`` that it does not read."""
    return tuple(name for name in languages if name not in CHINESE and name not in LATIN)


def check_languages(languages: tuple[str, ...]) -> None:
    """Raise UsageError that names the languages it does not read, and says which it does."""
    if unknown := unknown_languages(languages):
        raise UsageError(
            f"the engine {NAME} does not read {', '.join(unknown)}; it reads {', '.join(sorted(CHINESE | LATIN))}",
            "set ocr.engine to tesserocr for scans in other languages",
        )


def is_installed() -> bool:
    """Tell whether the networks and what runs them are installed, without importing either."""
    # Most often nothing is there: that is found out without the packages' metadata, for each page.
    if find_spec(NAME) is None or find_spec(_RUNTIME) is None:
        return False
    try:
        weights()
    except EnvironmentFault:
        return False
    return True


@functools.cache
def weights() -> Weights:
    """Find the networks. Raises EnvironmentFault if they or what runs them are not installed."""
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
            f"{NAME} {installed} does not bring the networks *{_DETECTION} and *{_RECOGNITION}",
            f"install a version of {NAME} that does: pip install '{NAME}>=3.10'",
        ) from None
    return Weights(detection, recognition, installed)
