"""Engine that runs Tesseract in this process and loads its language data once."""

from __future__ import annotations

from typing import ClassVar

import tesserocr

from ocrwatch.document import Block, EngineInfo
from ocrwatch.errors import EngineFailed, EnvironmentFault, UsageError
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.engines import tsv
from ocrwatch.recognise.shared_process import is_embedded
from ocrwatch.recognise.tessdata import check_languages

_INVERT_BELOW = "0.3"
"""Confidence, 0 to 1, below which Tesseract reads a line again with inverted colours. Its default of 0.7 takes 5 % more
time on receipts, and 0.5 takes 4 %, for the same text. White text on dark bars was already inverted."""

_Loaded = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]


class TesserocrEngine:
    """Tesseract's C++ API, called by tesserocr."""

    name: ClassVar[str] = "tesserocr"
    spawns: ClassVar[bool] = False

    def __init__(self) -> None:
        if is_embedded():
            # Leptonica prints its complaints about a page to standard error, which a worker keeps for the report of its
            # death. Tesseract's own messages are sent to /dev/null by tesserocr.
            tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)  # type: ignore[arg-type]
        # One instance per process: some of Tesseract's variables are global to it.
        self._api = tesserocr.PyTessBaseAPI(init=False)
        self._loaded: _Loaded | None = None
        self._replaced: dict[str, str] = {}
        """Previous values of the variables that the loaded recipe sets."""
        self._info: EngineInfo | None = None

    @property
    def info(self) -> EngineInfo:
        """What is loaded; valid only after :meth:`prepare`."""
        if self._info is None:
            raise RuntimeError("prepare() first")
        return self._info

    def prepare(self, recipe: Recipe) -> None:
        """Load the languages and set the variables.

        Some variables take effect only while languages are loaded. Raises UsageError for a variable that Tesseract does
        not have and EnvironmentFault for missing language data.
        """
        wanted = (recipe.tessdata, recipe.languages, recipe.variables)
        if wanted == self._loaded:
            return
        folder = check_languages(recipe)
        self._loaded = None
        self._api.End()
        self._replace_variables(recipe)
        try:
            self._api.InitFull(
                path=f"{folder}/", lang="+".join(recipe.languages), variables=dict(recipe.variables) or None
            )
        except RuntimeError as error:
            raise EnvironmentFault(
                f"Tesseract cannot load {'+'.join(recipe.languages)} from {folder} ({error})",
                "reinstall the language data",
            ) from error
        self._loaded = wanted
        version = tesserocr.tesseract_version().split()[1]
        self._info = EngineInfo(self.name, version, recipe.languages)

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Read a page with a prepared recipe. Raises EngineFailed."""
        own = dict(recipe.variables)
        for variable, value in (
            ("tessedit_char_whitelist", recipe.whitelist),
            ("tessedit_char_blacklist", recipe.blacklist),
            ("invert_threshold", _INVERT_BELOW),
        ):
            self._api.SetVariable(variable, own.get(variable, value))
        self._api.SetPageSegMode(recipe.page_segmentation)  # type: ignore[arg-type]
        # What Tesseract learned from the last page would make this text depend on the order of the scans.
        self._api.ClearAdaptiveClassifier()
        height, width = pixels.shape
        data = pixels.tobytes()  # must outlive the call: Tesseract does not copy it
        try:
            self._api.SetImageBytes(data, width, height, 1, width)  # type: ignore[arg-type]
            if dpi:
                self._api.SetSourceResolution(dpi)
            return tsv.parse(self._api.GetTSVText(0))
        except RuntimeError as error:
            raise EngineFailed(f"Tesseract failed on this image ({error})") from error
        finally:
            self._api.Clear()

    def _replace_variables(self, recipe: Recipe) -> None:
        """Restore the variables of the last recipe, and save those that this one sets."""
        # This makes Tesseract's variables accessible while no language is loaded.
        self._api.SetVariable("user_defined_dpi", "0")
        for variable, value in self._replaced.items():
            self._api.SetVariable(variable, value)
        self._replaced = {}
        for variable, _ in recipe.variables:
            value = self._api.GetVariableAsString(variable)
            if value is None:
                raise UsageError(
                    f"Tesseract has no variable named {variable!r}",
                    "correct ocr.variables; tesseract --print-parameters lists all variables",
                )
            self._replaced[variable] = value
