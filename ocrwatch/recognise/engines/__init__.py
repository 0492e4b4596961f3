"""OCR engines: pixels to words. Each is a module here, or an entry point.

Engines are found by name in the entry point group ``ocrwatch.engines``. The built-in ones are found even if the package
runs from its source tree without being installed.
"""

from __future__ import annotations

import errno
import functools
from typing import ClassVar, Protocol

from ocrwatch.document import Block, EngineInfo
from ocrwatch.errors import EngineFailed, EnvironmentFault, UsageError
from ocrwatch.plugins import find, installed
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.engine_choice import AUTO, TESSERACT, has_second_reader, is_read_by_ppocr
from ocrwatch.recognise.ppocr import weights

GROUP = "ocrwatch.engines"
_BUILT_IN = {
    "tesserocr": "ocrwatch.recognise.engines.tesserocr:TesserocrEngine",
    "pytesseract": "ocrwatch.recognise.engines.pytesseract:PytesseractEngine",
    "rapidocr": "ocrwatch.recognise.engines.rapidocr:RapidocrEngine",
}
_OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Errors that concern all scans, whichever package's engine meets them."""

_MODES_WITHOUT_TEXT = {0: "orientation and script detection only", 2: "page segmentation only"}


class Engine(Protocol):
    """Reads pages. Each process has one instance of an engine, used by one thread."""

    name: ClassVar[str]
    spawns: ClassVar[bool]
    """Whether it starts child processes, which must die with the worker."""

    @property
    def info(self) -> EngineInfo:
        """What it has loaded; valid only after :meth:`prepare`."""

    def prepare(self, recipe: Recipe) -> None:
        """Load what the recipe needs. Cheap if it is already loaded.

        Raises UsageError for settings that the engine does not support and EnvironmentFault for a missing installation.
        """

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Read a page. Returns blocks in reading order; none for a blank page.

        Boxes are in ``pixels``, which is contiguous. ``dpi`` is the resolution, 0 if unknown. Settings of one recipe
        must not affect the next. Raises EngineFailed.
        """


def wants_original(engine: Engine) -> bool:
    """Return whether an engine reads unprocessed pages best.

    Such pages are turned upright and deskewed, but neither cleaned nor scaled. An engine declares this by a class
    attribute of this name; most have none.
    """
    return getattr(engine, "wants_original", False)


def load(recipe: Recipe) -> Engine:
    """Return the recipe's engine, prepared. Raises UsageError or EnvironmentFault."""
    if (mode := _MODES_WITHOUT_TEXT.get(recipe.page_segmentation)) is not None:
        raise UsageError(
            f"ocr.page_segmentation {recipe.page_segmentation} reads no text ({mode})",
            "use 3 for automatic segmentation, or 1 for the same with orientation detection",
        )
    if is_read_by_ppocr(recipe):
        try:
            return _prepared(weights.NAME, recipe)
        except EnvironmentFault:
            # PP-OCR is installed but cannot be loaded. Fall back to Tesseract unless it was requested by name.
            if recipe.engine != AUTO:
                raise
    engine = _automatic() if recipe.engine == AUTO else _instance(recipe.engine)
    engine.prepare(recipe)
    return engine


def load_second(recipe: Recipe) -> EngineInfo | None:
    """Load the second reader; None if the recipe has none.

    Raises EnvironmentFault if it cannot be loaded.
    """
    return _prepared_second(recipe.languages) if has_second_reader(recipe) else None


def read_with(engine: Engine, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
    """Read with an engine; parameters and result as of :meth:`Engine.read`. Raises EngineFailed.

    An ``OSError`` or ``ImportError`` of another package's engine is a fault of this scan (Pillow raises one for a
    damaged image): taken for the environment's, it would stop the reading of all scans.
    """
    try:
        return engine.read(pixels, dpi, recipe)
    except (OSError, ImportError) as error:
        if engine.name in _BUILT_IN or getattr(error, "errno", None) in _OF_THE_MACHINE:
            raise
        raise EngineFailed(
            f"the engine {engine.name} failed ({type(error).__name__}: {error})",
            "report it to the makers of its package",
        ) from error


def available() -> tuple[str, ...]:
    """Return the names of all engines, sorted, without loading them."""
    return tuple(sorted(installed(GROUP, _BUILT_IN)))


def is_installed(name: str) -> bool:
    """Return whether there is an engine of this name. ``auto`` chooses among the built-in ones."""
    return name == AUTO or find(GROUP, _BUILT_IN, name) is not None


@functools.cache
def _prepared_second(languages: tuple[str, ...]) -> EngineInfo:
    return _prepared(weights.NAME, Recipe(engine=weights.NAME, languages=languages)).info


def _prepared(name: str, recipe: Recipe) -> Engine:
    engine = _instance(name)
    engine.prepare(recipe)
    return engine


@functools.cache
def _automatic() -> Engine:
    """Return the best Tesseract engine that can be imported."""
    *better, last = TESSERACT
    for name in better:
        try:
            return _instance(name)
        except EnvironmentFault:
            continue
    return _instance(last)


@functools.cache
def _instance(name: str) -> Engine:
    if (found := find(GROUP, _BUILT_IN, name)) is None:
        raise UsageError(
            f"there is no engine named {name!r}", f"set ocr.engine to one of: {', '.join((AUTO, *available()))}"
        )
    try:
        engine: type[Engine] = found.load()
    except ImportError as error:
        raise EnvironmentFault(
            f"the engine {name} cannot be loaded ({error})",
            weights.INSTALL
            if name == weights.NAME
            else f"install the Python package {name}, or set ocr.engine to {AUTO!r}",
        ) from error
    return engine()
