"""Engine that runs the PP-OCR networks of the package rapidocr in this process.

It reads unprocessed pages.
"""

from __future__ import annotations

from typing import ClassVar

from ocrwatch.document import Block, EngineInfo
from ocrwatch.errors import UsageError
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.layout import in_reading_order
from ocrwatch.recognise.ppocr.lines import detected, read_line, to_line
from ocrwatch.recognise.ppocr.networks import networks
from ocrwatch.recognise.ppocr.strip import whole
from ocrwatch.recognise.ppocr.weights import ANY_LAYOUT, NAME, ONE_LINE, check_languages, weights

_AS_GIVEN = scaling(1.0, 1.0)


class RapidocrEngine:
    """PP-OCR with the networks of the package rapidocr."""

    name: ClassVar[str] = NAME
    spawns: ClassVar[bool] = False
    wants_original: ClassVar[bool] = True

    def __init__(self) -> None:
        self._info: EngineInfo | None = None

    @property
    def info(self) -> EngineInfo:
        """What is loaded; valid only after :meth:`prepare`."""
        if self._info is None:
            raise RuntimeError("prepare() first")
        return self._info

    def prepare(self, recipe: Recipe) -> None:
        """Load the networks, which are the same for all languages.

        Raises UsageError for languages that PP-OCR does not support and for Tesseract's options, and EnvironmentFault
        if the networks are not installed.
        """
        check_languages(recipe.languages)
        for variable, _ in recipe.variables:
            raise UsageError(
                f"the engine {NAME} has no variable named {variable!r}",
                "remove it from ocr.variables, which only Tesseract supports, or set ocr.engine to tesserocr",
            )
        if recipe.page_segmentation not in ANY_LAYOUT | ONE_LINE:
            raise UsageError(
                f"the engine {NAME} does not support ocr.page_segmentation {recipe.page_segmentation}",
                "set it to 3, or ocr.engine to tesserocr",
            )
        networks()
        self._info = EngineInfo(self.name, weights().version, recipe.languages)

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:  # noqa: ARG002 - Tesseract needs it
        """Read a page with horizontal lines. Raises EngineFailed."""
        strips = [whole(pixels)] if recipe.page_segmentation in ONE_LINE else detected(pixels)
        lines = [to_line(read_line(pixels, strip, recipe), _AS_GIVEN) for strip in strips]
        return in_reading_order([line for line in lines if line is not None])
